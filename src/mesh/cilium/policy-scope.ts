import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import type { KubeObject } from '../objects/kube-object.ts';
import { type LabelSelector, networkPolicyPeers } from './address-rules.ts';
import { obeysKey } from './known-keys.ts';
import { type CiliumVersion, compareMinors, versionOfAgents } from './versions/versions.ts';

/**
 * Which policies change their meaning with cilium-config's `policy-default-local-cluster`: with it, a selector of peers
 * that names no cluster means the pods of the local cluster, without it those of every cluster of the mesh.
 */

/** From here on Cilium takes it for true where nobody sets it (the agent's flag; before 1.18 there is none, and all are meant). */
const LOCAL_SINCE: CiliumVersion = { major: 1, minor: 19, patch: 0, suffix: '' };

/**
 * Whether in a cluster such a selector means the pods of the local cluster; undefined where the setting is absent and the
 * agents' version, on which its default hangs, is not known.
 */
export function selectsLocalCluster({
  ciliumConfig = {},
  agent,
}: Pick<ClusterSnapshot, 'ciliumConfig' | 'agent'>): boolean | undefined {
  const set = ciliumConfig['policy-default-local-cluster'];
  const version = versionOfAgents(agent);
  const isObeyed = !version || obeysKey(version, 'policy-default-local-cluster');
  if (set !== undefined && isObeyed) return set === 'true';
  return version && compareMinors(version, LOCAL_SINCE) >= 0;
}

const CLUSTER_LABEL = 'io.cilium.k8s.policy.cluster';

interface CiliumRule {
  fromEndpoints?: LabelSelector[];
  toEndpoints?: LabelSelector[];
  fromNodes?: LabelSelector[];
  toNodes?: LabelSelector[];
}

interface CiliumSpec {
  ingress?: CiliumRule[];
  ingressDeny?: CiliumRule[];
  egress?: CiliumRule[];
  egressDeny?: CiliumRule[];
}

/**
 * Whether a CiliumNetworkPolicy or CiliumClusterwideNetworkPolicy has a selector of peers that names no cluster (Cilium's
 * pkg/k8s/apis/cilium.io/utils: selectors of `reserved:` labels are left alone, those of nodes are not).
 */
export function ciliumPolicyFollowsDefault({ spec, specs }: KubeObject): boolean {
  const rules = [spec, ...((specs ?? []) as unknown[])] as (CiliumSpec | null | undefined)[];
  return rules
    .flatMap((rule) => [rule?.ingress, rule?.ingressDeny, rule?.egress, rule?.egressDeny])
    .flatMap((peers) => peers ?? [])
    .some(({ fromEndpoints = [], toEndpoints = [], fromNodes = [], toNodes = [] }) => {
      const endpoints = [...fromEndpoints, ...toEndpoints].filter((selector) => !selectsReserved(selector));
      return [...endpoints, ...fromNodes, ...toNodes].some((selector) => !namesCluster(selector));
    });
}

/** Whether a NetworkPolicy has a peer that names no cluster (Cilium's pkg/k8s/network_policy.go). */
export function networkPolicyFollowsDefault({ spec }: KubeObject): boolean {
  return networkPolicyPeers(spec).some(({ ipBlock, podSelector }) => {
    if (ipBlock) return false;
    const named = podSelector?.matchLabels?.[CLUSTER_LABEL];
    return !named && !podSelector?.matchExpressions?.some(({ key }) => key === CLUSTER_LABEL);
  });
}

function keysOf({ matchLabels = {}, matchExpressions = [] }: LabelSelector): string[] {
  return [...Object.keys(matchLabels), ...matchExpressions.map(({ key }) => key)];
}

/** A key without a source is one of any source. */
function namesCluster(selector: LabelSelector): boolean {
  return keysOf(selector).some((key) => [CLUSTER_LABEL, `any:${CLUSTER_LABEL}`, `k8s:${CLUSTER_LABEL}`].includes(key));
}

function selectsReserved(selector: LabelSelector): boolean {
  return keysOf(selector).some((key) => key.startsWith('reserved:') || key.startsWith('$'));
}
