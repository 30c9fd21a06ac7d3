import type { ExecResult } from '../../kube/exec.ts';
import { ciliumMissing } from '../../mesh/cilium/cilium-missing.ts';
import { identityOf } from '../../mesh/cilium/identity.ts';
import type { ClusterSnapshot } from '../../mesh/cluster-snapshot.ts';
import { dialsThroughKvstoremesh } from '../../mesh/connect/direction.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import type { FaultId } from '../../mesh/faults/fault.ts';
import { faultsOf } from '../../mesh/faults/faults-of.ts';
import { keyOf } from '../../mesh/objects/kube-object.ts';
import { apiserverDeploymentRef } from '../../mesh/objects/names.ts';
import { peersOfOthers, servedPeers } from '../../mesh/peers/peer-choices.ts';
import { configuredPeers, expectedPeers, knownPeers } from '../../mesh/peers/peers.ts';
import type { RemoteClusterReport } from '../../mesh/status/remote-cluster-report.ts';
import type { PolledCluster } from '../../mesh/status/standing-status.ts';
import type { FailureReason, PollResult, StatusComponent, StatusExpectation } from '../../mesh/status/status.ts';
import { createTally, isConnected, isUnchecked } from '../../mesh/status/status-tally.ts';
import { failingDials } from '../../mesh/status/troubleshoot.ts';
import { readNodesIfAllowed } from '../../snapshot/nodes.ts';
import { readSnapshot } from '../../snapshot/read-snapshot.ts';
import { type AdaptiveLimit, createAdaptiveLimit } from '../adaptive-limit.ts';
import type { Flow, Target } from '../flow.ts';
import { AGENTS, factsOf, type PodFacts, REPLICAS, readAnswer, type StatusProgram } from './status-programs.ts';

export interface PollOptions {
  /** Most execs at a time. */
  parallel: number;
  /** For one node, its pod's successors included. */
  nodeTimeoutMs: number;
  /** Ask only so many percent of the nodes. */
  samplePercent?: number | undefined;
  /** Ask at most so many nodes. */
  mostNodes?: number | undefined;
  /** Keep what each node said of each peer. */
  details?: boolean | undefined;
  /** Has those who dial the peers, and do not look at them again, make a new connection to each. */
  redial?: boolean | undefined;
  /** What is configured, where it has been read already. */
  snapshot?: ClusterSnapshot | undefined;
  /** Called as answers come in. `total` grows while pods are still being listed. */
  onProgress?: ((answered: number, total: number) => void) | undefined;
}

/** Longer than any healthy agent takes. */
const SLOW_AFTER_MS = 1000;
/** How often a pod that is being replaced is looked for. */
const SUCCESSOR_INTERVAL_MS = 300;
/** A pod that is gone and has no successor after this time was taken away for good. */
const SUCCESSOR_WAIT_MS = 3000;

/**
 * Asks one cluster how it is connected: its peers by the Secrets, then every agent and KVStoreMesh replica, while their
 * pods are still being listed. An agent that does not answer is part of the result, not an error.
 * @throws MeshctlError `CiliumMissing`, and what keeps the cluster from being asked at all
 */
export async function pollStatus(flow: Flow, target: Target, options: PollOptions): Promise<PolledCluster> {
  const snapshot = options.snapshot ?? (await readHealth(flow, target));
  const expected = expectationOf(snapshot);
  const tally = createTally(expected, { details: options.details ?? false });
  const limit = createAdaptiveLimit({ most: options.parallel, slowAfterMs: SLOW_AFTER_MS, isOverload });
  const dialler = expected.enabled && expected.kvstoremesh ? REPLICAS : AGENTS;
  const redial = options.redial && expected.peers.length > 0 ? dialler : undefined;
  const poll: Poll = { flow, target, options, limit, redial, add: tally.add, listed: 0, sampled: 0, answered: 0 };
  await Promise.all([askAll(poll, AGENTS), ...(expected.kvstoremesh ? [askAll(poll, REPLICAS)] : [])]);
  const report = tally.report();
  const { samplePercent: percent } = options;
  if (percent === undefined || percent >= 100) return { report, snapshot };
  return { report: { ...report, sample: { percent, asked: report.nodes.total, nodes: poll.listed } }, snapshot };
}

