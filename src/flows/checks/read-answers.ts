import { withUnansweredPeers } from '../../mesh/checks/answers.ts';
import type { ClusterSnapshot } from '../../mesh/cluster-snapshot.ts';
import type { MeshctlError } from '../../mesh/errors.ts';
import type { Target } from '../flow.ts';
import { orNone, readServiceCluster, type ServiceCluster } from '../services/read-service-clusters.ts';
import { readConfiguredServices } from '../services/read-services.ts';

/**
 * Clusters with their global Services and the backends of these, where requests between two of them may get no answer; of other
 * clusters nothing is read.
 * @throws MeshctlError what of a cluster that is concerned is refused for another reason than that it may not be read
 */
export async function withServicesUnanswered<T extends { remembered: Target; snapshot: ClusterSnapshot }>(
  clusters: readonly T[],
): Promise<T[]> {
  const concerned = withUnansweredPeers(clusters.map(({ snapshot }) => snapshot));
  return Promise.all(
    clusters.map(async (one) => {
      if (!concerned.includes(one.snapshot)) return one;
      let refused: MeshctlError | undefined;
      const onFailure = (_context: string, error: MeshctlError) => {
        refused = error;
      };
      const members: ServiceCluster[] = await orNone(one.remembered, readServiceCluster(one.remembered), onFailure);
      const [read] = await readConfiguredServices(members, {}, onFailure);
      if (!read || refused) return { ...one, snapshot: { ...one.snapshot, servicesRefused: refused?.hint } };
      const { services, namespaces } = read;
      return { ...one, snapshot: { ...one.snapshot, globalServices: { services, namespaces } } };
    }),
  );
}
