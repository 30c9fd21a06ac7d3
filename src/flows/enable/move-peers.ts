import pLimit from 'p-limit';
import { asPlanned, type Journal } from '../../kube/apply.ts';
import type { ClusterSnapshot } from '../../mesh/cluster-snapshot.ts';
import { meshctlCommand } from '../../mesh/command-line.ts';
import { noteOfUnmoved, type PeerMove } from '../../mesh/enable/effects/peer-move.ts';
import { isRefusal, MeshctlError, warningOf } from '../../mesh/errors.ts';
import { isPodRunning, livingPods } from '../../mesh/objects/pods.ts';
import type { Step } from '../../mesh/plan/plan.ts';
import type { RemoteClusterReport } from '../../mesh/status/remote-cluster-report.ts';
import { isConnected } from '../../mesh/status/status-tally.ts';
import { readForParting } from '../../snapshot/read-for-parting.ts';
import { untilSettled } from '../etcd/ask-etcd.ts';
import { during, type Flow, type Target } from '../flow.ts';
import { AGENTS, REPLICAS, readAnswer, type StatusProgram } from '../status/status-programs.ts';
import { orWithout } from '../where-it-succeeds.ts';
import { nudgePods } from '../write/nudge.ts';
import { rollBackClusters } from '../write/roll-back.ts';
import { writeSteps } from '../write/write-steps.ts';
import type { EnableOptions } from './draft-enable.ts';

const LOOK_INTERVAL_MS = 500;
const EXECS_AT_A_TIME = 30;
const EXEC_TIMEOUT_MS = 10_000;

/**
 * Refuses to move peers that the present diallers are not connected to: whether a move works could not be seen.
 * @throws MeshctlError `Incompatible`, naming them
 */
export async function requireDiallersConnected(
  flow: Flow,
  target: Target,
  { to, peers, running }: PeerMove,
): Promise<void> {
  if (!running || peers.length === 0) return;
  // Agents that read a cache do not notice when KVStoreMesh has lost a peer.
  const diallers = to === 'agents' ? [AGENTS, REPLICAS] : [AGENTS];
  const looks = diallers.map((of) => lackingPeers(flow, target, of, peers, isConnected));
  const lacking = (await Promise.all(looks)).flat();
  if (lacking.length === 0) return;
  const { context } = target.client;
  const names = [...new Set(lacking.map(({ peer }) => peer))];
  throw new MeshctlError(
    'Incompatible',
    `context "${context}": ${names.join(', ')} is not connected now, so it could not be verified that it still is after KVStoreMesh is switched`,
    {
      hint: `See why, and fix it or disconnect from it first: ${meshctlCommand('clustermesh status', { context })}`,
      details: { context, peers: names },
    },
  );
}

/**
 * Has the agents switch to what they are to read: their own connections, or the cache of KVStoreMesh. When they do not get
 * there, the files are put back: what they read before is still there.
 * @returns once every agent is connected in the new way, what was written
 * @throws MeshctlError `Timeout`, naming agents and peers
 */
export async function switchAgents(
  flow: Flow,
  target: Target,
  step: Step,
  { move, waitMs }: { move: PeerMove; waitMs: number },
): Promise<Journal> {
  const { client } = target;
  const write = async (): Promise<Journal> => {
    const { error, journal } = await writeSteps(flow, client, [step], {
      materialise: asPlanned,
    });
    try {
      if (error) throw error;
      await awaitAgents(flow, target, move, waitMs);
      return journal;
    } catch (failure) {
      for (const entry of journal.entries)
        entry.awaitAfter = () => seeAgentsBack(uninterrupted(flow), target, move, waitMs);
      await rollBackClusters(flow, [target], [journal], failure, { mounted: true });
      throw failure;
    }
  };
  const way = move.to === 'kvstoremesh' ? 'read its peers from KVStoreMesh' : 'dial its peers themselves';
  return during(
    flow,
    { doing: `${client.context}: letting the agents ${way}`, done: `${client.context}: the agents ${way}` },
    write,
  );
}

/**
 * Waits until every agent is connected with these peers in the way that it is to be, by what is written already.
 * @throws MeshctlError `Timeout`, naming agents and peers
 */
export async function awaitAgents(
  flow: Flow,
  target: Target,
  { to, peers }: Pick<PeerMove, 'to' | 'peers'>,
  waitMs: number,
): Promise<void> {
  const accept = (report: RemoteClusterReport) =>
    isConnected(report) && (report.config?.kvstoremesh === true) === (to === 'kvstoremesh');
  await nudgePods(flow, target, { pods: 'apiserver-and-agents', signal: flow.signal });
  await awaitPeers(flow, target, { of: AGENTS, peers, accept, waitMs });
}

