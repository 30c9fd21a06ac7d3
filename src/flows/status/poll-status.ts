import { linkSignals } from '../../kube/http/linked-signal.ts';
import { unlessForbidden } from '../../kube/unless-refused.ts';
import { mayLeaveOut, nodesLeftOut, nodesWithoutAgent } from '../../mesh/cilium/agents.ts';
import { ciliumMissing } from '../../mesh/cilium/cilium-missing.ts';
import { identityOf } from '../../mesh/cilium/identity.ts';
import type { ClusterSnapshot, NodeFacts } from '../../mesh/cluster-snapshot.ts';
import { dialsThroughKvstoremesh } from '../../mesh/connect/direction.ts';
import type { FaultId } from '../../mesh/faults/fault.ts';
import { faultsOf } from '../../mesh/faults/faults-of.ts';
import { type KubeObject, keyOf } from '../../mesh/objects/kube-object.ts';
import { agentDaemonSetRef, apiserverDeploymentRef } from '../../mesh/objects/names.ts';
import { peersOfOthers, servedPeers } from '../../mesh/peers/peer-choices.ts';
import { configuredPeers, expectedPeers, knownPeers } from '../../mesh/peers/peers.ts';
import { agentsThatLack } from '../../mesh/status/agentless-node.ts';
import type { PolledCluster } from '../../mesh/status/standing-status.ts';
import { type PollResult, type StatusExpectation, type StatusReport, UNREAD_NODES } from '../../mesh/status/status.ts';
import { createTally, type StatusTally } from '../../mesh/status/status-tally.ts';
import { agentFactsOf } from '../../snapshot/agents.ts';
import { readNodesIfAllowed, readNodesNamed, readPodsLeft } from '../../snapshot/nodes.ts';
import { readSnapshot } from '../../snapshot/read-snapshot.ts';
import type { Flow, Target } from '../flow.ts';
import { orWithout } from '../where-it-succeeds.ts';
import { type AskOptions, askPods } from './ask-pods.ts';

export interface PollOptions extends AskOptions {
  /** Keep what each node said of each peer. */
  details?: boolean | undefined;
  /** What is configured, where it has been read already. */
  snapshot?: ClusterSnapshot | undefined;
}

type Answer = Parameters<StatusTally['add']>;

/**
 * Asks one cluster how it is connected: every agent and KVStoreMesh replica, while the Secrets that say which peers there are
 * to be are still being read. An agent that does not answer is part of the result, not an error.
 * @throws MeshctlError `CiliumMissing`, and what keeps the cluster from being asked at all
 */
export async function pollStatus(flow: Flow, target: Target, options: PollOptions): Promise<PolledCluster> {
  // Pods are listed before anything else is read: asking them takes longest.
  const reading = Promise.resolve().then(() => options.snapshot ?? readHealth(target));
  const expecting = reading.then(expectationOf);
  const poll = linkSignals(flow.signal);
  const early: Answer[] = [];
  let add = (...answer: Answer): void => void early.push(answer);
  const asking = askPods({ ...flow, signal: poll.signal }, target, options, {
    expecting,
    add: (...answer) => add(...answer),
  });
  // That a cluster as a whole cannot be judged is said rather than that its pods could not be asked.
  asking.catch(() => undefined);
  try {
    const expected = await expecting;
    const tally = createTally(expected, { details: options.details ?? false });
    const mute: PollResult[] = [];
    add = (component, result) => {
      if (component === 'agent' && !result.clusters) mute.push(result);
      else if (component === 'agent' || expected.kvstoremesh) tally.add(component, result);
    };
    for (const answer of early) add(...answer);
    const { samplePercent: percent, mostNodes } = options;
    const read = await reading;
    const completing = options.snapshot ?? withNodesIfUnready(flow, target, read);
    const finding = mostNodes === undefined ? findDaemonSet(target, read) : ('not sought' as const);
    const leaving = orWithout(flow, readPodsLeft(target.client, read), undefined);
    const [snapshot, asked, found, left] = await Promise.all([completing, asking, finding, leaving]);
    const { nodes, pods, on, running, servingMs } = asked;
    const inCluster = await nodesOf(flow, target, mute, snapshot);
    for (const result of agentsThatLack(mute, inCluster)) tally.add('agent', result);
    const isCut = mostNodes !== undefined && nodes > mostNodes;
    const share = isCut ? Math.max(1, Math.floor((100 * mostNodes) / nodes)) : percent;
    const {
      missing = [],
      known = snapshot,
      ...unasked
    } = found === 'not sought' ? {} : await unaskedNodes(target, snapshot, found, { pods, on });
    // Whom nobody has to be asked for is no matter of a sample.
    for (const name of missing) tally.add('agent', { name, error: NO_POD });
    const report = { ...tally.report(), ...unasked };
    const seen = { ...tally.seen(), running, servingMs, left };
    if (share === undefined || share === 100) return { report, snapshot: known, ...seen };
    const sample = { percent: share, asked: report.nodes.total - missing.length, nodes: nodes + missing.length };
    return { report: { ...report, sample }, snapshot: known, ...seen };
  } catch (error) {
    poll.abort(error);
    throw error;
  } finally {
    poll.unlink();
  }
}

