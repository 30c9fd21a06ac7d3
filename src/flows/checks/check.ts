import { ANSWER_CHECKS } from '../../mesh/checks/answers.ts';
import {
  type CheckEntry,
  describeFindings,
  MESH_CHECKS,
  PRE_CHECKS,
  RUN_AT_WORK,
} from '../../mesh/checks/catalogue.ts';
import { hangsOnConnections } from '../../mesh/checks/exposure.ts';
import { runChecksByMesh } from '../../mesh/checks/shared/by-mesh.ts';
import { runChecks } from '../../mesh/checks/shared/check.ts';
import type { ClusterObservation, MeshCheckInput } from '../../mesh/checks/shared/mesh-input.ts';
import { UNFINISHED_ROTATION } from '../../mesh/checks/tls/authority.ts';
import type { ClusterSnapshot } from '../../mesh/cluster-snapshot.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { enabledByForce } from '../../mesh/faults/contested-enable.ts';
import { meantTogether } from '../../mesh/peers/meshes.ts';
import { isDialledElsewhere, withoutNamesakes } from '../../mesh/peers/namesakes.ts';
import { thoseAlone } from '../../mesh/peers/peers-on-record.ts';
import { allPeersOutside, type PeerOutside } from '../../mesh/peers/peers-outside.ts';
import { saysUnreadMarks } from '../../mesh/peers/unread-choices.ts';
import { goesOnWithUnread, unfinishedRotation } from '../../mesh/rotation/unfinished-rotation.ts';
import { heldBack, type SoughtRotation, type ToldRun, toldRuns } from '../../mesh/runs-at-work.ts';
import { allHearOf } from '../../mesh/status/links.ts';
import { judgeStanding } from '../../mesh/status/standing-status.ts';
import { isAlone, lookingAgain } from '../../mesh/status/status.ts';
import { type DescribedClusters, peerIdsIn, readDescribed } from '../connect/read-peer-ids.ts';
import { readContested } from '../enable/read-contested.ts';
import { during, type Flow, type Target } from '../flow.ts';
import { withOwnEtcds } from '../status/own-etcds.ts';
import { toldInFull, type Unanswered, whereItSucceeds } from '../where-it-succeeds.ts';
import { identityTold, observeCluster, readCluster } from './observe-cluster.ts';
import { withServicesUnanswered } from './read-answers.ts';

export interface CheckOptions {
  /** Only what can be judged before enable and connect. */
  pre: boolean;
  /** Only these categories; all when empty. */
  categories: readonly string[];
  /** Ids that the operator does not want to hear of. */
  suppress: readonly string[];
  parallel: number;
  nodeTimeoutMs: number;
  /** Contexts that were asked for too, and did not answer. */
  silent?: readonly string[] | undefined;
  /** Reads the clusters of the kubeconfig that are not in question, where a next step hangs on them. */
  readOthers?: (() => Promise<readonly ClusterSnapshot[]>) | undefined;
  /** Finds the contexts that one cluster can be connected to which is connected to none. */
  othersOf?: ((context: string) => Promise<readonly string[]>) | undefined;
}

/** A peer whose own cluster was not read, and whether all that have it hear of it; undefined where that is not known. */
export interface HeardPeer extends PeerOutside {
  isHeard: boolean | undefined;
}

/** What checks found, and the clusters of which not all could be looked at. */
export interface Checked {
  entries: CheckEntry[];
  failed: Unanswered[];
  /** Peers of clusters that were checked, whose own clusters were not read, so that only one side was judged. */
  outside: HeardPeer[];
  /** The contexts of each mesh that was judged by itself; not of clusters that are yet to be connected. */
  meshes: string[][];
  /** What clusters have written down of peers and is not known here, a clause each. */
  unreadMarks: string[];
  /** The runs of meshctl that are at work in the clusters; none where these are not to be heard of. */
  runs: ToldRun[];
  /** The contexts of clusters of which that may not be read. */
  runsUnread: string[];
  /** The contexts of clusters that serve, and that have nothing to do with any other one: no waiting connects them. */
  alone: string[];
}

/**
 * Reads the clusters and judges them. Of a check whose category was not asked for, nothing is read or said. Of several
 * clusters one that cannot be read has no part in it; where it is agents or pods that cannot be asked, the rest of it is
 * judged.
 */
