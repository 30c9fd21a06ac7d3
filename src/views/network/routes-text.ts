import type { RoutesPicture } from '../../mesh/network/routes-picture.ts';
import { COLOURS, dotText, quoted } from '../status/graph-text.ts';

/** A Mermaid flowchart, for Markdown. */
export function routesMermaid({ boxes, arrows }: RoutesPicture): string {
  const ids = new Map(boxes.map(({ id }, index) => [id, `b${index}`]));
  return [
    'flowchart LR',
    ...boxes.map(({ id, label, detail }) => `  ${ids.get(id)}["${quoted(label)}<br/>${quoted(detail)}"]`),
    ...arrows.map(({ from, to, state, label }) => {
      const arrow = state === 'broken' ? '-.->' : '-->';
      return `  ${ids.get(from)} ${arrow}${label === '' ? '' : `|"${quoted(label)}"|`} ${ids.get(to)}`;
    }),
    ...arrows.map(({ state }, index) => `  linkStyle ${index} stroke:${COLOURS[state]},stroke-width:2px`),
    ...boxes.flatMap(({ id, broken }) =>
      broken ? [`  style ${ids.get(id)} stroke:${COLOURS.broken},stroke-width:2px,stroke-dasharray:6 5`] : [],
    ),
  ].join('\n');
}

/** A Graphviz digraph. */
export function routesDot({ title, boxes, arrows }: RoutesPicture): string {
  const column = (wanted: number) => boxes.filter((box) => box.column === wanted).map(({ id }) => `${dotText(id)};`);
  return [
    `digraph ${dotText(title)} {`,
    '  rankdir=LR;',
    '  node [shape=box, style=rounded, fontname="sans-serif"];',
    '  edge [fontname="sans-serif", fontsize=10];',
    ...boxes.map(({ id, label, detail, broken }) => {
      const red = broken ? `, style="rounded,dashed", color="${COLOURS.broken}"` : '';
      return `  ${dotText(id)} [label=${dotText(`${label}\n${detail}`).replaceAll('\n', '\\n')}${red}];`;
    }),
    ...[0, 1, 2].map((wanted) => `  { rank=same; ${column(wanted).join(' ')} }`),
    ...arrows.map(({ from, to, state, label }) => {
      const dashed = state === 'broken' ? ', style=dashed' : '';
      return `  ${dotText(from)} -> ${dotText(to)} [label=${dotText(label)}, color="${COLOURS[state]}"${dashed}];`;
    }),
    '}',
  ].join('\n');
}