const UNREADY: readonly FaultId[] = ['apiserver-not-ready', 'apiserver-rollout'];

function readHealth({ client, namespace }: Target): Promise<ClusterSnapshot> {
  return readSnapshot(client, { namespace, purpose: 'health' });
}

/** Where pods are not ready, the next step hangs on whether a node takes one: only then the nodes are read. */
async function withNodesIfUnready(flow: Flow, { client }: Target, snapshot: ClusterSnapshot): Promise<ClusterSnapshot> {
  const isUnready = faultsOf(snapshot, { now: flow.now() }).some(({ id }) => UNREADY.includes(id));
  return isUnready ? { ...snapshot, nodes: await orWithout(flow, readNodesIfAllowed(client), []) } : snapshot;
}

/** The nodes of agents that did not answer, as far as they are there; each look asks for them, and a cluster has thousands. */
async function nodesOf(
  flow: Flow,
  { client }: Target,
  mute: readonly PollResult[],
  { nodes }: ClusterSnapshot,
): Promise<readonly NodeFacts[] | undefined> {
  if (nodes.length > 0) return nodes;
  const names = mute.flatMap(({ name, pod }) => (name === pod ? [] : [name]));
  return names.length === 0 ? undefined : orWithout(flow, readNodesNamed(client, [...new Set(names)]), undefined);
}

const NO_POD = 'the DaemonSet cilium wants a pod on that node, and there is none, or only one that is ending';

/** The nodes that no pod tells of. */
interface Unasked extends Pick<StatusReport, 'leftOut' | 'unread'> {
  /** Those on which one is wanted. */
  missing?: string[];
  /** The snapshot, where by now it is known that the agents have no DaemonSet. */
  known?: ClusterSnapshot;
}

/** `isRead`: with the snapshot, and its nodes with it. */
interface FoundDaemonSet {
  daemonSet: KubeObject | undefined;
  isRead: boolean;
}

/** The DaemonSet of the agents. @returns undefined where it may not be read */
async function findDaemonSet({ client }: Target, snapshot: ClusterSnapshot): Promise<FoundDaemonSet | undefined> {
  const ref = agentDaemonSetRef(snapshot.namespace);
  if (!snapshot.unread?.has(keyOf(ref))) return { daemonSet: snapshot.objects.get(keyOf(ref)), isRead: true };
  return unlessForbidden(client.get(ref).then((daemonSet) => ({ daemonSet, isRead: false })));
}

/**
 * Whoever counts pods takes a cluster for whole that is not: nodes lack one, or are to have none. They are read only where that
 * may be.
 */
async function unaskedNodes(
  { client }: Target,
  snapshot: ClusterSnapshot,
  found: FoundDaemonSet | undefined,
  asked: { pods: number; on: ReadonlySet<string> },
): Promise<Unasked> {
  // Without any, that is said of the cluster.
  if (asked.pods === 0) return {};
  if (!found) return { unread: ['its DaemonSet cilium, by which nodes may lack an agent'] };
  const { daemonSet, isRead } = found;
  const key = keyOf(agentDaemonSetRef(snapshot.namespace));
  // Pods that a DaemonSet has left behind run until somebody ends them.
  if (!daemonSet)
    return { known: { ...snapshot, unread: new Set([...(snapshot.unread ?? [])].filter((one) => one !== key)) } };
  const agent = agentFactsOf(daemonSet);
  const mayLack = mayLeaveOut(daemonSet);
  if (agent.desired <= asked.pods && !mayLack) return {};
  // They are there already where pods are not ready.
  const areRead = isRead || snapshot.nodes.length > 0;
  const nodes = areRead ? snapshot.nodes : await readNodesIfAllowed(client);
  const whole = { ...snapshot, agent, nodes, objects: new Map([...snapshot.objects, [key, daemonSet]]) };
  const leftOut = nodesLeftOut(whole, asked.on);
  return {
    missing: nodesWithoutAgent(whole, asked),
    ...(leftOut.length > 0 ? { leftOut } : {}),
    ...(mayLack && nodes.length === 0 ? { unread: [UNREAD_NODES] } : {}),
  };
}

function expectationOf(snapshot: ClusterSnapshot): StatusExpectation {
  const { context, namespace, objects, ciliumConfig } = snapshot;
  if (!ciliumConfig) throw ciliumMissing(snapshot);
  const identity = identityOf(ciliumConfig);
  return {
    context,
    namespace,
    clusterName: identity.name,
    clusterId: identity.id,
    peers: expectedPeers(snapshot),
    serves: servedPeers(snapshot, configuredPeers(snapshot)),
    admits: knownPeers(snapshot),
    ofOthers: peersOfOthers(snapshot),
    enabled: objects.has(keyOf(apiserverDeploymentRef(namespace))),
    kvstoremesh: dialsThroughKvstoremesh(snapshot),
  };
}
