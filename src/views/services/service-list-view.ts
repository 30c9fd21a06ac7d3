import { meshctlCommand } from '../../mesh/command-line.ts';
import { counted, enumerated } from '../../mesh/counted.ts';
import { foldAlike, MANY_ALIKE } from '../../mesh/pairs.ts';
import { doubtsOf, isAssumed, worstCasesOf } from '../../mesh/services/assumptions.ts';
import type { ServiceDefinition, ServiceInCluster, Use } from '../../mesh/services/service-facts.ts';
import type { MeshService } from '../../mesh/services/services.ts';
import type { UnreachableCluster } from '../../mesh/status/mesh-status.ts';
import { hintLines } from '../hint-lines.ts';
import { type Cell, tableLines } from '../table.ts';
import type { Theme } from '../theme.ts';
import { NOTHING_READ, unreachableLines } from '../unreachable-view.ts';
import { brokenLinkLines, brokenLinkNotes, statusCommand } from './broken-links-view.ts';
import type { ReadCluster, ReadClusters } from './read-clusters.ts';
import { warningData, warningLines } from './service-warnings-view.ts';

export interface ServiceListing {
  clusters: readonly ReadCluster[];
  services: readonly MeshService[];
  unreachable: readonly UnreachableCluster[];
}

/** The document's data: the backends as counts, the warnings with their words. */
export function serviceListData({ clusters, services, unreachable }: ServiceListing): Record<string, unknown> {
  return {
    clusters,
    services: services.map((service) => ({
      ...service,
      clusters: service.clusters.map(({ definition, ...entry }) => ({
        ...entry,
        ...(definition ? { definition: { ...definition, backends: definition.backends.length } } : {}),
      })),
      warnings: service.warnings.map((warning) => warningData(warning, service)),
    })),
    ...assumedData(clusters),
    ...(unreachable.length > 0 ? { unreachable } : {}),
  };
}

/** What of a report had to be taken for granted, as data; nothing where all was seen. */
export function assumedData(clusters: readonly ReadCluster[]): { assumed?: readonly string[] } {
  const assumed = [...doubtsOf(clusters), ...worstCasesOf(clusters)];
  return assumed.length > 0 ? { assumed } : {};
}

/** The same for people. @param isSaid what holds only if it is so is told elsewhere, with the verdict */
export function assumedLines(clusters: readonly ReadCluster[], theme: Theme, isSaid = false): string[] {
  const doubts = isSaid ? [] : doubtsOf(clusters);
  return [...(doubts.length > 0 ? [holdsIf(doubts)] : []), ...worstCasesOf(clusters)].map(
    (words) => `⚠️  ${theme.warn(words)}`,
  );
}

function holdsIf(doubts: readonly string[]): string {
  return `This holds if ${doubts.join('; and if ')}`;
}

/** `NAMESPACE/NAME` of each Service, a line each. */
export function serviceNames({ services }: ServiceListing): string {
  return services.map(({ namespace, name }) => `${namespace}/${name}`).join('\n');
}

/** What `service list` says below its rows, a sentence each. */
export function serviceNotes({ services, clusters }: ServiceListing): string[] {
  const warnings = services.flatMap((service) =>
    service.warnings.map((warning) => {
      const { message, hint } = warningData(warning, service);
      return `${service.namespace}/${service.name}: ${message}${hint ? ` → ${hint}` : ''}`;
    }),
  );
  const doubts = doubtsOf(clusters);
  return [
    ...warnings,
    ...brokenLinkNotes(clusters).map((note) => `${note} → ${statusCommand(clusters)}`),
    ...(doubts.length > 0 ? [holdsIf(doubts)] : []),
    ...worstCasesOf(clusters),
  ];
}

