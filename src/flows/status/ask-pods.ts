import { linkSignals } from '../../kube/http/linked-signal.ts';
import { versionsOfPods } from '../../mesh/cilium/versions/running-versions.ts';
import type { RunningVersion } from '../../mesh/cilium/versions/versions.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { livingPods } from '../../mesh/objects/pods.ts';
import type { PollResult, StatusExpectation } from '../../mesh/status/status.ts';
import { isConnected, isUnchecked, type StatusTally } from '../../mesh/status/status-tally.ts';
import { type AgentPod, keepAgent, withReadyFirst } from '../../snapshot/agent-version.ts';
import { type AdaptiveLimit, createAdaptiveLimit } from '../adaptive-limit.ts';
import type { Flow, Target } from '../flow.ts';
import { dialAll, type Exec, readDials } from './dial-anew.ts';
import { AGENTS, factsOf, type PodFacts, REPLICAS, readAnswer, type StatusProgram } from './status-programs.ts';

export interface AskOptions {
  /** Most pods that are asked at a time. */
  parallel: number;
  /** For one node, its pod's successors included. */
  nodeTimeoutMs: number;
  /** Ask only so many percent of the nodes. */
  samplePercent?: number | undefined;
  /** Ask at most so many nodes. */
  mostNodes?: number | undefined;
  /** Has those who dial the peers, and do not look at them again, make a new connection to each. */
  redial?: boolean | undefined;
  /** Called as answers come in. `total` grows while pods are still being listed. */
  onProgress?: ((answered: number, total: number) => void) | undefined;
}

/** Longer than any healthy agent takes. */
const SLOW_AFTER_MS = 1000;
/** How often a pod that is being replaced is looked for. */
const SUCCESSOR_INTERVAL_MS = 300;
/** A pod that is gone and has no successor after this time was taken away for good. */
const SUCCESSOR_WAIT_MS = 3000;

interface Poll {
  flow: Flow;
  target: Target;
  options: AskOptions;
  limit: AdaptiveLimit;
  /** Who is to make new connections to the peers. */
  dialler: Promise<StatusProgram | undefined>;
  /** An agent makes them, or has made them: one does for all. */
  hasAgentDialled: boolean;
  add: StatusTally['add'];
  /** Nodes seen, asked or not. */
  listed: number;
  /** The nodes of the agents that were seen, and have not gone without a successor. */
  on: Set<string>;
  /** The agents that were seen, by what they run. */
  agents: AgentPod[];
  /** Agents that went while they were asked, without a successor. */
  gone: number;
  /** Pods to ask so far. */
  sampled: number;
  answered: number;
  /** When the youngest clustermesh-apiserver that is not ending was started. */
  servingMs?: number | undefined;
  /** What keeps all pods from being asked, thrown when everything under way has ended. */
  failure?: unknown;
}

/**
 * Asks every agent and every KVStoreMesh replica, while their pods are still being listed, and before it is known what is
 * expected of them, since their answers take longest. A pod that does not answer is an answer too.
 * @param expecting where it rejects, whoever has made it aborts the flow's signal
 * @param add is also told what replicas say through which nobody dials
 * @returns how many agents' pods were seen, asked or not, how many of them are left, and the nodes of these, as far as they are known;
 *   `running`: what they run, most pods first, as far as their images tell it; `servingMs`: when the youngest clustermesh-apiserver was started, milliseconds since 1970
 */
export async function askPods(
  flow: Flow,
  target: Target,
  options: AskOptions,
  { expecting, add }: { expecting: Promise<StatusExpectation>; add: StatusTally['add'] },
): Promise<{
  nodes: number;
  pods: number;
  on: ReadonlySet<string>;
  running: readonly RunningVersion[];
  servingMs: number | undefined;
}> {
  const limit = createAdaptiveLimit({ most: options.parallel, slowAfterMs: SLOW_AFTER_MS, isOverload });
  const dialler = options.redial ? expecting.then(diallerOf, () => undefined) : Promise.resolve(undefined);
  const counts = { listed: 0, gone: 0, sampled: 0, answered: 0 };
  const poll: Poll = {
    flow,
    target,
    options,
    limit,
    dialler,
    hasAgentDialled: false,
    add,
    on: new Set<string>(),
    agents: [],
    ...counts,
  };
  const isOn = async () => (await expecting).kvstoremesh;
  await Promise.all([askAll(poll, AGENTS, async () => true), askAll(poll, REPLICAS, isOn)]);
  const { running } = versionsOfPods(withReadyFirst(poll.agents), new Map());
  return { nodes: poll.listed, pods: poll.listed - poll.gone, on: poll.on, running, servingMs: poll.servingMs };
}

