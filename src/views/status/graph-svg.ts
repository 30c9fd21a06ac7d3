import type { EdgeState, MeshGraph } from '../../mesh/status/mesh-graph.ts';
import {
  captionOf,
  FONT,
  LIGHT,
  lineOf,
  markerOf,
  type Point,
  round,
  SOFT,
  STYLE,
  shortened,
  statesOf,
  svgText,
} from '../svg-parts.ts';
import { escapedXml } from '../xml.ts';

const BOX = { width: 190, height: 58 };
const MARGIN = 48;
const TITLE_HEIGHT = 40;
const LEGEND_HEIGHT = 36;
/** How far the two directions of a pair bend away from each other. */
const BEND = 18;
/** Where on its way an edge has its label: nearer to its start, so that labels do not meet in the middle. */
const LABEL_AT = 0.3;
/** Where each state is in the legend, from its start. */
const LEGEND_PLACES = [0, 120, 300, 400];

/** A self-contained SVG file: clusters on a circle, an arrow for each direction, light and dark. */
export function svgOf({ title, nodes, edges }: MeshGraph): string {
  const radius = nodes.length <= 2 ? 190 : Math.max(230, (nodes.length * (BOX.width + 110)) / (2 * Math.PI));
  const flat = nodes.length <= 2;
  const width = Math.max(420, 2 * (radius + BOX.width / 2 + MARGIN));
  const height = TITLE_HEIGHT + LEGEND_HEIGHT + 2 * MARGIN + BOX.height + (flat ? 40 : 2 * radius);
  const centre: Point = { x: width / 2, y: TITLE_HEIGHT + MARGIN + BOX.height / 2 + (flat ? 20 : radius) };
  const places = new Map(nodes.map(({ id }, index) => [id, placeOf(index, nodes.length, radius, centre)]));
  const drawn = edges.flatMap(({ from, to, state, label }) => {
    const [start, end] = [places.get(from), places.get(to)];
    return start && end ? [edgeOf(start, end, state, label)] : [];
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${round(width)}" height="${round(height)}" viewBox="0 0 ${round(width)} ${round(height)}" role="img" font-family="${escapedXml(FONT)}">`,
    `<title>${escapedXml(title)}</title>`,
    `<style>${STYLE}</style>`,
    `<defs>${statesOf(edges)
      .map(([state]) => markerOf(state))
      .join('')}</defs>`,
    `<rect class="back" width="100%" height="100%" fill="${LIGHT.back}"/>`,
    svgText(title, { x: MARGIN / 2, y: 30 }, { size: 17, bold: true }),
    ...drawn.map(({ line }) => line),
    ...nodes.map(({ id, label, detail, known }) => boxOf(places.get(id) ?? centre, label, detail, known)),
    ...drawn.map(({ caption }) => caption),
    legendOf(height, edges),
    '</svg>',
  ].join('\n');
}

function placeOf(index: number, count: number, radius: number, centre: Point): Point {
  if (count === 1) return centre;
  // Two stand side by side; more go round, the first on top.
  const angle = (2 * Math.PI * index) / count + (count === 2 ? Math.PI : -Math.PI / 2);
  return { x: centre.x + radius * Math.cos(angle), y: centre.y + (count === 2 ? 0 : radius * Math.sin(angle)) };
}

function edgeOf(start: Point, end: Point, state: EdgeState, label: string): { line: string; caption: string } {
  const [dx, dy] = [end.x - start.x, end.y - start.y];
  const length = Math.hypot(dx, dy) || 1;
  const normal = { x: -dy / length, y: dx / length };
  const control = { x: (start.x + end.x) / 2 + normal.x * 2 * BEND, y: (start.y + end.y) / 2 + normal.y * 2 * BEND };
  const from = borderOf(start, control);
  const to = borderOf(end, control, 7);
  const along = (axis: 'x' | 'y') =>
    (1 - LABEL_AT) ** 2 * from[axis] + 2 * LABEL_AT * (1 - LABEL_AT) * control[axis] + LABEL_AT ** 2 * to[axis];
  const middle = { x: along('x'), y: along('y') };
  const path = `M${round(from.x)} ${round(from.y)}Q${round(control.x)} ${round(control.y)} ${round(to.x)} ${round(to.y)}`;
  return {
    line: lineOf(state, path, ` marker-end="url(#arrow-${state})"`),
    caption: captionOf(label, { x: middle.x, y: middle.y + 4 }),
  };
}

/** Where the line from a box's middle towards a point leaves the box, and a little further. */
function borderOf(middle: Point, towards: Point, gap = 0): Point {
  const [dx, dy] = [towards.x - middle.x, towards.y - middle.y];
  const scale = Math.min(
    dx === 0 ? Number.POSITIVE_INFINITY : BOX.width / 2 / Math.abs(dx),
    dy === 0 ? Number.POSITIVE_INFINITY : BOX.height / 2 / Math.abs(dy),
  );
  const further = gap / (Math.hypot(dx, dy) || 1);
  return { x: middle.x + dx * (scale + further), y: middle.y + dy * (scale + further) };
}

function boxOf({ x, y }: Point, label: string, detail: string, known: boolean): string {
  const { width, height } = BOX;
  const place = `x="${round(x - width / 2)}" y="${round(y - height / 2)}" width="${width}" height="${height}" rx="10"`;
  const dashed = known ? '' : ' stroke-dasharray="5 4"';
  return [
    `<rect class="box" ${place} fill="${LIGHT.box}" stroke="${LIGHT.line}" stroke-width="1.5"${dashed}/>`,
    svgText(shortened(label, 22), { x, y: y - 4 }, { size: 15, bold: true, middle: true }),
    svgText(shortened(detail, 30), { x, y: y + 15 }, { ...SOFT, middle: true }),
  ].join('');
}

function legendOf(height: number, edges: MeshGraph['edges']): string {
  return statesOf(edges)
    .map(([state, words], index) => {
      const [x, y] = [MARGIN / 2 + (LEGEND_PLACES[index] ?? 0), round(height - 18)];
      return `${lineOf(state, `M${x} ${y}h26`)}${svgText(words, { x: x + 34, y: y + 4 }, SOFT)}`;
    })
    .join('');
}
