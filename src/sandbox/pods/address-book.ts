/** Where addresses and names of the sandbox's network lead, by the objects of its clusters as they are now. */
import { isIP } from 'node:net';
import { canonicalIp, familyOf, overlap, parseCidr } from '../../mesh/cilium/cidr.ts';
import { isNative } from '../cilium/underlay.ts';
import {
  clusterIps,
  type EndpointSlice,
  isEndpointReady,
  type Node,
  type Pod,
  podIps,
  type Service,
  typeOf,
} from '../objects.ts';
import { DialError, type NetworkCluster, type PodAddress } from './network-types.ts';

export interface Route {
  /** Whose address it is. */
  cluster?: string;
  /** Which node's; of a pod's address the node that it is on. */
  node?: string | undefined;
  /** It is a pod's own address, which another cluster reaches only where the network routes to pods. */
  isPod?: boolean;
  backends: PodAddress[];
  /** Nothing answers, not even that nobody listens. */
  drops?: boolean;
  /** Where it is a load balancer's address: the ranges from which it takes packets of other clusters; all where absent. */
  sourceRanges?: readonly string[] | undefined;
}

const SYSTEM_DNS = '10.96.0.10:53';

const services = ({ store }: NetworkCluster) => store.list(typeOf('Service')) as Service[];

/** The addresses of a host name or address, as seen in a cluster. Throws DialError ENOTFOUND. @param hosts public names */
export function resolveHost(
  clusters: ReadonlyMap<string, NetworkCluster>,
  hosts: ReadonlyMap<string, string>,
  fromCluster: string,
  host: string,
): string[] {
  if (isIP(host)) return [canonicalIp(host)];
  const local = serviceNamed(clusters.get(fromCluster), host);
  if (local && clusterIps(local).length > 0) return clusterIps(local);
  const named = hosts.get(host);
  const known = named === undefined ? loadBalancerHost(clusters, host) : [named];
  if (known.length === 0) throw new DialError('ENOTFOUND', `lookup ${host} on ${SYSTEM_DNS}: no such host`);
  return known;
}

function serviceNamed(cluster: NetworkCluster | undefined, host: string): Service | undefined {
  const [, name, namespace] = /^([^.]+)\.([^.]+)\.svc(?:\.cluster\.local)?\.?$/.exec(host) ?? [];
  if (name === undefined || !cluster) return undefined;
  return services(cluster).find(({ metadata }) => metadata.name === name && metadata.namespace === namespace);
}

function loadBalancerHost(clusters: ReadonlyMap<string, NetworkCluster>, host: string): string[] {
  for (const cluster of clusters.values()) {
    for (const service of services(cluster)) {
      const named = service.status?.loadBalancer?.ingress?.some(({ hostname }) => hostname === host);
      const key = `${service.metadata.namespace}/${service.metadata.name}`;
      if (named) return [...(cluster.loadBalancerAddresses.get(key) ?? [])];
    }
  }
  return [];
}

/**
 * Where an address leads; `cluster` is set as soon as someone has it, also when nothing answers at the port.
 * @param listens whether something listens there itself
 */
export function routeTo(
  clusters: ReadonlyMap<string, NetworkCluster>,
  listens: (target: PodAddress) => boolean,
  fromCluster: string,
  { address, port }: { address: string; port: number },
): Route {
  const own = clusters.get(fromCluster);
  if (own) {
    const service = services(own).find((one) => clusterIps(one).includes(address));
    if (service) {
      const backends = backendsOf(own, service, ({ port: p }) => p === port);
      return { cluster: own.name, backends: backends.filter((one) => familyOf(one.address) === familyOf(address)) };
    }
    const direct: PodAddress = { cluster: own.name, address, port };
    if (listens(direct)) return { cluster: own.name, node: placeOf(own, address)?.node, backends: [direct] };
  }
  for (const cluster of clusters.values()) {
    const found = routeInto(cluster, listens, { address, port });
    if (!found) continue;
    const isKnown = !found.isPod || cluster === own || (own && isNative(own.store) && isNative(cluster.store));
    if (isKnown) return found;
  }
  return { backends: [] };
}

