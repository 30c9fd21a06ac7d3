import type { RoutesReport, RouteToPods } from '../../src/mesh/cilium/routes.ts';

/**
 * Two clusters that route natively over BGP, each node by its own router's address.
 * @param gap nobody has a route to the last range of mesh-2, and one node lacks that to the first
 */
export function routesReport(nodes: number, { gap = false } = {}): RoutesReport {
  const range = (id: number, number: number) => `10.${id}.${number}.0/24`;
  const numbers = Array.from({ length: nodes }, (_, index) => index + 1);
  const routes = [1, 2].flatMap((id) =>
    numbers.flatMap((node) =>
      numbers.map((number): RouteToPods => {
        const ends = { from: `mesh-${id}`, node: `mesh-${id}-node-${node}`, to: `mesh-${3 - id}` };
        const isMissing = gap && id === 1 && (number === nodes || (number === 1 && node === 1));
        const found = { via: `172.18.${id}.1`, device: 'eth0', source: 'bgp' as const };
        return { ...ends, podCidr: range(3 - id, number), ...(isMissing ? {} : found) };
      }),
    ),
  );
  const clusters = [1, 2].map((id) => ({
    ...{ context: `context-${id}`, name: `mesh-${id}`, mode: 'native' as const },
    ...{ podCidrs: nodes, nodes },
  }));
  const bgpPeers = [1, 2].flatMap((id) =>
    numbers.map((node) => ({
      ...{ from: `mesh-${id}`, node: `mesh-${id}-node-${node}`, peer: `172.18.${id}.1`, state: 'established' },
    })),
  );
  return { complete: !gap, clusters, routes, bgpPeers, unreachable: [] };
}
