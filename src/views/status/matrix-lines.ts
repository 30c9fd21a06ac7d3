import { counted, enumerated } from '../../mesh/counted.ts';
import { MANY_ALIKE, mostOften } from '../../mesh/pairs.ts';
import { type MatrixCell, type MeshStatusReport, rowsOf } from '../../mesh/status/mesh-status.ts';
import { peerNameOf } from '../../mesh/status/status.ts';
import { wrapped } from '../hint-lines.ts';
import { type Cell, tableLines } from '../table.ts';
import type { Theme } from '../theme.ts';

/** Where nobody knows how wide a line is: so many clusters are a table, more are told by what is wrong. */
const MOST_CLUSTERS = 10;
/** Where nobody knows it. */
const USUAL_COLUMNS = 100;

/** Who is connected to whom, as a table or, where that is cut, what is not connected, by the clusters that are in most of it. */
export function matrixLines(mesh: MeshStatusReport, theme: Theme, isCut: boolean): string[] {
  return isCut ? shortcomings(mesh, theme) : tableLines(cellsOf(mesh, theme), '  ');
}

/** Whether a mesh is too large for its table: what is said of it has to keep to lines, too. */
export function isLargeMesh(mesh: MeshStatusReport, theme: Theme): boolean {
  const { columns } = theme;
  if (columns === undefined) return mesh.clusters.length > MOST_CLUSTERS;
  const plain = cellsOf(mesh, theme).map((row) => row.map(({ text }) => text));
  return tableLines(plain, '  ').some((line) => [...line].length > columns);
}

function cellsOf(mesh: MeshStatusReport, theme: Theme): Cell[][] {
  const { clusters, matrix } = mesh;
  const columns = [...new Set(matrix.map(({ to }) => to))];
  const named = clusters.some(({ context, cluster }) => context !== cluster.name);
  const head = [named ? 'FROM (CONTEXT) \\ TO' : 'FROM \\ TO', ...columns].map((text) => ({ text, style: theme.bold }));
  const rows = rowsOf(mesh).map(({ report: { context, cluster, servesUnseen }, cells }): Cell[] => {
    const cellTo = new Map(cells.map((cell) => [cell.to, cell]));
    return [
      { text: context === cluster.name ? cluster.name : `${cluster.name} (${context})`, style: theme.bold },
      ...columns.map((to) => cellFor(cellTo.get(to), theme, servesUnseen)),
    ];
  });
  return [head, ...rows];
}

/** @param unseen peers of the row of which it is only on record that they dial it */
function cellFor(cell: MatrixCell | undefined, theme: Theme, unseen: readonly string[] = []): Cell {
  if (!cell || cell.state === 'self') return { text: '·', style: theme.dim };
  if (cell.state === 'one-way') return { text: unseen.includes(cell.to) ? '← ?' : '← only', style: theme.dim };
  if (cell.state === 'not-configured') return { text: '–', style: theme.dim };
  if (cell.state === 'unknown') return { text: `? ${cell.connected || '–'}/${cell.total ?? 0}`, style: theme.warn };
  const text = `${cell.connected ?? 0}/${cell.total ?? 0}`;
  if (cell.state === 'at-risk') return { text: `! ${text}`, style: theme.warn };
  return cell.state === 'connected' ? { text: `✓ ${text}`, style: theme.ok } : { text: `✗ ${text}`, style: theme.fail };
}

