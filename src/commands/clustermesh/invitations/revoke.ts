import { disconnectClusters } from '../../../flows/connect/disconnect.ts';
import { clustersOfParting } from '../../../flows/connect/prepare-disconnect.ts';
import { prepareRevoke } from '../../../flows/invitation/prepare-revoke.ts';
import { noting } from '../../../flows/noting.ts';
import { readLostBackends } from '../../../flows/services/read-lost-backends.ts';
import { tryOnServer } from '../../../flows/write/try-on-server.ts';
import { exitOf } from '../../../mesh/errors.ts';
import { revokeCommand } from '../../../mesh/invitation/record.ts';
import { revokeText } from '../../../views/invitation/revoke-view.ts';
import { clusterSteps } from '../../../views/plan/plan-data.ts';
import { agreedWords, peersData } from '../../../views/plan/plan-view.ts';
import { printable } from '../../../views/printable.ts';
import type { CommandContext, CommandResult } from '../../command.ts';
import type { FlagsOf } from '../../options/flags-of.ts';
import { PARTING_WAIT_MS } from '../../options/shared-options.ts';
import { confirmCuts, dryRunOf, planResult, refusalByRotation } from '../../plan-result.ts';
import { otherClustersOf } from '../../targets/other-clusters.ts';
import { withOneCluster } from '../../targets/several-clusters.ts';
import type { INVITATIONS_REVOKE } from './revoke-spec.ts';

/** `meshctl clustermesh invitations revoke`: no message of an invitation is accepted any more. */
export async function run(context: CommandContext, flags: FlagsOf<typeof INVITATIONS_REVOKE>): Promise<CommandResult> {
  const dryRun = dryRunOf(flags);
  return withOneCluster(context, flags, async (target) => {
    const { id, revocation, prepared } = await prepareRevoke(context, target, flags.id);
    const { steps: planned } = prepared.plan;
    const { effects } = prepared;
    const others = otherClustersOf(context, flags, [target]);
    const readLost = () => readLostBackends(context, [target], prepared, others);
    const { hazards, unseen } = await readLost();
    const known = [...prepared.warnings, ...unseen];
    const report = { steps: planned, ...(effects.length > 0 ? { effects } : {}), hazards, warnings: known };
    for (const warning of known) context.progress.warn(warning);
    if (dryRun) {
      const verdicts = dryRun === 'server' ? await tryOnServer(context, [target], planned) : undefined;
      const refused = await refusalByRotation(context, { steps: planned, targets: [target] });
      return planResult({ ...report, ...(verdicts ? { verdicts } : {}) }, dryRun, flags.output, refused);
    }
    const hazardsNow = async () => (await readLost()).hazards;
    const { flow, noted } = noting(context);
    await confirmCuts(flow, report, {
      yes: flags.yes,
      targets: [target],
      planned: clustersOfParting(prepared),
      hazardsNow,
    });
    const { steps, verified, letIn, parted, ...outcome } = await disconnectClusters(
      flow,
      { ...prepared, warnings: known },
      {
        parallel: 1,
        command: 'invitations revoke',
        rollback: flags.rollback,
        mend: (name) => revokeCommand(name, id),
        waitMs: prepared.partings.length > 0 ? (flags.waitDuration ?? PARTING_WAIT_MS) : undefined,
        replacingMs: flags.waitDuration,
      },
    );
    const warnings = [...new Set([...outcome.warnings, ...agreedWords(report), ...noted()])];
    const shutOut = parted.length > 0 && revocation.becomes === 'parted' ? revocation.peer : undefined;
    const stays = revocation.becomes === 'kept' ? { connected: revocation.peer, because: revocation.why } : {};
    const data = printable({ context: target.client.context, id, shutOut, ...stays, warnings, verified });
    return {
      kind: 'RevokeResult',
      data: {
        ...data,
        ...peersData(effects),
        steps: clusterSteps(steps),
      },
      text: (theme) => revokeText(data, theme),
      exitCode: exitOf({ failed: letIn, unseen: !verified }),
    };
  });
}
