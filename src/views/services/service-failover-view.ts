import { meshctlCommand } from '../../mesh/command-line.ts';
import { counted, enumerated, firstOf } from '../../mesh/counted.ts';
import { foldAlike, groupBy } from '../../mesh/pairs.ts';
import { doubtsOf } from '../../mesh/services/assumptions.ts';
import { endsByItself } from '../../mesh/services/silence.ts';
import { type ClusterLoss, isServed, type ServiceSurvival, type Survivor } from '../../mesh/services/survival.ts';
import { hintLines } from '../hint-lines.ts';
import { type Cell, tableLines } from '../table.ts';
import type { Theme } from '../theme.ts';
import { unreachableLines } from '../unreachable-view.ts';
import { brokenLinkLines } from './broken-links-view.ts';
import type { ReadClusters } from './read-clusters.ts';
import { assumedData, assumedLines, noneLines, unreadLines, withoutUnread } from './service-list-view.ts';
import { drainedCell, silentCell, silentLossLines } from './silent-loss-view.ts';

export interface FailoverReport extends ReadClusters {
  services: readonly ServiceSurvival[];
  /** What has to be so besides what could be seen, of {@link survivalDoubts}. */
  doubts?: readonly string[] | undefined;
  /** It is only asked for clusters that are drained, and not for such as fall silent. */
  drainedOnly?: true | undefined;
  /** The one Service that was asked for is global in none of the clusters that were read: none of them serves another one. */
  notGlobal?: true | undefined;
}

/**
 * Whether there are global Services, each of them is global in each cluster that has it and survives every loss that was looked at, of the kinds that were asked for, no cluster is
 * missing, and of each it was seen to whom it is connected, and would be after a restart. Peers that nobody named are no part of the question: what they have
 * could only serve more.
 */
export function isSurvivable(report: FailoverReport): boolean {
  const { services, unreachable, notGlobal } = report;
  if (notGlobal || services.length === 0 || unreachable.length > 0 || allDoubts(report).length > 0) return false;
  return services.every(
    ({ notGlobalIn, losses }) =>
      !notGlobalIn && losses.every(({ survives, silent }) => (report.drainedOnly ? survives : silent.survives)),
  );
}

/**
 * Whether a Service is known not to survive a loss that was asked for, whatever clusters hold that were not read: requests go on to one
 * that is gone, it is not global in one that has it, or a cluster is not served of which each peer was read.
 */
export function isProvedToFail({ services, clusters, drainedOnly }: FailoverReport): boolean {
  const whole = clusters.filter(({ peers, unread }) => peers !== undefined && unread.length === 0);
  const isUnserved = (one: Survivor) => !isServed(one) && whole.some(({ cluster }) => cluster === one.cluster);
  return services.some(
    ({ notGlobalIn, losses }) =>
      notGlobalIn !== undefined ||
      losses.some(
        ({ served, untold = [], silent }) =>
          served.some(isUnserved) || !endsByItself((drainedOnly ? untold : silent.stray) ?? []),
      ),
  );
}

function allDoubts({ clusters, doubts = [] }: FailoverReport): string[] {
  return [...doubtsOf(clusters), ...doubts];
}

/** The document's data. */
export function failoverData({ unreachable, doubts = [], ...report }: FailoverReport): Record<string, unknown> {
  const survivable = isSurvivable({ ...report, doubts, unreachable });
  const { assumed = [] } = assumedData(report.clusters);
  const all = [...assumed, ...doubts];
  return {
    survivable,
    ...report,
    ...(all.length > 0 ? { assumed: all } : {}),
    ...(unreachable.length > 0 ? { unreachable } : {}),
  };
}

/** In a mesh of so many clusters the verdict comes first, and a loss that changes nothing has no row of its own. */
const MANY_CLUSTERS = 6;

/**
 * `service failover`: a row for each Service and cluster lost, then those that would fail. That is what was asked for, and
 * nothing has failed yet: only where each is required to survive it is a failure.
 */
