import { connectCommand, meshctlCommand } from '../../mesh/command-line.ts';
import { counted, enumerated } from '../../mesh/counted.ts';
import { pairsOf } from '../../mesh/pairs.ts';
import { doubtsOf, isAssumed, worstCasesOf } from '../../mesh/services/assumptions.ts';
import type { ServiceDefinition, ServiceInCluster, Use } from '../../mesh/services/service-facts.ts';
import type { MeshService } from '../../mesh/services/services.ts';
import type { BrokenLink } from '../../mesh/status/broken-link.ts';
import type { UnreachableCluster } from '../../mesh/status/mesh-status.ts';
import { hintLines } from '../hint-lines.ts';
import { type Cell, tableLines } from '../table.ts';
import type { Theme } from '../theme.ts';
import { NOTHING_READ, unreachableLines } from '../unreachable-view.ts';
import { warningData, warningLines } from './service-warnings-view.ts';

/** The clusters that were read, and what their agents read beyond them. */
export interface ReadCluster {
  cluster: string;
  context: string;
  /** Peers whose Services were not read: what they add is not counted. */
  unread: readonly string[];
  /** The clusters whose Services its agents read; absent where that could not be seen. */
  peers?: readonly string[] | undefined;
  /** Its connections that `status` calls broken; absent where its agents could not be asked. */
  brokenLinks?: readonly BrokenLink[] | undefined;
  /** What of it may not be read: whether its connections would come back hangs on it too; absent where all was read. */
  unseen?: readonly string[] | undefined;
  /** Its nodes may not be listed, and one of its Services keeps to nodes. */
  nodesUnseen?: true | undefined;
}

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
  if (definition.headless) return { text: 'DNS only', style: theme.dim };
  const text = usesNowText(definition, assumedOf);
  return text ? { text } : { text: 'nothing', style: theme.fail };
}

/**
 * `mesh-1 (2), perhaps mesh-2 (not read)`; with affinity `remote`, that comes first: `perhaps mesh-2 (not read), else mesh-1 (2)`.
 * @param assumedOf the cluster that uses them, where it is only taken to be connected to others
 */
export function usesNowText(
  { uses, usesUnread, usesDisconnected, affinity }: ServiceDefinition,
  assumedOf?: string,
): string {
  const unread = usesUnread.map((cluster) => `perhaps ${cluster} (not read)`).join(', ');
  const parts = [usesText(uses, assumedOf), unread].filter((part) => part !== '');
  const used = affinity === 'remote' ? parts.reverse().join(', else ') : parts.join(', ');
  const lost = usesDisconnected.map((cluster) => `${cluster} (not connected)`);
  return [used || (lost.length > 0 ? 'nothing' : ''), ...lost].filter((part) => part !== '').join(', ');
}

/** `mesh-1 (2), mesh-2 (1, at risk)`, `mesh-2 (1, not verified)`; nothing for none. */
function usesText(uses: readonly Use[], assumedOf: string | undefined): string {
  const doubt = ({ cluster, atRisk }: Use): string => {
    if (atRisk) return ', at risk';
    return assumedOf === undefined || cluster === assumedOf ? '' : ', not verified';
  };
  return uses.map((use) => `${use.cluster} (${use.backends}${doubt(use)})`).join(', ');
}

