import { counted, enumerated, firstOf } from '../../mesh/counted.ts';
import { groupBy } from '../../mesh/pairs.ts';
import { failureTitle, whyUnneeded } from '../../mesh/probe/advice.ts';
import { isProved, isUntriedByPods, type PathCell, type ProbedPath, variantWords } from '../../mesh/probe/paths.ts';
import {
  extentOf,
  extentWords,
  type ProbeReport,
  type ReportedFailure,
  type ReportedTest,
} from '../../mesh/probe/report.ts';
import { notTested, tryAll, unprovedWords } from '../../mesh/probe/untested.ts';
import { hintLines } from '../hint-lines.ts';
import { type Cell, tableLines } from '../table.ts';
import type { Theme } from '../theme.ts';
import { unreachableLines } from '../unreachable-view.ts';

/**
 * A matrix of what was tested from cluster to cluster, each thing that is wrong once, what was not tested, and the verdict.
 * @param isWide with a line for each test too
 */
export function probeText(report: ProbeReport, theme: Theme, isWide = false): string {
  const { failures, untested, unreachable } = report;
  return [
    ...clusterLines(report),
    '',
    ...matrix(report.paths, theme),
    ...(isWide ? ['', ...testLines(report.tests, theme)] : []),
    ...failures.flatMap((failure) => ['', ...failureLines(failure, theme)]),
    ...(untested.length > 0 ? [''] : []),
    ...untested.map((one) => `⏭️  ${notTested(one)}`),
    '',
    ...unreachableLines(unreachable, theme),
    verdict(report, theme),
  ].join('\n');
}

function clusterLines({ clusters }: ProbeReport): string[] {
  return clusters.map(({ name, context, via, nodes, places }) => {
    const probed = places.filter(({ kind }) => kind === 'node');
    const zones = new Set(probed.flatMap(({ zone }) => zone ?? []));
    const where = zones.size > 1 ? ` in ${zones.size} zones` : '';
    const mtus = [...new Set(probed.flatMap(({ mtu }) => mtu ?? []))].join(', ');
    const who = name === context ? name : `${name} (context ${context})`;
    const named = probed.map(({ node }) => node);
    const list = named.length <= MOST_NODES ? `: ${named.join(', ')}` : '';
    return `${who}: ${probed.length} of ${counted(nodes, 'node')}${where}${list}; ${VIA[via]}${mtus ? `; MTU ${mtus}` : ''}`;
  });
}

const VIA = { pods: 'by pods of the probe', agents: "by Cilium's agents" } as const;
const MOST_NODES = 4;

function matrix(paths: readonly ProbedPath[], theme: Theme): string[] {
  const columns = columnsOf(paths, theme);
  const heads = [0, 1, 2].map((line) => columns.map(({ head }) => head[line] ?? ''));
  const rows = paths.map((path) => [
    path.from,
    path.to,
    ...columns.map(({ of }) => of(path)),
    path.roundTripMs === undefined ? '-' : `${path.roundTripMs.toFixed(1)} ms`,
  ]);
  return tableLines([
    ...heads
      .filter((line) => line.some((text) => text !== ''))
      .map((line, index) => (index === 0 ? ['FROM', 'TO', ...line, 'ROUND TRIP'] : ['', '', ...line, '']))
      .map((line) => line.map((text): Cell => ({ text, style: theme.bold }))),
    ...rows,
  ]);
}

interface Column {
  /** What was sent, to which port, and by whom in which IP family: a line each, as together they are wider than most cells. */
  head: readonly string[];
  of(path: ProbedPath): Cell;
}

/** One for each kind of packets; of both families one, too, as long as the same came of both on each path. */
function columnsOf(paths: readonly ProbedPath[], theme: Theme): Column[] {
  const alike = groupBy(
    paths.flatMap(({ cells }) => cells),
    (cell) => headOf(cell).join('\n'),
  );
  return [...alike].flatMap(([key, cells]) => {
    const families = [...new Set(cells.map(({ family }) => family))];
    const [head, own] = [key.split('\n'), new Set(cells)];
    const columns = families.map(
      (family): Column => ({
        head: withFamily(head, family === undefined ? '' : `IPV${family}`),
        of(path) {
          const cell = path.cells.find((one) => one.family === family && own.has(one));
          return cell ? cellOf(cell, theme) : { text: '-' };
        },
      }),
    );
    const [first, ...others] = columns;
    const isSame = paths.every((path) => others.every(({ of }) => isLike(of(path), first?.of(path))));
    return first && others.length > 0 && isSame ? [{ ...first, head: withFamily(head, 'IPV4+6') }] : columns;
  });
}

function isLike(one: Cell, other: Cell | undefined): boolean {
  return one.text === other?.text && one.style === other.style;
}

function headOf({ kind, protocol, port, sender }: PathCell): string[] {
  const isOfPort = port !== undefined && kind !== 'mtu';
  return [kind, isOfPort ? `${protocol} ${port}` : '', variantWords({ kind, sender }).trim()].map((text) =>
    text.toUpperCase(),
  );
}

function withFamily([kind = '', port = '', variant = '']: readonly string[], family: string): string[] {
  return [kind, port, `${variant} ${family}`.trim()];
}

