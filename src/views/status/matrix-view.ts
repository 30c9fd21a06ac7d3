import { connectCommand, meshctlCommand } from '../../mesh/command-line.ts';
import { capital, counted, firstOf, partOf } from '../../mesh/counted.ts';
import { enabledFirst, notReadyIn } from '../../mesh/faults/enable-first.ts';
import type { Contexts } from '../../mesh/faults/fault-advice.ts';
import { onceAddressed } from '../../mesh/faults/unready.ts';
import { pairsOf } from '../../mesh/pairs.ts';
import { ledNowhere } from '../../mesh/peers/peers-outside.ts';
import { heldBack } from '../../mesh/runs-at-work.ts';
import {
  havePeeringLost,
  type MatrixCell,
  type MeshStatusReport,
  rowsOf,
  silentContexts,
} from '../../mesh/status/mesh-status.ts';
import { diallersOfNamesake } from '../../mesh/status/other-cluster.ts';
import {
  areAllConnected,
  isAlone,
  isUnwell,
  labelsOf,
  lookingAgain,
  mayBePeersOf,
  peerNameOf,
  type StatusReport,
} from '../../mesh/status/status.ts';
import { reasonsOf } from '../../mesh/status/status-reasons.ts';
import { areSomeUnasked, isOnlyUnasked } from '../../mesh/status/unasked.ts';
import { joinAll } from '../../mesh/status/whom-to-join.ts';
import { explainLines } from '../explain-view.ts';
import { hintLines, withHintsOnce } from '../hint-lines.ts';
import type { Theme } from '../theme.ts';
import { unreachableLines } from '../unreachable-view.ts';
import { isLargeMesh, matrixLines, withinColumns } from './matrix-lines.ts';
import { runLines, withWaitsOnce } from './run-lines.ts';
import {
  AS_FAR_AS_READ,
  beginningLines,
  besideLines,
  invitationLines,
  leftOutLines,
  headline as ownHeadline,
  reasonLines,
  replicaLines,
  toldBeside,
  unaddressedLines,
  unseenLines,
} from './status-view.ts';

/**
 * The status of several clusters: a matrix of who is connected to whom, then what is wrong, each thing once. Of a mesh that is too large
 * for the terminal only what is wrong of the matrix, and lines that fit.
 * @param contexts of clusters that were not asked, as far as they are known
 * @param whole all of the matrix, however large
 */
export function meshStatusText(
  report: MeshStatusReport,
  theme: Theme,
  contexts?: Contexts,
  { whole = false }: { whole?: boolean } = {},
): string {
  const isCut = !whole && isLargeMesh(report, theme);
  const lines = withWaitsOnce(meshLines(report, theme, contexts, isCut), report.clusters, theme);
  return (isCut ? withinColumns(lines, theme) : lines).join('\n');
}

function meshLines(report: MeshStatusReport, theme: Theme, contexts: Contexts | undefined, isCut: boolean): string[] {
  const lines = [headline(report, theme)];
  if (report.clusters.length > 0) {
    lines.push(`🔌 Cluster Connections${isCut ? '' : ' (nodes of the row connected to the column)'}:`);
    lines.push(...matrixLines(report, theme, isCut));
    const { outside = [] } = report;
    if (outside.length > 0)
      lines.push(`  ${theme.dim(ledNowhere(outside, 'connections were seen from one side only'))}`);
  }
  lines.push(...unansweredLines(report, theme));
  const runs = runLines(report.clusters, theme);
  if (runs.length > 0) lines.push('', ...runs);
  for (const cluster of report.unreachable) lines.push('', ...unreachableLines([cluster], theme));
  const reasons = reasonsOf(report, contexts);
  const labelOf = labelsOf(report.clusters);
  const replicas = report.clusters.map((cluster) => {
    const name = labelOf(cluster);
    // The same fault again, without a next step of its own.
    const isTold = reasons.some(({ about, places }) => about.includes(name) && places.length > 0);
    return { lines: replicaLines(cluster, reasons, theme, report.clusters), isTold };
  });
  const wrong = [
    ...replicas.flatMap(({ lines: own, isTold }) => (isTold ? [] : own)),
    ...withHintsOnce(reasons).flatMap((reason) => reasonLines(reason, theme, { isOfMany: true, isCut })),
    ...explainLines([...reasons, ...toldBeside(report.clusters)], theme),
  ];
  if (wrong.length > 0) lines.push('', ...wrong);
  const waiting = report.clusters.flatMap((cluster) => [
    ...leftOutLines(cluster, theme),
    ...unseenLines(cluster, theme),
    ...besideLines(cluster, theme),
    ...unaddressedLines(cluster, theme, report.clusters),
    ...invitationLines(cluster, theme),
  ]);
  if (waiting.length > 0) lines.push('', ...waiting);
  const apart = unconnected(report);
  const [, ...rest] = apart;
  const off = apart.filter(({ enabled }) => !enabled);
  const isAll = rest.length === report.clusters.length - 1 && rest.length > 0 && off.length <= rest.length;
  const joining = isAll ? joinAll(apart) : undefined;
  if (
    joining !== undefined &&
    !off.some(({ unsigned, caExpired, kvstore, unfinished }) => unsigned || caExpired || kvstore || unfinished)
  ) {
    // Nobody is connected to anybody: one command for all.
    const enable = meshctlCommand('clustermesh enable', { context: off.map(({ context }) => context) });
    const contexts = apart.map(({ context }) => context);
    const connect = onceAddressed(joining, contexts, report.clusters);
    if (off.length > 0) lines.push('', ...off.map((cluster) => ownHeadline(cluster, theme, labelOf(cluster))));
    const next = off.length > 0 ? `${enable} && ${connect}` : connect;
    return [...lines, ...hintLines(heldBack(next, report.clusters, lookingAgain(report.clusters)), theme)];
  }
  const told = new Set(reasons.filter(({ places }) => places.length > 0).flatMap(({ about }) => about));
  const silent = silentContexts(report.unreachable);
  for (const cluster of apart) {
    // What others lack because of it has been said, with what to do about it.
    if (!cluster.enabled && told.has(labelOf(cluster))) continue;
    const next = beginningLines(cluster, theme, report.clusters, { contexts, silent });
    lines.push('', ownHeadline(cluster, theme, labelOf(cluster)), ...namesakeLines(cluster, report), ...next);
  }
  return lines;
}

