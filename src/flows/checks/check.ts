import pLimit from 'p-limit';
import { unlessForbidden } from '../../kube/unless-refused.ts';
import { ANSWER_CHECKS } from '../../mesh/checks/answers.ts';
import { UNFINISHED_ROTATION } from '../../mesh/checks/authority.ts';
import {
  type CheckEntry,
  describeFindings,
  MESH_CHECKS,
  PRE_CHECKS,
  RUN_AT_WORK,
} from '../../mesh/checks/catalogue.ts';
import { STARTED_SETTINGS } from '../../mesh/checks/config.ts';
import { hangsOnConnections } from '../../mesh/checks/exposure.ts';
import { readBgpSessions, readHealth, readOwnCluster } from '../../mesh/checks/shared/agent-answers.ts';
import { runChecksByMesh } from '../../mesh/checks/shared/by-mesh.ts';
import { runChecks } from '../../mesh/checks/shared/check.ts';
import type { ClusterObservation, MeshCheckInput, NodeObservation } from '../../mesh/checks/shared/mesh-input.ts';
import type { AgentIdentity } from '../../mesh/cilium/agent-identity.ts';
import { mayRunAgent } from '../../mesh/cilium/agents.ts';
import { isTunnel, usesBgp } from '../../mesh/cilium/datapath.ts';
import type { CiliumConfigKey } from '../../mesh/cilium/known-keys.ts';
import type { ClusterSnapshot } from '../../mesh/cluster-snapshot.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { enabledByForce } from '../../mesh/faults/contested-enable.ts';
import { peerObjects } from '../../mesh/peers/foreign-homes.ts';
import { meantTogether } from '../../mesh/peers/meshes.ts';
import { isDialledElsewhere, withoutNamesakes } from '../../mesh/peers/namesakes.ts';
import { thoseAlone } from '../../mesh/peers/peers-on-record.ts';
import { allPeersOutside, type PeerOutside } from '../../mesh/peers/peers-outside.ts';
import { saysUnreadMarks } from '../../mesh/peers/unread-choices.ts';
import { goesOnWithUnread } from '../../mesh/rotation/unfinished-rotation.ts';
import { type HeldCluster, heldBack, type SoughtRotation, type ToldRun, toldRuns } from '../../mesh/runs-at-work.ts';
import { allHearOf } from '../../mesh/status/links.ts';
import { judgeStanding, type PolledCluster } from '../../mesh/status/standing-status.ts';
import { lookingAgain } from '../../mesh/status/status.ts';
import { readRenderedByHelm } from '../../snapshot/helm-release.ts';
import { readPodsLeft } from '../../snapshot/nodes.ts';
import { readPolicies } from '../../snapshot/policies.ts';
import { readSnapshot } from '../../snapshot/read-snapshot.ts';
import { rememberReads } from '../../snapshot/remember-reads.ts';
import { type DescribedClusters, peerIdsIn, readDescribed } from '../connect/read-peer-ids.ts';
import { readContested } from '../enable/read-contested.ts';
import { readEtcdUsers } from '../etcd/read-users.ts';
import { during, type Flow, type Target } from '../flow.ts';
import { invitedBy, readInvitationsIfAllowed, withInvitations } from '../invitation/pending.ts';
import { readRuns } from '../read-runs.ts';
import { type Agent, listAgents } from '../status/ask-agents.ts';
import { withIdentities } from '../status/ask-identity.ts';
import { explainProblems } from '../status/explain-status.ts';
import { withOwnEtcds } from '../status/own-etcds.ts';
import { type PollOptions, pollStatus } from '../status/poll-status.ts';
import { numberOf, startedWithCommand, startedWithIn } from '../status/started-with.ts';
import { toldInFull, type Unanswered, whereItSucceeds } from '../where-it-succeeds.ts';
import { askBgpAdvertised, askRoutes } from './ask-families.ts';
import { type PlannedDrift, planDrift } from './plan-drift.ts';
import { withServicesUnanswered } from './read-answers.ts';
import { apiserverContainers, operatorStarts } from './read-pods.ts';

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
}