export async function checkClusters(flow: Flow, targets: readonly Target[], options: CheckOptions): Promise<Checked> {
  const wanted = <T extends { category: string }>(checks: readonly T[]): T[] =>
    checks.filter(({ category }) => options.categories.length === 0 || options.categories.includes(category));
  return during(
    flow,
    {
      doing: `Checking ${targets.map(({ client }) => client.context).join(', ')}`,
      done: `Checked ${targets.map(({ client }) => client.context).join(', ')}`,
    },
    async () => {
      const { done: read, failed: unread } = await whereItSucceeds(flow, targets, (target) =>
        readCluster(flow, target),
      );
      const asksAnswers = !options.pre && wanted(ANSWER_CHECKS).length > 0;
      const clusters = asksAnswers ? await withServicesUnanswered(read) : read;
      const snapshots = clusters.map(({ snapshot }) => snapshot);
      const all = options.pre ? PRE_CHECKS : MESH_CHECKS;
      const checks = wanted(all);
      const categories = new Set(checks.map(({ category }) => category));
      // Also before a further connect: some of the clusters may be connected already.
      const { parallel, pre } = options;
      const described = categories.has('identity')
        ? await readDescribed(
            flow,
            clusters.map(({ remembered }) => remembered),
            snapshots,
            { parallel, own: !pre },
          )
        : new Map<string, DescribedClusters>();
      // Who is connected gets in, whatever the source ranges look like.
      const peers = categories.has('peers') || (!pre && categories.has('addresses') && hangsOnConnections(snapshots));
      const unseen: Unanswered[] = [];
      const looks = await Promise.all(
        clusters.map(async (cluster) => {
          const { context } = cluster.snapshot;
          const seen = await observeCluster(flow, cluster, categories, { ...options, peers }).catch(
            async (error: unknown) => {
              flow.signal.throwIfAborted();
              if (targets.length === 1 || !(error instanceof MeshctlError)) throw error;
              unseen.push({ context, error: await toldInFull(flow, cluster.target, error) });
              const unlooked = { isRefused: error.code === 'Forbidden' };
              return { containers: [], nodes: [], polled: undefined, untold: undefined, unlooked };
            },
          );
          const { own: published, isOfAnother, isUntold } = described.get(context) ?? {};
          const untold = isUntold ? new Set([...(seen.untold ?? []), 'etcd' as const]) : seen.untold;
          return { context, ...seen, published, isOfAnother, untold };
        }),
      );
      const remembered = clusters.map((cluster) => cluster.remembered);
      const polled = await withOwnEtcds(
        flow,
        remembered,
        looks.flatMap((look) => look.polled ?? []),
      );
      const statuses = judgeStanding(polled, flow.now());
      const observations = looks.map(({ context, polled: _polled, ...seen }): [string, ClusterObservation] => {
        const status = statuses.find((report) => report.context === context);
        const { byEtcd } = polled.find(({ report }) => report.context === context) ?? {};
        return [context, { ...seen, status, ...(byEtcd ? { byEtcd } : {}) }];
      });
      const hangsOnOthers =
        !pre &&
        ((categories.has('tls') && goesOnWithUnread(snapshots)) ||
          // Whom a cluster dials where it is not the one of the name that was read.
          (categories.has('peers') &&
            snapshots.some((one) => withoutNamesakes(one, snapshots).some((other) => isDialledElsewhere(one, other)))));
      const [lone] = pre || targets.length > 1 ? [] : statuses.filter((report) => report.enabled && isAlone(report));
      const input: MeshCheckInput = {
        clusters: snapshots,
        joinable: lone && (await options.othersOf?.(lone.context)),
        others: hangsOnOthers ? await options.readOthers?.() : undefined,
        now: flow.now(),
        peerIds: peerIdsIn(described),
        peerIdsUntold: new Set([...described].flatMap(([context, { isUntold }]) => (isUntold ? [context] : []))),
        agents: new Map(observations.map(([context, { nodes }]) => [context, nodes.map(identityTold)])),
        observed: new Map(observations),
        unreadClusters: [...(options.silent ?? []), ...unread.map(({ context }) => context)],
      };
      // Before they are connected, of whatever mesh, the question is whether they can be one.
      const run = pre ? runChecks : runChecksByMesh;
      // What a check needs can be of a category that was not asked for.
      const found = describeFindings(
        checks,
        run(all, input, options.suppress),
        snapshots.map(({ context }) => context),
      );
      const look = lookingAgain(snapshots, 'check');
      const forced = await withForce(
        flow,
        clusters.map(({ remembered }) => remembered),
        found,
      );
      const entries = forced.map((entry) =>
        entry.hint === undefined ? entry : { ...entry, hint: heldBack(entry.hint, clusters, look) },
      );
      const peersOut = pre || !categories.has('peers') ? [] : allPeersOutside(snapshots);
      const outside = peersOut.map((peer) => ({ ...peer, isHeard: allHearOf(statuses, peer.name, peer.holders) }));
      const meshes = pre ? [] : meantTogether(snapshots).map((mesh) => mesh.map(({ context }) => context));
      const failed = [...unread, ...unseen];
      const alone = pre || failed.length > 0 ? [] : thoseAlone(snapshots).map(({ context }) => context);
      const heard = options.suppress.includes(RUN_AT_WORK) ? [] : clusters;
      const runs = toldRuns(heard, look, (contexts) => soughtRotation(entries, contexts, snapshots));
      const runsUnread = heard.flatMap(({ context, runsUnread: isUnread }) => (isUnread ? [context] : []));
      const unreadMarks = pre || !categories.has('peers') ? [] : snapshots.flatMap((one) => saysUnreadMarks(one) ?? []);
      return { entries, failed, outside, meshes, unreadMarks, runs, runsUnread, alone };
    },
  );
}

/**
 * What a check has found of a rotation that may be unfinished in any of these clusters; undefined where it was not to look. A cluster that
 * has nothing to rotate, as one that is disabled, is passed over by it, and has none.
 */
function soughtRotation(
  entries: readonly CheckEntry[],
  contexts: readonly string[],
  snapshots: readonly ClusterSnapshot[],
): SoughtRotation | undefined {
  const found = entries.filter(({ id }) => id === UNFINISHED_ROTATION);
  const ofThese = found.filter(({ cluster }) => cluster === undefined || contexts.includes(cluster));
  const unfinished = ofThese.find(({ severity }) => severity === 'warn');
  if (unfinished) return { hint: unfinished.hint };
  if (found.length === 0) return undefined;
  const isDoubtful = snapshots.some((one) => contexts.includes(one.context) && unfinishedRotation(one, snapshots));
  return isDoubtful || ofThese.some(({ blind }) => blind) ? { unseen: true } : {};
}

/** Where an enable that is a next step would be refused for what others have set, it takes that over. */
async function withForce(flow: Flow, targets: readonly Target[], entries: CheckEntry[]): Promise<CheckEntry[]> {
  const hints = entries.flatMap(({ severity, hint = [] }) => (severity === 'skip' ? [] : hint));
  const contested = await readContested(flow, targets, hints);
  return entries.map((entry) =>
    entry.hint === undefined ? entry : { ...entry, hint: enabledByForce(entry.hint, contested) },
  );
}
