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
import { requireLetIn } from '../write/still-standing.ts';

/** Between looks for what takes minutes. */
export const LOOK_INTERVAL_MS = 2_000;
/** Cilium's pkg/clustermesh/kvstoremesh: drainGracePeriod is three minutes, and then it deletes key by key. */
export const DRAINED_WITHIN_MS = 4 * 60 * 1000;

/** A cluster whose KVStoreMesh still lets go of a peer that it is to dial again, and that peer. */
interface Held {
  holder: Direction['client'];
  peer: Direction['server'];
}

/** What of former peers is in the way of new dials. */
export interface HeldPeers {
  /** Who is to be waited for: only one of two clusters holds on to the other. */
  alone: readonly Held[];
  /** Where both hold on to each other neither takes the other up before, and nothing is waited for. */
  mutual: readonly Held[];
}

/** Which clusters hold on to whom of those that they are to dial anew, as far as their etcds tell. */
export async function readHeld(
  flow: Flow,
  targets: readonly Target[],
  directions: readonly Direction[],
  parallel: number,
): Promise<HeldPeers> {
  const begun = directions.filter(({ client, server }) => !dials(client, server));
  // Who is dialled already by its peer gains nothing by waiting.
  const back = begun.filter((one) => begun.some((other) => other.client === one.server && other.server === one.client));
  const possible = back.flatMap(({ client, server }) =>
    kvstoremeshDials(client.snapshot) ? [{ holder: client, peer: server }] : [],
  );
  const held = await lookAmong(flow, targets, possible, parallel);
  const isMutual = (one: Held) => held.some((other) => other.holder === one.peer && other.peer === one.holder);
  return { alone: held.filter((one) => !isMutual(one)), mutual: held.filter(isMutual) };
}

/** Those of them that are held still. */
async function lookAmong(
  flow: Flow,
  targets: readonly Target[],
  among: readonly Held[],
  parallel: number,
): Promise<Held[]> {
  const limit = pLimit(parallel);
  const byHolder = groupBy(among, ({ holder }) => holder.snapshot.context);
  const looks = [...byHolder].map(([context, all]) =>
    limit(async () => {
      const target = targets.find(({ client }) => client.context === context);
      const names = target ? await heldNames(flow, target, all) : new Set<string>();
      return all.filter(({ peer }) => names.has(peer.identity.name));
    }),
  );
  return (await Promise.all(looks)).flat();
}

/**
 * What a plan says of clusters that were disconnected from each other a moment ago: that they are not connected for as long, and what
 * fails meanwhile.
 * @param isPlanOnly also for whom a run would wait, which it says itself
 */
export function drainingNotes({ alone, mutual }: HeldPeers, isPlanOnly: boolean): string[] {
  const awaited = isPlanOnly ? alone : [];
  return [
    ...awaited.map((one) => `before anybody dials, connect waits until ${heldWords(one)}, ${RETAKEN}`),
    ...mutualNotes(mutual),
  ];
}

/**
 * Waits, before anybody dials, until KVStoreMesh of each cluster can take up its new peers. It holds on to what it has of a peer that it
 * lost for three minutes; one that takes the other up before, as with a clustermesh-apiserver of its own made anew, sends requests to
 * pods that have no way back to it. Where both hold on to each other, nothing is waited for.
 * @param planned who was held when it was planned; absent: nobody has looked
 * @returns what could not be waited for, as warnings
 * @throws MeshctlError `Conflict` where the clusters are parted again meanwhile: nobody is to dial then
 */
export async function awaitDrained(
  flow: Flow,
  targets: readonly Target[],
  directions: readonly Direction[],
  parallel: number,
  planned?: HeldPeers,
): Promise<string[]> {
  // Of two that held on to each other one may be through with it by now.
  const isNow = planned !== undefined && planned.mutual.length === 0;
  const { alone, mutual } = isNow ? planned : await readHeld(flow, targets, directions, parallel);
  if (alone.length === 0) return mutualNotes(mutual);
  const deadline = flow.clock.ms() + DRAINED_WITHIN_MS;
  const left = await during(
    flow,
    {
      doing: `Waiting until ${alone.map(heldWords).join('; ')}, ${RETAKEN}`,
      done: (still) =>
        still.length === 0 ? 'Former peers can be taken up again' : 'Not all peers can be taken up yet',
      good: (still) => still.length === 0,
    },
    () =>
      untilSettled(flow, { deadline, intervalMs: LOOK_INTERVAL_MS }, async (last) => {
        await requireLetIn(flow, targets, between(alone, directions), parallel);
        const still = await lookAmong(flow, targets, alone, parallel);
        return last || still.length === 0 ? still : undefined;
      }),
  );
  return [
    ...left.map(({ holder, peer }) => {
      const says = `KVStoreMesh of ${holder.identity.name} still holds what it had of ${peer.identity.name}: until it takes that cluster up again, requests from ${peer.identity.name} to pods of ${holder.identity.name} get no answer`;
      return `${says} → ${waitCommand([holder, peer])}`;
    }),
    ...mutualNotes(mutual),
  ];
}

/** The directions between clusters of which one holds on to the other. */
function between(held: readonly Held[], directions: readonly Direction[]): Direction[] {
  return directions.filter(({ client, server }) =>
    held.some(({ holder, peer }) => [holder, peer].includes(client) && [holder, peer].includes(server)),
  );
}

/** How long KVStoreMesh takes for it, as a clause. */
export const RETAKEN = 'which takes up to three minutes';

function heldWords({ holder, peer }: Held): string {
  return `KVStoreMesh of ${holder.identity.name} has dropped what it had of ${peer.identity.name}`;
}

/** Of each two that hold on to each other, once. Measured: one of them may be through with it more than a minute before the other. */
function mutualNotes(held: readonly Held[]): string[] {
  return held
    .filter(({ holder, peer }) => holder.identity.name < peer.identity.name)
    .map(({ holder, peer }) => {
      const [one, other] = [holder.identity.name, peer.identity.name];
      const until = `KVStoreMesh takes a former peer up again only when it has dropped what it had of it, ${RETAKEN}`;
      const lost = `until both have, ${one} and ${other} are not connected, and while only one has, its requests to the other get no answer`;
      return `${one} and ${other} were disconnected from each other minutes ago: ${until}; ${lost} → ${waitCommand([holder, peer])}`;
    });
}

function waitCommand(clusters: readonly Direction['client'][]): string {
  const context = clusters.map(({ snapshot }) => snapshot.context);
  return meshctlCommand('clustermesh status', { context }, ['--wait']);
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
