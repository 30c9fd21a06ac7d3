import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseCidr } from '../../src/mesh/cilium/cidr.ts';
import { rangesIn } from '../../src/mesh/cilium/pod-ranges.ts';
import {
  foldedWays,
  isComplete,
  type NodeRoute,
  type RouteToPods,
  rangesCounted,
  readRoutes,
  routeTo as routeToRange,
} from '../../src/mesh/cilium/routes.ts';
import type { MeshGraph } from '../../src/mesh/status/mesh-graph.ts';
import { routesNotes, routesText } from '../../src/views/checks/routes-view.ts';
import { svgOf } from '../../src/views/status/graph-svg.ts';
import { dotOf, mermaidOf, mermaidWarning } from '../../src/views/status/graph-text.ts';
import { PLAIN } from '../support/plain-theme.ts';

const ROUTES: readonly NodeRoute[] =
  readRoutes([
    { dst: 'default', gateway: '10.0.0.1', dev: 'eth0' },
    { dst: '10.2.0.0/16', gateway: '10.0.0.2', dev: 'eth0', protocol: 'bgp' },
    { dst: '10.2.1.0/24', gateway: '10.0.0.3', dev: 'eth0', protocol: 'static' },
    { dst: '10.3.0.0/16', gateway: '10.1.0.9', dev: 'cilium_host', protocol: 'kernel' },
    { gateway: 'no destination' },
    null,
  ]) ?? [];

const routeTo = (podCidr: string, routes: readonly NodeRoute[], tunnel: { connected: boolean } | undefined) => {
  const [range] = rangesIn([podCidr]);
  if (!range) throw new Error(`${podCidr} is no range`);
  return routeToRange(range, routes, tunnel);
};

