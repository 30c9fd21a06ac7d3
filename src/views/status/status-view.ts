import { RUN_AT_WORK } from '../../mesh/checks/catalogue.ts';
import { saysLeftOut, seePlacing } from '../../mesh/cilium/agents.ts';
import { describeCommand, meshctlCommand } from '../../mesh/command-line.ts';
import { allOf, capital, firstOf, partOf } from '../../mesh/counted.ts';
import { sinceDisable } from '../../mesh/enable/unfinished-disable.ts';
import { endsByRefresh } from '../../mesh/faults/fault.ts';
import { type Contexts, contextOf } from '../../mesh/faults/fault-advice.ts';
import { endOfStanding } from '../../mesh/invitation/record.ts';
import { shownTime } from '../../mesh/invitation/validity.ts';
import { APISERVER } from '../../mesh/objects/names.ts';
import { MANY_ALIKE } from '../../mesh/pairs.ts';
import { heldBack, RUNS_UNREAD } from '../../mesh/runs-at-work.ts';
import { isOfUndialled } from '../../mesh/status/mesh-status.ts';
import {
  isAlone,
  isUntried,
  labelsOf,
  lookingAgain,
  type PeerStatus,
  type StatusProblem,
  type StatusReport,
} from '../../mesh/status/status.ts';
import { reasonsOf, type StatusReason } from '../../mesh/status/status-reasons.ts';
import { areSomeUnasked, isOnlyUnasked } from '../../mesh/status/unasked.ts';
import { howToBegin, type KnownAround } from '../../mesh/status/whom-to-join.ts';
import { explainLines } from '../explain-view.ts';
import { hintLines, withHintsOnce } from '../hint-lines.ts';
import type { Theme } from '../theme.ts';
import { runLines, withWaitsOnce } from './run-lines.ts';

/** The check whose find a Service without an address is. */
const ADDRESS = 'apiserver-address';

/**
 * The report of `clustermesh status`: the article's three lines when healthy, else also what is wrong and what to do.
 * @param contexts of other clusters, as far as they are known
 * @param others the contexts that it can be connected to, where that is no question
 */
export function statusText(
  report: StatusReport,
  theme: Theme,
  contexts?: Contexts,
  others: readonly string[] = [],
): string {
  const reasons = reasonsOf({ clusters: [report] }, contexts);
  const lines = [headline(report, theme), ...replicaLines(report, reasons, theme)];
  if (!isAlone(report)) {
    lines.push('🔌 Cluster Connections:', ...report.peers.map((peer) => peerLine(peer, theme)));
    lines.push(...report.serves.map((name) => `  • ${theme.bold(name)}: ${saysServed(name, report)}`));
  }
  lines.push(
    ...runLines([report], theme),
    ...withHintsOnce(reasons).flatMap((reason) => reasonLines(reason, theme)),
    ...beginningLines(report, theme, [report], { contexts, others }),
    ...leftOutLines(report, theme),
    ...unseenLines(report, theme),
    ...besideLines(report, theme),
    ...unaddressedLines(report, theme, [report]),
    ...invitationLines(report, theme),
    ...servedLines(report, theme, contexts),
    ...explainLines([...reasons, ...toldBeside([report])], theme),
  );
  return withWaitsOnce(lines, [report], theme).join('\n');
}

/** Of a peer that one does not dial: that it dials this cluster only its own files tell, here there is but the choice. */
function saysServed(name: string, { servesUnseen = [] }: StatusReport): string {
  return servesUnseen.includes(name)
    ? 'to dial this cluster one-way, as chosen; it was not read'
    : 'one-way, it dials this cluster';
}

/** How to begin, in a cluster that is not part of a mesh, where that is not said elsewhere. */
export function beginningLines(
  report: StatusReport,
  theme: Theme,
  reports: readonly StatusReport[],
  around: KnownAround,
): string[] {
  const { enabled, problems, invitations } = report;
  const isSaid = enabled
    ? invitations?.some(({ state }) => state !== 'unreadable')
    : problems.some((problem) => problem.class === 'own-apiserver-missing');
  const next = isSaid ? undefined : howToBegin(report, reports, around);
  return next === undefined ? [] : hintLines(next, theme);
}

/** Nodes that nobody counts: without an agent, their pods are in no mesh. One that is alone has none that they could be in. */
export function leftOutLines(report: StatusReport, theme: Theme): string[] {
  const { context, leftOut = [] } = report;
  if (leftOut.length === 0 || isAlone(report)) return [];
  return [
    ...leftOut.map((group) => `${theme.warn('⚠️ ')} ${context}: ${saysLeftOut(group)} ${theme.dim('(agents-placed)')}`),
    ...hintLines(seePlacing(report), theme),
  ];
}

