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

/** What the controller of DaemonSets tolerates for pods in their node's network (Kubernetes' docs, "DaemonSet"). */
export const OF_DAEMON_SETS: readonly Toleration[] = [
  ...['not-ready', 'unreachable'].map((name) => tolerated(name, 'NoExecute')),
  ...['disk-pressure', 'memory-pressure', 'pid-pressure', 'unschedulable', 'network-unavailable'].map((name) =>
    tolerated(name, 'NoSchedule'),
  ),
];

function tolerated(name: string, effect: string): Toleration {
  return { key: `node.kubernetes.io/${name}`, operator: 'Exists', effect };
}

/** What keeps no pod with it off a node: `key=value:effect`, or `key:effect` for any value. */
export function tolerationOf({ key, value, effect }: Taint): Toleration {
  return value ? { key, operator: 'Equal', value, effect } : { key, operator: 'Exists', effect };
}

/** Whether two tolerations are for the same taints. */
export function isSameToleration(one: Toleration, other: Toleration): boolean {
  const parts = ({ key, operator = 'Equal', value = '', effect = '' }: Toleration) => [key, operator, value, effect];
  return parts(one).join('\n') === parts(other).join('\n');
}

/** `key=value:effect`, as kubectl writes a taint. */
export function taintText({ key, value, effect }: Taint): string {
  return `${key}${value ? `=${value}` : ''}:${effect}`;
}
