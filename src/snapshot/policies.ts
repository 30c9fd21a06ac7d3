import type { ClusterClient } from '../kube/client.ts';
import { MeshctlError } from '../mesh/errors.ts';
import type { KubeObject } from '../mesh/objects/kube-object.ts';

/** The policies that can select pods of a namespace; undefined where they may not be listed. */
export async function readPolicies(client: ClusterClient, namespace: string): Promise<KubeObject[] | undefined> {
  const lists = await Promise.all([
    listIfThere(client, { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', namespace }),
    listIfThere(client, { apiVersion: 'cilium.io/v2', kind: 'CiliumNetworkPolicy', namespace }),
    listIfThere(client, { apiVersion: 'cilium.io/v2', kind: 'CiliumClusterwideNetworkPolicy' }),
  ]);
  const known = lists.filter((list) => list !== undefined);
  return known.length === lists.length ? known.flat() : undefined;
}

/** None where the kind is not there; undefined where it may not be listed. */
async function listIfThere(
  client: ClusterClient,
  what: { apiVersion: string; kind: string; namespace?: string },
): Promise<KubeObject[] | undefined> {
  try {
    return await client.listAll(what);
  } catch (error) {
    if (!(error instanceof MeshctlError)) throw error;
    if (error.code === 'NotFound') return [];
    if (error.code === 'Forbidden') return undefined;
    throw error;
  }
}
