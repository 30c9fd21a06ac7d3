import { resolve } from 'node:path';
import { authorityOfContext, authorityOfFiles, type BroughtAuthority } from '../../../flows/enable/given-authority.ts';
import type { Target } from '../../../flows/flow.ts';
import type { CommandContext } from '../../command.ts';
import type { FlagsOf } from '../../options/flags-of.ts';
import { bitsOf } from '../../options/shared-options.ts';
import { withOneCluster } from '../../targets/several-clusters.ts';
import type { ENABLE } from './enable-spec.ts';

/**
 * The CA that the flags ask for: of files, or of a cluster.
 * @param targets the clusters of the run
 * @throws MeshctlError why it cannot be had
 */
export async function broughtAuthority(
  context: CommandContext,
  flags: FlagsOf<typeof ENABLE>,
  targets: readonly Target[],
): Promise<BroughtAuthority | undefined> {
  const { caCert, caKey, keySize } = flags;
  if (caCert !== undefined && caKey !== undefined) {
    return authorityOfFiles(context, resolve(context.cwd, caCert), resolve(context.cwd, caKey));
  }
  if (flags.caFromContext === undefined) return undefined;
  const { all: _all, ...access } = flags;
  return withOneCluster(context, { ...access, context: flags.caFromContext }, (source) => {
    const mayGenerate = targets.some(({ client }) => client.context === source.client.context);
    // What is to be replaced is not what is wanted.
    const sharers = flags.replaceCa ? [] : targets.filter(({ client }) => client.context !== source.client.context);
    return authorityOfContext(context, source, { mayGenerate, keySize: bitsOf(keySize), sharers });
  });
}
