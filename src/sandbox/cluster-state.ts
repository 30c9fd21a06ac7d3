/** What a clustermesh-apiserver publishes about its cluster (Cilium's pkg/kvstore and clustermesh-apiserver/clustermesh). */
import type { KubeObject } from '../mesh/kube-object.ts';
import type { Store } from './apiserver/api.ts';
import { type EndpointSlice, type Pod, type Service, typeOf } from './objects.ts';
import type { OwnCluster } from './peers.ts';
import { statePrefix } from './remote-cluster.ts';

/** Whether a change of this kind changes the published state. */
export function isPublished({ kind }: KubeObject): boolean {
  return kind === 'CiliumNode' || kind === 'Pod' || kind === 'Service' || kind === 'EndpointSlice';
}

/** Entries by the prefix under which they are all there is. */
export function publishedState(store: Store, own: OwnCluster, now: Date): Map<string, Map<string, string>> {
  const pods = (store.list(typeOf('Pod')) as Pod[]).filter((pod) => pod.status?.podIP && !pod.spec.hostNetwork);
  const identities = identitiesOf(pods);
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
  const synced = ['nodes', 'identities', 'ip', 'services'].map((kind): [string, string] => [
    `cilium/state/${kind}/v1`,
    now.toISOString(),
  ]);
  return new Map([
    under('cilium/.heartbeat', [['', now.toISOString()]]),
    under('cilium/cluster-config/', [[own.name, config]]),
    under(`cilium/synced/${own.name}/`, synced),
    under(statePrefix('nodes', own.name, false), nodesOf(store, own)),
    under(
      statePrefix('identities', own.name, false),
      [...identities].map(([labels, id]) => [String(id), labels]),
    ),
    under(
      statePrefix('endpoints', own.name, false),
      pods.map((pod) => [
        pod.status?.podIP ?? '',
        {
          IP: pod.status?.podIP,
          HostIP: pod.status?.hostIP,
          ID: identities.get(labelsOf(pod)),
          K8sNamespace: pod.metadata.namespace,
          K8sPodName: pod.metadata.name,
        },
      ]),
    ),
    under(statePrefix('services', own.name, false), globalServicesOf(store, own)),
  ]);
}

function nodesOf(store: Store, own: OwnCluster): [string, unknown][] {
  return store.list(typeOf('CiliumNode')).map(({ metadata, spec }) => {
    const { addresses = [], ipam } = Object(spec) as {
      addresses?: { type: string; ip: string }[];
      ipam?: { podCIDRs?: string[] };
    };
    return [
      metadata.name,
      {
        Name: metadata.name,
        Cluster: own.name,
        IPAddresses: addresses.map(({ type, ip }) => ({ Type: type, IP: ip })),
        IPv4AllocCIDR: ipam?.podCIDRs?.[0],
        ClusterID: own.id,
      },
    ];
  });
}

function labelsOf({ metadata }: Pod): string {
  const labels = Object.entries(metadata.labels ?? {}).map(([key, value]) => `k8s:${key}=${value};`);
  return [...labels, `k8s:io.kubernetes.pod.namespace=${metadata.namespace};`].sort().join('');
}

/** One numeric identity per set of labels; the lower 256 are reserved. */
function identitiesOf(pods: readonly Pod[]): Map<string, number> {
  const sets = [...new Set(pods.map(labelsOf))].sort();
  return new Map(sets.map((labels, index) => [labels, 256 + index]));
}

function globalServicesOf(store: Store, own: OwnCluster): [string, unknown][] {
  const services = (store.list(typeOf('Service')) as Service[]).filter(({ metadata }) =>
    isTrue(metadata.annotations, 'service.cilium.io/global', 'io.cilium/global-service'),
  );
  return services.map((service) => {
    const { namespace = '', name, annotations, labels } = service.metadata;
    const ports = Object.fromEntries(
      (service.spec.ports ?? []).map((port) => [
        port.name ?? '',
        { Protocol: port.protocol ?? 'TCP', Port: port.port },
      ]),
    );
    const slices = store.list({
      ...typeOf('EndpointSlice'),
      namespace,
      labels: { 'kubernetes.io/service-name': name },
    }) as EndpointSlice[];
    const backends = slices.flatMap((slice) => {
      const targets = Object.fromEntries(
        slice.ports.map((port) => [port.name ?? '', { Protocol: port.protocol, Port: port.port }]),
      );
      const ready = slice.endpoints.filter(({ conditions }) => conditions.ready);
      return ready.flatMap(({ addresses }) => addresses.map((address) => [address, targets] as const));
    });
    const shared = !isFalse(annotations, 'service.cilium.io/shared', 'io.cilium/shared-service');
    const value = {
      cluster: own.name,
      namespace,
      name,
      frontends: service.spec.clusterIP === 'None' ? {} : { [service.spec.clusterIP ?? '']: ports },
      backends: shared ? Object.fromEntries(backends) : {},
      labels: labels ?? {},
      selector: service.spec.selector ?? {},
      includeExternal: true,
      shared,
      clusterID: own.id,
    };
    return [`${namespace}/${name}`, value];
  });
}

function isTrue(annotations: Record<string, string> | undefined, ...keys: string[]): boolean {
  return keys.map((key) => annotations?.[key]).find((value) => value !== undefined) === 'true';
}

function isFalse(annotations: Record<string, string> | undefined, ...keys: string[]): boolean {
  return keys.map((key) => annotations?.[key]).find((value) => value !== undefined) === 'false';
}
