import { during, type Target } from '../flows/flow.ts';
import { readVersions } from '../flows/versions/read-versions.ts';
import { type Unanswered, whereItSucceeds } from '../flows/where-it-succeeds.ts';
import { areSupported, judgeVersions } from '../mesh/cilium/versions/skew.ts';
import { counted } from '../mesh/counted.ts';
import { exitCodeOf, exitOf, MeshctlError } from '../mesh/errors.ts';
import { printable } from '../views/printable.ts';
import { type VersionReport, versionsText } from '../views/versions/versions-view.ts';
import type { CommandContext, CommandResult } from './command.ts';
import type { FlagsOf } from './options/flags-of.ts';
import { kubeconfigOf } from './targets/cluster-flags.ts';
import { unreachableData, withAnsweringClusters } from './targets/several-clusters.ts';
import type { VERSION } from './version-spec.ts';

type VersionFlags = FlagsOf<typeof VERSION>;

/**
 * `meshctl version`: of this program in any case, and of what runs in the clusters. Exit 1 when that does not go together, 3 when one
 * cannot be asked, or may not be, and 1 again where it is not known for another reason.
 */
export async function run(context: CommandContext, flags: VersionFlags): Promise<CommandResult> {
  const { client } = context;
  if (flags.client) {
    if (flags.context || flags.all) {
      throw new MeshctlError('Usage', '--client asks no cluster, so it cannot be used with --context or --all', {
        hint: 'Leave --client out.',
      });
    }
    return resultOf({ client, findings: [], unreachable: [] }, 0);
  }
  try {
    return await withAnsweringClusters(context, flags, async (targets, silent) => {
      const { done, failed } = await readEach(context, targets);
      const clusters = printable(done);
      const unreachable = printable(unreachableData([...silent, ...failed]));
      const findings = judgeVersions(clusters);
      const supported = areSupported(clusters, findings);
      const lacksRights = clusters.some(({ agents, unread }) => agents === undefined || unread !== undefined);
      const unseen = unreachable.length > 0 || lacksRights;
      // Where there is no Cilium, nothing has to go together.
      const isJudged = clusters.some(({ cluster, agents }) => cluster !== undefined || agents?.length !== 0);
      const exitCode = exitOf({ failed: supported === false, unseen, unproved: isJudged && !supported });
      return resultOf({ client, clusters, findings, supported, unreachable }, exitCode);
    });
  } catch (error) {
    // Of this program it can be told all the same.
    if (error instanceof MeshctlError && error.code === 'KubeconfigMissing' && !isAsked(flags)) {
      context.progress.warn(`no cluster was asked: ${error.message}`);
      return resultOf({ client, findings: [], unreachable: [] }, 0);
    }
    const unanswered = await asUnanswered(context, flags, error);
    const unreachable = printable(unreachableData([unanswered]));
    return resultOf({ client, clusters: [], findings: [], unreachable }, exitCodeOf('ClusterUnreachable'));
  }
}

/** The versions in clusters that answered at first; where no cluster did, nothing was read, and that is not said. */
async function readEach(context: CommandContext, targets: readonly Target[]) {
  const read = () => whereItSucceeds(context, targets, readVersions);
  if (targets.length === 0) return read();
  const done = ({ done: { length } }: Awaited<ReturnType<typeof read>>) =>
    `Read the versions of ${length === targets.length ? counted(length, 'cluster') : `${length} of ${counted(targets.length, 'cluster')}`}`;
  return during(context, { doing: 'Reading versions', done, good: (result) => result.done.length > 0 }, read);
}

/** Whether a cluster was named, or a file that has some. */
function isAsked({ all, context, kubeconfig }: VersionFlags): boolean {
  return all || context !== undefined || kubeconfig !== undefined;
}

/** The exit statuses of what a cluster answers, or does not. */
const OF_CLUSTERS: readonly number[] = [exitCodeOf('ClusterUnreachable'), exitCodeOf('NotFound')];

/** The one cluster that was to be asked, where it is its answer that is missing. @throws whatever else has failed */
async function asUnanswered(context: CommandContext, flags: VersionFlags, error: unknown): Promise<Unanswered> {
  if (!(error instanceof MeshctlError) || !OF_CLUSTERS.includes(exitCodeOf(error.code))) throw error;
  const [name = (await kubeconfigOf(context, flags)).currentContext ?? ''] = flags.context ?? [];
  return { context: name, error };
}

function resultOf(report: VersionReport, exitCode: number): CommandResult {
  const { client, clusters, findings, supported, unreachable } = report;
  return {
    kind: 'VersionReport',
    data: {
      client,
      ...(clusters ? { clusters, findings } : {}),
      ...(supported === undefined ? {} : { supported }),
      ...(unreachable.length > 0 ? { unreachable } : {}),
    },
    text: (theme) => versionsText(report, theme),
    exitCode,
  };
}