/** cilium-health on one node tells of all others; a few nodes are enough to see what is wrong. */
const MOST_AGENTS_ASKED = 10;
const AGENTS_AT_A_TIME = 10;

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
          const seen = await observe(flow, cluster, categories, { ...options, peers }).catch(async (error: unknown) => {
            flow.signal.throwIfAborted();
            if (targets.length === 1 || !(error instanceof MeshctlError)) throw error;
            unseen.push({ context, error: await toldInFull(flow, cluster.target, error) });
            const unlooked = { isRefused: error.code === 'Forbidden' };
            return { containers: [], nodes: [], polled: undefined, refused: undefined, unlooked };
          });
          const { own: published, isOfAnother, isRefused } = described.get(context) ?? {};
          const refused = isRefused ? new Set([...(seen.refused ?? []), 'etcd' as const]) : seen.refused;
          return { context, ...seen, published, isOfAnother, refused };
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
      const input: MeshCheckInput = {
        clusters: snapshots,
        others: hangsOnOthers ? await options.readOthers?.() : undefined,
        now: flow.now(),
        peerIds: peerIdsIn(described),
        peerIdsRefused: new Set([...described].flatMap(([context, { isRefused }]) => (isRefused ? [context] : []))),
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
      const runs = toldRuns(heard, look, (contexts) => soughtRotation(entries, contexts));
      const runsUnread = heard.flatMap(({ context, runsUnread: isUnread }) => (isUnread ? [context] : []));
      const unreadMarks = pre || !categories.has('peers') ? [] : snapshots.flatMap((one) => saysUnreadMarks(one) ?? []);
      return { entries, failed, outside, meshes, unreadMarks, runs, runsUnread, alone };
    },
  );
}

/** What a check has found of a rotation that may be unfinished in any of these clusters; undefined where it has not looked at all of them. */
function soughtRotation(entries: readonly CheckEntry[], contexts: readonly string[]): SoughtRotation | undefined {
  const found = entries.filter(({ id }) => id === UNFINISHED_ROTATION);
  const unfinished = found.find(({ severity, cluster = '' }) => severity === 'warn' && contexts.includes(cluster));
  if (unfinished) return { hint: unfinished.hint };
  return found.length > 0 && found.every(({ severity }) => severity !== 'skip') ? {} : undefined;
}

/** Where an enable that is a next step would be refused for what others have set, it takes that over. */
async function withForce(flow: Flow, targets: readonly Target[], entries: CheckEntry[]): Promise<CheckEntry[]> {
  const hints = entries.flatMap(({ severity, hint = [] }) => (severity === 'skip' ? [] : hint));
  const contested = await readContested(flow, targets, hints);
  return entries.map((entry) =>
    entry.hint === undefined ? entry : { ...entry, hint: enabledByForce(entry.hint, contested) },
  );
}

/** A cluster that was read. */
interface ReadCluster extends HeldCluster {
  /** As it is now: pods that are being replaced are looked for there. */
  target: Target;
  /** As it was read: what is judged and what an enable would change are to be of one moment. */
  remembered: Target;
  snapshot: ClusterSnapshot;
}

async function readCluster(flow: Flow, target: Target): Promise<ReadCluster> {
  const { namespace } = target;
  const client = rememberReads(target.client);
  const [snapshot, seen] = await Promise.all([
    readSnapshot(client, { namespace, purpose: 'connect', access: true, eachAgent: true }),
    readRuns(flow, target),
  ]);
  return { context: client.context, namespace, ...seen, target, remembered: { client, namespace }, snapshot };
}

async function observe(
  flow: Flow,
  { target, remembered, snapshot }: ReadCluster,
  categories: ReadonlySet<string>,
  { parallel, nodeTimeoutMs, pre, peers }: CheckOptions & { peers: boolean },
): Promise<Omit<ClusterObservation, 'status'> & { polled?: PolledCluster | undefined }> {
  const asksPeers = peers && snapshot.ciliumConfig !== undefined;
  const asksUsers = categories.has('tls') && !pre;
  const [containers, left, agents, polled, planned, policies, operators, etcdUsers, invitations, rendered] =
    await Promise.all([
      categories.has('apiserver') ? apiserverContainers(remembered) : [],
      categories.has('apiserver') ? readPodsLeft(remembered.client, snapshot) : undefined,
      observeNodes(flow, remembered, snapshot, categories, { timeoutMs: nodeTimeoutMs, pre }),
      asksPeers ? askAgents(flow, target, { parallel, nodeTimeoutMs, redial: true, snapshot }) : undefined,
      categories.has('ownership') ? planDrift(flow, remembered) : ({} satisfies PlannedDrift as PlannedDrift),
      categories.has('apiserver') ? readPolicies(remembered.client, remembered.namespace) : undefined,
      categories.has('identity') && !pre ? operatorStarts(remembered) : undefined,
      asksUsers ? readEtcdUsers(flow, remembered, snapshot) : undefined,
      asksPeers || asksUsers ? readInvitationsIfAllowed(flow, target) : { judged: [], unreadable: [] },
      categories.has('ownership') ? readRenderedByHelm(remembered.client, peerObjects(snapshot)) : undefined,
    ]);
  const now = flow.now();
  const { isPlanRefused, ...drift } = planned;
  const refused = [
    ...(isPlanRefused ? (['plan'] as const) : []),
    ...(etcdUsers?.isRefused ? (['etcd'] as const) : []),
    ...(invitations ? [] : (['invitations'] as const)),
  ];
  return {
    containers,
    left,
    ...agents,
    polled: polled && { ...polled, report: withInvitations(polled.report, invitations, now) },
    policies,
    operators,
    etcdUsers: etcdUsers?.users,
    etcdsUnasked: etcdUsers?.unasked,
    invited: asksUsers ? invitedBy(invitations, now) : undefined,
    ...drift,
    rendered,
    refused: new Set(refused),
  };
}

