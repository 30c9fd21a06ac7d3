/** `ip -json route show` on a node, simulated, in the form of iproute2's ip/iproute.c. */
import { familyOf } from '../../mesh/cilium/cidr.ts';
import { ciliumNodesOf, remoteNodesOf } from '../cilium/cilium-nodes.ts';
import { ofFamily } from '../fixtures/addresses.ts';
import { type Routers, routingOf } from '../pods/routers.ts';
import type { NodeView } from './node-view.ts';

interface KernelRoute {
  dst: string;
  gateway?: string;
  dev: string;
  protocol: 'kernel' | 'static' | 'bgp';
  scope?: 'link';
  prefsrc?: string;
}

/**
 * The words after `ip`; undefined for anything but a list of routes. There is no default route: nothing but the clusters
 * can be reached in the sandbox's network.
 */
export function ipRouteDocument(words: readonly string[], view: NodeView, routers: Routers): unknown {
  const [command, action = 'show'] = words.filter((word) => !word.startsWith('-'));
  if (!/^r(oute)?$/.test(command ?? '') || !['show', 'list'].includes(action)) return undefined;
  return routesOf(view, routers, words.includes('-6') ? 6 : 4).map((route) => ({ ...route, flags: [] }));
}

function routesOf(view: NodeView, routers: Routers, family: 4 | 6): KernelRoute[] {
  const { store, facts } = view;
  const internalIp = ofFamily(facts?.internalIps ?? [], family);
  const ciliumInternalIp = ofFamily(facts?.ciliumInternalIps ?? [], family);
  if (!facts || internalIp === undefined || ciliumInternalIp === undefined) return [];
  const subnet = family === 6 ? internalIp.replace(/::.*$/, '::/64') : internalIp.replace(/\.\d+$/, '.0/24');
  const link: KernelRoute = {
    dst: subnet,
    dev: 'eth0',
    protocol: 'kernel',
    scope: 'link',
    prefsrc: internalIp,
  };
  const isOfFamily = (cidr: string) => familyOf(cidr) === family;
  // Cilium marks its own routes as the kernel's (pkg/datapath/linux/linux_defaults RTProto).
  const throughCilium = (dst: string): KernelRoute => ({
    dst,
    gateway: ciliumInternalIp,
    dev: 'cilium_host',
    protocol: 'kernel',
    prefsrc: ciliumInternalIp,
  });
  const { native, bgp } = routingOf(store);
  const others = ciliumNodesOf(store).filter(({ name }) => name !== facts.name);
  const local = [link, ...facts.podCidrs.filter(isOfFamily).map(throughCilium)];
  if (!native) {
    const cidrs = [...others, ...remoteNodesOf(view.remotes)].flatMap(({ podCidrs }) => podCidrs);
    return [...local, ...cidrs.filter(isOfFamily).map(throughCilium)];
  }
  // With auto-direct-node-routes Cilium routes to the nodes of its own cluster only.
  const direct = others.flatMap(({ internalIps, podCidrs }) =>
    podCidrs.filter(isOfFamily).flatMap((dst): KernelRoute | [] => {
      const gateway = ofFamily(internalIps, family);
      return gateway === undefined ? [] : { dst, gateway, dev: 'eth0', protocol: 'kernel' };
    }),
  );
  const gateway = routers.routerOf(view.cluster, family).address;
  // Cilium's BGP does not install what it learns; a routing daemon on the node, such as FRR, does.
  const protocol = bgp ? 'bgp' : 'static';
  const remote = routers
    .neighbours(view.cluster)
    .flatMap((neighbour) => (bgp ? (neighbour.bgp?.learned ?? []) : neighbour.podCidrs))
    .filter(isOfFamily)
    .map((dst): KernelRoute => ({ dst, gateway, dev: 'eth0', protocol }));
  return [...local, ...direct, ...remote];
}
