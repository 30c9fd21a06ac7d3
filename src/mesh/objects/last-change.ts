import type { KubeObject } from './kube-object.ts';

/** Kubelets look at mounted Secrets and ConfigMaps about every minute. */
export const TAKEN_UP_WITHIN_MS = 2 * 60 * 1000;

/** When an object was written last, as far as it tells; milliseconds since 1970. */
export function lastChange(object: KubeObject | undefined): number | undefined {
  const { managedFields = [], creationTimestamp } = object?.metadata ?? {};
  const times = [creationTimestamp, ...managedFields.map(({ time }) => time)].map((time) => Date.parse(time ?? ''));
  const known = times.filter((time) => !Number.isNaN(time));
  return known.length > 0 ? Math.max(...known) : undefined;
}
