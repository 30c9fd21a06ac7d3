/**
 * The routers of a sandbox's clusters: what nodes with native routing learn of each other. It is simulated at the level of
 * routes: packets go where links are up, whatever the routes say.
 */
import type { Store } from '../apiserver/storage/object-store.ts';
import { ciliumConfigOf } from '../cilium/cilium-config.ts';
import { ciliumNodesOf } from '../cilium/cilium-nodes.ts';
import { routerAddress } from '../fixtures/addresses.ts';
import { typeOf } from '../objects.ts';
import type { VirtualNetwork } from './network.ts';

/** The first of the private AS numbers (RFC 6996); each cluster has the one of its subnet. */
const FIRST_PRIVATE_ASN = 64512;
const BGP_PORT = 179;
const KEEPALIVE_SIZE = 71;

/** A cluster as its routers see it. */
export interface RoutedCluster {
  name: string;
  store: Store;
  /** Third octet of its addresses. */
  subnet: number;
}

/** A cluster's router. */
export interface Router {
  address: string;
  asn: number;
}

/** Another cluster, as a node sees it. */
export interface Neighbour {
  router: Router;
  podCidrs: readonly string[];
  /** The BGP session with its router; absent where one of the two clusters does no BGP. */
  bgp?: { isEstablished: boolean; learned: readonly string[] };
}

export interface Routers {
  attach(cluster: RoutedCluster): void;
  /** @param family of its address; default IPv4, over which BGP sessions are, whatever they tell of */
  routerOf(cluster: string, family?: 4 | 6): Router;
  /** The other clusters. */
  neighbours(cluster: string): Neighbour[];
  /** Takes the BGP sessions between two clusters down; packets still go through. */
  stopBgp(a: string, b: string): void;
  startBgp(a: string, b: string): void;
}

/** How a cluster's packets are routed, by its ConfigMap cilium-config. */
export function routingOf(store: Store): { native: boolean; bgp: boolean } {
  const { 'routing-mode': mode, 'enable-bgp-control-plane': bgp } = ciliumConfigOf(store);
  return { native: mode === 'native', bgp: bgp === 'true' };
}

/** What a cluster's agents tell BGP peers: the pod ranges, where a CiliumBGPAdvertisement says so. */
export function advertisedPodCidrs(store: Store): string[] {
  const isAdvertised = store.list(typeOf('CiliumBGPAdvertisement')).some(({ spec }) => {
    const { advertisements = [] } = Object(spec) as { advertisements?: { advertisementType?: string }[] };
    return advertisements.some(({ advertisementType }) => advertisementType === 'PodCIDR');
  });
  return isAdvertised ? ciliumNodesOf(store).flatMap(({ podCidrs }) => podCidrs) : [];
}

/** @param network which carries the BGP sessions */
export function createRouters(network: Pick<VirtualNetwork, 'fateOf'>): Routers {
  const clusters = new Map<string, RoutedCluster>();
  const stopped = new Set<string>();
  const pairOf = (a: string, b: string) => [a, b].sort().join(' ');

  /** One of the two opens the connection, and each keeps it up. */
  function isHeld(a: string, b: string): boolean {
    const passes = (from: string, to: string, port?: number) =>
      network.fateOf({
        ...{ from: { cluster: from }, to: { cluster: to }, family: 4, protocol: 'tcp', port, size: KEEPALIVE_SIZE },
      }).arrives;
    return (passes(a, b, BGP_PORT) && passes(b, a)) || (passes(b, a, BGP_PORT) && passes(a, b));
  }

  function routerOf(name: string, family: 4 | 6 = 4): Router {
    const subnet = clusters.get(name)?.subnet ?? 0;
    return { address: routerAddress(subnet, family), asn: FIRST_PRIVATE_ASN + subnet };
  }

  function neighbours(name: string): Neighbour[] {
    const own = clusters.get(name);
    return [...clusters.values()]
      .filter((other) => other !== own)
      .map((other): Neighbour => {
        const facts = {
          router: routerOf(other.name),
          podCidrs: ciliumNodesOf(other.store).flatMap(({ podCidrs }) => podCidrs),
        };
        if (!own || !routingOf(own.store).bgp || !routingOf(other.store).bgp) return facts;
        const isEstablished = isHeld(name, other.name) && !stopped.has(pairOf(name, other.name));
        return { ...facts, bgp: { isEstablished, learned: isEstablished ? advertisedPodCidrs(other.store) : [] } };
      });
  }

  return {
    attach: (cluster) => void clusters.set(cluster.name, cluster),
    routerOf,
    neighbours,
    stopBgp: (a, b) => void stopped.add(pairOf(a, b)),
    startBgp: (a, b) => void stopped.delete(pairOf(a, b)),
  };
}
