import type { ClusterClient } from '../kube/client.ts';
import { orRefusal } from '../kube/unless-refused.ts';
import type { ClusterSnapshot } from '../mesh/cluster-snapshot.ts';
import { MeshctlError } from '../mesh/errors.ts';
import { readSharing } from '../mesh/services/annotations.ts';
import { serviceFacts, serviceKey } from '../mesh/services/services.ts';

/**
 * The Services of a cluster that are global, without backends, and what its namespaces have as annotations; where one of the two
 * may not be listed, nothing of it but the way to be let.
 * @throws MeshctlError what else the API server refuses
 */
export async function readGlobalServices(
  client: ClusterClient,
): Promise<Pick<ClusterSnapshot, 'globalServices' | 'servicesRefused'>> {
  const [services, namespaces] = await Promise.all([
    orRefusal(
      client.collect({ apiVersion: 'v1', kind: 'Service' }, (service) =>
        readSharing(service.metadata.annotations).global ? [serviceFacts(service)] : [],
      ),
    ),
    orRefusal(
      client.collect({ apiVersion: 'v1', kind: 'Namespace' }, ({ metadata: { name, annotations = {} } }) => [
        [name, annotations] as const,
      ]),
    ),
  ]);
  if (services instanceof MeshctlError) return { servicesRefused: services.hint };
  if (namespaces instanceof MeshctlError) return { servicesRefused: namespaces.hint };
  return {
    globalServices: {
      services: new Map(services.map((facts) => [serviceKey(facts), facts])),
      namespaces: new Map(namespaces),
    },
  };
}