export function failoverText(
  report: FailoverReport,
  theme: Theme,
  { namespace, isRequired }: { namespace?: string | undefined; isRequired: boolean },
): string {
  const { services, unreachable } = report;
  if (services.length === 0) return noneLines(report, theme, namespace).join('\n');
  const ifSilent = report.drainedOnly ? [] : ['IF SILENT'];
  const head = ['NAMESPACE', 'NAME', 'WITHOUT', 'SURVIVES', ...ifSilent, 'READY LEFT', 'SERVED BY'].map((text) => ({
    text,
    style: theme.bold,
  }));
  const others = isPartial(report) ? 'no other cluster that was read' : 'no other cluster';
  const isMany = report.clusters.length >= MANY_CLUSTERS;
  const silentOf = (loss: ClusterLoss) => (report.drainedOnly ? [] : [silentCell(loss, theme)]);
  const rows = services.flatMap((service) =>
    (isMany ? byEffect(service, silentOf) : service.losses.map((loss) => [loss])).flatMap((alike) =>
      alike.slice(0, 1).map((loss): (Cell | string)[] => {
        const isOne = alike.length === 1;
        const [left, servers] = isOne ? servedCells(service, loss, others, theme) : alikeCells(service, loss, theme);
        const without = isOne ? loss.without : withoutAny(service, alike);
        return [service.namespace, service.name, without, drainedCell(loss, theme), ...silentOf(loss), left, servers];
      }),
    ),
  );
  const table = tableLines([head, ...rows]);
  const notes = [
    ...silentColumnLines(report, theme, isRequired),
    ...notGlobalLines(report, theme),
    ...partlyGlobalLines(report, theme, isRequired),
    ...brokenLinkLines(report, theme),
    ...unreadLines(report, theme),
    ...assumedLines(report.clusters, theme, true),
  ];
  const verdict = [...summaryLines(report, theme, isRequired), ...unreachableLines(unreachable, theme)];
  return (isMany ? [...verdict, '', ...table, '', ...notes] : [...table, '', ...notes, ...verdict])
    .join('\n')
    .trimEnd();
}

/** What the column is about, where no verdict on it says so. */
function silentColumnLines(report: FailoverReport, theme: Theme, isRequired: boolean): string[] {
  if (report.drainedOnly || silentLossLines(report, theme, isRequired).length > 0) return [];
  return [theme.dim('IF SILENT: its power or network is gone, where SURVIVES is of one that is drained')];
}

/** The losses of a Service: what it fails by first, and last those that leave as many backends, all of them as one. */
function byEffect({ now, losses }: ServiceSurvival, silentOf: (loss: ClusterLoss) => Cell[]): ClusterLoss[][] {
  const [failing, survived] = [losses.filter((one) => !one.survives), losses.filter(({ survives }) => survives)];
  const alike = foldAlike(survived, (loss) =>
    JSON.stringify([loss.left, loss.untold, silentOf(loss).map(({ text }) => text)]),
  );
  const isHarmless = ([first]: readonly ClusterLoss[]) => first?.left === now;
  return [
    ...failing.map((loss) => [loss]),
    ...alike.filter((of) => !isHarmless(of)),
    ...alike.filter((of) => isHarmless(of)),
  ];
}

/** Of losses that are alike, which ones they are. */
function withoutAny({ now, losses }: ServiceSurvival, alike: readonly ClusterLoss[]): string {
  if (alike.length === losses.length) return `any of ${alike.length}`;
  const isRest =
    alike.every(({ left }) => left === now) && losses.every((one) => one.left !== now || alike.includes(one));
  return isRest ? `the other ${alike.length}` : firstOf(alike.map(({ without }) => without));
}

/** Of losses that leave as many backends, by which all others are served. */
function alikeCells({ now }: ServiceSurvival, { left }: ClusterLoss, theme: Theme): [string, Cell] {
  const text = left === now ? 'no effect' : 'all others by what is left';
  return [shareOf(left, now), { text, style: theme.dim }];
}