/** What was read, and what could not be. */
export interface ReadClusters {
  clusters: readonly ReadCluster[];
  unreachable: readonly UnreachableCluster[];
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

/** Clusters that have nothing to do with each other: where nobody is connected, that is no mesh. */
function apartLines(clusters: readonly ReadCluster[], theme: Theme): string[] {
  const pairs = pairsOf(clusters);
  const apart = pairs.filter(([one, other]) => isApart(one, other) && isApart(other, one));
  const oneWay = oneWayLines(clusters, theme);
  if (apart.length === 0) return oneWay;
  if (apart.length === pairs.length) {
    const words = `${clusters.length === 2 ? 'These clusters are not' : 'None of these clusters is'} connected with ${clusters.length === 2 ? 'each other' : 'another'}: each uses its own backends only`;
    return [`⚠️  ${theme.warn(words)}`, ...hintLines(statusCommand(clusters), theme)];
  }
  const words = apart.map(([one, other]) => `${one.cluster} and ${other.cluster}`).join('; ');
  return [theme.dim(`not connected, so neither uses the other's backends: ${words}`), ...oneWay];
}

/** Of clusters that are dialled and do not dial back, by choice or not: that is why backends there do not count for them. */
function oneWayLines(clusters: readonly ReadCluster[], theme: Theme): string[] {
  const lines = clusters.flatMap((one) => {
    const peers = clusters.filter((other) => other !== one && isApart(one, other) && !isApart(other, one));
    if (peers.length === 0) return [];
    const names = enumerated(peers.map(({ cluster }) => cluster));
    return [theme.dim(`${one.cluster} does not dial ${names}, so backends there do not count for it`)];
  });
  if (lines.length === 0) return [];
  const bothWays = clusters.flatMap((one) =>
    clusters
      .filter(
        (other) =>
          isApart(other, one) &&
          one.brokenLinks?.some(({ peer, state }) => peer === other.cluster && state === 'at-risk'),
      )
      .map((other) => connectCommand(one.context, other.context, ['--connection-mode', 'bidirectional'])),
  );
  return [
    ...lines,
    ...hintLines(`Whether that is meant: ${statusCommand(clusters)}`, theme),
    ...(bothWays.length > 0 ? hintLines(`Both ways: ${bothWays.join(' && ')}`, theme) : []),
  ];
}

function isApart({ peers }: ReadCluster, { cluster }: ReadCluster): boolean {
  return peers !== undefined && !peers.includes(cluster);
}

/** The connections that are not there or broken, each with why, and where that is told in full. */
export function brokenLinkLines({ clusters }: Pick<ReadClusters, 'clusters'>, theme: Theme): string[] {
  const notes = brokenLinkNotes(clusters);
  if (notes.length === 0) return apartLines(clusters, theme);
  return [
    ...apartLines(clusters, theme),
    ...notes.map((note) => `⚠️  ${note}`),
    ...hintLines(statusCommand(clusters), theme),
  ];
}

function brokenLinkNotes(clusters: readonly ReadCluster[]): string[] {
  return clusters.flatMap(({ cluster, brokenLinks = [] }) =>
    brokenLinks.map(({ peer, state, reason }) =>
      state === 'disconnected'
        ? `${cluster} is not connected to ${peer}, so backends there do not count for it: ${reason}`
        : `${cluster} is connected to ${peer}, but cannot count on the backends there: ${reason}`,
    ),
  );
}

function statusCommand(clusters: readonly ReadCluster[]): string {
  return meshctlCommand('clustermesh status', { context: clusters.map(({ context }) => context) });
}

/** What the report cannot know. Nobody knows which cluster it is that did not answer: its name is in there. */
export function unreadLines({ clusters, unreachable }: ReadClusters, theme: Theme): string[] {
  const silent = unreachable.map(({ context }) => `"${context}"`).join(', ');
  const why =
    unreachable.length === 0
      ? 'of which no context was given'
      : `which may be ${unreachable.length === 1 ? 'context' : 'among the contexts'} ${silent} (could not be read)`;
  return clusters
    .filter(({ unread }) => unread.length > 0)
    .map(({ cluster, unread }) =>
      theme.dim(`${cluster} is also connected to ${unread.join(', ')}, ${why}: not counted`),
    );
}

/** ` in mesh-1 (mesh-2 was not read)`, behind what was found; nothing where all that they are connected to was read. */
export function withoutUnread(clusters: readonly ReadCluster[]): string {
  const unread = [...new Set(clusters.flatMap((one) => one.unread))];
  if (unread.length === 0) return '';
  const names = enumerated(clusters.map(({ cluster }) => cluster));
  return ` in ${names} (${enumerated(unread)} ${unread.length === 1 ? 'was' : 'were'} not read)`;
}
