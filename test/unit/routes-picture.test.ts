import { describe, expect, it } from 'vitest';
import type { RoutesReport } from '../../src/mesh/cilium/routes.ts';
import { routesPicture } from '../../src/mesh/network/routes-picture.ts';
import { routesSvg } from '../../src/views/network/routes-svg.ts';
import { routesDot, routesMermaid } from '../../src/views/network/routes-text.ts';
import { routesReport } from '../support/routes-reports.ts';

function wordsOf(report: RoutesReport) {
  const { boxes, arrows } = routesPicture(report);
  const label = (id: string) => boxes.find((box) => box.id === id)?.label ?? id;
  return {
    boxes: boxes.map(
      ({ column, label: text, detail, broken }) => `${column} ${text} (${detail})${broken ? ' broken' : ''}`,
    ),
    arrows: arrows.map(({ from, to, state, label: text }) => `${label(from)} > ${label(to)} ${state} ${text}`.trim()),
  };
}

describe('routesPicture', () => {
  it('has nodes, their routers and ranges of pods, from left to right', () => {
    expect(wordsOf(routesReport(1))).toEqual({
      boxes: [
        '0 mesh-1-node-1 (mesh-1)',
        '0 mesh-2-node-1 (mesh-2)',
        '1 172.18.1.1 (bgp · eth0 · BGP peer)',
        '1 172.18.2.1 (bgp · eth0 · BGP peer)',
        '2 10.2.1.0/24 (mesh-2)',
        '2 10.1.1.0/24 (mesh-1)',
      ],
      arrows: [
        'mesh-1-node-1 > 172.18.1.1 ok',
        'mesh-2-node-1 > 172.18.2.1 ok',
        '172.18.1.1 > 10.2.1.0/24 ok',
        '172.18.2.1 > 10.1.1.0/24 ok',
      ],
    });
  });

  it('shows what nobody has a route to in red, and what only some have in between', () => {
    const { boxes, arrows } = wordsOf(routesReport(2, { gap: true }));
    expect(boxes).toContain('2 10.2.2.0/24 (mesh-2) broken');
    expect(boxes).toContain('2 10.2.1.0/24 (mesh-2)');
    expect(boxes).toContain('1 no route (from mesh-1) broken');
    expect(arrows).toContain('mesh-1-node-2 > no route broken no route');
    expect(arrows).toContain('no route > 10.2.2.0/24 broken no route');
    expect(arrows).toContain('172.18.1.1 > 10.2.1.0/24 partial 1 of 2 nodes');
  });

  it('shows a BGP session that is not established, also of a router that no route leads to', () => {
    const report = routesReport(1);
    const lost = { from: 'mesh-1', node: 'mesh-1-node-1', peer: '172.18.1.254', state: 'active' };
    const { boxes, arrows } = wordsOf({ ...report, bgpPeers: [...(report.bgpPeers ?? []), lost] });
    expect(boxes).toContain('1 172.18.1.254 (BGP peer, active) broken');
    expect(arrows).toContain('mesh-1-node-1 > 172.18.1.254 broken BGP active');
  });

  it('tells a tunnel that leads nowhere from a missing route', () => {
    const report = routesReport(1);
    const routes = report.routes.map(({ from, node, to, podCidr }) => ({
      ...{ from, node, to, podCidr },
      ...(from === 'mesh-1' ? { source: 'tunnel' as const } : { connected: false as const }),
    }));
    const { boxes, arrows } = wordsOf({ ...report, routes, bgpPeers: undefined });
    expect(boxes).toContain('1 not connected (from mesh-2) broken');
    expect(arrows).toContain('tunnel > 10.2.1.0/24 ok');
  });

  it('has nodes that did not tell all, or anything', () => {
    const report = routesReport(2);
    const untold = [
      { from: 'mesh-1', node: 'mesh-1-node-2' },
      { from: 'mesh-1', node: 'mesh-1-node-3' },
    ];
    const { boxes } = wordsOf({ ...report, untold });
    expect(boxes.filter((box) => box.startsWith('0 mesh-1'))).toEqual([
      '0 mesh-1-node-1 (mesh-1)',
      '0 mesh-1-node-2 (mesh-1 · not all routes told)',
      '0 mesh-1-node-3 (mesh-1 · not all routes told)',
    ]);
    for (const draw of [routesSvg, routesMermaid, routesDot])
      expect(draw(routesPicture({ ...report, untold }))).toContain('mesh-1-node-3');
  });

  it('puts nodes of a large cluster for which the same holds into one box', () => {
    // There is a route from each of them to each: a few times as many as are drawn each by itself tell it.
    const report = routesReport(60, { gap: true });
    const { boxes } = wordsOf(report);
    expect(boxes).toContain('0 mesh-1: 59 nodes (mesh-1-node-2 …)');
    expect(boxes).toContain('0 mesh-1-node-1 (mesh-1)');
    expect(boxes).toContain('0 mesh-2: 60 nodes (mesh-2-node-1 …)');
    expect(boxes).toContain('2 mesh-2: 58 ranges (10.2.2.0/24 …)');
    expect(boxes.length).toBeLessThan(12);
  });
});

it('of a large mesh a range that one node lacks is not red, as the others have it among those of one entry', () => {
  const found = { via: '10.0.0.1', device: 'eth0', source: 'bgp' as const };
  const of = (node: string, podCidr: string) => ({ from: 'mesh-1', node, to: 'mesh-2', podCidr });
  const gap = (node: string) => of(node, '10.2.7.0/24');
  const folded = (node: string, more: number) => ({ ...of(node, '10.2.0.0/24'), ...found, more });
  const picture = (routes: RoutesReport['routes']) => wordsOf({ ...routesReport(1), bgpPeers: undefined, routes });
  const one = picture([folded('a', 248), gap('a'), folded('b', 249)]);
  expect(one.boxes).toContain('2 10.2.7.0/24 (mesh-2)');
  expect(one.boxes).toContain('2 10.2.0.0/24 and 248 more (mesh-2)');
  expect(one.arrows).toContain('no route > 10.2.7.0/24 broken no route');
  const all = picture([folded('a', 248), gap('a'), folded('b', 248), gap('b')]);
  expect(all.boxes).toContain('2 10.2.7.0/24 (mesh-2) broken');
});

describe('drawn', () => {
  const HOSTILE = '"><script>alert(1)</script>\\';
  const report = routesReport(1, { gap: true });
  const hostile = routesPicture({ ...report, routes: report.routes.map((route) => ({ ...route, node: HOSTILE })) });

  it.each([
    ['mermaid', routesMermaid, '#quot;#gt;#lt;script#gt;'],
    ['dot', routesDot, '\\"><script>alert(1)</script>\\\\'],
    ['svg', routesSvg, '&quot;&gt;&lt;script&gt;'],
  ])('%s: a name cannot break out of its place', (_format, draw, escaped) => {
    expect(draw(hostile)).toContain(escaped);
  });

  it('red and dashed, with words for it, in each format', () => {
    const picture = routesPicture(report);
    expect(routesMermaid(picture)).toMatch(/-\.->\|"no route"\|/);
    expect(routesDot(picture)).toMatch(/label="no route", color="#cf222e", style=dashed/);
    const svg = routesSvg(picture);
    expect(svg).toMatch(/<rect class="box broken"[^>]* stroke="#d1242f"[^>]*stroke-dasharray/);
    expect(svg).toContain('>no route</text>');
    expect(svg).not.toMatch(/NaN|undefined|Infinity/);
    expect(svg.replace('http://www.w3.org/2000/svg', '')).not.toMatch(/https?:|href|@import|var\(|style=/);
  });
});
