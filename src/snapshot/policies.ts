import type { ClusterClient } from '../kube/client.ts';
import { readOr } from '../kube/unless-refused.ts';
import type { KubeObject } from '../mesh/objects/kube-object.ts';

/** The policies that can select pods of a namespace; undefined where they may not be listed. */
export async function readPolicies(client: ClusterClient, namespace: string): Promise<KubeObject[] | undefined> {
  const kinds = [
    { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', namespace },
    { apiVersion: 'cilium.io/v2', kind: 'CiliumNetworkPolicy', namespace },
    { apiVersion: 'cilium.io/v2', kind: 'CiliumClusterwideNetworkPolicy' },
  ];
  const lists = await Promise.all(
    kinds.map((what) => readOr(client.listAll(what), { absent: [], forbidden: undefined })),
  );
  const known = lists.filter((list) => list !== undefined);
  return known.length === lists.length ? known.flat() : undefined;
}