function shareOf(left: number, now: number): string {
  return now === 0 ? '0 of 0' : `${left} of ${now} (${Math.round((100 * left) / now)} %)`;
}

/** Whether clusters that may serve were not read. */
function isPartial({ clusters, unreachable }: FailoverReport): boolean {
  return unreachable.length > 0 || clusters.some(({ unread }) => unread.length > 0);
}

function servedCells(
  { now }: ServiceSurvival,
  { served, left }: ClusterLoss,
  others: string,
  theme: Theme,
): [share: string, servers: Cell | string] {
  return [
    shareOf(left, now),
    served.length === 0 ? { text: `${others} has the service`, style: theme.fail } : servedWords(served),
  ];
}

/** Who is served by whom; those that are served by the same clusters, or by none, as one where they are many. */
function servedWords(served: readonly Survivor[]): string {
  if (served.length < MANY_CLUSTERS) return served.map((one) => servedBy([one])).join('; ');
  const serversOf = ({ uses, unserved, unconnected }: Survivor) =>
    JSON.stringify([uses.map((use) => `${use.cluster} ${use.backends}`).sort(), unserved, unconnected]);
  // Whoever is not served is not to be looked for.
  const ordered = [...served.filter((one) => !isServed(one)), ...served.filter(isServed)];
  return [...groupBy(ordered, serversOf).values()].map(servedBy).join('; ');
}

/** `mesh-2 by itself (2)`, `mesh-2 by mesh-3 (1), mesh-1 (2)`, `mesh-1, mesh-2, mesh-4 and 5 more by mesh-3 (1)`. */
function servedBy(alike: readonly Survivor[]): string {
  const [first, ...more] = alike;
  if (!first) return '';
  const { cluster, uses, unserved, unconnected } = first;
  // Who gets nothing is named, however many they are.
  const names = alike.map((one) => one.cluster);
  const who = isServed(first) ? firstOf(names) : enumerated(names);
  if (uses.length === 0) return `${who} by none${withoutConnection(unconnected)}`;
  const servers = uses.map(
    (use) => `${more.length === 0 && use.cluster === cluster ? 'itself' : use.cluster} (${use.backends})`,
  );
  const by = servers.length < MANY_CLUSTERS ? servers.join(', ') : firstOf(servers);
  return `${who} by ${by}${unserved ? `, but its port ${unserved.join(', ')} by nobody${withoutConnection(unconnected)}` : ''}`;
}

/** ` (no connection to mesh-2)`; nothing where that is not what is missing. */
function withoutConnection(to: readonly string[] | undefined): string {
  return to ? ` (no connection to ${enumerated(to)})` : '';
}

/** What fails already is not for the loss of a cluster to explain. */
function whenFailing(service: ServiceSurvival): string {
  const { now, failing = [], unconnected } = service;
  if (now === 0) return `already now: it has no ready backend in ${enumerated(failing)}`;
  const lost = lossesToCome(service);
  const present = failing.map((cluster) => `${cluster}${withoutConnection(unconnected?.[cluster])}`);
  return [
    ...(failing.length > 0 ? [`already now for ${enumerated(present)}`] : []),
    ...(lost.length > 0 ? [`without ${lost.join(', or without ')}`] : []),
  ].join('; ');
}

/** The clusters whose loss would be what a Service fails by, for some cluster that it serves now, in words. */
function lossesToCome({ now, failing = [], losses }: ServiceSurvival): string[] {
  if (now === 0) return [];
  return losses
    .filter(
      ({ served, untold = [] }) =>
        served.length === 0 ||
        !endsByItself(untold) ||
        served.some((one) => !isServed(one) && !failing.includes(one.cluster)),
    )
    .map(({ without, untold = [] }) => {
      const senders = untold.filter((one) => one.for === undefined).map(({ cluster }) => cluster);
      return senders.length === 0
        ? without
        : `${without} (${enumerated(senders)} would not hear of it, and ${senders.length === 1 ? 'goes' : 'go'} on sending requests there)`;
    });
}

