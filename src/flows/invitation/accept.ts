import { lackOfAgents } from '../../mesh/cilium/agents.ts';
import { meshctlCommand } from '../../mesh/command-line.ts';
import { managesUsers } from '../../mesh/connect/credentials.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import type { Step } from '../../mesh/plan/plan.ts';
import { connectClusters, type OneSidedProofs } from '../connect/connect.ts';
import { untilSettled } from '../etcd/ask-etcd.ts';
import { readEtcdUsers } from '../etcd/read-users.ts';
import { during, type Flow } from '../flow.ts';
import { explainProblems } from '../status/explain-status.ts';
import { pollStatus } from '../status/poll-status.ts';
import type { PreparedAccept } from './prepare-accept.ts';

export interface AcceptRunOptions {
  proof?: boolean | undefined;
  proofMs: number;
  rollback?: boolean | undefined;
  /** Agents asked at a time. */
  parallel: number;
}

export interface AcceptOutcome {
  steps: readonly Step[];
  /** What could not be seen, and what shows it later; empty where all was proved. */
  unproved: readonly string[];
}

const LOOK_INTERVAL_MS = 500;
const NODE_TIMEOUT_MS = 10_000;

/**
 * Serves, proves, dials and proves again, or puts the cluster back.
 *
 * Of a credential whose key is elsewhere it is proved here that etcd has its user. The one by which this cluster dials is
 * proved over the network, by the cluster itself: it dials, and what was written is taken back unless all its nodes are
 * connected. Nothing that was connected before hangs on it.
 * @throws MeshctlError `CredentialRefused` with why; `details.rollback` says what became of the cluster
 */
export async function acceptMessage(
  flow: Flow,
  prepared: PreparedAccept,
  { proof, proofMs, rollback, parallel }: AcceptRunOptions,
): Promise<AcceptOutcome> {
  const { connect, target } = prepared;
  const { context } = target.client;
  const unproved: string[] = proof === false ? [`context "${context}": nothing was proved (--no-proof)`] : [];
  const oneSided: OneSidedProofs = {
    served: async () => {
      if (proof !== false) unproved.push(...(await proveServed(flow, prepared, proofMs)));
    },
    dialled: async () => {
      const dials = connect.directions.some(({ client }) => client === prepared.own);
      if (dials && proof !== false) unproved.push(...(await proveDialled(flow, prepared, { proofMs, parallel })));
    },
  };
  const { steps } = await connectClusters(flow, connect, { rollback, proofMs, parallel: 1, oneSided });
  return { steps, unproved };
}

/** Waits until every etcd that can be asked has the peer's user. */
async function proveServed(flow: Flow, { target, own, connect }: PreparedAccept, timeoutMs: number): Promise<string[]> {
  const incoming = connect.directions.find(({ server }) => server === own);
  if (!incoming || !managesUsers(own.snapshot)) return [];
  const { user } = incoming.credential;
  const { context } = target.client;
  const deadline = flow.clock.ms() + timeoutMs;
  return during(
    flow,
    {
      doing: `Waiting until etcd has the user ${user}`,
      done: (unseen) => (unseen.length === 0 ? `etcd has the user ${user}` : `etcd could not be asked for ${user}`),
      good: (unseen) => unseen.length === 0,
    },
    () =>
      untilSettled(flow, { deadline, intervalMs: LOOK_INTERVAL_MS }, async (last) => {
        const users = await readEtcdUsers(flow, target, own.snapshot);
        const without = [...users].filter(([, names]) => !names.includes(user)).map(([pod]) => pod);
        if (users.size > 0 && without.length === 0) return [];
        if (!last) return undefined;
        if (users.size > 0) {
          throw new MeshctlError(
            'CredentialRefused',
            `context "${context}": the etcd of ${without.join(', ')} has no user ${user} yet`,
            {
              hint: `See what is wrong: ${meshctlCommand('clustermesh check', { context })}`,
              details: { context, user, reason: 'user-missing' },
            },
          );
        }
        return [
          `context "${context}": no etcd could be asked whether it lets ${user} in; the other cluster's own connection shows it`,
        ];
      }),
  );
}

/** Waits until all nodes are connected to the peer. */
async function proveDialled(
  flow: Flow,
  { target, own, peer }: PreparedAccept,
  { proofMs, parallel }: { proofMs: number; parallel: number },
): Promise<string[]> {
  const { name } = peer.identity;
  const { context } = target.client;
  const status = meshctlCommand('clustermesh status', { context }, ['--wait']);
  if (lackOfAgents(own.snapshot) !== undefined) {
    return [`context "${context}": no agent runs that could dial "${name}"; once there is one: ${status}`];
  }
  const deadline = flow.clock.ms() + proofMs;
  const options = { parallel, nodeTimeoutMs: NODE_TIMEOUT_MS, redial: true };
  return during(
    flow,
    { doing: `Waiting until ${own.identity.name} is connected to ${name}`, done: `Connected to ${name}` },
    (task) =>
      untilSettled(flow, { deadline, intervalMs: LOOK_INTERVAL_MS }, async (last) => {
        const { report } = await pollStatus(flow, target, options);
        const agents = report.peers.find((one) => one.name === name)?.agents;
        const ofPeer = report.problems.filter((problem) => problem.peer === name);
        if (agents && agents.total > 0 && agents.connected === agents.total && ofPeer.length === 0) return [];
        if (agents) task.tick(`Connected to ${name}: ${agents.connected}/${agents.total} nodes`);
        if (!last) return undefined;
        const explained = await explainProblems(flow, target, report);
        const why = explained.problems.find((problem) => problem.peer === name)?.message;
        throw new MeshctlError(
          'CredentialRefused',
          `context "${context}": ${own.identity.name} does not get through to "${name}" at ${peer.endpoints.map(({ host, port }) => `${host}:${port}`).join(', ')}${why ? `: ${why}` : ''}`,
          {
            hint: 'Is that address open from here, and has the other owner done their part? Then accept the same message again.',
            details: { context, peer: name, reason: 'not-connected' },
          },
        );
      }),
  );
}