/** Of connections that are one-way, as chosen: which requests have no answer by that, or would have none. */
function unansweredLines({ unanswered = [], clusters }: MeshStatusReport, theme: Theme): string[] {
  const contextOf = (name: string) => clusters.find(({ cluster }) => cluster.name === name)?.context ?? name;
  return unanswered.flatMap(({ from, to, services, later }) => {
    const why = `${to} does not dial ${from}, and sends packets through the tunnel only to pods of clusters that it dials`;
    const says =
      services.length > 0
        ? `Requests from ${from} for ${firstOf(services)} that go to ${to} get no answer: ${why}`
        : `Requests from ${from} for ${firstOf(later)} do not go to ${to} so far, and would get no answer there: ${why}`;
    const both = connectCommand(contextOf(from), contextOf(to), ['--connection-mode', 'bidirectional']);
    const next = enabledFirst(`To have both dial: ${both}`, notReadyIn(clusters));
    return ['', `⚠️  ${theme.warn(says)}`, ...hintLines(next, theme)];
  });
}

/** A cluster of which others seem to know all the same, by its name. */
function namesakeLines(cluster: StatusReport, { clusters }: MeshStatusReport): string[] {
  const diallers = diallersOfNamesake(cluster, clusters);
  if (diallers.length === 0) return [];
  const dial = diallers.length === 1 ? 'dials' : 'dial';
  const { name } = cluster.cluster;
  return [
    `   context "${cluster.context}" leads to another cluster than the ${name} that ${diallers.join(', ')} ${dial}`,
  ];
}

/** Clusters that are no part of the mesh: the others need a word on them. */
function unconnected({ clusters }: MeshStatusReport): StatusReport[] {
  return clusters.filter((report) => !report.enabled || isAlone(report));
}