function diallerOf({ enabled, kvstoremesh, peers }: StatusExpectation): StatusProgram | undefined {
  if (peers.length === 0) return undefined;
  return enabled && kvstoremesh ? REPLICAS : AGENTS;
}

/** Replicas that went away while they were asked are looked for so often. */
const MOST_LOOKS = 3;

/** @param isOn whether the program is to run: pods that have it are asked before that is known */
async function askAll(poll: Poll, of: StatusProgram, isOn: () => Promise<boolean>): Promise<void> {
  const known = new Set<string | undefined>();
  for (let look = 1; look <= MOST_LOOKS; look++) {
    let gone = 0;
    const asked: Promise<void>[] = [];
    const { client } = poll.target;
    for await (const page of client.listPages(selectionOf(poll, of), { signal: poll.flow.signal })) {
      if (of === AGENTS) poll.agents.push(...page.items.flatMap(keepAgent));
      for (const pod of page.items.map((item) => factsOf(item, of))) {
        if (of === REPLICAS && !pod.deleted) poll.servingMs = latest(poll.servingMs, pod.startedMs);
        if (of === AGENTS && pod.node !== undefined && !pod.deleted) poll.on.add(pod.node);
        if (poll.failure || pod.deleted || known.has(pod.uid) || !isSampled(poll, of)) continue;
        known.add(pod.uid);
        poll.sampled += 1;
        asked.push(
          askOne(poll, of, pod, isOn).then((answered) => {
            if (answered) return;
            gone += 1;
            if (of !== AGENTS) return;
            poll.gone += 1;
            if (pod.node !== undefined) poll.on.delete(pod.node);
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

/** The later of two times, of which either may not be known. */
function latest(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? (one ?? other) : Math.max(one, other);
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
async function askOne(poll: Poll, of: StatusProgram, pod: PodFacts, isOn: () => Promise<boolean>): Promise<boolean> {
  try {
    if (!pod.hasProgram && !(await isOn())) return true;
    const result = await poll.limit(async () => (poll.failure ? undefined : askPod(poll, of, pod)));
    if (result) poll.add(of.component, result);
    return result !== undefined;
  } catch (error) {
    // What keeps one pod from answering is its result; what holds for all pods alike is one error.
    if (!(error instanceof MeshctlError) || isForEveryPod(error)) poll.failure ??= error;
    else {
      const unasked = saysNothing(error) ? { unasked: true as const } : {};
      const idle = pod.running ? {} : { idle: true as const };
      poll.add(of.component, { name: of.nameOf(pod), pod: pod.name, error: error.message, ...unasked, ...idle });
    }
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
      // A Deployment's former pod, in the rollout that brings the program.
      if (!pod.hasProgram) throw new MeshctlError('ExecFailed', `pod ${pod.name} has no container ${of.container}`);
      const exec: Exec = (command, { timeoutMs = Math.max(1, deadline - flow.clock.ms()), ...wait }) =>
        client.exec({ namespace, pod: pod.name, container: of.container, command, timeoutMs, ...wait });
      const { brokeOff, ...answer } = await askRunning(poll, of, exec);
      const next = brokeOff ? await successorIfKnown(poll, of, pod, deadline) : 'same';
      // Of the one agent that dials for all it is told that it could not, though its node is gone by now.
      if (next === 'same' || (next === 'none' && of === AGENTS))
        return { name, pod: pod.name, startedMs: pod.startedMs, ...answer };
      if (next === 'none') return undefined;
      pod = next;
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

/** What a running pod says. `brokeOff`: new connections could not be tried, as they may be by its successor. */
type Answer = Omit<PollResult, 'name'> & { brokeOff?: boolean };

/**
 * What a pod says; with why new connections to its peers fail, where it would not notice by itself that one has gone away. Of
 * KVStoreMesh each replica makes them, without it one agent for all. A replica begins with them before it is known whether it
 * has any, since both programs take their time; nobody waits for them where it has none.
 */
async function askRunning(poll: Poll, of: StatusProgram, exec: Exec): Promise<Answer> {
  const { flow, options } = poll;
  const dialling = linkSignals(flow.signal);
  const pod = { of, exec, signal: dialling.signal };
  try {
    const saying = exec(of.command, { signal: flow.signal });
    const begun = of === REPLICAS && options.redial ? dialAll(pod) : undefined;
    // It may fail while nobody waits for it yet.
    begun?.catch(() => undefined);
    const answer = readAnswer(of, await saying);
    const doubted = (answer.clusters ?? []).filter((cluster) => isConnected(cluster) && isUnchecked(cluster));
    if (doubted.length === 0 || (await poll.dialler) !== of || poll.hasAgentDialled) return answer;
    poll.hasAgentDialled = of === AGENTS;
    const peers = doubted.map(({ name }) => name);
    const dials = await readDials(pod, await (begun ?? dialAll(pod)), peers);
    // Then another agent does, if one is still to be asked.
    if (dials.brokeOff) poll.hasAgentDialled = false;
    return { ...answer, ...dials };
  } finally {
    dialling.abort(new MeshctlError('Interrupted', 'its answer is not waited for'));
  }
}

/** The pod that takes the place of one that broke off; `same` also where that cannot be told. */
async function successorIfKnown(poll: Poll, of: StatusProgram, pod: PodFacts, deadline: number) {
  try {
    return await successorOf(poll, of, pod, Math.min(deadline, poll.flow.clock.ms() + SUCCESSOR_WAIT_MS));
  } catch (error) {
    poll.flow.signal.throwIfAborted();
    if (!(error instanceof MeshctlError)) throw error;
    return 'same';
  }
}

/** The pod of a DaemonSet that takes the place of one that is gone. */
async function successorOf(
  poll: Poll,
  of: StatusProgram,
  pod: PodFacts,
  until: number,
): Promise<PodFacts | 'same' | 'none'> {
  const { target, flow } = poll;
  const { client, namespace } = target;
  // Each time in the cluster itself, whatever the client remembers.
  const { signal } = flow;
  const same = await client.get({ apiVersion: 'v1', kind: 'Pod', namespace, name: pod.name }, { signal });
  if (same && same.metadata.uid === pod.uid && !same.metadata.deletionTimestamp) return 'same';
  if (of !== AGENTS || pod.node === undefined) return 'none';
  for (;;) {
    const living = selectionOf(poll, of);
    const fieldSelector = `${living.fieldSelector},spec.nodeName=${pod.node}`;
    const onNode = await client.listAll({ ...living, fieldSelector }, { signal });
    const next = onNode.map((one) => factsOf(one, of)).find(({ uid, running }) => uid !== pod.uid && running);
    if (next) return next;
    if (flow.clock.ms() + SUCCESSOR_INTERVAL_MS > until) return 'none';
    await flow.clock.sleep(SUCCESSOR_INTERVAL_MS, flow.signal);
  }
}

function selectionOf({ target: { namespace } }: Poll, { selector }: StatusProgram) {
  return livingPods(namespace, selector);
}

/** Not being let in or reaching nothing holds for all pods alike: one clear error instead of many equal ones. */
function isForEveryPod(error: unknown): boolean {
  return (
    error instanceof MeshctlError && ['Forbidden', 'Unauthenticated', 'ClusterUnreachable', 'Bug'].includes(error.code)
  );
}

/** Whether it was not the pod that failed: no answer came in time, or the API server did not pass the question on. */
function saysNothing({ code }: MeshctlError): boolean {
  return ['Timeout', 'ApiFailure', 'Rejected'].includes(code);
}

/** An API server or kubelet with too much to do breaks off, refuses or does not answer. */
function isOverload(error: unknown): boolean {
  return error instanceof MeshctlError && ['ApiFailure', 'Timeout', 'ExecFailed'].includes(error.code);
}
