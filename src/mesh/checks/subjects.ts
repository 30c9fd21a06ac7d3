import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import type { CheckInput, Subject } from './check.ts';

/** Why nothing can be said of a cluster's settings. */
export const NO_CONFIG = 'there is no ConfigMap cilium-config';

/** What a check of cilium-config is about. */
export function configOf({ ciliumConfig }: ClusterSnapshot): Subject {
  return { things: ciliumConfig ? ['cilium-config'] : [], otherwise: NO_CONFIG };
}

/** The clusters beside this one: those of the question, and those that it is connected to. */
export function othersKnown(cluster: ClusterSnapshot, { clusters, peerIds }: CheckInput): Subject {
  if (!cluster.ciliumConfig) return configOf(cluster);
  const others = clusters.filter((other) => other !== cluster && other.ciliumConfig).map(({ context }) => context);
  const peers = peerIds?.get(cluster.context)?.keys() ?? [];
  return { things: [...others, ...peers], otherwise: 'no other cluster is known' };
}