describe('routeTo', () => {
  it.each([
    ['the most specific route', '10.2.1.0/24', undefined, { via: '10.0.0.3', source: 'kernel' }],
    ['a wider one of a routing daemon', '10.2.2.0/24', undefined, { via: '10.0.0.2', source: 'bgp' }],
    ["one into Cilium's tunnel", '10.3.4.0/24', { connected: false }, { device: 'cilium_host', source: 'tunnel' }],
    ['the tunnel where the kernel has none', '10.9.0.0/24', { connected: true }, { source: 'tunnel' }],
    [
      'no tunnel to a cluster that the node is not connected to',
      '10.9.0.0/24',
      { connected: false },
      { connected: false },
    ],
  ])('finds %s', (_what, cidr, tunnel, expected) => {
    expect(routeTo(cidr, ROUTES, tunnel)).toMatchObject(expected);
  });

  it.each([
    ['a wider one', '10.2.2.0/24'],
    ['one to its very range', '10.2.1.0/24'],
  ])('takes no other route for the tunnel: %s', (_what, podCidr) => {
    expect(routeTo(podCidr, ROUTES, { connected: false })).toEqual({ podCidr, connected: false });
    expect(routeTo(podCidr, ROUTES, { connected: true })).toEqual({ podCidr, source: 'tunnel' });
  });

  it('takes the default route where there is no other one, and marks a gap where that drops packets, or is none', () => {
    const podCidr = '10.9.0.0/24';
    const expected = { podCidr, via: '10.0.0.1', device: 'eth0', source: 'default' };
    expect(routeTo(podCidr, ROUTES, undefined)).toEqual(expected);
    const dropping = { destination: 'default', drops: 'unreachable' as const, metric: 1 };
    expect(routeTo(podCidr, [{ ...dropping, metric: 99 }, ...ROUTES], undefined)).toEqual(expected);
    expect(routeTo(podCidr, [{ destination: 'default', metric: 2 }, dropping], undefined)).toEqual({
      podCidr,
      dropped: 'unreachable',
    });
    expect(routeTo(podCidr, ROUTES.slice(1), undefined)).toEqual({ podCidr });
    expect(routeTo(podCidr, ROUTES, { connected: false })).toEqual({ podCidr, connected: false });
  });

  const via = (dst: string, metric?: number) => ({ dst, gateway: '10.0.0.2', dev: 'eth0', metric });
  const drop = (type: string, dst: string, metric?: number) => ({ type, dst, protocol: 'bird', flags: [], metric });
  it.each([
    ['a blackhole', [drop('blackhole', '10.2.0.0/16')], { dropped: 'blackhole' }],
    [
      'one that hides a wider route',
      [via('10.0.0.0/8'), drop('unreachable', '10.2.0.0/16')],
      { dropped: 'unreachable' },
    ],
    ['a route within one', [via('10.2.1.0/24'), drop('blackhole', '10.2.0.0/16')], { source: 'kernel' }],
    ['a route before one', [drop('unreachable', '10.2.0.0/16', 99), via('10.2.0.0/16', 20)], { source: 'kernel' }],
    ['one before a route', [via('10.2.0.0/16', 99), drop('prohibit', '10.2.0.0/16', 20)], { dropped: 'prohibit' }],
    ['a local route', [{ type: 'local', dst: '10.2.1.0/24', dev: 'lo' }], { source: 'kernel' }],
  ] as const)('takes no route that drops packets for one: %s', (_what, entries, expected) => {
    const { dropped, source } = routeTo('10.2.1.0/24', readRoutes(entries) ?? [], undefined);
    expect({ dropped, source }).toEqual({ dropped: undefined, source: undefined, ...expected });
  });

  it('finds the tunnel where a route drops what is not wrapped, or leads elsewhere', () => {
    const wrapping = { dst: '10.2.0.0/16', gateway: '10.1.0.9', dev: 'cilium_host' };
    for (const beside of [drop('unreachable', '10.0.0.0/8'), drop('blackhole', '10.2.1.0/24'), via('10.2.1.0/24')]) {
      expect(routeTo('10.2.1.0/24', readRoutes([beside]) ?? [], { connected: true }).source).toBe('tunnel');
      const { source, device } = routeTo('10.2.1.0/24', readRoutes([beside, wrapping]) ?? [], { connected: false });
      expect([source, device]).toEqual(['tunnel', 'cilium_host']);
    }
  });

  it('reads a table once, however many ranges are looked up in it: each of thousands of nodes has one for each of thousands', () => {
    let reads = 0;
    const counting = (destination: string): NodeRoute => ({
      get destination() {
        reads++;
        return destination;
      },
    });
    const ranges = Array.from({ length: 2000 }, (_, index) => `10.${index >> 8}.${index & 255}.0/24`);
    const routes = ranges.map(counting);
    expect(ranges.map((range) => routeTo(range, routes, undefined).source)).toEqual(ranges.map(() => 'kernel'));
    expect(reads).toBeLessThanOrEqual(2 * ranges.length);
  });

  it('finds the narrowest route that holds the range, of equal ones that of the lowest metric', () => {
    const cidr = fc.oneof(
      fc
        .tuple(fc.integer({ min: 0, max: 7 }), fc.integer({ min: 22, max: 32 }))
        .map(([n, length]) => `10.0.${n}.0/${length}`),
      fc
        .tuple(fc.integer({ min: 0, max: 7 }), fc.integer({ min: 96, max: 128 }))
        .map(([n, length]) => `fd00::${n}/${length}`),
      fc.constantFrom('default', '0.0.0.0/0', '::/0', 'no range'),
    );
    const metric = fc.option(fc.integer({ min: 0, max: 3 }), { nil: undefined });
    const table = fc.array(fc.record({ destination: cidr, metric, device: fc.constantFrom('eth0', 'cilium_host') }));
    fc.assert(
      fc.property(
        table,
        cidr.filter((text) => parseCidr(text) !== undefined),
        (routes, podCidr) => {
          const wanted = parseCidr(podCidr);
          const holding = routes.flatMap((route) => {
            const range = parseCidr(route.destination);
            if (!range || !wanted || range.family !== wanted.family) return [];
            return range.first <= wanted.first && range.last >= wanted.last
              ? [{ route, size: range.last - range.first }]
              : [];
          });
          const rank = ({ route, size }: (typeof holding)[number]) => size * 10n + BigInt(route.metric ?? 0);
          const [best] = holding.sort((a, b) => Number(rank(a) - rank(b)));
          const byDefault = routes.some(({ destination }) => destination === 'default');
          const { device, source } = routeTo(podCidr, routes, undefined);
          if (best)
            expect({ device, isDefault: source === 'default' }).toEqual({
              device: best.route.device,
              isDefault: false,
            });
          else expect(source).toBe(byDefault ? 'default' : undefined);
          const tunnel = routeTo(podCidr, routes, { connected: false }).source === 'tunnel';
          expect(tunnel).toBe(holding.some(({ route }) => route.device === 'cilium_host'));
        },
      ),
    );
  });

  it('takes nothing else for routes', () => {
    expect(readRoutes({ dst: '10.0.0.0/8' })).toBeUndefined();
    expect(readRoutes(undefined)).toBeUndefined();
  });
});