/** `service list`: a row for each Service and cluster, then, unless only rows are wanted, the warnings. */
export function serviceListText(
  listing: ServiceListing,
  { wide, headers, namespace }: { wide: boolean; headers: boolean; namespace?: string | undefined },
  theme: Theme,
): string {
  const { clusters, services } = listing;
  const names = clusters.map(({ cluster }) => theme.bold(cluster)).join(', ');
  if (services.length === 0) return headers ? noneLines(listing, theme, namespace).join('\n') : '';
  const head = ['NAMESPACE', 'NAME', 'CLUSTER', ...(wide ? WIDE_HEAD : HEAD)].map((text) => ({
    text,
    style: theme.bold,
  }));
  const assumed = assumedIn(clusters);
  const rows = services.flatMap((service) =>
    service.clusters.map((entry): (Cell | string)[] => [
      service.namespace,
      service.serviceImport === undefined ? service.name : `${service.name} (ServiceImport ${service.serviceImport})`,
      entry.cluster,
      ...definitionCells(entry, wide, theme, assumed),
    ]),
  );
  if (!headers) return tableLines(rows).join('\n');
  const warned = services.filter(({ warnings }) => warnings.length > 0);
  return [
    ...tableLines([head, ...rows]),
    '',
    ...warned.flatMap((service) => warningLines(service, theme)),
    ...brokenLinkLines(listing, theme),
    ...unreadLines(listing, theme),
    ...askedLines(clusters, theme),
    ...assumedLines(clusters, theme),
    `${counted(services.length, 'global service')} in ${names}${warned.length > 0 ? `, ${warned.length} with warnings` : ''}`,
    ...unreachableLines(listing.unreachable, theme),
  ].join('\n');
}

const HEAD = ['GLOBAL', 'SHARED', 'AFFINITY', 'READY', 'USES NOW'];
const WIDE_HEAD = ['GLOBAL', 'SHARED', 'AFFINITY', 'PUBLISHED', 'TYPE', 'PORTS', 'READY', 'USES NOW'];

/** The clusters that are only taken to be connected. */
export function assumedIn(clusters: readonly ReadCluster[]): ReadonlySet<string> {
  return new Set(clusters.filter(isAssumed).map(({ cluster }) => cluster));
}

function definitionCells(
  { cluster, definition, namespaceExists }: ServiceInCluster,
  wide: boolean,
  theme: Theme,
  assumed: ReadonlySet<string>,
): Cell[] {
  if (!definition) {
    const text = namespaceExists ? 'not defined' : 'no such namespace';
    return [{ text, style: theme.dim }];
  }
  const { global, shared, affinity, published, type, headless, ports, ready, backends } = definition;
  const yes = (value: boolean): Cell => ({ text: value ? 'yes' : 'no', style: value ? undefined : theme.warn });
  const wideCells: Cell[] = [
    yes(published),
    { text: headless ? `${type}, headless` : type },
    { text: ports.map(({ port, protocol }) => `${port}/${protocol}`).join(',') || '-' },
  ];
  return [
    yes(global),
    global ? yes(shared) : { text: '-' },
    { text: global ? affinity : '-' },
    ...(wide ? wideCells : []),
    { text: `${ready}/${backends.length}`, style: ready === 0 ? theme.warn : undefined },
    usesCell(definition, theme, assumed.has(cluster) ? cluster : undefined),
  ];
}

function usesCell(definition: ServiceDefinition, theme: Theme, assumedOf: string | undefined): Cell {
  if (definition.headless && !definition.mirrored) return { text: 'DNS only', style: theme.dim };
  const text = usesNowText(definition, assumedOf);
  if (text && definition.mirrored) return { text: `by DNS ${text}` };
  return text ? { text } : { text: 'nothing', style: theme.fail };
}

/**
 * `mesh-1 (2), perhaps mesh-2 (not read)`; with affinity `remote`, that comes first: `perhaps mesh-2 (not read), else mesh-1 (2)`.
 * @param assumedOf the cluster that uses them, where it is only taken to be connected to others
 */
export function usesNowText(
  { uses, usesUnread, usesDisconnected, usesFromSome = [], usesLastHeard = [], affinity }: ServiceDefinition,
  assumedOf?: string,
): string {
  const unread = [
    ...usesLastHeard.map((cluster) => `perhaps ${cluster} (as last heard, none now)`),
    ...usesUnread.map((cluster) => `perhaps ${cluster} (not read)`),
  ].join(', ');
  const parts = [usesText(uses, assumedOf), unread].filter((part) => part !== '');
  const used = affinity === 'remote' ? parts.reverse().join(', else ') : parts.join(', ');
  const lost = usesDisconnected.map(
    (cluster) => `${cluster} (${usesFromSome.includes(cluster) ? 'from some nodes only' : 'not connected'})`,
  );
  const nothing = lost.length > usesFromSome.length ? 'nothing' : '';
  return [used || nothing, ...lost].filter((part) => part !== '').join(', ');
}

