import type { NodeFacts } from '../cluster-snapshot.ts';

export type Taint = NonNullable<NodeFacts['taints']>[number];

export interface Toleration {
  key?: string;
  operator?: string;
  value?: string;
  effect?: string;
}

/** Whether a pod with these tolerations is kept off a node by a taint (Kubernetes' docs, "Taints and Tolerations"). */
export function repels({ key, value = '', effect }: Taint, tolerations: readonly Toleration[]): boolean {
  if (effect === 'PreferNoSchedule') return false;
  return !tolerations.some(
    (one) =>
      (one.effect === undefined || one.effect === '' || one.effect === effect) &&
      (one.operator === 'Exists'
        ? one.key === undefined || one.key === '' || one.key === key
        : one.key === key && (one.value ?? '') === value),
  );
}

/** `key=value:effect`, as kubectl writes a taint. */
export function taintText({ key, value, effect }: Taint): string {
  return `${key}${value ? `=${value}` : ''}:${effect}`;
}
