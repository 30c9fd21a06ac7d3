import type { EdgeState } from '../mesh/status/mesh-graph.ts';
import { escapedXml } from './xml.ts';

/** The states of arrows, with what they mean. */
const STATES: readonly [EdgeState, string][] = [
  ['ok', 'all nodes'],
  ['partial', 'some nodes, or at risk'],
  ['broken', 'no node'],
  ['unknown', 'not asked'],
];

/** Those of some arrows, for their marks and the legend: the three that every picture has, and others where they are met. */
export function statesOf(edges: readonly { state: EdgeState }[]): readonly (readonly [EdgeState, string])[] {
  return STATES.filter(([state]) => state !== 'unknown' || edges.some((edge) => edge.state === state));
}

interface Colours {
  ink: string;
  soft: string;
  box: string;
  line: string;
  back: string;
  edges: Readonly<Record<EdgeState, string>>;
}

/** Colours that keep their contrast on white. They are attributes of each element, which every viewer knows. */
export const LIGHT: Colours = {
  ink: '#1f2328',
  soft: '#59636e',
  box: '#f6f8fa',
  line: '#d1d9e0',
  back: '#ffffff',
  edges: { ok: '#1a7f37', partial: '#9a6700', broken: '#d1242f', unknown: '#59636e' },
};

/** The same on black, for viewers that know style sheets and show the file on a dark page. */
const DARK: Colours = {
  ink: '#f0f6fc',
  soft: '#9198a1',
  box: '#151b23',
  line: '#3d444d',
  back: '#0d1117',
  edges: { ok: '#3fb950', partial: '#d29922', broken: '#f85149', unknown: '#9198a1' },
};

export const FONT = 'ui-sans-serif, system-ui, "Segoe UI", Helvetica, Arial, sans-serif';

/** A style sheet goes before attributes; without one that is understood, the picture is the light one. */
export const STYLE = `
  @media (prefers-color-scheme: dark) {
    text { fill: ${DARK.ink}; }
    .back { fill: ${DARK.back}; }
    .box { fill: ${DARK.box}; stroke: ${DARK.line}; }
    .soft { fill: ${DARK.soft}; }
    .halo { fill: ${DARK.back}; stroke: ${DARK.back}; }
${STATES.map(([state]) => `    .${state} { stroke: ${DARK.edges[state]}; }\n    .${state}-head { fill: ${DARK.edges[state]}; }`).join('\n')}
  }
`;

export interface Point {
  x: number;
  y: number;
}

/** A line in the colour of its state. @param more further attributes */
export function lineOf(state: EdgeState, path: string, more = ''): string {
  const dashed = state === 'broken' ? ' stroke-dasharray="6 5"' : '';
  return `<path class="${state}" fill="none" stroke="${LIGHT.edges[state]}" stroke-width="2"${dashed}${more} d="${path}"/>`;
}

/** A label on the line that it belongs to: its text over an edge of the background's colour. */
export function captionOf(label: string, at: Point): string {
  const style = { size: 11.5, middle: true };
  const halo = ` class="halo" stroke="${LIGHT.back}" stroke-width="4" stroke-linejoin="round"`;
  return `${svgText(label, at, { ...style, colour: LIGHT.back, more: halo })}${svgText(label, at, style)}`;
}

export interface TextStyle {
  size: number;
  bold?: boolean;
  /** `at` is the middle of the text, not its start. */
  middle?: boolean;
  colour?: string;
  /** Further attributes. */
  more?: string;
}

/** Text on one line. */
export function svgText(
  text: string,
  at: Point,
  { size, bold, middle, colour = LIGHT.ink, more = '' }: TextStyle,
): string {
  const attributes = [
    `x="${round(at.x)}" y="${round(at.y)}" font-size="${size}" fill="${colour}"`,
    ...(bold ? ['font-weight="600"'] : []),
    ...(middle ? ['text-anchor="middle"'] : []),
  ];
  return `<text ${attributes.join(' ')}${more}>${escapedXml(text)}</text>`;
}

export const SOFT: Pick<TextStyle, 'size' | 'colour' | 'more'> = {
  size: 11.5,
  colour: LIGHT.soft,
  more: ' class="soft"',
};

/** The head of arrows of a state. */
export function markerOf(state: EdgeState): string {
  return `<marker id="arrow-${state}" viewBox="0 0 10 10" refX="5" refY="5" markerWidth="7" markerHeight="7" orient="auto-start-reverse"><path class="${state}-head" d="M0 1L9 5L0 9z" fill="${LIGHT.edges[state]}"/></marker>`;
}

/** At most so many characters. */
export function shortened(text: string, most: number): string {
  const characters = [...text];
  return characters.length > most ? `${characters.slice(0, most - 1).join('')}…` : text;
}

/** To a tenth of a pixel. */
export function round(value: number): number {
  return Math.round(value * 10) / 10;
}
