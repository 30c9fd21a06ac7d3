import { type Rotation, rotateCertificates } from '../flows/rotate-certificates.ts';
import { printable } from '../views/printable.ts';
import type { Theme } from '../views/theme.ts';
import { allCiliumContexts } from './all-contexts.ts';
import { type ClusterFlags, withClusters } from './cluster-flags.ts';
import type { CommandContext, CommandResult, ParsedOptions } from './command.ts';

interface CertsRotateFlags extends ClusterFlags {
  context?: string[];
  all: boolean;
  ca: boolean;
  /** Milliseconds. */
  waitDuration: number;
}

/** `meshctl clustermesh certs rotate`: new leaves and certificates for peers; with --ca, new CAs in two phases. */
export async function run(context: CommandContext, parsed: ParsedOptions): Promise<CommandResult> {
  const flags = parsed as unknown as CertsRotateFlags;
  const contexts = flags.all ? await allCiliumContexts(context, flags) : (flags.context ?? [undefined]);
  const rotated = await withClusters(context, flags, contexts, (clients) =>
    rotateCertificates(
      context,
      clients.map((client) => ({ client, namespace: flags.namespace })),
      { ca: flags.ca, waitMs: flags.waitDuration },
    ),
  );
  const certificates = printable(rotated);
  return { kind: 'RotationResult', data: { certificates }, text: (theme) => rotationText(certificates, theme) };
}

function rotationText(certificates: readonly Rotation[], theme: Theme): string {
  const lines = certificates.map(
    ({ context, secret, subject, peer }) =>
      `  • ${theme.bold(context)}: ${subject} in Secret ${secret}${peer ? ` (for ${peer})` : ''}`,
  );
  return [`✅ Renewed ${certificates.length} certificates`, ...lines].join('\n');
}
