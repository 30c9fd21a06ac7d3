import { createHash } from 'node:crypto';
import { type KubeObject, refOf } from '../../mesh/objects/kube-object.ts';
import { NAME_ALPHABET } from '../apiserver/storage/lifecycle.ts';
import type { Store, StoreEvent } from '../apiserver/storage/object-store.ts';
import { isControlledBy, type Pod, typeOf } from '../objects.ts';
import type { WorkQueue } from './work-queue.ts';

/** What a controller works with. */
export interface ControllerWorld {
  store: Store;
  queue: WorkQueue;
  now(): Date;
}

/** Hears of every change in the store; asks the queue for work. */
export type Controller = (event: StoreEvent) => void;

/** Asks for work on each object of a kind that is new or has changed, and on the owner of each object of `owned` that has. */
export function followOwned(kind: string, owned: string, enqueue: Enqueue): Controller {
  return ({ type, object }) => {
    const { namespace, name, ownerReferences = [] } = object.metadata;
    if (object.kind === kind && type !== 'DELETED') enqueue(namespace, name);
    if (object.kind !== owned) return;
    for (const owner of ownerReferences) {
      if (owner.kind === kind) enqueue(namespace, owner.name);
    }
  };
}

/** Queues work on objects of one kind: what is asked for several times before its turn is done once. */
export function enqueuer(
  world: ControllerWorld,
  kind: string,
  reconcile: (world: ControllerWorld, namespace: string | undefined, name: string) => void,
): Enqueue {
  return (namespace, name) => world.queue.add(`${kind}/${namespace}/${name}`, () => reconcile(world, namespace, name));
}

type Enqueue = (namespace: string | undefined, name: string) => void;

/** The field manager of the sandbox's controllers, as the real ones have it. */
export const CONTROLLER_MANAGER = 'kube-controller-manager';

/** The pods that an object controls, without those that are on their way out. */
export function podsOf({ store }: ControllerWorld, owner: KubeObject): Pod[] {
  const { namespace = '' } = owner.metadata;
  const all = store.list({ ...typeOf('Pod'), namespace }) as Pod[];
  return all.filter((pod) => isControlledBy(pod, owner) && !pod.metadata.deletionTimestamp);
}

/** Writes what a controller has seen of an object, if that is something else than what it says already. */
export function storeStatus(
  { store }: ControllerWorld,
  object: KubeObject & { status?: unknown },
  status: object,
): void {
  if (sameJson(status, object.status)) return;
  store.update(
    refOf(object),
    (stored) => {
      stored.status = status;
    },
    CONTROLLER_MANAGER,
  );
}

/** A short suffix for generated names, the same for the same text. */
export function nameSuffix(text: string, length: number): string {
  const digest = createHash('sha256').update(text).digest();
  return Array.from(digest.subarray(0, length), (byte) => NAME_ALPHABET[byte % NAME_ALPHABET.length]).join('');
}

/** `2` or `25%` of `total`, as Kubernetes' IntOrString. */
export function resolveCount(
  value: number | string | undefined,
  total: number,
  round: 'up' | 'down',
  fallback: number,
) {
  if (value === undefined) return fallback;
  if (typeof value === 'number') return value;
  const share = (Number.parseFloat(value) / 100) * total;
  return round === 'up' ? Math.ceil(share) : Math.floor(share);
}

/** JSON with sorted keys: equal for values that differ only in the order of fields or in absent ones. */
export function stableJson(value: unknown): string {
  return JSON.stringify(value, (_key, entry: unknown) =>
    typeof entry === 'object' && entry !== null && !Array.isArray(entry)
      ? Object.fromEntries(Object.entries(entry).sort(([a], [b]) => (a < b ? -1 : 1)))
      : entry,
  );
}

export function sameJson(a: unknown, b: unknown): boolean {
  return stableJson(a ?? null) === stableJson(b ?? null);
}