/** Waits until the agents are connected as before a move that was taken back, and warns where they are not in time. */
export async function seeAgentsBack(flow: Flow, target: Target, move: PeerMove, waitMs: number): Promise<void> {
  const to = move.to === 'agents' ? 'kvstoremesh' : 'agents';
  try {
    await awaitAgents(flow, target, { to, peers: move.peers }, waitMs);
  } catch (error) {
    if (!(error instanceof MeshctlError)) throw error;
    flow.progress.warn(warningOf(error));
  }
}

/** For what is to come to its end after Ctrl-C, which may be why something is rolled back. */
export function uninterrupted(flow: Flow): Flow {
  return { ...flow, signal: new AbortController().signal };
}

/**
 * Waits until every replica of KVStoreMesh has all of these peers' state, so that agents can read it there.
 * @throws MeshctlError `Timeout`, naming replicas and peers
 */
export async function awaitCache(flow: Flow, target: Target, { peers }: PeerMove, waitMs: number): Promise<void> {
  const { context } = target.client;
  await nudgePods(flow, target, { pods: 'apiserver', signal: flow.signal });
  await during(
    flow,
    {
      doing: `${context}: waiting for KVStoreMesh to have ${peers.join(', ')}`,
      done: `${context}: KVStoreMesh has ${peers.join(', ')}`,
    },
    () => awaitPeers(flow, target, { of: REPLICAS, peers, accept: isConnected, waitMs }),
  );
}

/**
 * Warns of peers that were connected while KVStoreMesh was switched on, which the plan could not move: they stay connected, but
 * otherwise than this run was asked for.
 * @param others clusters that were read, for their contexts
 * @param naming names those of the rest
 */
export async function warnOfUnmoved(
  flow: Flow,
  { client, namespace }: Target,
  others: readonly ClusterSnapshot[],
  naming: NonNullable<EnableOptions['naming']> = async (found) => found,
): Promise<readonly string[]> {
  const snapshot = await orWithout(flow, readForParting(client, namespace), undefined);
  const note = snapshot && noteOfUnmoved(snapshot, others);
  if (note === undefined) return [];
  const named = await naming([note]);
  for (const words of named) flow.progress.warn(words);
  return named;
}

interface Arrival {
  of: StatusProgram;
  peers: readonly string[];
  accept: (report: RemoteClusterReport) => boolean;
  waitMs: number;
}

async function awaitPeers(flow: Flow, target: Target, { of, peers, accept, waitMs }: Arrival): Promise<void> {
  const deadline = flow.clock.ms() + waitMs;
  await untilSettled(flow, { deadline, intervalMs: LOOK_INTERVAL_MS }, async (last) => {
    const lacking = await lackingPeers(flow, target, of, peers, accept);
    if (lacking.length === 0) return true;
    if (!last) return undefined;
    const { context } = target.client;
    const words = lacking.slice(0, 5).map(({ pod, peer }) => `${pod} has not reached ${peer}`);
    throw new MeshctlError(
      'Timeout',
      `context "${context}": after ${Math.round(waitMs / 100) / 10} s ${words.join(', ')}`,
      {
        hint: `See why: ${meshctlCommand('clustermesh status', { context })}`,
        details: { context, lacking },
      },
    );
  });
}

/** Which pod does not have which peer as wanted; a pod that does not answer has none. */
async function lackingPeers(
  flow: Flow,
  { client, namespace }: Target,
  of: StatusProgram,
  peers: readonly string[],
  accept: (report: RemoteClusterReport) => boolean,
): Promise<{ pod: string; peer: string }[]> {
  const limit = pLimit(EXECS_AT_A_TIME);
  const selection = livingPods(namespace, of.selector);
  const pods = (await client.listAll(selection, { signal: flow.signal })).filter(
    (pod) => isPodRunning(pod) && !pod.metadata.deletionTimestamp,
  );
  if (pods.length === 0) return peers.map((peer) => ({ pod: `no ${of.component}`, peer }));
  const looks = pods.map(({ metadata: { name: pod } }) =>
    limit(async () => {
      const { container, command } = of;
      const run = { namespace, pod, container, command, timeoutMs: EXEC_TIMEOUT_MS, signal: flow.signal };
      const reports = await answerOf(flow, () =>
        client.exec(run).then((answer) => readAnswer(of, answer).clusters ?? []),
      );
      return peers
        .filter((peer) => !reports.some((report) => report.name === peer && accept(report)))
        .map((peer) => ({ pod, peer }));
    }),
  );
  return (await Promise.all(looks)).flat();
}

async function answerOf(
  flow: Flow,
  ask: () => Promise<readonly RemoteClusterReport[]>,
): Promise<readonly RemoteClusterReport[]> {
  try {
    return await ask();
  } catch (error) {
    flow.signal.throwIfAborted();
    if (!(error instanceof MeshctlError) || isRefusal(error)) throw error;
    return [];
  }
}
