/** What a clustermesh-apiserver publishes about its cluster (Cilium's pkg/kvstore and clustermesh-apiserver/clustermesh). */

import { type CiliumVersion, isSince } from '../../mesh/cilium/versions/versions.ts';
import type { KubeObject } from '../../mesh/objects/kube-object.ts';
import type { Store } from '../apiserver/storage/object-store.ts';
import { ofFamily } from '../fixtures/addresses.ts';
import { type EndpointSlice, type Pod, podIps, ref, type Service, typeOf } from '../objects.ts';
import { ciliumConfigOf } from './cilium-config.ts';
import { ciliumNodesOf } from './cilium-nodes.ts';
import type { PublishedService } from './datapath.ts';
import { includesExternal, isOffered, isShared, takesPart } from './load-balancing.ts';
import { STATE_KINDS, type StateKind, statePrefix, syncedKey } from './peer-state.ts';
import type { OwnCluster } from './peers.ts';
import { agentVersion } from './underlay.ts';

/** Whether a change of this kind changes the published state, or what may be read for it. */
export function isPublished({ kind }: KubeObject): boolean {
  const read = ['CiliumNode', 'Pod', 'Service', 'EndpointSlice', 'Namespace'];
  return [...read, 'ClusterRole', 'ClusterRoleBinding'].includes(kind);
}

interface Resource {
  apiGroup: string;
  resource: string;
}

/** What is read for each kind of published state. */
const SOURCES: Readonly<Record<StateKind, readonly Resource[]>> = {
  nodes: [{ apiGroup: 'cilium.io', resource: 'ciliumnodes' }],
  identities: [{ apiGroup: 'cilium.io', resource: 'ciliumidentities' }],
  endpoints: [{ apiGroup: 'cilium.io', resource: 'ciliumendpoints' }],
  services: [
    { apiGroup: '', resource: 'services' },
    { apiGroup: 'discovery.k8s.io', resource: 'endpointslices' },
  ],
};

/**
 * Entries by the prefix under which they are all there is. A kind that may not be read is left out, with the canary that
 * tells peers that all of it is there (Cilium's pkg/kvstore/store/syncstore.go).
 */
export function publishedState(
  store: Store,
  own: OwnCluster,
  now: Date,
  mayList: (resource: Resource) => boolean,
): Map<string, Map<string, string>> {
  const pods = (store.list(typeOf('Pod')) as Pod[]).filter((pod) => pod.status?.podIP && !pod.spec.hostNetwork);
  const identities = identitiesOf(pods, own.name);
  const config = {
    id: own.id,
    capabilities: { syncedCanaries: true, maxConnectedClusters: own.maxConnectedClusters },
  };
  const under = (prefix: string, entries: [string, unknown][]): [string, Map<string, string>] => [
    prefix,
    new Map(
      entries.map(([key, value]) => [`${prefix}${key}`, typeof value === 'string' ? value : JSON.stringify(value)]),
    ),
  ];
  const entries: Record<StateKind, [string, unknown][]> = {
    nodes: nodesOf(store, own),
    identities: [...identities].map(([labels, id]) => [String(id), labels]),
    endpoints: pods.flatMap((pod) =>
      podIps(pod).map((ip): [string, unknown] => [
        ip,
        {
          IP: ip,
          HostIP: pod.status?.hostIP,
          ID: identities.get(labelsOf(pod, own.name)),
          K8sNamespace: pod.metadata.namespace,
          K8sPodName: pod.metadata.name,
        },
      ]),
    ),
    services: globalServicesOf(store, own),
  };
  const readable = STATE_KINDS.filter((kind) => SOURCES[kind].every(mayList));
  return new Map([
    under('cilium/.heartbeat', [['', now.toISOString()]]),
    under('cilium/cluster-config/', [[own.name, config]]),
    ...readable.map((kind) => under(statePrefix(kind, own.name, false), entries[kind])),
    ...readable.map((kind) => under(syncedKey(kind, own.name, false), [['', now.toISOString()]])),
  ]);
}