function cellOf({ kind, verdict, count, tested, planned, required, pathMtu }: PathCell, theme: Theme): Cell {
  if (verdict === 'open') {
    const seen = count < planned ? `, ${count} of ${planned} seen` : '';
    return { text: `${kind === 'mtu' ? pathMtu : 'open'}${seen}`, style: theme.ok };
  }
  if (verdict === 'not-tested') return { text: 'not tested', style: theme.warn };
  const part = count < tested ? ` ${count} of ${tested}` : '';
  const size = verdict === 'mtu-too-small' && pathMtu !== undefined ? ` (${pathMtu})` : '';
  return { text: `${verdict}${size}${part}`, style: required ? theme.fail : theme.warn };
}

function testLines(tests: readonly ReportedTest[], theme: Theme): string[] {
  const rows = tests.map(({ kind, protocol, port, family, from, to, verdict, ms, pathMtu, why }) => [
    `${from.cluster}/${from.node}${from.kind === 'pod' ? ' (pod)' : ''}`,
    to.node === undefined ? `${to.cluster} ${to.address}` : `${to.cluster}/${to.node}`,
    `${port === undefined ? kind : `${kind} ${protocol} ${port}`}${family === undefined ? '' : ` IPv${family}`}`,
    { text: verdict, style: verdict === 'open' ? theme.ok : theme.fail },
    [ms === undefined ? '' : `${ms} ms`, pathMtu === undefined ? '' : `${pathMtu} bytes`, why ?? ''].join(' ').trim(),
  ]);
  return tableLines([['FROM', 'TO', 'WHAT', 'VERDICT', ''].map((text) => ({ text, style: theme.bold })), ...rows]);
}

function failureLines(failure: ReportedFailure, theme: Theme): string[] {
  const { required, fromNodes, toNodes, pairs, pairsTried, likely, letThrough, hints, isMutual, losesAnswers } =
    failure;
  const title = failureTitle(failure);
  const [mark, style] = required ? ['❌', theme.fail] : ['⚠️ ', theme.warn];
  const sign = isMutual ? '↔' : '→';
  const nodes = toNodes.length > 0 ? `${listed(fromNodes)} ${sign} ${listed(toNodes)}` : listed(fromNodes);
  const extent = pairs === pairsTried ? 'all that were tried' : `${pairs} of ${pairsTried} tried`;
  const opposite = losesAnswers && !isMutual ? '; what is sent the other way arrives, and its answers are lost' : '';
  return [
    `${mark} ${style(title)}${required ? '' : `; ${whyUnneeded(failure.verdict, failure.packets, failure.lostAt)}`}`,
    ...tableLines(
      [
        ['nodes', `${nodes}; ${extent}`],
        ['likely', `${likely}${opposite}`],
        ...letThrough.map(({ protocol, port, sources, destinations }) => [
          'let in',
          `${protocol}${port === undefined ? '' : ` ${port}`} from ${sources.join(', ')} to ${destinations.join(', ')}`,
        ]),
      ],
      '   ',
    ),
    ...hints.flatMap((hint) => hintLines(hint, theme)),
  ];
}

const listed = (names: readonly string[]) => firstOf(names, MOST_NODES);

function verdict(
  { paths, tests, clusters, failures, untested, unseen = [], unreachable, left: kept = [] }: ProbeReport,
  theme: Theme,
): string {
  const names = clusters.map(({ name }) => name).join(', ');
  const context = clusters.map((cluster) => cluster.context);
  const said = tests.filter((test) => test.verdict !== 'not-tested').length;
  const needed = failures.filter(({ required }) => required).length;
  if (needed > 0 && failures.every(({ required, verdict }) => !required || verdict === 'service-unreachable'))
    return `❌ ${theme.fail(`A mesh of ${names} does not work: ${counted(needed, 'failure')}, and none is the network's`)}`;
  if (needed > 0)
    return `❌ ${theme.fail(`The network between ${names} does not carry a mesh: ${counted(needed, 'failure')}`)}`;
  const again = tryAll({ paths, clusters }, { context, flags: ['-o', 'wide'] });
  const unproved = paths.filter((path) => !isProved(path));
  if (paths.length === 0 || unproved.length > 0) {
    const what = unproved.length > 0 ? `not tested: ${unproved.map(unprovedWords).join('; ')}` : 'nothing was tested';
    return `⚠️  ${theme.warn(`The network between ${names} is not proved; ${what}`)} → ${again}`;
  }
  const left = untested.length > 0 ? '; what was not tested is above' : '';
  const isByNodes = paths.some(({ cells }) => cells.some(isUntriedByPods));
  const extents = clusters.map(extentOf);
  const isWhole = extents.every(({ nodes, of }) => nodes === of);
  const between = isWhole ? '' : ` between ${enumerated(extents.map(extentWords))}`;
  const of = said < tests.length ? `${said} of ` : '';
  const extent = `${isByNodes ? ', as far as nodes send it' : ''} (${of}${counted(tests.length, 'test')}${between})${left}`;
  const carries = `The network between ${names} carries all that the mesh needs${extent}`;
  const quoted = (of: readonly { context: string }[]) => of.map(({ context: one }) => `"${one}"`).join(', ');
  const but = [
    ...(unseen.length > 0 ? [`nothing was seen from or to ${firstOf(unseen.map(({ node }) => node))}`] : []),
    ...(unreachable.length > 0 ? [`context ${quoted(unreachable)} was not probed`] : []),
    ...(kept.length > 0 ? [`the probe is not removed from context ${quoted(kept)}`] : []),
  ];
  if (but.length > 0) return `⚠️  ${theme.warn(`${carries}; ${but.join('; ')}`)}`;
  return isByNodes ? `⚠️  ${theme.warn(carries)} → ${again}` : `✅ ${carries}`;
}