/** What agents say of their peers, with the reasons that only `troubleshoot` can tell. */
async function askAgents(flow: Flow, target: Target, options: PollOptions): Promise<PolledCluster> {
  const { report, snapshot, peerIds, etcds } = await pollStatus(flow, target, options);
  const polled = { report, snapshot, ...(peerIds ? { peerIds } : {}), ...(etcds ? { etcds } : {}) };
  if (report.healthy) return polled;
  return withIdentities(flow, target, { ...polled, report: await explainProblems(flow, target, report) });
}

async function observeNodes(
  flow: Flow,
  target: Target,
  snapshot: ClusterSnapshot,
  categories: ReadonlySet<string>,
  { timeoutMs, pre }: { timeoutMs: number; pre: boolean },
): Promise<Pick<ClusterObservation, 'nodes' | 'asked'>> {
  const network = categories.has('network');
  const questions = {
    // With it come the name, the id and the max-connected-clusters that the agent has for its cluster.
    health: !pre && (network || categories.has('identity')),
    settings: !pre && categories.has('config'),
    bgp: network && usesBgp(snapshot),
    routes: network && !isTunnel(snapshot),
  };
  if (!Object.values(questions).includes(true)) return { nodes: [] };
  const listing = listAgents(flow, target, { most: MOST_AGENTS_ASKED, timeoutMs });
  // For settings alone agents need not be asked: who may not, hears that they were not.
  const { health, bgp, routes } = questions;
  const listed = health || bgp || routes ? await listing : await unlessForbidden(listing);
  if (!listed) return { nodes: [] };
  const { agents, running, silent } = listed;
  const limit = pLimit(AGENTS_AT_A_TIME);
  const told = await Promise.all(
    agents.map((agent) => limit(() => observeNode(agent, snapshot, questions, target.client.now))),
  );
  return {
    nodes: [...told, ...silent.filter((node) => mayRunAgent(snapshot, node)).map((node) => ({ node }))],
    asked: agents.length < running ? { agents: agents.length, of: running } : undefined,
  };
}

function identityTold({ node, cluster: name, clusterId: id }: NodeObservation): AgentIdentity {
  return { node, name, id };
}

/** Always set: that nothing was told is known by it. */
const NAME = ['cluster-name'] as const satisfies CiliumConfigKey[];
const IDENTITY = [...NAME, 'cluster-id', 'max-connected-clusters'] as const satisfies CiliumConfigKey[];

async function observeNode(
  agent: Agent,
  cluster: ClusterSnapshot,
  asked: Readonly<Record<'health' | 'settings' | 'bgp' | 'routes', boolean>>,
  now: () => Date,
): Promise<NodeObservation> {
  const startedWith = [...(asked.health ? IDENTITY : NAME), ...(asked.settings ? STARTED_SETTINGS : [])];
  const [health, files, sessions, advertised, routes] = await Promise.all([
    asked.health ? agent.json(['cilium-health', 'status', '-o', 'json']) : undefined,
    asked.health || asked.settings ? agent.text(startedWithCommand(startedWith)) : undefined,
    asked.bgp ? agent.json(['cilium-dbg', 'bgp', 'peers', '-o', 'json']) : undefined,
    asked.bgp ? askBgpAdvertised(agent, cluster) : undefined,
    asked.routes ? askRoutes(agent, cluster) : undefined,
  ]);
  const told = startedWithIn(files ?? '');
  return {
    node: agent.node,
    pod: agent.pod,
    startedAt: agent.startedAt,
    cluster: readOwnCluster(health),
    clusterId: numberOf(told['cluster-id']),
    maxConnectedClusters: numberOf(told['max-connected-clusters']),
    startedWith: asked.settings && told['cluster-name'] !== undefined ? told : undefined,
    health: readHealth(health, now()),
    bgpSessions: sessions === undefined ? undefined : readBgpSessions(sessions),
    bgpAdvertised: advertised,
    routes,
  };
}