const cluster = (name: string) => ({ context: name, name, mode: 'tunnel' as const, podCidrs: 1, nodes: 1 });
const route = (from: string, to: string, found: Partial<RouteToPods> = { source: 'tunnel' }) => ({
  ...{ from, to, node: 'n', podCidr: '10.2.0.0/24' },
  ...found,
});
const DOWN = { context: 'c', code: 'ClusterUnreachable' as const, message: 'cannot reach the API server' };

describe('routesText', () => {
  it.each([
    ['all are there', ['a', 'b'], [route('a', 'b'), route('b', 'a')], [], true, '✅ All 2 nodes have a route'],
    ['one cluster alone', ['a'], [], [], false, '⚠️  There is nothing to compare: only one cluster was read'],
    ['one that answered', ['a'], [], [DOWN], false, '⚠️  There is nothing to compare: only 1 of 2 clusters answered'],
    [
      'not connected',
      ['a', 'b'],
      [route('a', 'b', { connected: false }), route('b', 'a')],
      [],
      false,
      '❌ 1 of 2 routes is missing; not connected: a → b',
    ],
    [
      'a blackhole',
      ['a', 'b'],
      [route('a', 'b', { dropped: 'blackhole' }), route('b', 'a')],
      [],
      false,
      '❌ 1 of 2 routes is missing',
    ],
    [
      'one by the default route alone',
      ['a', 'b'],
      [route('a', 'b', { source: 'default' }), route('b', 'a')],
      [],
      true,
      '⚠️  All 2 nodes have a route to every remote pod range; 1 of 2 routes is the default route, behind which the network has to know the ranges\n   → See whether it does: meshctl connectivity probe --context a,b',
    ],
    [
      'a cluster without pod ranges',
      ['a', 'b'],
      [route('a', 'b')],
      [],
      false,
      '⚠️  1 route found, but not all clusters were compared',
    ],
  ] as const)('%s', (_what, names, routes, unreachable, complete, headline) => {
    const report = { clusters: names.map(cluster), routes: [...routes], unreachable: [...unreachable] };
    expect(isComplete(report)).toBe(complete);
    const text = routesText({ complete, ...report }, PLAIN);
    expect(text.slice(0, headline.length)).toBe(headline);
    if (unreachable.length > 0) expect(text).toContain('context "c": cannot reach the API server');
  });
});

describe('routes of a large mesh', () => {
  const to = (count: number, of: (index: number) => Partial<RouteToPods>) =>
    Array.from({ length: count }, (_, index) => ({ podCidr: `10.2.${index}.0/24`, ...of(index) }));
  const FOUND = { via: '10.0.0.1', device: 'eth0', source: 'bgp' } as const;

  it('are few entries, whose routes are counted', () => {
    expect(foldedWays(to(250, () => FOUND))).toEqual([{ podCidr: '10.2.0.0/24', ...FOUND, more: 249 }]);
    const each = foldedWays(to(250, (index) => ({ ...FOUND, via: `10.0.1.${index}` })));
    expect(each).toEqual([{ podCidr: '10.2.0.0/24', ...FOUND, via: undefined, more: 249 }]);
    expect(foldedWays(to(250, () => ({ connected: false })))).toHaveLength(1);
  });

  it('name each gap of a few', () => {
    const ways = foldedWays(to(250, (index) => (index % 100 === 7 ? {} : FOUND)));
    expect(ways.filter(({ source }) => !source).map(({ podCidr }) => podCidr)).toEqual([
      '10.2.7.0/24',
      '10.2.107.0/24',
      '10.2.207.0/24',
    ]);
    expect(ways).toHaveLength(4);
  });

  it('come to the same, folded or each by itself', () => {
    const outcome = fc.constantFrom<Partial<RouteToPods>>(
      FOUND,
      { ...FOUND, via: '10.0.0.2' },
      { device: 'eth0', source: 'default' },
      {},
      { dropped: 'blackhole' },
      { connected: false },
    );
    fc.assert(
      fc.property(fc.array(outcome, { minLength: 1, maxLength: 30 }), (outcomes) => {
        const single = to(outcomes.length, (index) => outcomes[index] ?? {});
        const folded = foldedWays(single);
        expect(rangesCounted(folded)).toBe(single.length);
        const [one, other] = [single, folded].map((ways) => {
          const routes = [...ways.map((way) => ({ from: 'a', to: 'b', node: 'n', ...way })), route('b', 'a')];
          const report = { clusters: ['a', 'b'].map(cluster), routes, unreachable: [] };
          return routesNotes({ complete: isComplete(report), ...report });
        });
        expect(other).toEqual(one);
      }),
    );
  });

  it('are told by the first range, and how many there are more', () => {
    const routes = [{ ...route('a', 'b', FOUND), more: 249 }, route('b', 'a')];
    const report = { complete: true, clusters: ['a', 'b'].map(cluster), routes, unreachable: [] };
    expect(routesText(report, PLAIN)).toMatch(/a +n +b +10\.2\.0\.0\/24 and 249 more +10\.0\.0\.1 +eth0 +bgp/);
  });
});