function headline(report: MeshStatusReport, theme: Theme): string {
  const { clusters, unreachable, healthy } = report;
  const nameOf = labelsOf(clusters);
  const isUnproved = unreachable.length === 0 && clusters.length > 0 && !healthy && !clusters.some(isUnwell);
  const nodes = clusters.reduce((sum, { nodes: { total } }) => sum + total, 0);
  const total = clusters.length + unreachable.length;
  const sampled = clusters.some(({ sample }) => sample) ? theme.warn(' (only a sample of the nodes was asked)') : '';
  if (healthy || isUnproved) {
    const apart = pairsApart(report).map((pair) => pair.map(nameOf).join(' and '));
    const served = rowsOf(report).flatMap(({ report: { servesUnseen = [] }, cells }) =>
      cells.flatMap(({ state, from, to }) =>
        state === 'one-way' ? [{ dial: `${to} → ${from}`, isSeen: !servesUnseen.includes(to) }] : [],
      ),
    );
    const oneWay = served.flatMap(({ dial, isSeen }) => (isSeen ? [dial] : []));
    const onRecord = served.flatMap(({ dial, isSeen }) => (isSeen ? [] : [dial]));
    const exceptions = [
      ...(apart.length > 0 ? [`not peers of each other: ${fewOf(apart)}`] : []),
      ...(clusters.some(({ ofOtherMeshes }) => ofOtherMeshes) ? ['clusters of other meshes have the same names'] : []),
      ...(oneWay.length > 0 ? [`one-way, as chosen: ${fewOf(oneWay)}`] : []),
      ...(onRecord.length > 0 ? [`to be one-way, as chosen, and not read: ${fewOf(onRecord)}`] : []),
    ];
    const words = exceptions.length > 0 ? `all their peers (${exceptions.join('; ')})` : 'all clusters';
    const says = `All ${nodes} nodes of ${counted(total, 'cluster')} are connected to ${words}`;
    return isUnproved ? `⚠️  ${theme.warn(`${says}, ${AS_FAR_AS_READ}`)}${sampled}` : `✅ ${says}${sampled}`;
  }
  if (unreachable.length === 0 && unconnected(report).length === clusters.length) {
    return `⚠️  ${theme.warn(total === 1 ? 'The cluster is connected to no other' : `None of the ${total} clusters is connected to another`)}`;
  }
  const has = (state: MatrixCell['state']) =>
    new Set(rowsOf(report).flatMap((row) => (row.cells.some((cell) => cell.state === state) ? [row.report] : [])));
  const disconnected = has('disconnected');
  // Of those nothing is known to be wrong: not to be asked is not to be unconnected.
  const unasked = clusters.filter(
    // Whatever else is known of it, as of a peer that is down, says nothing of its connections.
    (cluster) => isOnlyUnasked(cluster) || (areSomeUnasked(cluster.nodes) && !disconnected.has(cluster)),
  );
  const whole = (cluster: StatusReport) =>
    unasked.includes(cluster) || (!isAlone(cluster) && areAllConnected(cluster.nodes) && !disconnected.has(cluster));
  const lacking = clusters.filter((cluster) => !whole(cluster)).length;
  // Those that the matrix marks; what is wrong in the rest is at others, who dial them, or of no connection.
  const marked = has('at-risk');
  const judged = clusters.filter((cluster) => whole(cluster) && !unasked.includes(cluster));
  const atRisk = judged.filter((cluster) => marked.has(cluster)).length;
  const lost = pairsOf(clusters).filter((pair) => havePeeringLost(...pair));
  const unwell = judged.filter((cluster) => isUnwell(cluster) && !marked.has(cluster)).map(nameOf);
  const peeringLost =
    lost.length > 0 ? ` (peering lost: ${fewOf(lost.map((pair) => pair.map(nameOf).join(' and ')))})` : '';
  const words = [
    ...(unreachable.length > 0
      ? [`${partOf(unreachable.length, total, 'cluster', ['cannot', 'cannot'])} be queried`]
      : []),
    ...(unasked.length > 0
      ? [`${partOf(unasked.length, total, 'cluster', ['could', 'could'])} not be asked${inFull(unasked)}`]
      : []),
    ...(lacking > 0
      ? [`${partOf(lacking, total, 'cluster', ['is', 'are'])} not connected to all clusters${peeringLost}`]
      : []),
    ...(atRisk > 0 ? [`${partOf(atRisk, total, 'cluster', ['is', 'are'])} connected, but degraded`] : []),
    ...(unwell.length > 0 ? [`not all is well in ${firstOf(unwell)}`] : []),
  ];
  const isOnly = unreachable.length + lacking + atRisk + unwell.length === 0;
  const says = capital(words.join('; '));
  return `${isOnly ? `⚠️  ${theme.warn(says)}` : `❌ ${theme.fail(says)}`}${sampled}`;
}

/** Where some of their nodes have answered. */
function inFull(unasked: readonly StatusReport[]): string {
  return unasked.some(({ nodes }) => nodes.connected > 0) ? ' in full' : '';
}

/** So many pairs are named in the first line. */
const MOST_PAIRS = 6;

function fewOf(pairs: readonly string[]): string {
  const rest = pairs.length - MOST_PAIRS;
  return rest > 1 ? `${pairs.slice(0, MOST_PAIRS).join('; ')}; and ${rest} more pairs` : pairs.join('; ');
}

/** Clusters that were asked and do not dial each other, each pair once. Those of two meshes of the same names are none. */
function pairsApart(mesh: MeshStatusReport): [StatusReport, StatusReport][] {
  const { clusters } = mesh;
  const apart = apartIn(mesh);
  const isPair = ([one, other]: [StatusReport, StatusReport]) =>
    mayBePeersOf(one, clusters).includes(other) && mayBePeersOf(other, clusters).includes(one);
  return pairsOf(clusters).filter((pair) => isPair(pair) && apart(...pair) && apart(pair[1], pair[0]));
}

/** Whether one cluster is not set to dial another one. */
function apartIn(mesh: MeshStatusReport): (from: StatusReport, to: StatusReport) => boolean {
  const rows = new Map(rowsOf(mesh).map(({ report, cells }) => [report, cells]));
  return (from, to) =>
    rows.get(from)?.some((cell) => cell.to === peerNameOf(to) && cell.state === 'not-configured') ?? false;
}
