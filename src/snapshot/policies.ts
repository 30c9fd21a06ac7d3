import type { ClusterClient } from '../kube/client.ts';
import { orRefusal, readOr } from '../kube/unless-refused.ts';
import {
  ciliumPolicyFollowsDefault,
  networkPolicyFollowsDefault,
  selectsLocalCluster,
} from '../mesh/cilium/policy-scope.ts';
import type { ClusterSnapshot } from '../mesh/cluster-snapshot.ts';
import { MeshctlError } from '../mesh/errors.ts';
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

/**
 * The policies whose selectors may mean pods of other clusters too; where they may not be listed, nothing of it but the way to be let.
 * @throws MeshctlError what else the API server refuses
 */
export async function readWidePolicies(
  client: ClusterClient,
  cluster: Pick<ClusterSnapshot, 'ciliumConfig' | 'agent'>,
): Promise<Pick<ClusterSnapshot, 'widePolicies' | 'policiesRefused'>> {
  if (selectsLocalCluster(cluster) === true) return {};
  const named = (apiVersion: string, kind: string, isWide: (policy: KubeObject) => boolean) =>
    readOr(orRefusal(client.collect({ apiVersion, kind }, (policy) => (isWide(policy) ? [nameOf(policy)] : []))), {
      absent: [],
      forbidden: [],
    });
  const lists = await Promise.all([
    named('networking.k8s.io/v1', 'NetworkPolicy', networkPolicyFollowsDefault),
    named('cilium.io/v2', 'CiliumNetworkPolicy', ciliumPolicyFollowsDefault),
    named('cilium.io/v2', 'CiliumClusterwideNetworkPolicy', ciliumPolicyFollowsDefault),
  ]);
  const refusal = lists.find((list) => list instanceof MeshctlError);
  if (refusal) return { policiesRefused: refusal.hint };
  return { widePolicies: lists.flatMap((list) => (list instanceof MeshctlError ? [] : list)).sort() };
}

function nameOf({ metadata: { namespace, name } }: KubeObject): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}
