/**
 * Ingress of CiliumNetworkPolicies as far as the sandbox stands in for it: `spec.ingress[].fromEndpoints[].matchLabels`,
 * with the labels `io.kubernetes.pod.namespace` and `io.cilium.k8s.policy.cluster`. A rule with anything else allows nobody.
 */
import type { KubeObject } from '../../mesh/objects/kube-object.ts';
import type { Store } from '../apiserver/storage/object-store.ts';
import { type Pod, typeOf } from '../objects.ts';
import type { PodIdentity } from '../pods/network-types.ts';
import { ciliumConfigOf } from './cilium-config.ts';

const CLUSTER_LABEL = 'io.cilium.k8s.policy.cluster';
const NAMESPACE_LABEL = 'io.kubernetes.pod.namespace';

interface Selector {
  matchLabels?: Record<string, string>;
  matchExpressions?: unknown[];
}

interface Rule {
  endpointSelector?: Selector;
  ingress?: ({ fromEndpoints?: Selector[] } & Record<string, unknown>)[];
}

/** Whether a pod's ingress policies let a source in. A pod that no policy with ingress selects lets everyone in. */
export function allowsIngress(store: Store, localCluster: string, target: Pod, source: PodIdentity): boolean {
  const { namespace = '', labels = {} } = target.metadata;
  // With policy-default-local-cluster a selector that names no cluster means the local one.
  const defaultCluster = ciliumConfigOf(store)['policy-default-local-cluster'] === 'true' ? localCluster : undefined;
  const rules = store
    .list({ ...typeOf('CiliumNetworkPolicy'), namespace })
    .flatMap(rulesOf)
    .filter(({ endpointSelector, ingress }) => ingress && selects(endpointSelector, labels));
  const identity = { ...source.labels, [NAMESPACE_LABEL]: source.namespace, [CLUSTER_LABEL]: source.cluster };
  const isAllowed = ({ fromEndpoints, ...more }: NonNullable<Rule['ingress']>[number]) =>
    Object.keys(more).length === 0 &&
    fromEndpoints?.some(({ matchLabels, ...selector }) => {
      const wanted = {
        [NAMESPACE_LABEL]: namespace,
        ...(defaultCluster !== undefined && { [CLUSTER_LABEL]: defaultCluster }),
        ...withoutSource(matchLabels),
      };
      return selects({ ...selector, matchLabels: wanted }, identity);
    });
  return rules.length === 0 || rules.some(({ ingress }) => ingress?.some(isAllowed));
}

function rulesOf({ spec, specs }: KubeObject): Rule[] {
  return [...(spec ? [spec as Rule] : []), ...((specs ?? []) as Rule[])];
}

function selects(selector: Selector | undefined, labels: Readonly<Record<string, string>>): boolean {
  if (!selector || selector.matchExpressions) return false;
  return Object.entries(withoutSource(selector.matchLabels)).every(([key, value]) => labels[key] === value);
}

/** Labels without Cilium's prefix for where they come from, e.g. `k8s:app`. */
function withoutSource(labels: Readonly<Record<string, string>> = {}): Record<string, string> {
  return Object.fromEntries(Object.entries(labels).map(([key, value]) => [key.replace(/^(k8s|any):/, ''), value]));
}
