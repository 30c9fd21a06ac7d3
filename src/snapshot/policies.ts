import type { ClusterClient } from '../kube/client.ts';
import { orRefusal, readOr } from '../kube/unless-refused.ts';
import { addressRulesOf } from '../mesh/cilium/address-rules.ts';
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
 * The policies that may come to mean other pods by a first dial: whose selectors may mean those of other clusters too, and which mean
 * them by address; where they may not be listed, nothing of it but the way to be let.
 * @throws MeshctlError what else the API server refuses
 */
export async function readChangingPolicies(
  client: ClusterClient,
  cluster: Pick<ClusterSnapshot, 'ciliumConfig' | 'agent'>,
): Promise<Pick<ClusterSnapshot, 'widePolicies' | 'addressPolicies' | 'policiesRefused'>> {
  const isLocal = selectsLocalCluster(cluster) === true;
  const factsOf = (policy: KubeObject, isWide: (policy: KubeObject) => boolean) => {
    const facts = { name: nameOf(policy), rules: addressRulesOf(policy), isWide: !isLocal && isWide(policy) };
    return facts.isWide || facts.rules.length > 0 ? [facts] : [];
  };
  const listed = (apiVersion: string, kind: string, isWide: (policy: KubeObject) => boolean) =>
    readOr(orRefusal(client.collect({ apiVersion, kind }, (policy) => factsOf({ ...policy, kind }, isWide))), {
      absent: [],
      forbidden: [],
    });
  const lists = await Promise.all([
    listed('networking.k8s.io/v1', 'NetworkPolicy', networkPolicyFollowsDefault),
    listed('cilium.io/v2', 'CiliumNetworkPolicy', ciliumPolicyFollowsDefault),
    listed('cilium.io/v2', 'CiliumClusterwideNetworkPolicy', ciliumPolicyFollowsDefault),
  ]);
  const refusal = lists.find((list) => list instanceof MeshctlError);
  if (refusal) return { policiesRefused: refusal.hint };
  const policies = lists.flatMap((list) => (list instanceof MeshctlError ? [] : list));
  const byName = policies.sort((a, b) => (a.name < b.name ? -1 : 1));
  return {
    ...(isLocal ? {} : { widePolicies: byName.flatMap(({ name, isWide }) => (isWide ? [name] : [])) }),
    addressPolicies: byName.flatMap(({ name, rules }) => (rules.length > 0 ? [{ name, rules }] : [])),
  };
}

function nameOf({ metadata: { namespace, name } }: KubeObject): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}
