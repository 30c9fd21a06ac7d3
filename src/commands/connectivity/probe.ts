import { probeNetwork } from '../../flows/probe/probe.ts';
import { nameOthers } from '../../mesh/command-line.ts';
import { exitOf } from '../../mesh/errors.ts';
import { printable } from '../../views/printable.ts';
import { probeJunit } from '../../views/probe/probe-junit.ts';
import { probeText } from '../../views/probe/probe-view.ts';
import type { CommandContext, CommandResult } from '../command.ts';
import type { FlagsOf } from '../options/flags-of.ts';
import { sayLeftOut } from '../targets/each-cluster.ts';
import { openingOf, requireSeveral, unreachableData, withAnsweringClusters } from '../targets/several-clusters.ts';
import type { CONNECTIVITY_PROBE } from './probe-spec.ts';

/**
 * `meshctl connectivity probe`: exit 1 when something that the mesh needs is blocked, or its pods are left; 3 when it was not seen whether
 * that passes (not even by an agent that the network cannot tell from a pod), or a cluster is left out.
 */
export async function run(context: CommandContext, flags: FlagsOf<typeof CONNECTIVITY_PROBE>): Promise<CommandResult> {
  const { nodes, via, namespace, image, waitDuration: waitMs, parallel } = flags;
  return withAnsweringClusters(context, openingOf(flags), async (targets, silent) => {
    requireSeveral(
      context,
      { targets, silent },
      { says: 'packets are sent between clusters; only one is named', hint: nameOthers('connectivity probe') },
    );
    sayLeftOut(context, silent);
    const options = { nodes, via, namespace, image, waitMs, parallel };
    const report = printable(await probeNetwork(context, targets, unreachableData(silent), options));
    const { left = [] } = report;
    const isBlocked = report.failures.some(({ required }) => required);
    return {
      kind: 'ProbeReport',
      data: { ...report },
      text: (theme) => probeText(report, theme, flags.output === 'wide'),
      // What nobody saw says nothing against the network: so it is with `connect --probe` (NetworkUnproved).
      exitCode: exitOf({ failed: isBlocked || left.length > 0, unseen: !report.passed }),
      ...(flags.output === 'junit' && { raw: probeJunit(report) }),
    };
  });
}