/** `would fail`, `fails already`, or both. */
function failingVerb(services: readonly ServiceSurvival[]): string {
  const already = services.filter(({ now, failing }) => now === 0 || failing !== undefined);
  const isToCome = services.some((service) => lossesToCome(service).length > 0);
  if (already.length === 0) return 'would fail';
  return `${services.length === 1 ? 'fails' : 'fail'} already${isToCome ? ' or would fail' : ''}`;
}

function notGlobalLines({ notGlobal, services, clusters }: FailoverReport, theme: Theme): string[] {
  if (!notGlobal) return [];
  const names = services.map(({ namespace, name }) => `${namespace}/${name}`).join(', ');
  const where = enumerated(clusters.map(({ cluster }) => cluster));
  return [`⚠️  ${theme.warn(`${names} is not global in ${where}: no cluster serves it for another one`)}`];
}

/** Of Services that are global, and not in each cluster that has them: where their own backends fail, no other cluster serves there. */
function partlyGlobalLines({ services, clusters }: FailoverReport, theme: Theme, isRequired: boolean): string[] {
  return services.flatMap(({ namespace, name, notGlobalIn = [] }) => {
    if (notGlobalIn.length === 0) return [];
    const key = `${namespace}/${name}`;
    const words = `${key} is not global in ${enumerated(notGlobalIn)}: pods there are served by own backends only, and no other cluster is by these`;
    const context = clusters.filter(({ cluster }) => notGlobalIn.includes(cluster)).map((one) => one.context);
    const hint = `Make it global there too: ${meshctlCommand('service global', { context }, [key])}`;
    return [isRequired ? `❌ ${theme.fail(words)}` : `⚠️  ${theme.warn(words)}`, ...hintLines(hint, theme)];
  });
}

function summaryLines(report: FailoverReport, theme: Theme, isRequired: boolean): string[] {
  const { services, clusters, unreachable } = report;
  const doubts = allDoubts(report);
  const missing = unreachable.length > 0 ? 'did not answer' : 'was not read';
  const failing = services.filter(({ losses }) => losses.some(({ survives }) => !survives));
  const total = counted(services.length, report.notGlobal ? 'service' : 'global service');
  const silent = report.drainedOnly ? [] : silentLossLines(report, theme, isRequired);
  if (failing.length === 0 && unreachable.length > 0) {
    const words = `${total}: none would fail${whenDrained(silent)}, as far as the clusters that answered tell`;
    return [isRequired ? `❌ ${theme.fail(words)}` : `⚠️  ${theme.warn(words)}`, ...silent];
  }
  if (failing.length === 0 && doubts.length > 0) {
    const words = `${total}: none would fail${whenDrained(silent)}${withoutUnread(clusters)}, if ${doubts.join('; and if ')}`;
    return [isRequired ? `❌ ${theme.fail(words)}` : `⚠️  ${theme.warn(words)}`, ...silent];
  }
  if (failing.length === 0) {
    const words = `${total}: none would fail${whenDrained(silent)}${withoutUnread(clusters)}`;
    const isPartly = services.some(({ notGlobalIn }) => notGlobalIn);
    return [report.notGlobal || isPartly ? `⚠️  ${theme.warn(words)}` : `✅ ${words}`, ...silent];
  }
  const others = isPartial(report) ? `, unless a cluster that ${missing} serves them` : '';
  const words = `${failing.length} of ${total} ${failingVerb(failing)}${others}:`;
  const lines = failing.map((service) => `   ${service.namespace}/${service.name}: ${whenFailing(service)}`);
  return [isRequired ? `❌ ${theme.fail(words)}` : `⚠️  ${theme.warn(words)}`, ...lines, ...silent];
}

/** Behind `none would fail`, where that is not all that there is to say. */
function whenDrained(silent: readonly string[]): string {
  return silent.length > 0 ? ' when a cluster is drained' : '';
}