/** What is told of clusters beside the reasons, by what `meshctl explain` takes: runs at work, and Services without an address. */
export function toldBeside(reports: readonly StatusReport[]): { id: string }[] {
  return [
    ...(reports.some(({ runs = [] }) => runs.length > 0) ? [{ id: RUN_AT_WORK }] : []),
    ...(reports.some(({ unaddressed }) => unaddressed) ? [{ id: ADDRESS }] : []),
  ];
}

/** What a picture of clusters leaves out: nodes without an agent, and what may not be read. */
export function unseenNotes({ clusters }: { clusters: readonly StatusReport[] }): string[] {
  return clusters.flatMap((report) => [
    ...(isAlone(report) ? [] : (report.leftOut ?? []).map((group) => `${report.context}: ${saysLeftOut(group)}`)),
    ...unreadNote(report),
  ]);
}

function unreadNote({ context, unread = [] }: StatusReport): string[] {
  if (unread.length === 0) return [];
  return [`${context}: no right to read, so nothing is known of: ${unread.join(', ')}`];
}

/** What nothing is known of, since it may not be read. */
export function unseenLines(report: StatusReport, theme: Theme): string[] {
  const unlisted = report.invitationsUnread
    ? [`${report.context}: its invitations could not be listed, so that nothing is known of them`]
    : [];
  const notes = [...unreadNote(report), ...unlisted].map((note) => `${theme.warn('‼')} ${note}`);
  return report.runsUnread ? [...notes, `  ${theme.dim(`${report.context}: ${RUNS_UNREAD}`)}`] : notes;
}

/** What is in the way of no connection, and not as it should be. */
export function besideLines({ warnings = [] }: StatusReport, theme: Theme): string[] {
  return warnings.flatMap((warning) => {
    const [says = '', hint] = warning.split(' → ');
    return [`${theme.warn('‼')} ${says}`, ...(hint === undefined ? [] : hintLines(hint, theme))];
  });
}

/** That nobody new can be connected to it yet: what is connected already may well dial it at another address. */
export function unaddressedLines(
  { context, unaddressed }: StatusReport,
  theme: Theme,
  all: readonly StatusReport[],
): string[] {
  if (!unaddressed) return [];
  const next = `Wait for it, or hear why it has none: ${meshctlCommand('clustermesh enable', { context })}`;
  return [
    `${theme.warn('‼')} ${context}: its Service has no address for peers to dial yet ${theme.dim(`(${ADDRESS})`)}`,
    ...hintLines(heldBack(next, all, lookingAgain(all)), theme),
  ];
}

/** Invitations for which somebody still has to act, each with what this side does. */
export function invitationLines({ context, invitations = [] }: StatusReport, theme: Theme): string[] {
  return invitations.flatMap((invitation) => {
    const { id, waitsFor, unseen, expires, next } = invitation;
    const end = endOfStanding(invitation);
    const until = end === undefined && expires !== undefined ? ` (until ${shownTime(new Date(expires))})` : '';
    const words = end ?? `waits for ${waitsFor}`;
    const line =
      unseen === undefined
        ? `${theme.warn('‼')} ${context}: invitation ${id} ${words}${until}`
        : `  ${theme.dim(`${context}: invitation ${id}: ${unseen}${until}`)}`;
    return [line, ...(next === undefined ? [] : hintLines(next, theme))];
  });
}

/** Where to see whether the peers dial it that a cluster only serves, and how they do: from here nobody can. */
function servedLines(report: StatusReport, theme: Theme, contexts: Contexts = new Map()): string[] {
  const { peers, serves, servesUnseen = [], enabled, context } = report;
  if (peers.length > 0 || serves.length === 0 || !enabled) return [];
  const theirs = serves.map((name) => contextOf(contexts, name));
  // Together with this one: who has parted with it, or has lost its files, is told only where both are read.
  const look =
    servesUnseen.length > 0
      ? `whether ${servesUnseen.length === 1 ? 'it dials' : 'they dial'} this cluster: ${meshctlCommand('clustermesh status', { context: [context, ...theirs] })}`
      : `their status: ${meshctlCommand('clustermesh status', { context: theirs })}`;
  return hintLines(look, theme);
}

/** What is said of a cluster, or of a mesh, in which nothing that was seen is wrong. */
export const AS_FAR_AS_READ = 'as far as that may be read';