function nodesOf(store: Store, own: OwnCluster): [string, unknown][] {
  return ciliumNodesOf(store).map(({ name, internalIps, ciliumInternalIps, healthIps, podCidrs }) => {
    const address = (type: string) => (ip: string) => ({ Type: type, IP: ip });
    return [
      name,
      {
        Name: name,
        Cluster: own.name,
        IPAddresses: [...internalIps.map(address('InternalIP')), ...ciliumInternalIps.map(address('CiliumInternalIP'))],
        IPv4AllocCIDR: ofFamily(podCidrs, 4),
        IPv6AllocCIDR: ofFamily(podCidrs, 6),
        IPv4HealthIP: ofFamily(healthIps, 4),
        IPv6HealthIP: ofFamily(healthIps, 6),
        ClusterID: own.id,
      },
    ];
  });
}

function labelsOf({ metadata }: Pod, cluster: string): string {
  const labels = {
    ...metadata.labels,
    'io.cilium.k8s.policy.cluster': cluster,
    'io.kubernetes.pod.namespace': metadata.namespace,
  };
  return Object.entries(labels)
    .map(([key, value]) => `k8s:${key}=${value};`)
    .sort()
    .join('');
}

/** One numeric identity per set of labels; the lower 256 are reserved. */
function identitiesOf(pods: readonly Pod[], cluster: string): Map<string, number> {
  const sets = [...new Set(pods.map((pod) => labelsOf(pod, cluster)))].sort();
  return new Map(sets.map((labels, index) => [labels, 256 + index]));
}

/** From here on namespaces can be kept out of a mesh (pkg/clustermesh/namespace). */
const NAMESPACES_SINCE: CiliumVersion = { major: 1, minor: 19, patch: 0, suffix: '' };

/** The Services that other clusters may use (Cilium's operator/watchers/service_sync.go and pkg/clustermesh/store). */
function globalServicesOf(store: Store, own: OwnCluster): [string, unknown][] {
  const globalByDefault = ciliumConfigOf(store)['clustermesh-default-global-namespace'] !== 'false';
  const version = agentVersion(store);
  const knowsNamespaces = isSince(version, NAMESPACES_SINCE);
  const isGlobal = (namespace: string) =>
    !knowsNamespaces ||
    takesPart(store.get(ref('Namespace', undefined, namespace))?.metadata.annotations, globalByDefault);
  return (store.list(typeOf('Service')) as Service[])
    .filter(({ metadata }) => includesExternal(metadata.annotations) && isGlobal(metadata.namespace ?? ''))
    .map((service) => {
      const { namespace = '', name, labels, annotations } = service.metadata;
      const value = {
        cluster: own.name,
        namespace,
        name,
        frontends: frontendsOf(service),
        backends: backendsOf(store, service),
        labels: labels ?? {},
        selector: service.spec.selector ?? {},
        includeExternal: true,
        shared: isShared(annotations),
        clusterID: own.id,
      };
      return [`${namespace}/${name}`, value];
    });
}

function frontendsOf({ spec }: Service): Record<string, unknown> {
  if (spec.clusterIP === undefined || spec.clusterIP === 'None') return {};
  const ports = (spec.ports ?? []).map((port) => [
    port.name ?? '',
    { Protocol: port.protocol ?? 'TCP', Port: port.port },
  ]);
  const { clusterIPs = [spec.clusterIP] } = spec;
  return Object.fromEntries(clusterIPs.map((address) => [address, Object.fromEntries(ports)]));
}

/** By address and port name; empty for a Service that is not shared. */
function backendsOf(store: Store, { metadata }: Service): PublishedService['backends'] {
  const { namespace = '', name, annotations } = metadata;
  const labels = { 'kubernetes.io/service-name': name };
  const slices = store.list({ ...typeOf('EndpointSlice'), namespace, labels }) as EndpointSlice[];
  if (!isShared(annotations)) return {};
  const backends = slices.flatMap(({ ports, endpoints }) => {
    const targets = Object.fromEntries(
      ports.map((port) => [port.name ?? '', { Protocol: port.protocol, Port: port.port }]),
    );
    return endpoints
      .filter(isOffered)
      .flatMap(({ addresses }) => addresses.map((address): [string, typeof targets] => [address, targets]));
  });
  return Object.fromEntries(backends);
}
