import {
  type RoutesReport,
  type RouteToPods,
  rangesCounted,
  rangeWords,
  unjudgedPairs,
} from '../../mesh/cilium/routes.ts';
import { meshctlCommand } from '../../mesh/command-line.ts';
import { counted, firstOf, partOf } from '../../mesh/counted.ts';
import { groupBy } from '../../mesh/pairs.ts';
import { hintLines } from '../hint-lines.ts';
import { type Cell, tableLines } from '../table.ts';
import type { Theme } from '../theme.ts';
import { unreachableLines } from '../unreachable-view.ts';

/** A table of routes, gaps marked, with what that comes to. */
export function routesText(report: RoutesReport, theme: Theme): string {
  const { routes, unreachable } = report;
  const head = ['CLUSTER', 'NODE', 'TO', 'POD RANGE', 'VIA', 'DEVICE', 'SOURCE'];
  const table = tableLines([head.map((text) => ({ text, style: theme.bold })), ...rowsOf(report, theme)]);
  const lines = [...headLines(report, theme), ...(routes.length > 0 ? table : [])];
  lines.push(...[...skippedWords(report), ...untoldWords(report)].map((says) => `${theme.warn('⚠️ ')} ${says}`));
  lines.push(...report.clusters.flatMap(({ hint }) => (hint === undefined ? [] : hintLines(hint, theme))));
  for (const warning of report.warnings ?? []) {
    const [says = '', hint] = warning.split(' → ');
    lines.push(`${theme.warn('⚠️ ')} ${says}`, ...(hint === undefined ? [] : hintLines(hint, theme)));
  }
  lines.push(...unpairedWords(report).map((says) => theme.dim(says)));
  return [...lines, ...unreachableLines(unreachable, theme)].join('\n');
}

/** The rows of the table alone. */
export function routesRows(report: RoutesReport, theme: Theme): string {
  return tableLines(rowsOf(report, theme)).join('\n');
}

/** What is said of them where they stand alone: nothing while all is well. */
export function routesNotes(report: RoutesReport): string[] {
  const { level, says, next } = verdictOf(report);
  // In a note, an arrow is what its next step comes behind.
  const [words = '', ...skipped] = [says, ...skippedWords(report), ...untoldWords(report)].map((text) =>
    text.replaceAll(' → ', ' to '),
  );
  const hints = report.clusters.flatMap(({ hint, name }) =>
    hint === undefined ? [] : [`no pod range of ${name} could be read → ${hint}`],
  );
  return [
    ...(level === 'ok' ? [] : [next === undefined ? words : `${words} → ${next}`]),
    ...skipped,
    ...hints,
    ...(report.warnings ?? []),
  ];
}

function unpairedWords({ unpaired = [] }: RoutesReport): string[] {
  return unpaired.length > 0 ? [`Not to be connected, and skipped: ${unpaired.map(arrowed).join(', ')}`] : [];
}

const arrowed = ([from, to]: readonly [string, string]): string => `${from} → ${to}`;

function skippedWords(report: RoutesReport): string[] {
  if (report.clusters.length < 2) return [];
  const mayNot = report.clusters.flatMap(({ hint, name }) => (hint === undefined ? [] : [name]));
  return unjudgedPairs(report).map(([from, to]) => {
    const why = mayNot.includes(to)
      ? `the pod ranges of ${to} may not be read`
      : `no agent of ${from} runs, or no pod range of ${to} is known`;
    return `${from} → ${to}: skipped: ${why}`;
  });
}

const MOST_NAMED = 5;

/** `mesh-1: node-1, node-2: …`: of each cluster those nodes of which nobody told the routes. */
function untoldWords({ untold = [] }: RoutesReport): string[] {
  return [...groupBy(untold, ({ from }) => from)].map(
    ([from, nodes]) =>
      `${from}: skipped: ${firstOf(
        nodes.map(({ node }) => node),
        MOST_NAMED,
      )}: no agent that runs there told all its routes`,
  );
}

