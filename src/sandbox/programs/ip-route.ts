/** `ip -json route show` on a node, simulated, in the form of iproute2's ip/iproute.c. */
import { ciliumNodesOf } from '../cilium/cilium-nodes.ts';
import { type Routers, routingOf } from '../pods/routers.ts';
import { type NodeView, remoteNodesOf } from './node-view.ts';

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
  if (words.includes('-6')) return [];
  return routesOf(view, routers).map((route) => ({ ...route, flags: [] }));
}

function routesOf(view: NodeView, routers: Routers): KernelRoute[] {
  const { store, facts } = view;
  if (!facts) return [];
  const subnet = facts.internalIp.replace(/\.\d+$/, '.0/24');
  const link: KernelRoute = {
    dst: subnet,
    dev: 'eth0',
    protocol: 'kernel',
    scope: 'link',
    prefsrc: facts.internalIp,
  };
  // Cilium marks its own routes as the kernel's (pkg/datapath/linux/linux_defaults RTProto).
  const throughCilium = (dst: string): KernelRoute => ({
    dst,
    gateway: facts.ciliumInternalIp,
    dev: 'cilium_host',
    protocol: 'kernel',
    prefsrc: facts.ciliumInternalIp,
  });
  const { native, bgp } = routingOf(store);
  const others = ciliumNodesOf(store).filter(({ name }) => name !== facts.name);
  const local = [link, ...facts.podCidrs.map(throughCilium)];
  if (!native) {
    const remote = remoteNodesOf(view).flatMap(({ podCidr }) => podCidr ?? []);
    return [...local, ...[...others.flatMap(({ podCidrs }) => podCidrs), ...remote].map(throughCilium)];
  }
  // With auto-direct-node-routes Cilium routes to the nodes of its own cluster only.
  const direct = others.flatMap(({ internalIp, podCidrs }) =>
    podCidrs.map((dst): KernelRoute => ({ dst, gateway: internalIp, dev: 'eth0', protocol: 'kernel' })),
  );
  const gateway = routers.routerOf(view.cluster).address;
  // Cilium's BGP does not install what it learns; a routing daemon on the node, such as FRR, does.
  const protocol = bgp ? 'bgp' : 'static';
  const remote = routers
    .neighbours(view.cluster)
    .flatMap((neighbour) => (bgp ? (neighbour.bgp?.learned ?? []) : neighbour.podCidrs))
    .map((dst): KernelRoute => ({ dst, gateway, dev: 'eth0', protocol }));
  return [...local, ...direct, ...remote];
}
