import type { PictureBox, RoutesPicture } from '../../mesh/network/routes-picture.ts';
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

const BOX = { width: 210, height: 44, gap: 14 };
const COLUMN_GAP = 170;
const MARGIN = 28;
const HEAD = { title: 30, columns: 62, height: 78 };
const HEADINGS = ['Nodes', 'Next hop', 'Pods'];
/** Where on its way an arrow has its label, so that those of arrows from one box do not meet. */
const LABEL_AT = 0.55;

/** A self-contained SVG file: three columns with arrows from left to right, light and dark. */
export function routesSvg({ title, boxes, arrows }: RoutesPicture): string {
  const columns = [0, 1, 2].map((wanted) => boxes.filter(({ column }) => column === wanted));
  const step = BOX.height + BOX.gap;
  const tallest = Math.max(1, ...columns.map((column) => column.length)) * step;
  const places = new Map(
    columns.flatMap((column, index) =>
      column.map(({ id }, row): [string, Point] => {
        const top = HEAD.height + (tallest - column.length * step) / 2 + row * step;
        return [id, { x: MARGIN + index * (BOX.width + COLUMN_GAP), y: top }];
      }),
    ),
  );
  const width = 2 * MARGIN + 3 * BOX.width + 2 * COLUMN_GAP;
  const height = HEAD.height + tallest + MARGIN;
  const drawn = arrows.flatMap(({ from, to, state, label }) => {
    const [start, end] = [places.get(from), places.get(to)];
    return start && end ? [{ state, label, ...curve(start, end) }] : [];
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${round(height)}" viewBox="0 0 ${width} ${round(height)}" role="img" font-family="${escapedXml(FONT)}">`,
    `<title>${escapedXml(title)}</title>`,
    `<style>${STYLE}</style>`,
    `<defs>${statesOf(arrows)
      .map(([state]) => markerOf(state))
      .join('')}</defs>`,
    `<rect class="back" width="100%" height="100%" fill="${LIGHT.back}"/>`,
    svgText(title, { x: MARGIN, y: HEAD.title }, { size: 17, bold: true }),
    ...HEADINGS.map((words, index) =>
      svgText(words, { x: MARGIN + index * (BOX.width + COLUMN_GAP), y: HEAD.columns }, SOFT),
    ),
    ...drawn.map(({ state, path }) => lineOf(state, path, ` marker-end="url(#arrow-${state})"`)),
    ...boxes.map((box) => boxOf(box, places.get(box.id) ?? { x: 0, y: 0 })),
    ...drawn.map(({ label, middle }) => (label === '' ? '' : captionOf(label, middle))).filter(Boolean),
    '</svg>',
  ].join('\n');
}

/** From the right side of a box to the left one of another. */
function curve(start: Point, end: Point): { path: string; middle: Point } {
  const from = { x: start.x + BOX.width, y: start.y + BOX.height / 2 };
  const to = { x: end.x - 5, y: end.y + BOX.height / 2 };
  const half = (to.x - from.x) / 2;
  const at = LABEL_AT;
  // Both controls are half way along, at the height of their ends.
  const y = from.y + (to.y - from.y) * (3 * at ** 2 - 2 * at ** 3);
  const x = from.x + half * (3 * at * (1 - at)) + (to.x - from.x) * at ** 3;
  return {
    path: `M${round(from.x)} ${round(from.y)}C${round(from.x + half)} ${round(from.y)} ${round(to.x - half)} ${round(to.y)} ${round(to.x)} ${round(to.y)}`,
    middle: { x: round(x), y: round(y + 4) },
  };
}

function boxOf({ label, detail, broken }: PictureBox, { x, y }: Point): string {
  const edge = broken ? LIGHT.edges.broken : LIGHT.line;
  const dashed = broken ? ' stroke-dasharray="6 5"' : '';
  const middle = x + BOX.width / 2;
  return [
    `<rect class="box${broken ? ' broken' : ''}" x="${round(x)}" y="${round(y)}" width="${BOX.width}" height="${BOX.height}" rx="8" fill="${LIGHT.box}" stroke="${edge}" stroke-width="1.5"${dashed}/>`,
    svgText(shortened(label, 28), { x: middle, y: y + 19 }, { size: 13, bold: true, middle: true }),
    svgText(shortened(detail, 34), { x: middle, y: y + 35 }, { ...SOFT, middle: true }),
  ].join('');
}
