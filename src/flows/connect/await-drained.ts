import pLimit from 'p-limit';
import { meshctlCommand } from '../../mesh/command-line.ts';
import { type Direction, dials } from '../../mesh/connect/direction.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { SYNCED_PREFIX } from '../../mesh/objects/names.ts';
import { groupBy } from '../../mesh/pairs.ts';
import { kvstoremeshDials } from '../../mesh/peers/peers.ts';
import { readyPods, untilSettled } from '../etcd/ask-etcd.ts';
import { readOwnKeys } from '../etcd/read-own-keys.ts';
import { during, type Flow, type Target } from '../flow.ts';

const LOOK_INTERVAL_MS = 2_000;
/** Cilium's pkg/clustermesh/kvstoremesh: drainGracePeriod is three minutes, and then it deletes key by key. */
const DRAINED_WITHIN_MS = 4 * 60 * 1000;

/** A cluster whose KVStoreMesh still lets go of a peer that it is to dial again, and that peer. */
interface Held {
  holder: Direction['client'];
  peer: Direction['server'];
}

/**
 * Waits, before anybody dials, until KVStoreMesh of each cluster can take up its new peers. It holds on to what it has of a peer that it
 * lost for three minutes; one that takes the other up before, as with a clustermesh-apiserver of its own made anew, sends requests to
 * pods that have no way back to it. Where both hold on to each other neither does, and nothing is waited for.
 * @returns what could not be waited for, as warnings
 */
export async function awaitDrained(
  flow: Flow,
  targets: readonly Target[],
  directions: readonly Direction[],
  parallel: number,
): Promise<string[]> {
  const limit = pLimit(parallel);
  const begun = directions.filter(({ client, server }) => !dials(client, server));
  // Who is dialled already by its peer gains nothing by waiting.
  const mutual = begun.filter((one) => begun.some((back) => back.client === one.server && back.server === one.client));
  const look = async (among: readonly Held[]) => {
    const byHolder = groupBy(among, ({ holder }) => holder.snapshot.context);
    const looks = [...byHolder].map(([context, all]) =>
      limit(async () => {
        const target = targets.find(({ client }) => client.context === context);
        const names = target ? await heldNames(flow, target, all) : new Set<string>();
        return all.filter(({ peer }) => names.has(peer.identity.name));
      }),
    );
    return (await Promise.all(looks)).flat();
  };
  const possible = mutual.flatMap(({ client, server }) =>
    kvstoremeshDials(client.snapshot) ? [{ holder: client, peer: server }] : [],
  );
  const alone = (held: readonly Held[]) =>
    held.filter((one) => !held.some((back) => back.holder === one.peer && back.peer === one.holder));
  const first = await look(possible);
  if (alone(first).length === 0) return [];
  const deadline = flow.clock.ms() + DRAINED_WITHIN_MS;
  const left = await during(
    flow,
    {
      doing: `Waiting until ${alone(first).map(heldWords).join('; ')}, which takes three minutes after a disconnect`,
      done: (still) =>
        still.length === 0 ? 'Former peers can be taken up again' : 'Not all peers can be taken up yet',
      good: (still) => still.length === 0,
    },
    () =>
      untilSettled(flow, { deadline, intervalMs: LOOK_INTERVAL_MS }, async (last) => {
        const still = alone(await look(first));
        return last || still.length === 0 ? still : undefined;
      }),
  );
  return left.map(({ holder, peer }) => {
    const context = [holder.snapshot.context, peer.snapshot.context];
    const says = `KVStoreMesh of ${holder.identity.name} still holds what it had of ${peer.identity.name}: until it takes that cluster up again, requests from ${peer.identity.name} to pods of ${holder.identity.name} get no answer`;
    return `${says} → ${meshctlCommand('clustermesh status', { context }, ['--wait'])}`;
  });
}

function heldWords({ holder, peer }: Held): string {
  return `KVStoreMesh of ${holder.identity.name} has dropped what it had of ${peer.identity.name}`;
}

/** Of these peers those of which any pod's etcd still has a copy. Where none can be asked, nothing is known of it, and nothing said. */
async function heldNames(flow: Flow, target: Target, among: readonly Held[]): Promise<ReadonlySet<string>> {
  const [first] = among;
  if (!first) return new Set();
  try {
    const pods = await readyPods(target);
    const read = pods.map((pod) => readOwnKeys(flow, target, first.holder.snapshot, pod, SYNCED_PREFIX));
    const names = (await Promise.all(read)).flatMap((keys) => (keys instanceof Map ? [...keys.keys()] : []));
    return new Set(names.map((key) => key.slice(0, key.indexOf('/'))));
  } catch (error) {
    flow.signal.throwIfAborted();
    if (error instanceof MeshctlError) return new Set();
    throw error;
  }
}
