import { doubtsOf } from '../../mesh/services/assumptions.ts';
import { stateOf } from '../../mesh/services/backends.ts';
import type { ServiceBackend, ServiceDefinition, ServiceInCluster } from '../../mesh/services/service-facts.ts';
import type { MeshService } from '../../mesh/services/services.ts';
import { type Cell, tableLines } from '../table.ts';
import type { Theme } from '../theme.ts';
import { unreachableLines } from '../unreachable-view.ts';
import { brokenLinkLines } from './broken-links-view.ts';
import type { ReadClusters } from './read-clusters.ts';
import {
  askedLines,
  assumedData,
  assumedIn,
  assumedLines,
  unreadLines,
  usesNowText,
  withoutUnread,
} from './service-list-view.ts';
import { warningData, warningLines } from './service-warnings-view.ts';

export interface ServiceDescription extends ReadClusters {
  service: MeshService;
}

/** The document's data: every backend, with what its own cluster's agents take it for. */
export function serviceDescribeData({ clusters, service, unreachable }: ServiceDescription): Record<string, unknown> {
  return {
    clusters,
    service: {
      ...service,
      clusters: service.clusters.map(({ definition, ...entry }) => ({
        ...entry,
        ...(definition ? { definition: withStates(definition) } : {}),
      })),
      warnings: service.warnings.map((warning) => warningData(warning, service)),
    },
    ...assumedData(clusters),
    ...(unreachable.length > 0 ? { unreachable } : {}),
  };
}

function withStates(definition: ServiceDefinition): Record<string, unknown> {
  return {
    ...definition,
    backends: definition.backends.map((backend) => ({ ...backend, state: stateOf(definition, backend) })),
  };
}

/** `service describe`: for each cluster what it says of the Service, its backends, and what it uses. */
export function serviceDescribeText(description: ServiceDescription, theme: Theme): string {
  const { service, clusters, unreachable } = description;
  const assumed = assumedIn(clusters);
  const title = theme.bold(`${service.namespace}/${service.name}`);
  const source =
    service.serviceImport === undefined
      ? []
      : [`Cilium's operator derives it from ServiceImport ${service.serviceImport}`];
  const wrong = [
    ...warningLines(service, theme),
    ...brokenLinkLines(description, theme),
    ...unreachableLines(unreachable, theme),
  ];
  return [
    title,
    ...source,
    ...service.clusters.flatMap((entry) => ['', ...clusterLines(entry, theme, assumed)]),
    '',
    ...unreadLines(description, theme),
    ...askedLines(clusters, theme),
    ...assumedLines(clusters, theme, wrong.length === 0),
    ...(wrong.length > 0 ? wrong : [noWarningsLine(description, theme)]),
  ].join('\n');
}

/** As far as it was looked at: where something had to be taken for granted, that is no tick. */
function noWarningsLine({ service, clusters }: ServiceDescription, theme: Theme): string {
  const doubts = doubtsOf(clusters);
  const words = `${service.namespace}/${service.name} has no warnings${withoutUnread(clusters)}`;
  return doubts.length > 0 ? `⚠️  ${theme.warn(`${words}, if ${doubts.join('; and if ')}`)}` : `✅ ${words}`;
}

function clusterLines(
  { cluster, context, namespaceExists, definition }: ServiceInCluster,
  theme: Theme,
  assumed: ReadonlySet<string>,
): string[] {
  const head = `${theme.bold(cluster)} (context ${context})`;
  if (!definition) return [`${head}: ${namespaceExists ? 'not defined' : 'has no such namespace'}`];
  const { type, headless, mirrored, nodeLocal, ports, selector, backends, ready } = definition;
  const facts: [string, string][] = [
    ['Sharing', sharingText(definition)],
    [
      'Type',
      [type, ...(headless ? ['headless'] : []), ...(nodeLocal ? ['internalTrafficPolicy Local'] : [])].join(', '),
    ],
    ['Ports', ports.map(({ name, port, protocol }) => `${name ? `${name} ` : ''}${port}/${protocol}`).join(', ')],
    [
      'Selector',
      Object.entries(selector)
        .map((pair) => pair.join('='))
        .join(',') || 'none',
    ],
    [
      'Uses now',
      headless && !mirrored
        ? 'what DNS gives'
        : `${headless ? 'what DNS gives: ' : ''}${servedText(definition, theme, assumed.has(cluster) ? cluster : undefined)}`,
    ],
    ['Backends', `${ready} of ${backends.length} ready`],
  ];
  return [
    head,
    ...tableLines(
      facts.map(([name, value]) => [`${name}:`, value]),
      '  ',
    ),
    ...(backends.length > 0 ? backendLines(definition, theme) : []),
  ];
}

function servedText(definition: ServiceDefinition, theme: Theme, assumedOf: string | undefined): string {
  const uses = usesNowText(definition, assumedOf) || theme.fail('nothing');
  return definition.unserved ? `${uses}, but ${theme.fail(`nothing for ${definition.unserved.join(', ')}`)}` : uses;
}

function sharingText({ global, shared, affinity, published, namespaceGlobal }: ServiceDefinition): string {
  if (!global) return 'not global';
  const parts = ['global', shared ? 'shared' : 'not shared', `affinity ${affinity}`];
  if (shared && !published && !namespaceGlobal) parts.push('but its namespace is not global');
  return parts.join(', ');
}

function backendLines(definition: ServiceDefinition, theme: Theme): string[] {
  const head = ['ADDRESS', 'NODE', 'ZONE', 'POD', 'HEALTH'].map((text) => ({ text, style: theme.bold }));
  const rows = [...definition.backends]
    .sort((a, b) => a.address.localeCompare(b.address, 'en', { numeric: true }))
    .map((backend): (Cell | string)[] => [
      backend.address,
      backend.node ?? '-',
      backend.zone ?? '-',
      backend.pod ?? '-',
      healthCell(definition, backend, theme),
    ]);
  return tableLines([head, ...rows], '    ');
}

function healthCell(definition: ServiceDefinition, backend: ServiceBackend, theme: Theme): Cell {
  if (backend.maintenance) return { text: 'in maintenance (weight 0)', style: theme.warn };
  if (backend.ready && stateOf(definition, backend) === 'unused') {
    return { text: 'ready, at none of its ports', style: theme.fail };
  }
  if (backend.ready) return { text: backend.terminating ? 'ready, terminating' : 'ready', style: theme.ok };
  if (backend.terminating) {
    return { text: backend.serving ? 'terminating, still serving' : 'terminating', style: theme.warn };
  }
  return { text: 'not ready', style: theme.fail };
}
