import type { ClusterSnapshot } from '../../mesh/cluster-snapshot.ts';
import type { Flow, Target } from '../flow.ts';
import { orWithout } from '../where-it-succeeds.ts';
import { readEtcdIds } from './read-own-keys.ts';

/**
 * Whether connections are all with etcds of one cluster, at whatever address they were made, as by a second load balancer. Where its etcds
 * cannot be asked nobody knows.
 * @param dialled the ids of the etcds that they are with
 * @param server the cluster, as it was read
 */
export async function areWithEtcdsOf(
  flow: Flow,
  target: Target,
  server: ClusterSnapshot,
  dialled: ReadonlySet<string> = new Set(),
): Promise<boolean> {
  if (dialled.size === 0) return false;
  const ids = await orWithout(flow, readEtcdIds(flow, target, server), []);
  return [...dialled].every((id) => ids.includes(id));
}
