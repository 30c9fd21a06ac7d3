import { clusterNameOf } from '../cilium/identity.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { keyOf } from '../objects/kube-object.ts';
import { apiserverDeploymentRef, apiserverServiceRef } from '../objects/names.ts';
import { dialsAnother } from '../peers/namesakes.ts';
import type { StatusReport } from './status.ts';
import type { SeenPeers } from './status-tally.ts';

interface SeenCluster extends Partial<SeenPeers> {
  snapshot: ClusterSnapshot;
}

/**
 * Whether two clusters are not each other's peers although one of them is connected to a cluster of the other one's name: a new
 * connection to that was made, and nothing of the other one could have answered it.
 */
export function areStrangers(one: SeenCluster, other: SeenCluster): boolean {
  return answersElsewhere(one, other.snapshot) || answersElsewhere(other, one.snapshot);
}

function answersElsewhere({ snapshot, reached = [] }: SeenCluster, server: ClusterSnapshot): boolean {
  const name = clusterNameOf(server);
  return reached.includes(name) && (servesNobody(server) || dialsAnother(snapshot, name, server));
}

/** Whether neither the server of a cluster is there, nor a Service by which it could be reached. */
function servesNobody({ objects, namespace, unread }: ClusterSnapshot): boolean {
  const keys = [apiserverDeploymentRef(namespace), apiserverServiceRef(namespace)].map(keyOf);
  return !keys.some((key) => objects.has(key) || unread?.has(key));
}

/**
 * The contexts of the clusters that dial another cluster of this one's name.
 * @param reports those that were asked, with this one
 */
export function diallersOfNamesake({ context, cluster }: StatusReport, reports: readonly StatusReport[]): string[] {
  return reports
    .filter(({ ofOtherMeshes, peers }) => {
      return ofOtherMeshes?.includes(context) && peers.some(({ name }) => name === cluster.name);
    })
    .map((report) => report.context);
}