const UNREADY: readonly FaultId[] = ['apiserver-not-ready', 'apiserver-rollout'];

/** Where pods are not ready, the next step hangs on whether a node takes one: only then the nodes are read. */
async function readHealth({ now }: Flow, { client, namespace }: Target): Promise<ClusterSnapshot> {
  const snapshot = await readSnapshot(client, { namespace, purpose: 'health' });
  const isUnready = faultsOf(snapshot, { now: now() }).some(({ id }) => UNREADY.includes(id));
  return isUnready ? { ...snapshot, nodes: await readNodesIfAllowed(client) } : snapshot;
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

interface Poll {
  flow: Flow;
  target: Target;
  options: PollOptions;
  limit: AdaptiveLimit;
  /** Who is still to make new connections to the peers. */
  redial: StatusProgram | undefined;
  add(component: StatusComponent, result: PollResult): void;
  /** Nodes seen, asked or not. */
  listed: number;
  /** Pods to ask so far. */
  sampled: number;
  answered: number;
  /** What keeps all pods from being asked, thrown when everything under way has ended. */
  failure?: unknown;
}

/** Replicas that went away while they were asked are looked for so often. */
const MOST_LOOKS = 3;

async function askAll(poll: Poll, of: StatusProgram): Promise<void> {
  const known = new Set<string | undefined>();
  for (let look = 1; look <= MOST_LOOKS; look++) {
    let gone = 0;
    const asked: Promise<void>[] = [];
    for await (const page of poll.target.client.listPages(selectionOf(poll, of))) {
      for (const pod of page.items.map(factsOf)) {
        if (poll.failure || pod.deleted || known.has(pod.uid) || !isSampled(poll, of)) continue;
        known.add(pod.uid);
        poll.sampled += 1;
        asked.push(
          askOne(poll, of, pod).then((answered) => {
            if (!answered) gone += 1;
          }),
        );
      }
      poll.options.onProgress?.(poll.answered, poll.sampled);
    }
    await Promise.all(asked);
    if (poll.failure) throw poll.failure;
    // An agent's successor is on its node and has been asked; a replica's is anywhere.
    if (gone === 0 || of === AGENTS) return;
  }
}

/** Spreads the sample evenly over the list: the n-th node is asked when the wanted share passes a whole number. */
function isSampled(poll: Poll, of: StatusProgram): boolean {
  if (of !== AGENTS) return true;
  const { samplePercent = 100, mostNodes = Number.POSITIVE_INFINITY } = poll.options;
  const share = samplePercent / 100;
  poll.listed += 1;
  return poll.listed <= mostNodes && Math.ceil(poll.listed * share) > Math.ceil((poll.listed - 1) * share);
}

/** Never rejects. @returns false when the pod is gone */
async function askOne(poll: Poll, of: StatusProgram, pod: PodFacts): Promise<boolean> {
  try {
    const result = await poll.limit(async () => (poll.failure ? undefined : askPod(poll, of, pod)));
    if (result) poll.add(of.component, result);
    return result !== undefined;
  } catch (error) {
    // What keeps one pod from answering is its result; what holds for all pods alike is one error.
    if (!(error instanceof MeshctlError) || isForEveryPod(error)) poll.failure ??= error;
    else poll.add(of.component, { name: of.nameOf(pod), pod: pod.name, error: error.message });
    return true;
  } finally {
    poll.answered += 1;
    poll.options.onProgress?.(poll.answered, poll.sampled);
  }
}

/** Follows a pod that is replaced. @returns undefined when it is gone for good */
async function askPod(poll: Poll, of: StatusProgram, first: PodFacts): Promise<PollResult | undefined> {
  const { target, options, flow } = poll;
  const { client, namespace } = target;
  const deadline = flow.clock.ms() + options.nodeTimeoutMs;
  let pod = first;
  for (;;) {
    const name = of.nameOf(pod);
    try {
      if (!pod.running) throw new MeshctlError('ExecFailed', `pod ${pod.name} is not running`);
      const exec = (command: readonly string[]) =>
        client.exec({
          namespace,
          pod: pod.name,
          container: of.container,
          command,
          timeoutMs: Math.max(1, deadline - flow.clock.ms()),
          signal: flow.signal,
        });
      const answer = readAnswer(of, await exec(of.command));
      return { name, pod: pod.name, ...answer, failingDials: await redial(poll, of, answer.clusters ?? [], exec) };
    } catch (error) {
      flow.signal.throwIfAborted();
      if (isForEveryPod(error) || flow.clock.ms() >= deadline) throw error;
      const next = await successorOf(poll, of, pod, Math.min(deadline, flow.clock.ms() + SUCCESSOR_WAIT_MS));
      if (next === 'same') throw error;
      if (next === 'none') return undefined;
      pod = next;
    }
  }
}

/**
 * Of KVStoreMesh each replica makes new connections; without it one agent for all.
 * @returns why they fail; undefined where there is no telling, because the program is too old for it
 */
async function redial(
  poll: Poll,
  of: StatusProgram,
  clusters: readonly RemoteClusterReport[],
  exec: (command: readonly string[]) => Promise<ExecResult>,
): Promise<Map<string, FailureReason> | undefined> {
  if (poll.redial !== of || !clusters.some((cluster) => isConnected(cluster) && isUnchecked(cluster))) return undefined;
  if (of === AGENTS) poll.redial = undefined;
  try {
    return failingDials((await exec(of.troubleshoot)).stdout);
  } catch (error) {
    poll.flow.signal.throwIfAborted();
    if (!(error instanceof MeshctlError)) throw error;
    return undefined;
  }
}

/** The pod of a DaemonSet that takes the place of one that is gone. */
async function successorOf(
  { target: { client, namespace }, flow }: Poll,
  of: StatusProgram,
  pod: PodFacts,
  until: number,
): Promise<PodFacts | 'same' | 'none'> {
  const same = await client.get({ apiVersion: 'v1', kind: 'Pod', namespace, name: pod.name });
  if (same && same.metadata.uid === pod.uid && !same.metadata.deletionTimestamp) return 'same';
  if (of !== AGENTS || pod.node === undefined) return 'none';
  for (;;) {
    const onNode = await client.listAll({
      apiVersion: 'v1',
      kind: 'Pod',
      namespace,
      labelSelector: of.selector,
      fieldSelector: `spec.nodeName=${pod.node}`,
    });
    const next = onNode.map(factsOf).find(({ uid, running }) => uid !== pod.uid && running);
    if (next) return next;
    if (flow.clock.ms() + SUCCESSOR_INTERVAL_MS > until) return 'none';
    await flow.clock.sleep(SUCCESSOR_INTERVAL_MS, flow.signal);
  }
}

function selectionOf({ target: { namespace } }: Poll, { selector }: StatusProgram) {
  return { apiVersion: 'v1', kind: 'Pod', namespace, labelSelector: selector };
}

/** Not being let in or reaching nothing holds for all pods alike: one clear error instead of many equal ones. */
function isForEveryPod(error: unknown): boolean {
  return (
    error instanceof MeshctlError && ['Forbidden', 'Unauthenticated', 'ClusterUnreachable', 'Bug'].includes(error.code)
  );
}

/** An API server or kubelet with too much to do breaks off, refuses or does not answer. */
function isOverload(error: unknown): boolean {
  return error instanceof MeshctlError && ['ApiFailure', 'Timeout', 'ExecFailed'].includes(error.code);
}
