import { meshctlCommand } from '../../mesh/command-line.ts';
import { managesUsers } from '../../mesh/connect/credentials.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { wayBackOf } from '../../mesh/invitation/revocation.ts';
import { isChange, type Step } from '../../mesh/plan/plan.ts';
import { connectClusters, type OneSidedProofs } from '../connect/connect.ts';
import { untilSettled } from '../etcd/ask-etcd.ts';
import { readEtcdUsers } from '../etcd/read-users.ts';
import { during, type Flow } from '../flow.ts';
import { whileAtWork } from '../write/working-run.ts';
import type { PreparedAccept } from './prepare-accept.ts';
import { proveDialled } from './prove-dialled.ts';

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

/**
 * Serves, proves, dials and proves again, or puts the cluster back.
 *
 * Of a credential whose key is elsewhere it is proved here that etcd has its user. The one by which this cluster dials is
 * proved over the network, by the cluster itself: it dials, and what was written is taken back unless all its nodes are
 * connected, and, where it was connected before, dial it with the new certificate. Nothing that was connected before hangs on it.
 * @throws MeshctlError `CredentialRefused` with why; `details.rollback` says what became of the cluster
 */
export async function acceptMessage(
  flow: Flow,
  prepared: PreparedAccept,
  { proof, proofMs, rollback, parallel }: AcceptRunOptions,
): Promise<AcceptOutcome> {
  const { connect, message, target } = prepared;
  const { context } = target.client;
  const unproved: string[] = proof === false ? [`context "${context}": nothing was proved (--no-proof)`] : [];
  const oneSided: OneSidedProofs = {
    served: async () => {
      if (proof !== false) unproved.push(...(await proveServed(flow, prepared, proofMs)));
    },
    dialled: async () => {
      if (prepared.dials && proof !== false)
        unproved.push(...(await proveDialled(flow, prepared, { proofMs, parallel, rollback })));
    },
    wayBack: wayBackOf(message, prepared.own.snapshot),
  };
  const planned = [...connect.serve.steps, ...connect.dial.steps];
  const written = rollback !== false && planned.some(isChange) ? [target] : [];
  const run = { command: 'accept' as const, targets: [target], written, peersOf: () => [prepared.peer.identity.name] };
  const { steps } = await whileAtWork(flow, run, (working) =>
    connectClusters(flow, connect, { rollback, proofMs, parallel: 1, oneSided, working }),
  );
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
      done: (unseen) => (unseen.length === 0 ? `etcd has the user ${user}` : `etcd could not be asked about ${user}`),
      good: (unseen) => unseen.length === 0,
    },
    () =>
      untilSettled(flow, { deadline, intervalMs: LOOK_INTERVAL_MS }, async (last) => {
        const { users, unasked, isRefused } = await readEtcdUsers(flow, target, own.snapshot);
        const without = [...users].filter(([, names]) => !names.includes(user)).map(([pod]) => pod);
        if (users.size > 0 && unasked.length + without.length === 0) return [];
        if (!last && !(isRefused && without.length === 0)) return undefined;
        if (without.length > 0) {
          throw new MeshctlError(
            'CredentialRefused',
            `context "${context}": the etcd of ${without.join(', ')} has no user ${user} yet`,
            {
              hint: `See what is wrong: ${meshctlCommand('clustermesh check', { context })}`,
              details: { context, user, reason: 'user-missing' },
            },
          );
        }
        const which = users.size > 0 ? `the etcd of ${unasked.join(', ')} could not` : 'no etcd could';
        return [
          `context "${context}": ${which} be asked whether it lets ${user} in; whether the other cluster connects will show it`,
        ];
      }),
  );
}
