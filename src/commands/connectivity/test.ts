import { testConnectivity } from '../../flows/connectivity/connectivity.ts';
import { readServiceClusters } from '../../flows/services/read-service-clusters.ts';
import { CONNECTIVITY_IMAGE } from '../../manifests/connectivity.ts';
import type { ConnectivityReport } from '../../mesh/connectivity/connectivity.ts';
import { exitOf } from '../../mesh/errors.ts';
import { connectivityJunit, connectivityText } from '../../views/connectivity/connectivity-view.ts';
import { printable } from '../../views/printable.ts';
import type { CommandContext, CommandResult } from '../command.ts';
import type { FlagsOf } from '../options/flags-of.ts';
import {
  openingOf,
  requireSeveral,
  unreachableData,
  withChosenClusters,
  withUnanswered,
} from '../targets/several-clusters.ts';
import type { CONNECTIVITY_TEST } from './test-spec.ts';

/** `meshctl connectivity test`: exit 0 only when every scenario passed or was skipped, and all of it was removed; 3 where that is so and a cluster was left out. */
export async function run(context: CommandContext, flags: FlagsOf<typeof CONNECTIVITY_TEST>): Promise<CommandResult> {
  const { namespace, image = CONNECTIVITY_IMAGE, keep, perf, waitDuration: waitMs, settleDuration: settleMs } = flags;
  return withChosenClusters(context, openingOf(flags), async (targets, silent) => {
    requireSeveral(
      context,
      { targets, silent },
      {
        says: 'a mesh is tested between at least two clusters',
        hint: 'Name their contexts with --context a,b, or take all with --all.',
      },
    );
    const members = await readServiceClusters(targets);
    const tested = await testConnectivity(context, members, {
      ...{ namespace, image, keep, perf, waitMs, settleMs },
      removing: context.againWithout(['--keep']),
    });
    // Of a cluster that was not tested it is not known whether it serves the others.
    const report: ConnectivityReport = printable({ ...tested, passed: tested.passed && silent.length === 0 });
    const untested = printable(unreachableData(silent));
    const result: CommandResult = {
      kind: 'ConnectivityReport',
      data: { ...report },
      text: (theme) => connectivityText(report, untested, theme),
      exitCode: exitOf({ failed: !tested.passed }),
      ...(flags.output === 'junit' && { raw: connectivityJunit(report, untested) }),
    };
    return withUnanswered(result, silent);
  });
}
