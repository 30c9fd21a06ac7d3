import type { ClusterClient } from '../kube/client.ts';
import { readOr } from '../kube/unless-refused.ts';
import { LOAD_BALANCER_PROBES, type LoadBalancerProbe } from '../mesh/enable/exposure/load-balancer-capability.ts';
import type { KubeObject } from '../mesh/objects/kube-object.ts';
import { APISERVER } from '../mesh/objects/names.ts';
import { serviceSpec } from '../mesh/objects/service.ts';

/**
 * The objects that tell what gives Services addresses. An operator who may not look there gets a choice with less
 * evidence, no failure.
 * @param apiGroups those that are served
 */
export async function readProbes(client: ClusterClient, apiGroups: readonly string[]): Promise<KubeObject[]> {
  const wanted = LOAD_BALANCER_PROBES.filter(({ group }) => group === undefined || apiGroups.includes(group));
  const lists = await Promise.all(wanted.map((probe) => listOfProbe(client, probe)));
  return lists.flat();
}

/** Of the newest version that is served. */
async function listOfProbe(
  client: ClusterClient,
  { apiVersions, kind, labelSelector }: LoadBalancerProbe,
): Promise<KubeObject[]> {
  for (const apiVersion of apiVersions) {
    const list = client.listAll({ apiVersion, kind, labelSelector });
    const found = await readOr(list, { absent: undefined, forbidden: [] });
    if (found) return found;
  }
  return [];
}

/** Node ports of all Services but the clustermesh-apiserver's; empty for an operator who may not list them. */
export async function readUsedNodePorts(client: ClusterClient, namespace: string): Promise<number[]> {
  return readOr(
    client.collect({ apiVersion: 'v1', kind: 'Service' }, (service) =>
      service.metadata.namespace === namespace && service.metadata.name === APISERVER
        ? []
        : (serviceSpec(service).ports ?? []).flatMap(({ nodePort }) => nodePort ?? []),
    ),
    { absent: [], forbidden: [] },
  );
}
