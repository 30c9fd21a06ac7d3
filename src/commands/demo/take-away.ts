import { prepareDemo, removeNamespace, removeWorkload } from '../../flows/demo/demo-objects.ts';
import { readDemoCluster } from '../../flows/demo/read-demo.ts';
import type { Flow, Target } from '../../flows/flow.ts';
import { allOrFirstError } from '../../flows/parallel.ts';
import { readServiceClusters } from '../../flows/services/read-service-clusters.ts';
import { CONNECTIVITY_IMAGE } from '../../manifests/connectivity.ts';
import { contextList, meshctlCommand } from '../../mesh/command-line.ts';
import {
  areKnown,
  cleanUpCommand,
  type DemoCluster,
  type DemoPair,
  doubtfulConnection,
  hasConnected,
  hasEnabled,
  isEnabledInDoubt,
} from '../../mesh/demo/plan-demo.ts';
import type { DemoRecord } from '../../mesh/demo/record.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { printable } from '../../views/printable.ts';
import type { CommandContext } from '../command.ts';
import { openingOf, withChosenClusters } from '../targets/several-clusters.ts';
import { type DemoFlags, demoLines } from './lines.ts';
import { playScene } from './scene.ts';

/** For all of it, also after Ctrl-C; a second one ends the process. */
const TAKE_AWAY_MS = 10 * 60_000;

/** Opens the two clusters of the demo. @throws MeshctlError `Usage` for any other number */
export function withPair<T>(
  context: CommandContext,
  flags: DemoFlags,
  work: (pair: readonly [Target, Target]) => Promise<T>,
): Promise<T> {
  return withChosenClusters(context, openingOf(flags), async (targets) => {
    const [one, other, ...rest] = targets;
    if (one && other && rest.length === 0) return work([one, other]);
    throw new MeshctlError('Usage', `the demo joins two clusters, and --context names ${targets.length}`, {
      hint: 'Name the contexts of two clusters: --context a,b',
    });
  });
}

/** What the demo has to know of its two clusters. */
export async function readPair(flow: Flow, pair: readonly [Target, Target], namespace: string): Promise<DemoPair> {
  const [one, other] = pair.map((target) => readDemoCluster(flow, target, namespace));
  if (!one || !other) throw new MeshctlError('Bug', 'a pair is of two');
  return Promise.all([one, other]);
}

/**
 * Takes away what a demo wrote down that it made: the workload, the connection, what was enabled, and its namespace, in this
 * order, so that what is written down goes last. What others have come to need stays, and is warned of.
 * @param namespaces the uids of those in which that is written down: what another demo has made by then is not this one's
 * @returns whether all of them were there
 * @throws MeshctlError what kept it; the hint is the command that goes on with it
 */
export async function takeAway(
  context: CommandContext,
  flags: DemoFlags,
  namespaces: readonly string[],
): Promise<boolean> {
  const { namespace } = flags;
  const signal = AbortSignal.timeout(TAKE_AWAY_MS);
  const apart: CommandContext = { ...context, signal };
  try {
    return await withPair(apart, flags, async (pair) => {
      const [one, other] = await readPair(apart, pair, namespace);
      const own = ({ taken, ...cluster }: DemoCluster): DemoCluster =>
        taken?.uid !== undefined && namespaces.includes(taken.uid) ? { ...cluster, taken } : cluster;
      const clusters: DemoPair = [own(one), own(other)];
      const made = clusters.filter(isMade);
      if (made.length > 0) await takeAwayFrom(apart, flags, pair, clusters);
      return made.length === namespaces.length;
    });
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    throw new MeshctlError(
      error instanceof MeshctlError ? error.code : 'DemoFailed',
      `not everything that the demo made was removed: ${said}`,
      { hint: cleanUpCommand(flags.context ?? [], namespace), cause: error },
    );
  }
}

type Made = DemoCluster & { taken: { record: DemoRecord } };

function isMade(cluster: DemoCluster): cluster is Made {
  return cluster.taken?.record !== undefined;
}

async function takeAwayFrom(
  context: CommandContext,
  flags: DemoFlags,
  pair: readonly [Target, Target],
  clusters: DemoPair,
): Promise<void> {
  const { namespace } = flags;
  const { signal } = context;
  const { meshctl, kubectlInBoth } = demoLines(context, flags, { signal });
  const made = clusters.filter(isMade);
  const members = await readServiceClusters(pair);
  const place = { namespace, image: CONNECTIVITY_IMAGE };
  const record: DemoRecord = { peer: '', enabled: 'no', connected: 'no' };
  const prepared = await prepareDemo(context, members, place, () => record);
  const demos = prepared.filter(({ name }) => made.some((cluster) => cluster.name === name));
  await allOrFirstError(demos.map(removeWorkload), context.progress);

  const [one, other] = clusters;
  if (made.some(hasConnected) && areKnown(clusters)) {
    const words = ['clustermesh', 'disconnect', '--context', one.context, '--destination-context', other.context];
    await playScene(context, meshctl('The demo connected them, so it disconnects them.', ...words, '--yes'), 0);
  }

  const enabled = made.filter(hasEnabled).map(({ context: name }) => name);
  const now =
    enabled.length === 0 ? [] : (await readPair(context, pair, namespace)).filter((is) => enabled.includes(is.context));
  const alone = now.filter(({ knows }) => knows.length === 0).map(({ context: name }) => name);
  for (const { context: name, knows } of printable(now.filter(({ knows }) => knows.length > 0))) {
    context.progress.warn(
      `context "${name}": Cluster Mesh stays enabled, since ${knows.join(', ')} came to be connected with it → ${meshctlCommand('clustermesh disable', { context: name })}`,
    );
  }
  const parting = doubtfulConnection(clusters);
  if (parting !== undefined) {
    context.progress.warn(
      `${one.name} and ${other.name} stay connected, since nothing says that the demo connected them → if it did: ${parting}`,
    );
  }
  for (const { context: name } of made.filter(isEnabledInDoubt)) {
    context.progress.warn(
      `context "${name}": Cluster Mesh stays as it is, since nothing says that the demo enabled it → if it did: ${meshctlCommand('clustermesh disable', { context: name })}`,
    );
  }
  if (alone.length > 0) {
    const words = ['clustermesh', 'disable', '--context', contextList(alone), '--yes'];
    await playScene(context, meshctl('The demo enabled Cluster Mesh, so it disables it again.', ...words), 0);
  }
  const last = {
    tells: 'And its namespace goes, with what the demo wrote down there.',
    line: kubectlInBoth({}, 'delete', 'namespace', namespace),
    async play() {
      await allOrFirstError(
        demos.map((demo) => removeNamespace(context, demo)),
        context.progress,
      );
      return '';
    },
  };
  await playScene(context, last, 0);
}