it('nodes of which nobody told the routes are named, and it is not complete', () => {
  const report = {
    clusters: ['a', 'b'].map(cluster),
    routes: [route('a', 'b'), route('b', 'a')],
    untold: [{ from: 'a', node: 'node-3' }],
    unreachable: [],
  };
  expect(isComplete(report)).toBe(false);
  const says = 'a: skipped: node-3: no agent that runs there told all its routes';
  expect(routesText({ complete: false, ...report }, PLAIN)).toContain(says);
  expect(routesNotes({ complete: false, ...report })).toEqual(['2 routes found, but not all nodes were asked', says]);
});

it('notes of bare rows have an arrow only before their next step', () => {
  const routes = [route('a', 'b', { connected: false }), route('b', 'a')];
  const report = { clusters: ['a', 'b', 'c'].map(cluster), routes, unreachable: [], complete: false };
  expect(routesNotes(report)[0]).toBe('1 of 2 routes is missing; not connected: a to b');
  expect(routesNotes(report).join()).not.toContain('→');
  const alone = { clusters: [cluster('a')], routes: [], unreachable: [], complete: false };
  expect(routesNotes(alone)).toEqual([
    'There is nothing to compare: only one cluster was read → meshctl clustermesh routes --all',
  ]);
});

const HOSTILE = '"><script>alert(1)</script>\\';
const GRAPH: MeshGraph = {
  title: 'Cluster Mesh',
  nodes: [
    { id: 'a', label: 'a', detail: '2 nodes', known: true },
    { id: 'b', label: HOSTILE, detail: 'not asked', known: false },
  ],
  edges: [
    { from: 'a', to: 'b', state: 'broken', label: '0/2' },
    { from: 'b', to: 'a', state: 'ok', label: '2/2' },
  ],
};

describe('pictures', () => {
  it('Mermaid: nodes, labelled arrows, colours by state', () => {
    expect(mermaidOf({ ...GRAPH, nodes: GRAPH.nodes.map((node) => ({ ...node, label: node.id })) })).toBe(
      [
        'flowchart LR',
        '  c0["a<br/>2 nodes"]',
        '  c1["b<br/>not asked"]',
        '  c0 -.->|"0/2"| c1',
        '  c1 -->|"2/2"| c0',
        '  linkStyle 0 stroke:#cf222e,stroke-width:2px',
        '  linkStyle 1 stroke:#2da44e,stroke-width:2px',
      ].join('\n'),
    );
  });

  it('Mermaid: more than it draws by default is said, with what has no such limit', () => {
    const meshOf = (size: number): MeshGraph => {
      const ids = Array.from({ length: size }, (_, index) => `mesh-${index + 1}`);
      const edges = ids.flatMap((from) =>
        ids.flatMap((to) => (from === to ? [] : [{ from, to, state: 'ok' as const, label: '300/300' }])),
      );
      return { title: 'Cluster Mesh', nodes: ids.map((id) => ({ id, label: id, detail: '', known: true })), edges };
    };
    const warningOf = (graph: MeshGraph) => mermaidWarning(mermaidOf(graph), graph.edges.length);
    expect(warningOf(meshOf(22))).toBeUndefined();
    expect(warningOf(meshOf(23))).toMatch(/has 506 edges .+: -o svg and -o dot have no such limit$/);
    expect(mermaidWarning('x'.repeat(50_001), 1)).toContain('50001 characters');
  });

  it.each([
    ['mermaid', mermaidOf, '#quot;#gt;#lt;script#gt;'],
    ['dot', dotOf, '\\"><script>alert(1)</script>\\\\'],
    ['svg', svgOf, '&quot;&gt;&lt;script&gt;'],
  ])('%s: a name cannot break out of its place', (_format, draw, escaped) => {
    expect(draw(GRAPH)).toContain(escaped);
  });

  it('the SVG is one file without references, light and dark', () => {
    const svg = svgOf(GRAPH);
    expect(svg).toContain('@media (prefers-color-scheme: dark)');
    expect(svg.replace('http://www.w3.org/2000/svg', '')).not.toMatch(/https?:|href|@import/);
    expect(svg).not.toMatch(/NaN|undefined|Infinity/);
  });
});