/** What is not connected, or only as long as nothing restarts: each connection once, with the cluster that is in most of them. */
function shortcomings(mesh: MeshStatusReport, theme: Theme): string[] {
  const { matrix, clusters } = mesh;
  const others = clusters.length - 1;
  const broken = matrix.filter(({ state }) => state === 'disconnected');
  const atRisk = matrix.filter(({ state }) => state === 'at-risk');
  const unknown = matrix.filter(({ state }) => state === 'unknown');
  const groups = [
    ...byCluster(broken, others).map((says) => ({ says, mark: theme.fail('✗'), words: 'not connected' })),
    ...byCluster(atRisk, others).map((says) => ({ says, mark: theme.warn('!'), words: 'connected, but degraded' })),
  ];
  const named = new Set([...broken, ...atRisk, ...unknown].flatMap(({ from, to }) => [from, to]));
  const well = clusters.filter((cluster) => !named.has(peerNameOf(cluster)));
  const chosen = chosenLines(matrix, theme);
  const unread = mesh.unreachable.length;
  const isWhole = groups.length + unknown.length === 0;
  const wellLine =
    well.length === 0
      ? []
      : isWhole
        ? [
            `  ${theme.ok('✓')} all ${unread > 0 ? 'that were read' : 'of them'}, with each other${chosen.length > 0 ? ', but for these' : ''}`,
          ]
        : [
            `  ${theme.ok('✓')} the other ${well.length === 1 ? 'cluster is' : `${well.length} clusters are`} connected to all of their peers`,
          ];
  const unseen = [
    ...(unknown.length > 0
      ? [`${counted(unknown.length, 'connection')} of which nothing is known: no answer came in time`]
      : []),
    ...(unread > 0
      ? [`what ${counted(unread, 'cluster')} that cannot be queried ${unread === 1 ? 'dials' : 'dial'}`]
      : []),
  ];
  return [
    ...groups.flatMap(({ mark, says, words }) => itemLines(`${mark} `, `${says} ${words}`, theme)),
    ...wellLine,
    ...chosen,
    ...unseen.flatMap((says) => itemLines(`${theme.warn('?')} `, says, theme)),
    ...(groups.length + unknown.length > 0 ? [`  ${theme.dim('each connection: -o wide')}`] : []),
  ];
}

/** Connections by who dials, or is dialled, in most of them, in words that lead to what they are. */
function byCluster(cells: readonly MatrixCell[], others: number): string[] {
  const groups: string[] = [];
  let left = cells;
  while (left.length > 0) {
    const to = mostOften(left.map((cell) => cell.to));
    const from = mostOften(left.map((cell) => cell.from));
    if (Math.max(to.count, from.count) < MANY_ALIKE) break;
    const isDialled = to.count >= from.count;
    const own = left.filter((cell) => (isDialled ? cell.to === to.name : cell.from === from.name));
    const names = own.map((cell) => (isDialled ? cell.from : cell.to));
    const who = names.length >= others ? `all ${names.length} others` : enumerated(names);
    groups.push(isDialled ? `${to.name} from ${who}:` : `${from.name} to ${who}:`);
    left = left.filter((cell) => !own.includes(cell));
  }
  return [
    ...groups,
    ...left.map(({ from, to, connected = 0, total = 0 }) => `${from} to ${to} (${connected}/${total}):`),
  ];
}

/** Of what is so because somebody wanted it, how much there is. */
function chosenLines(matrix: readonly MatrixCell[], theme: Theme): string[] {
  const oneWay = matrix.filter(({ state }) => state === 'one-way').length;
  const isApart = new Set(
    matrix.filter(({ state }) => state === 'not-configured').map(({ from, to }) => `${from} ${to}`),
  );
  const apart = [...isApart].filter((pair) => isApart.has(pair.split(' ').reverse().join(' '))).length / 2;
  return [
    ...(oneWay > 0 ? [`  ${theme.dim(`← ${counted(oneWay, 'connection')} one-way, as chosen`)}`] : []),
    ...(apart >= 1 ? [`  ${theme.dim(`– ${counted(Math.floor(apart), 'pair')} of clusters that are no peers`)}`] : []),
  ];
}

/** A text in lines of the terminal, below its mark. */
function itemLines(mark: string, text: string, { columns = USUAL_COLUMNS }: Theme): string[] {
  return wrapped(text, columns - 4).map((line, index) => (index === 0 ? `  ${mark}${line}` : `    ${line}`));
}

/** Lines within the width of the terminal. What can be typed stays whole, and keeps what stands before it where it is. */
export function withinColumns(lines: readonly string[], { columns = USUAL_COLUMNS }: Theme): string[] {
  return lines.flatMap((line) => {
    if (line.length <= columns || COMMANDS.test(line)) return [line];
    // A mark has two spaces behind it, whatever its width.
    const [start = ''] = /^ *(?:\S+ {2})?/.exec(line) ?? [];
    const further = ' '.repeat(Math.max(3, start.length));
    return wrapped(line.slice(start.length), columns - further.length).map(
      (part, index) => `${index === 0 ? start : further}${part}`,
    );
  });
}

const COMMANDS = /(?:^|[ (])(?:meshctl|kubectl|helm) /;