/** One line on the cluster's nodes; says so when only a sample of them was asked. @param name what to call it among others */
export function headline(report: StatusReport, theme: Theme, name = report.cluster.name): string {
  const { nodes, sample } = report;
  if (!report.enabled && report.peers.length === 0)
    return `❌ ${theme.fail(`Cluster Mesh is not enabled in ${name}${sinceDisable(report.unfinished)}`)}`;
  if (isAlone(report)) {
    const { admits = [] } = report;
    const words =
      admits.length > 0 ? `dials no cluster, although it lets ${admits.join(', ')} in` : 'is connected to no cluster';
    return `⚠️  ${theme.warn(`${name} ${words}`)}`;
  }
  if (nodes.total === 0) return `❌ ${theme.fail(`No Cilium agent runs in ${name}`)}`;
  if (report.peers.length === 0) {
    const words = saysOnlyServes(report, name);
    if (report.unproved) return `⚠️  ${theme.warn(`${words}, ${AS_FAR_AS_READ}`)}`;
    return report.healthy ? `✅ ${words}` : `❌ ${theme.fail(`${words}, but not all of it is well`)}`;
  }
  const word = sample ? 'sampled node' : 'node';
  const note = sample ? theme.warn(` (a sample of ${sample.percent}%: ${sample.asked} of ${sample.nodes} nodes)`) : '';
  if (nodes.connected === nodes.total) {
    const all = allOf(nodes.total, word, ['is', 'are']);
    if (report.unproved)
      return `⚠️  ${theme.warn(`${capital(all)} connected to all clusters, ${AS_FAR_AS_READ}`)}${note}`;
    return report.healthy
      ? // Scripts look for this very line, whatever the number.
        `✅ All ${nodes.total} ${word}s are connected to all clusters${note}`
      : isOnlyUnasked(report)
        ? `⚠️  ${theme.warn(shortcoming(report, all))}${note}`
        : `❌ ${theme.fail(shortcoming(report, all))}${note}`;
  }
  if (areSomeUnasked(nodes)) {
    const unasked = partOf(nodes.unasked ?? 0, nodes.total, word, ['could', 'could']);
    return `⚠️  ${theme.warn(`${capital(unasked)} not be asked`)}${note}`;
  }
  const lacking = partOf(nodes.total - nodes.connected, nodes.total, word, ['is', 'are']);
  return `❌ ${theme.fail(`${capital(lacking)} not connected to all clusters`)}${note}`;
}

/** Of a cluster that dials nobody, as chosen: who dials it was seen at them, or is only on record here. */
function saysOnlyServes({ serves, servesUnseen = [] }: StatusReport, label: string): string {
  const seen = serves.filter((name) => !servesUnseen.includes(name));
  const dialled = `${label} is dialled one-way by ${seen.join(', ')}, as chosen`;
  if (servesUnseen.length === 0) return dialled;
  const unseen = servesUnseen.join(', ');
  const [dial, are, were] = servesUnseen.length === 1 ? ['dials', 'is', 'was'] : ['dial', 'are', 'were'];
  return seen.length > 0
    ? `${dialled}; whether ${unseen} ${dial} it too is not known`
    : `${label} dials no cluster, as chosen; ${unseen}, which ${are} to dial it, ${were} not read`;
}

/**
 * Why a cluster is not healthy whose nodes are all connected: the worst that there is, then what still works.
 * @param all its nodes, with the verb
 */
function shortcoming(report: StatusReport, all: string): string {
  const { enabled, kvstoremesh, problems, faults } = report;
  const still = `${all} still connected to all clusters`;
  const heldOver = problems.filter((problem) => problem.heldOver);
  if (heldOver.length > 0) {
    return `New connections ${heldOver.every(isUntried) ? 'could not be tried' : 'fail'}; ${still}`;
  }
  if (!enabled) return `The clustermesh-apiserver is missing; ${still}`;
  if (kvstoremesh.enabled && kvstoremesh.replicas === 0) return `No KVStoreMesh replica runs; ${still}`;
  if (kvstoremesh.enabled && areSomeUnasked({ ...kvstoremesh, total: kvstoremesh.replicas })) {
    const unasked = partOf(kvstoremesh.unasked ?? 0, kvstoremesh.replicas, 'KVStoreMesh replica', ['could', 'could']);
    return `${capital(unasked)} not be asked; ${all} connected to all clusters`;
  }
  if (kvstoremesh.enabled && kvstoremesh.connected < kvstoremesh.replicas) {
    const lacking = kvstoremesh.replicas - kvstoremesh.connected;
    return `${capital(partOf(lacking, kvstoremesh.replicas, 'KVStoreMesh replica', ['is', 'are']))} not connected to all clusters; ${all}`;
  }
  // Of one that is to be dialled and is not there is no connection that could end.
  const broken = faults.filter((fault) => fault.outage && !isOfUndialled(report, fault));
  if (broken.some(endsByRefresh))
    return `Connections end once kubelets refresh the peering files, in about a minute; ${still}`;
  if (broken.length > 0) return `The connections would not come back after a restart; ${still}`;
  return `Not everything is healthy; ${still}`;
}