function rowsOf({ routes }: RoutesReport, theme: Theme): (Cell | string)[][] {
  return routes.map((route) => {
    const { from, node, to, via, device } = route;
    return [from, node, to, rangeWords(route), via ?? '-', device ?? '-', sourceCell(route, theme)];
  });
}

function headLines(report: RoutesReport, theme: Theme): string[] {
  const { level, says, next } = verdictOf(report);
  if (level === 'ok') return [`✅ ${says}`];
  const mark = level === 'fail' ? '❌' : '⚠️ ';
  return [`${mark} ${theme[level](says)}`, ...(next === undefined ? [] : [`   ${theme.dim('→')} ${next}`])];
}

interface Verdict {
  level: 'ok' | 'warn' | 'fail';
  says: string;
  next?: string;
}

/** What all routes come to. */
function verdictOf(report: RoutesReport): Verdict {
  const { routes, clusters, complete, unreachable, unpaired = [], untold = [], outside = [] } = report;
  const nodes = clusters.reduce((sum, cluster) => sum + cluster.nodes, 0);
  if (complete) {
    const all = nodes === 1 ? 'The node has' : `All ${nodes} nodes have`;
    const ofAll = unpaired.length > 0 ? 'every pod range of their peers' : 'every remote pod range';
    const whose = outside.length > 0 ? `${ofAll} that was read` : ofAll;
    const says = `${all} a route to ${whose}`;
    const byDefault = rangesCounted(routes.filter(({ source }) => source === 'default'));
    if (byDefault === 0) return { level: 'ok', says };
    const which = partOf(byDefault, rangesCounted(routes), 'route', ['is', 'are']);
    const probe = meshctlCommand('connectivity probe', { context: clusters.map(({ context }) => context) });
    return {
      level: 'warn',
      says: `${says}; ${which} the default route, behind which the network has to know the ranges`,
      next: `See whether it does: ${probe}`,
    };
  }
  if (clusters.length < 2) {
    const asked = clusters.length + unreachable.length;
    const which = asked < 2 ? 'only one cluster was read' : `only ${clusters.length} of ${asked} clusters answered`;
    const next = asked < 2 ? { next: meshctlCommand('clustermesh routes', {}, ['--all']) } : {};
    return { level: 'warn', says: `There is nothing to compare: ${which}`, ...next };
  }
  if (routes.length === 0 && unpaired.length > 0 && unreachable.length === 0) {
    const names = clusters.map(({ name }) => name).join(', ');
    return { level: 'warn', says: `There is nothing to compare: ${names} are no peers of each other` };
  }
  const compared = untold.length > 0 && unreachable.length === 0 && unjudgedPairs(report).length === 0;
  const missing = rangesCounted(routes.filter(({ source }) => !source));
  const total = rangesCounted(routes);
  const words = [
    ...(missing > 0
      ? [`${partOf(missing, total, 'route', ['is', 'are'])} missing`]
      : [`${counted(total, 'route')} found, but not all ${compared ? 'nodes were asked' : 'clusters were compared'}`]),
    ...apartWords(routes),
  ];
  return { level: missing > 0 ? 'fail' : 'warn', says: words.join('; ') };
}

/** `not connected: mesh-1 → mesh-2, mesh-2 → mesh-1`. */
function apartWords(routes: readonly RouteToPods[]): string[] {
  const apart = routes.filter(({ connected }) => connected === false).map(({ from, to }) => `${from} → ${to}`);
  return apart.length > 0 ? [`not connected: ${[...new Set(apart)].join(', ')}`] : [];
}

function sourceCell({ source, connected, dropped }: RouteToPods, theme: Theme): Cell | string {
  if (source) return source;
  return { text: `✗ ${connected === false ? 'not connected' : (dropped ?? 'missing')}`, style: theme.fail };
}
