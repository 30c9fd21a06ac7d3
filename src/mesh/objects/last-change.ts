import type { KubeObject } from './kube-object.ts';

/** Kubelets look at mounted Secrets and ConfigMaps about every minute. */
export const TAKEN_UP_WITHIN_MS = 2 * 60 * 1000;

/**
 * KVStoreMesh holds on to what it has of a peer that was disconnected for three minutes, and takes the peer up again only when
 * it is through with that (Cilium's pkg/clustermesh/kvstoremesh: drainGracePeriod; measured: 80 to 180 s).
 */
export const RETAKEN_WITHIN_MS = TAKEN_UP_WITHIN_MS + 3 * 60 * 1000;

/** When an object was written last, as far as it tells; milliseconds since 1970. */
export function lastChange(object: KubeObject | undefined): number | undefined {
  const { managedFields = [], creationTimestamp } = object?.metadata ?? {};
  const times = [creationTimestamp, ...managedFields.map(({ time }) => time)].map((time) => Date.parse(time ?? ''));
  const known = times.filter((time) => !Number.isNaN(time));
  return known.length > 0 ? Math.max(...known) : undefined;
}