function routeInto(
  cluster: NetworkCluster,
  listens: (target: PodAddress) => boolean,
  { address, port }: { address: string; port: number },
): Route | undefined {
  for (const service of services(cluster)) {
    const key = `${service.metadata.namespace}/${service.metadata.name}`;
    const isBalanced = cluster.loadBalancerAddresses.get(key)?.map(canonicalIp).includes(address) ?? false;
    if (!isBalanced && !service.spec.externalIPs?.map(canonicalIp).includes(address)) continue;
    const sourceRanges = isBalanced ? service.spec.loadBalancerSourceRanges : undefined;
    return { cluster: cluster.name, backends: backendsOf(cluster, service, ({ port: p }) => p === port), sourceRanges };
  }
  const place = placeOf(cluster, address);
  if (!place) return undefined;
  const { node, isPod } = place;
  const direct: PodAddress = { cluster: cluster.name, address, port };
  if (isPod || listens(direct)) return { cluster: cluster.name, node, isPod, backends: [direct] };
  const backends = services(cluster).flatMap((service) =>
    backendsOf(cluster, service, ({ nodePort }) => nodePort === port, node),
  );
  const isLocal = services(cluster).some((service) => isLocalNodePort(service, port));
  return { cluster: cluster.name, node, backends, drops: isLocal && backends.length === 0 };
}

/** Whether a load balancer takes a packet from an address: from any where it has no ranges (Kubernetes' API reference, ServiceSpec). */
export function takesFrom({ sourceRanges = [] }: Pick<Route, 'sourceRanges'>, address: string): boolean {
  const source = parseCidr(address);
  if (sourceRanges.length === 0 || !source) return true;
  return sourceRanges.some((text) => {
    const range = parseCidr(text);
    return range !== undefined && overlap(range, source);
  });
}

/** The node that has an address, or on which the pod is that has it. */
export function placeOf({ store }: NetworkCluster, address: string): { node: string; isPod: boolean } | undefined {
  const nodes = store.list(typeOf('Node')) as Node[];
  const node = nodes.find(({ status }) => status?.addresses?.some((entry) => entry.address === address));
  if (node) return { node: node.metadata.name, isPod: false };
  const pod = (store.list(typeOf('Pod')) as Pod[]).find((one) => podIps(one).includes(address));
  return pod?.spec.nodeName === undefined ? undefined : { node: pod.spec.nodeName, isPod: true };
}

function backendsOf(
  cluster: NetworkCluster,
  service: Service,
  wanted: (port: { port: number; nodePort?: number }) => boolean,
  /** The node that was dialled: with `externalTrafficPolicy: Local` it serves only what is on it. */
  nodeName?: string,
): PodAddress[] {
  const dialled = (service.spec.ports ?? []).find(wanted);
  if (!dialled) return [];
  const { namespace = '', name } = service.metadata;
  const isLocal = nodeName !== undefined && service.spec.externalTrafficPolicy === 'Local';
  const labels = { 'kubernetes.io/service-name': name };
  const slices = cluster.store.list({ ...typeOf('EndpointSlice'), namespace, labels }) as EndpointSlice[];
  return slices.flatMap((slice) => {
    // By its name, as kube-proxy does: a slice has no port that its pods do not have.
    const port = slice.ports.find((one) => (one.name ?? '') === (dialled.name ?? ''))?.port;
    if (port === undefined) return [];
    return slice.endpoints
      .filter(isEndpointReady)
      .filter((endpoint) => !isLocal || endpoint.nodeName === nodeName)
      .flatMap(({ addresses }) => addresses)
      .map((address) => ({ cluster: cluster.name, address, port }));
  });
}

/** With `externalTrafficPolicy: Local` a node without a ready pod drops what comes to the port. */
function isLocalNodePort({ spec }: Service, port: number): boolean {
  return spec.externalTrafficPolicy === 'Local' && (spec.ports ?? []).some(({ nodePort }) => nodePort === port);
}