/** What to do where no KVStoreMesh replica runs and no reason says why; else nothing. */
export function replicaLines(
  report: StatusReport,
  reasons: readonly StatusReason[],
  theme: Theme,
  all: readonly StatusReport[] = [report],
): string[] {
  const { context, namespace, enabled, kvstoremesh, peers } = report;
  const name = labelsOf(all)(report);
  if (!kvstoremesh.enabled || isAlone(report) || kvstoremesh.replicas > 0) return [];
  // Who dials nobody, as chosen, has no changes to notice.
  const unnoticed = peers.length === 0 ? '' : ', so changes in other clusters go unnoticed';
  const line = `${theme.warn('⚠️ ')} ${name}: no KVStoreMesh replica runs${unnoticed}`;
  if (!enabled || reasons.some(({ about }) => about.includes(name))) return [line];
  const look = describeCommand({ context, namespace }, 'deployment', { name: APISERVER });
  return [line, ...hintLines(look, theme)];
}

function peerLine({ name, agents }: PeerStatus, theme: Theme): string {
  const { unasked = 0 } = agents;
  const count = (part: number, word: string): string => {
    const text = `${part}/${agents.total} ${word}`;
    if (part === agents.total) return text;
    return part + unasked === agents.total ? theme.warn(text) : theme.fail(text);
  };
  const silent = unasked > 0 ? `, ${theme.warn(`${unasked}/${agents.total} not asked`)}` : '';
  return `  • ${theme.bold(name)}: ${count(agents.configured, 'configured')}, ${count(agents.connected, 'connected')}${silent}`;
}

/** So many clusters are named, and not their pods, which would stand between what is wrong and what to do. */
const MANY_CLUSTERS = 6;

/**
 * A reason with an example of whom it holds for, the agent's own words and the next step.
 * @param isOfMany several clusters are looked at: pods do not tell by their names of which one they are
 * @param isCut they are so many that where it is so is told by clusters, and by pods only where these are few
 */
export function reasonLines(
  { id, about, lead, says, places, holder, message, hint }: StatusReason,
  theme: Theme,
  { isOfMany = false, isCut = false } = {},
): string[] {
  const clusters = new Set(places.map(({ cluster }) => cluster));
  const each = places.map(({ cluster, problem }) =>
    isOfMany || clusters.size > 1 ? `${cluster}: ${placesOf(problem)}` : placesOf(problem),
  );
  const isMany = clusters.size >= (isCut ? MANY_ALIKE : MANY_CLUSTERS);
  const held = isOfMany && holder !== undefined ? [`in ${holder}`] : [];
  const where = isMany ? [inClusters([...clusters])] : [...each, ...held];
  const words = [...(lead === undefined ? [] : [lead]), says].join(': ');
  return [
    `${theme.warn('⚠️ ')} ${firstOf(about)}: ${words}${where.length > 0 ? ` — ${(about.length > 1 && id === 'agent-unreachable' ? [firstOf(where)] : where).join('; ')}` : ''} ${theme.dim(`(${id})`)}`,
    ...(message ? [`     ${theme.dim(message)}`] : []),
    ...hintLines(hint, theme),
  ];
}

/** `in 16 clusters: mesh-1, mesh-2, mesh-3 and 13 more`. */
function inClusters(names: readonly string[]): string {
  return `in ${names.length} clusters: ${firstOf(names)}`;
}

/** `node-1, node-2, node-3 and 2 more`, `KVStoreMesh (pod-1), for which 2 nodes wait`. */
export function placesOf({ component, nodes, nodesWaiting }: StatusProblem): string {
  const names = firstOf(nodes);
  if (component === 'agent') return names;
  const waiting =
    nodesWaiting === undefined
      ? ''
      : `, for which ${nodesWaiting === 1 ? 'one node waits' : `${nodesWaiting} nodes wait`}`;
  return `KVStoreMesh (${names})${waiting}`;
}
