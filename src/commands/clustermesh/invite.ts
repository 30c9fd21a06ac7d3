import { prepareInvite, writeInvite } from '../../flows/invitation/invite.ts';
import { tryOnServer } from '../../flows/write/try-on-server.ts';
import { fingerprintOf } from '../../mesh/invitation/judge.ts';
import type { CommandContext, CommandResult } from '../command.ts';
import type { FlagsOf } from '../flags-of.ts';
import { dryRunOf, planResult } from '../plan-result.ts';
import { withOneCluster } from '../targets/several-clusters.ts';
import { offeredEndpoints } from './invitation-values.ts';
import type { INVITE } from './invite-spec.ts';
import { messageResult } from './message-result.ts';

/** `meshctl clustermesh invite`: prints an invitation for the owner of another cluster. */
export async function run(context: CommandContext, flags: FlagsOf<typeof INVITE>): Promise<CommandResult> {
  const dryRun = dryRunOf(flags);
  const options = { validMs: flags.valid, invited: flags.peer, endpoints: offeredEndpoints(flags.endpoint) };
  return withOneCluster(context, flags, async (target) => {
    const prepared = await prepareInvite(context, target, options);
    const { steps, message, fingerprint } = prepared;
    if (dryRun) {
      const verdicts = dryRun === 'server' ? await tryOnServer(context, [target], steps) : undefined;
      return planResult({ steps, ...(verdicts ? { verdicts } : {}) }, dryRun, flags.output);
    }
    await writeInvite(context, prepared);
    context.progress.info(`The CA of ${message.cluster.name} (yours): ${fingerprintOf(fingerprint)}`);
    return messageResult(context, message, message.invited);
  });
}
