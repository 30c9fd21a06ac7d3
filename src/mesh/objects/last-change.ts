import type { KubeObject } from './kube-object.ts';

/** Kubelets look at mounted Secrets and ConfigMaps about every minute. */
export const TAKEN_UP_WITHIN_MS = 2 * 60 * 1000;

/**
 * KVStoreMesh holds on to what it has of a peer that was disconnected for three minutes, and takes the peer up again only when
 * it is through with that (Cilium's pkg/clustermesh/kvstoremesh: drainGracePeriod; measured: 80 to 180 s).
 */
export const RETAKEN_WITHIN_MS = TAKEN_UP_WITHIN_MS + 3 * 60 * 1000;

/**
 * Who has written an object last since it was read, and when, as far as it tells: who only took fields away leaves no trace. What only
 * wrote its status does not count.
 * @param seen as it was read
 */
export function lastWriter(
  seen: KubeObject | undefined,
  live: KubeObject | undefined,
): { manager: string; time: string } | undefined {
  const entriesOf = (object: KubeObject | undefined) =>
    (object?.metadata.managedFields ?? []).flatMap(({ manager, time, subresource }) =>
      manager === undefined || time === undefined || subresource !== undefined ? [] : [{ manager, time }],
    );
  const was = entriesOf(seen);
  const isNew = (one: { manager: string; time: string }) =>
    !was.some(({ manager, time }) => manager === one.manager && time === one.time);
  return entriesOf(live)
    .filter(isNew)
    .sort((one, other) => Date.parse(other.time) - Date.parse(one.time))[0];
}

/** When an object was written last, as far as it tells; milliseconds since 1970. */
export function lastChange(object: KubeObject | undefined): number | undefined {
  const { managedFields = [], creationTimestamp } = object?.metadata ?? {};
  const times = [creationTimestamp, ...managedFields.map(({ time }) => time)].map((time) => Date.parse(time ?? ''));
  const known = times.filter((time) => !Number.isNaN(time));
  return known.length > 0 ? Math.max(...known) : undefined;
}
