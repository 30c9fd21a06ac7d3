import type { Target } from '../flows/flow.ts';
import { planRotation } from '../flows/plan-rotation.ts';
import { type Rotation, rotateCertificates } from '../flows/rotate-certificates.ts';
import { tryOnServer } from '../flows/try-on-server.ts';
import { MeshctlError } from '../mesh/errors.ts';
import { printable } from '../views/printable.ts';
import type { Theme } from '../views/theme.ts';
import type { CommandContext, CommandResult, ParsedOptions } from './command.ts';
import { type DryRun, dryRunOf, type PlanFlags, planResult } from './plan-result.ts';
import { type SeveralClustersFlags, withChosenClusters } from './several-clusters.ts';

interface CertsRotateFlags extends SeveralClustersFlags, PlanFlags {
  ca: boolean;
  yes: boolean;
  /** Milliseconds. */
  waitDuration: number;
}

/** `meshctl clustermesh certs rotate`: new leaves and certificates for peers; with --ca, new CAs in two phases. */
export async function run(context: CommandContext, parsed: ParsedOptions): Promise<CommandResult> {
  const flags = parsed as unknown as CertsRotateFlags;
  const dryRun = dryRunOf(flags);
  if (dryRun) return withChosenClusters(context, flags, (targets) => showPlan(context, targets, flags, dryRun));
  const rotated = await withChosenClusters(context, flags, async (targets) => {
    if (flags.ca && !flags.yes) await confirmNewAuthorities(context, targets);
    return rotateCertificates(context, targets, { ca: flags.ca, waitMs: flags.waitDuration });
  });
  const certificates = printable(rotated);
  return { kind: 'RotationResult', data: { certificates }, text: (theme) => rotationText(certificates, theme) };
}

async function showPlan(
  context: CommandContext,
  targets: readonly Target[],
  { ca, output }: CertsRotateFlags,
  dryRun: DryRun,
): Promise<CommandResult> {
  const plan = await planRotation(context, targets, ca);
  const verdicts = dryRun === 'server' ? await tryOnServer(context, targets, plan.steps) : undefined;
  return planResult({ ...plan, ...(verdicts && { verdicts }) }, dryRun, output);
}

/** A CA is replaced for good: everything else that trusts it (Hubble, say) has to get the new one from its own tool. */
async function confirmNewAuthorities(context: CommandContext, targets: readonly Target[]): Promise<void> {
  const names = targets.map(({ client }) => client.context).join(', ');
  const about = [
    `New CAs for ${names}, and all certificates of the mesh from them, in two phases.`,
    'The clustermesh-apiserver pods are replaced one by one; no agent restarts, no peer is cut off.',
    'What else uses Secret cilium-ca (Hubble) keeps certificates of the old CA until its own tool renews them.',
  ].join('\n');
  const agreed = await context.confirm('Replace the CAs?', about);
  if (!agreed) throw new MeshctlError('Declined', 'nothing was changed: the new CAs were not confirmed');
}

function rotationText(certificates: readonly Rotation[], theme: Theme): string {
  const lines = certificates.map(
    ({ context, secret, subject, peer }) =>
      `  • ${theme.bold(context)}: ${subject} in Secret ${secret}${peer ? ` (for ${peer})` : ''}`,
  );
  return [`✅ Renewed ${certificates.length} certificates`, ...lines].join('\n');
}
