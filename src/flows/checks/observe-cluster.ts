import pLimit from 'p-limit';
import { unlessForbidden } from '../../kube/unless-refused.ts';
import { STARTED_SETTINGS } from '../../mesh/checks/config.ts';
import { readBgpSessions, readHealth, readOwnCluster } from '../../mesh/checks/shared/agent-answers.ts';
import type { ClusterObservation, NodeObservation } from '../../mesh/checks/shared/mesh-input.ts';
import type { AgentIdentity } from '../../mesh/cilium/agent-identity.ts';
import { mayRunAgent } from '../../mesh/cilium/agents.ts';
import { isTunnel, usesBgp } from '../../mesh/cilium/datapath.ts';
import type { CiliumConfigKey } from '../../mesh/cilium/known-keys.ts';
import type { ClusterSnapshot } from '../../mesh/cluster-snapshot.ts';
import { peerObjects } from '../../mesh/peers/foreign-homes.ts';
import type { HeldCluster } from '../../mesh/runs-at-work.ts';
import type { PolledCluster } from '../../mesh/status/standing-status.ts';
import { readRenderedByHelm } from '../../snapshot/helm-release.ts';
import { readPodsLeft } from '../../snapshot/nodes.ts';
import { readPolicies } from '../../snapshot/policies.ts';
import { readSnapshot } from '../../snapshot/read-snapshot.ts';
import { rememberReads } from '../../snapshot/remember-reads.ts';
import { readEtcdUsers } from '../etcd/read-users.ts';
import type { Flow, Target } from '../flow.ts';
import { invitedBy, readInvitationsIfAllowed, withInvitations } from '../invitation/pending.ts';
import { readRuns } from '../read-runs.ts';
import { type Agent, listAgents } from '../status/ask-agents.ts';
import { withIdentities } from '../status/ask-identity.ts';
import { explainProblems } from '../status/explain-status.ts';
import { type PollOptions, pollStatus } from '../status/poll-status.ts';
import { numberOf, startedWithCommand, startedWithIn } from '../status/started-with.ts';
import { askBgpAdvertised, askRoutes } from './ask-families.ts';
import { type PlannedDrift, planDrift } from './plan-drift.ts';
import { apiserverContainers, operatorStarts } from './read-pods.ts';

/** cilium-health on one node tells of all others; a few nodes are enough to see what is wrong. */
const MOST_AGENTS_ASKED = 10;
const AGENTS_AT_A_TIME = 10;

/** A cluster that was read. */
export interface CheckedCluster extends HeldCluster {
  /** As it is now: pods that are being replaced are looked for there. */
  target: Target;
  /** As it was read: what is judged and what an enable would change are to be of one moment. */
  remembered: Target;
  snapshot: ClusterSnapshot;
}

/** Reads a cluster as it is judged, and which runs are at work in it. @throws MeshctlError what {@link readSnapshot} throws */
export async function readCluster(flow: Flow, target: Target): Promise<CheckedCluster> {
  const { namespace } = target;
  const client = rememberReads(target.client);
  const [snapshot, seen] = await Promise.all([
    readSnapshot(client, { namespace, purpose: 'connect', access: true, eachAgent: true }),
    readRuns(flow, target),
  ]);
  return { context: client.context, namespace, ...seen, target, remembered: { client, namespace }, snapshot };
}

/** How agents are asked. */
export interface ObserveOptions {
  parallel: number;
  nodeTimeoutMs: number;
  /** Before there is a mesh: nothing is asked that only one has. */
  pre: boolean;
  /** Whether agents are asked for their peers. */
  peers: boolean;
}

/**
 * What is seen of a cluster beside its objects: what its agents, pods and etcd tell. Of a category that is not asked for, nothing.
 * @throws MeshctlError where agents or pods cannot be asked at all
 */
export async function observeCluster(
  flow: Flow,
  { target, remembered, snapshot }: CheckedCluster,
  categories: ReadonlySet<string>,
  { parallel, nodeTimeoutMs, pre, peers }: ObserveOptions,
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
  const untold = [
    ...(isPlanRefused ? (['plan'] as const) : []),
    ...(etcdUsers && etcdUsers.unasked.length > 0 ? (['etcd'] as const) : []),
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
    untold: new Set(untold),
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

/** The name and the id that an agent has for its cluster. */
export function identityTold({ node, cluster: name, clusterId: id }: NodeObservation): AgentIdentity {
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
