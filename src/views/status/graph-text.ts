import type { EdgeState, MeshGraph } from '../../mesh/status/mesh-graph.ts';

/** Colours that are seen on white and on black. */
export const COLOURS: Readonly<Record<EdgeState, string>> = {
  ok: '#2da44e',
  partial: '#bf8700',
  broken: '#cf222e',
  unknown: '#848d97',
};

/** A Mermaid flowchart, for Markdown. */
export function mermaidOf({ nodes, edges }: MeshGraph): string {
  const idOf = (id: string) => `c${nodes.findIndex((node) => node.id === id)}`;
  const lines = nodes.map(({ id, label, detail }) => `  ${idOf(id)}["${quoted(label)}<br/>${quoted(detail)}"]`);
  const arrows = edges.map(({ from, to, state, label }) => {
    const arrow = state === 'broken' || state === 'unknown' ? '-.->' : '-->';
    return `  ${idOf(from)} ${arrow}|"${quoted(label)}"| ${idOf(to)}`;
  });
  const styles = edges.map(({ state }, index) => `  linkStyle ${index} stroke:${COLOURS[state]},stroke-width:2px`);
  return ['flowchart LR', ...lines, ...arrows, ...styles].join('\n');
}

/** What Mermaid draws unless it is configured to draw more (`maxEdges` and `maxTextSize`): of more it shows an error in place of the picture. */
const MERMAID_DRAWS = { edges: 500, characters: 50_000 };

/** Whether a flowchart is more than Mermaid draws by default, as a warning with the way out. */
export function mermaidWarning(flowchart: string, edges: number): string | undefined {
  if (edges <= MERMAID_DRAWS.edges && flowchart.length <= MERMAID_DRAWS.characters) return undefined;
  return `this flowchart has ${edges} edges and ${flowchart.length} characters, and Mermaid draws ${MERMAID_DRAWS.edges} and ${MERMAID_DRAWS.characters} unless it is configured to: -o svg and -o dot have no such limit`;
}

/** A Graphviz digraph. */
export function dotOf({ title, nodes, edges }: MeshGraph): string {
  const text = dotText;
  return [
    `digraph ${text(title)} {`,
    '  node [shape=box, style=rounded, fontname="sans-serif"];',
    '  edge [fontname="sans-serif", fontsize=10];',
    ...nodes.map(
      ({ id, label, detail, known }) =>
        `  ${text(id)} [label=${text(`${label}\n${detail}`).replaceAll('\n', '\\n')}${known ? '' : ', style="rounded,dashed"'}];`,
    ),
    ...edges.map(({ from, to, state, label }) => {
      const dashed = state === 'broken' || state === 'unknown' ? ', style=dashed' : '';
      return `  ${text(from)} -> ${text(to)} [label=${text(label)}, color="${COLOURS[state]}"${dashed}];`;
    }),
    '}',
  ].join('\n');
}

/** Mermaid knows HTML entities, and nothing else that would end a label. */
export function quoted(text: string): string {
  return text.replaceAll('&', '#amp;').replaceAll('"', '#quot;').replaceAll('<', '#lt;').replaceAll('>', '#gt;');
}

/** A word as Graphviz takes it. */
export function dotText(value: string): string {
  return `"${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}
