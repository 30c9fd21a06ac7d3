import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { routesPicture } from '../../src/mesh/network/routes-picture.ts';
import type { MeshGraph } from '../../src/mesh/status/mesh-graph.ts';
import { routesSvg } from '../../src/views/network/routes-svg.ts';
import { svgOf } from '../../src/views/status/graph-svg.ts';
import { type Pixels, readPng } from '../support/png.ts';
import { routesReport } from '../support/routes-reports.ts';

const GRAPH: MeshGraph = {
  title: 'Cluster Mesh',
  nodes: [
    { id: 'a', label: 'mesh-1', detail: 'gke · 2 nodes', known: true },
    { id: 'b', label: 'mesh-2', detail: 'eks · 2 nodes', known: true },
    { id: 'c', label: 'mesh-3', detail: 'not asked', known: false },
  ],
  edges: [
    { from: 'a', to: 'b', state: 'ok', label: '2/2' },
    { from: 'b', to: 'a', state: 'partial', label: '1/2' },
    { from: 'a', to: 'c', state: 'broken', label: '0/2' },
  ],
};
const COLOURS = {
  ok: '#1a7f37',
  partial: '#9a6700',
  broken: '#d1242f',
  ink: '#1f2328',
  box: '#f6f8fa',
  back: '#ffffff',
};
const README_PICTURE = new URL('../../.github/assets/mesh-graph.svg', import.meta.url);

const ROUTES = routesPicture(routesReport(2, { gap: true }));

const pictures = [
  ['a graph', () => svgOf(GRAPH)],
  ['routes', () => routesSvg(ROUTES)],
  ['the picture in README', () => readFileSync(README_PICTURE, 'utf8')],
] as const;

describe.each(pictures)('%s as SVG', (_what, draw) => {
  it('has each colour on its element, for viewers that know no style sheets', () => {
    const svg = draw();
    const [before = '', style = '', body = ''] = svg.split(/<style>|<\/style>/);
    expect(svg).not.toMatch(/var\(|style=/);
    // What is in the style sheet holds for dark pages alone.
    expect(style.trim()).toMatch(/^@media \(prefers-color-scheme: dark\) \{[\s\S]*\}$/);
    const elements = `${before}${body}`.match(/<(rect|path|text)\b[^>]*>/g) ?? [];
    expect(elements.length).toBeGreaterThan(10);
    for (const element of elements) {
      expect(element).toMatch(/ fill="(#[0-9a-f]{6}|none)"/);
      if (element.includes('fill="none"')) expect(element).toMatch(/ stroke="#[0-9a-f]{6}"/);
    }
  });
});

/** The program of Debian's librsvg2-bin: the library that draws SVG files for GNOME, Wikipedia and many others. */
function hasRenderer(): boolean {
  try {
    execFileSync('rsvg-convert', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

function pixelsOf(svg: string): Pixels {
  return readPng(execFileSync('rsvg-convert', ['--format=png'], { input: svg, maxBuffer: 1 << 26 }));
}

function countsOf({ width, height, at }: Pixels): Map<string, number> {
  const counts = new Map<string, number>();
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) counts.set(at(x, y), (counts.get(at(x, y)) ?? 0) + 1);
  }
  return counts;
}

describe.skipIf(!hasRenderer()).each(pictures)('%s, rendered by librsvg', (what, draw) => {
  it('is on white, with its boxes, its words and each state in its colour', () => {
    const pixels = pixelsOf(draw());
    const counts = countsOf(pixels);
    const all = pixels.width * pixels.height;
    expect(pixels.at(1, 1)).toBe(COLOURS.back);
    expect((counts.get(COLOURS.back) ?? 0) / all).toBeGreaterThan(0.6);
    expect((counts.get('#000000') ?? 0) / all).toBeLessThan(0.001);
    const seen =
      what === 'a graph' || what === 'routes'
        ? COLOURS
        : { ok: COLOURS.ok, broken: COLOURS.broken, box: COLOURS.box, ink: COLOURS.ink };
    for (const [name, colour] of Object.entries(seen)) {
      expect(counts.get(colour) ?? 0, name).toBeGreaterThan(20);
    }
  });
});