/** `mesh-1 (2), mesh-2 (1, at risk)`, `mesh-2 (as last heard, 1 now)`, `mesh-2 (1, not verified)`; nothing for none. */
function usesText(uses: readonly Use[], assumedOf: string | undefined): string {
  const howMany = ({ cluster, backends, atRisk, lastHeard }: Use): string => {
    if (lastHeard) return `as last heard, ${backends} now`;
    if (atRisk) return `${backends}, at risk`;
    return `${backends}${assumedOf === undefined || cluster === assumedOf ? '' : ', not verified'}`;
  };
  return uses.map((use) => `${use.cluster} (${howMany(use)})`).join(', ');
}

/** What a report without any Service says. Where no cluster could be read, it says nothing of Services. */
export function noneLines({ clusters, unreachable }: ReadClusters, theme: Theme, namespace?: string): string[] {
  const where = namespace === undefined ? '' : ` of namespace ${namespace}`;
  const names = clusters.map(({ cluster }) => theme.bold(cluster)).join(', ');
  return [
    clusters.length === 0 ? NOTHING_READ : `No service${where} is global in ${names}`,
    ...unreadLines({ clusters, unreachable }, theme),
    ...assumedLines(clusters, theme),
    ...unreachableLines(unreachable, theme),
  ];
}

/** What the report cannot know. Nobody knows which cluster it is that did not answer: its name is in there. */
export function unreadLines({ clusters, unreachable }: ReadClusters, theme: Theme): string[] {
  const silent = unreachable.map(({ context }) => `"${context}"`).join(', ');
  const why =
    unreachable.length === 0
      ? 'of which no context was given'
      : `which may be ${unreachable.length === 1 ? 'context' : 'among the contexts'} ${silent} (could not be read)`;
  const renamed = clusters.filter(({ runsAs }) => clusters.some(({ unread }) => runsAs && unread.includes(runsAs)));
  const known = renamed.map(({ runsAs }) => runsAs ?? '');
  const lacking = clusters
    .map((of) => ({ ...of, unread: of.unread.filter((name) => !known.includes(name)) }))
    .filter(({ unread }) => unread.length > 0);
  const alike = foldAlike(lacking, ({ unread }) => unread.join(', '));
  // Each may lack others than the next one, when clusters have no peer in common: which ones all of them lack is told once.
  const isScattered = alike.length > MANY_ALIKE;
  const unknown = (isScattered ? [lacking] : alike).map((of) => {
    const names = enumerated(of.map(({ cluster }) => cluster));
    const unread = [...new Set(of.flatMap((one) => one.unread))].join(', ');
    const some = isScattered ? 'some of ' : '';
    return theme.dim(
      `${names} ${of.length === 1 ? 'is' : 'are'} also connected to ${some}${unread}, ${why}: not counted`,
    );
  });
  return [...renamed.flatMap((of) => renamedLines(of, clusters, theme)), ...unknown];
}

/** A cluster under whose present name nobody finds anything yet: its peers know it by the one with which it was started. */
function renamedLines({ cluster, context, runsAs = '' }: ReadCluster, all: readonly ReadCluster[], theme: Theme) {
  const readers = enumerated(all.filter(({ unread }) => unread.includes(runsAs)).map((one) => one.cluster));
  const isOne = all.filter(({ unread }) => unread.includes(runsAs)).length === 1;
  const says = `${readers} ${isOne ? 'is' : 'are'} connected to ${runsAs}, which is the cluster of context "${context}": it was started with that name, and its cilium-config says ${cluster} by now`;
  const look = meshctlCommand('clustermesh check', { context }, ['--category', 'identity']);
  return [`⚠️  ${theme.warn(`${says}: not counted`)}`, ...hintLines(`The way back: ${look}`, theme)];
}

/** Of large clusters by how many nodes their connections were seen, and what looks at all of them. */
export function askedLines(clusters: readonly ReadCluster[], theme: Theme): string[] {
  const some = clusters.flatMap(({ cluster, asked }) =>
    asked ? [`${asked.nodes} of ${asked.of} nodes of ${cluster}`] : [],
  );
  if (some.length === 0) return [];
  const words = `${enumerated(some)} were asked whom they are connected to; all of them: ${statusCommand(clusters.filter(({ asked }) => asked))}`;
  return [theme.dim(words)];
}

/** ` in mesh-1 (mesh-2 was not read)`, behind what was found; nothing where all that they are connected to was read. */
export function withoutUnread(clusters: readonly ReadCluster[]): string {
  const unread = [...new Set(clusters.flatMap((one) => one.unread))];
  if (unread.length === 0) return '';
  const names = enumerated(clusters.map(({ cluster }) => cluster));
  return ` in ${names} (${enumerated(unread)} ${unread.length === 1 ? 'was' : 'were'} not read)`;
}
