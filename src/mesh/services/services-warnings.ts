import { enumerated } from '../counted.ts';
import { groupBy } from '../pairs.ts';
import { isStray, readSharing, SERVICE_ANNOTATIONS, strayValues } from './annotations.ts';
import { listensAt } from './backends.ts';
import { isExternalName, ownClusterOnly } from './own-cluster.ts';
import type { ServiceDefinition, ServiceInCluster, ServicePort } from './service-facts.ts';
import { type ValueMend, valueMends } from './value-mends.ts';

/** What keeps a global Service from doing what people expect of one. */
export type ServiceWarningId =
  | 'one-cluster'
  | 'namespace-missing'
  | 'annotations-differ'
  | 'ports-differ'
  | 'port-numbers-differ'
  | 'families-differ'
  | 'selectors-differ'
  | 'legacy-annotations'
  | 'unknown-affinity'
  | 'unknown-value'
  | 'namespace-not-global'
  | 'not-shared'
  | 'headless'
  | 'node-local'
  | 'own-cluster-only'
  | 'kube-proxy'
  | 'nearest-first'
  | 'ports-missing'
  | 'no-ready-backend'
  | 'unserved';

export interface ServiceWarning {
  id: ServiceWarningId;
  /** The clusters that it is about. */
  clusters: readonly string[];
  /** By cluster, where the clusters differ: what each of them has; of `own-cluster-only`, why; of `kube-proxy`, how it is asked for; of `nearest-first`, why; of `node-local`, what fails; of `ports-missing`, which; of `unserved`, to whom connections are missing. */
  values?: Readonly<Record<string, string>> | undefined;
  /** Of values that Cilium does not know: what mends them. */
  mends?: readonly ValueMend[] | undefined;
  /** Of `families-differ`: the clusters in which pods have addresses of both families, as far as that was looked at. */
  able?: readonly string[] | undefined;
  /** Clusters that were not read, on whose Services it hangs too. */
  unread?: readonly string[] | undefined;
  /** Clusters of which nobody could see to whom they are connected: others may be among those on whose Services it hangs. */
  unseen?: readonly string[] | undefined;
}

type Defined = ServiceInCluster & { definition: ServiceDefinition };
type Unread = ReadonlyMap<string, readonly string[] | undefined>;
type AllAnnotations = ReadonlyMap<string, Readonly<Record<string, string>>>;
type Rule = (
  defined: readonly Defined[],
  all: readonly ServiceInCluster[],
  annotations: AllAnnotations,
) => ServiceWarning[];

/**
 * The warnings about one Service that is global in at least one cluster; about others only what keeps them from being that.
 * @param annotations of the Service, by cluster
 * @param unread by cluster, the others whose Services its agents read and that were not read here; undefined where that could not
 * be seen
 */
export function warningsOf(
  service: { namespace: string; name: string; serviceImport?: string },
  clusters: readonly ServiceInCluster[],
  annotations: AllAnnotations,
  unread: Unread,
): ServiceWarning[] {
  const defined = clusters.filter((entry): entry is Defined => entry.definition !== undefined);
  // What is written at one that cannot share is all to go: it need not agree, nor be known.
  const sharing = defined.filter(({ definition }) => !isExternalName(definition));
  const written = new Map([...annotations].filter(([name]) => sharing.some(({ cluster }) => cluster === name)));
  if (!defined.some(({ definition }) => definition.global)) return unknownValues(written);
  const own = ownClusterOnlyIn(service, defined);
  // What else is wrong with it need not be mended.
  if (own.length > 0) return own;
  const found = RULES.flatMap((rule) => rule(defined, clusters, written)).map((one) => withUnread(one, unread));
  if (!sharing.some(({ definition }) => definition.global)) return found.filter(({ id }) => id === 'headless');
  if (service.serviceImport !== undefined) return found.filter(({ id }) => OF_DERIVED.includes(id));
  return [...unknownValues(written), ...found, ...legacyNames(written)];
}

/** Of a Service that Cilium's operator keeps: what comes of it. How it is written is as it is meant to be. */
const OF_DERIVED: readonly ServiceWarningId[] = [
  'namespace-not-global',
  'headless',
  'node-local',
  'kube-proxy',
  'nearest-first',
  'no-ready-backend',
  'unserved',
];

/** What clusters have that were not read may make it untrue. */
const OF_ALL_CLUSTERS: readonly ServiceWarningId[] = [
  'one-cluster',
  'not-shared',
  'node-local',
  'no-ready-backend',
  'unserved',
];

function withUnread(warning: ServiceWarning, unread: Unread): ServiceWarning {
  if (!OF_ALL_CLUSTERS.includes(warning.id)) return warning;
  const missing = [...new Set(warning.clusters.flatMap((cluster) => unread.get(cluster) ?? []))];
  const unseen = warning.clusters.filter((cluster) => unread.get(cluster) === undefined);
  return {
    ...warning,
    ...(missing.length > 0 ? { unread: missing } : {}),
    ...(unseen.length > 0 ? { unseen } : {}),
  };
}

const RULES: readonly Rule[] = [
  (defined, all) => (all.length > 1 && defined.length === 1 ? [about('one-cluster', defined)] : []),
  (_, all) =>
    some(
      'namespace-missing',
      all.filter(({ namespaceExists }) => !namespaceExists),
    ),
  (all, _clusters, annotations) => {
    const defined = all.filter(({ definition }) => !isExternalName(definition));
    // Where they differ by nothing else, it is told with the value that cannot be read.
    const readable = defined.filter(
      ({ cluster, definition }) =>
        strayValues(annotations.get(cluster) ?? {}).length === 0 && definition.unknownAffinity === undefined,
    );
    const say = ({ global, shared, affinity }: ServiceDefinition) =>
      global ? `global, ${shared ? 'shared' : 'not shared'}, affinity ${affinity}` : 'not global';
    return differing('annotations-differ', readable, say).length > 0
      ? differing('annotations-differ', defined, say)
      : [];
  },
  (defined) => {
    const differ = differing('ports-differ', defined, ({ ports }) => eachSorted(ports, inWords));
    const matched = differing('ports-differ', defined, ({ ports }) => eachSorted(ports, portOf)).length === 0;
    return matched ? differ.map((warning) => ({ ...warning, id: 'port-numbers-differ' as const })) : differ;
  },
  (defined) => {
    const global = defined.filter(({ definition: { global, headless, families } }) => global && !headless && families);
    return differing('families-differ', global, ({ families = [] }) => [...families].sort().join(', '));
  },
  (defined) =>
    differing('selectors-differ', defined, ({ selector }) =>
      Object.entries(selector)
        .map(([key, value]) => `${key}=${value}`)
        .sort()
        .join(','),
    ),
  (defined, _all, annotations) => {
    const unknown = defined.filter(({ definition }) => definition.unknownAffinity !== undefined);
    if (unknown.length === 0) return [];
    const values = unknown.map(({ cluster, definition }) => [cluster, definition.unknownAffinity ?? '']);
    const wrong = new Map(unknown.map(({ cluster }) => [cluster, ['affinity' as const]]));
    const mends = valueMends(annotations, wrong);
    return [{ ...about('unknown-affinity', unknown), values: Object.fromEntries(values), mends }];
  },
  (defined) => someGlobal('namespace-not-global', defined, ({ namespaceGlobal }) => !namespaceGlobal),
  (defined) => {
    const global = defined.filter(({ definition }) => definition.global);
    return global.every(({ definition }) => !definition.shared) ? [about('not-shared', global)] : [];
  },
  (defined) => someGlobal('headless', defined, ({ headless, mirrored }) => headless && !mirrored),
  (defined) => {
    const local = defined.filter(({ definition: { global, headless, nodeLocal } }) => global && !headless && nodeLocal);
    const fails = local.flatMap(({ cluster, definition: { unserved } }) =>
      unserved ? [[cluster, unserved.join(', ')]] : [],
    );
    if (local.length === 0) return [];
    return [{ ...about('node-local', local), ...(fails.length > 0 ? { values: Object.fromEntries(fails) } : {}) }];
  },
  (defined) => {
    const values = defined.flatMap(({ cluster, definition: { nearestFirst } }) =>
      nearestFirst === undefined ? [] : [[cluster, nearestFirst] as const],
    );
    const clusters = values.map(([cluster]) => cluster);
    return values.length === 0 ? [] : [{ id: 'nearest-first', clusters, values: Object.fromEntries(values) }];
  },
  (defined) => {
    const served = defined.filter(({ definition }) => definition.ownBackendsFor);
    return [...groupBy(served, ({ definition: { ownBackendsFor = [] } }) => ownBackendsFor.join(' '))].map(
      ([, alike]) => ({
        ...about('kube-proxy', alike),
        values: Object.fromEntries(
          alike.map(({ cluster, definition: { type, ready } }) => [
            cluster,
            ready === 0 ? `${type}, and none is ready` : type,
          ]),
        ),
      }),
    );
  },
  (defined) => {
    const missing = defined.flatMap(({ cluster, definition: { global, headless, ports, backends } }) => {
      const ready = global && !headless ? backends.filter((backend) => backend.ready) : [];
      const closed = ports.filter((port) => ready.length > 0 && !ready.some((backend) => listensAt(backend, port)));
      return closed.length > 0 ? [[cluster, eachSorted(closed, inWords)] as const] : [];
    });
    if (missing.length === 0) return [];
    const clusters = missing.map(([cluster]) => cluster);
    return [{ id: 'ports-missing', clusters, values: Object.fromEntries(missing) }];
  },
  (defined) => {
    if (defined.every(({ definition }) => definition.ready === 0)) return [about('no-ready-backend', defined)];
    return someGlobal(
      'unserved',
      defined,
      ({ uses, headless, mirrored }) => uses.length === 0 && (!headless || mirrored === true),
    ).map((warning) => {
      const missing = defined
        .filter(
          ({ cluster, definition }) => warning.clusters.includes(cluster) && definition.usesDisconnected.length > 0,
        )
        .map(({ cluster, definition }) => [cluster, enumerated(definition.usesDisconnected)]);
      return missing.length > 0 ? { ...warning, values: Object.fromEntries(missing) } : warning;
    });
  },
];

function ownClusterOnlyIn(service: { namespace: string; name: string }, defined: readonly Defined[]): ServiceWarning[] {
  const values = defined.flatMap(({ cluster, definition: { global, selector } }) => {
    const why = global ? ownClusterOnly({ ...service, selector }) : undefined;
    return why === undefined ? [] : [[cluster, why] as const];
  });
  if (values.length === 0) return [];
  const clusters = values.map(([cluster]) => cluster);
  return [{ id: 'own-cluster-only', clusters, values: Object.fromEntries(values) }];
}

/** Values that Cilium takes for others than were meant: where it decides whether a Service is global, nothing else tells. */
function unknownValues(annotations: AllAnnotations): ServiceWarning[] {
  const values = [...annotations].flatMap(([cluster, found]) => {
    const wrong = strayValues(found).map(([name, value]) => `${name}: ${value || '""'}`);
    return wrong.length > 0 ? [[cluster, wrong.join(', ')] as const] : [];
  });
  if (values.length === 0) return [];
  const clusters = values.map(([cluster]) => cluster);
  const wrong = new Map(
    clusters.map((cluster) => {
      const found = annotations.get(cluster) ?? {};
      // That of a Service which is global by now is told for itself.
      const kinds = (['affinity', 'shared'] as const).filter(
        (kind) => isStray(kind, found) && (kind === 'shared' || !readSharing(found).global),
      );
      return [cluster, kinds];
    }),
  );
  return [{ id: 'unknown-value', clusters, values: Object.fromEntries(values), mends: valueMends(annotations, wrong) }];
}

function legacyNames(annotations: AllAnnotations): ServiceWarning[] {
  const legacy = Object.values(SERVICE_ANNOTATIONS).map((annotation) => annotation.legacy);
  const clusters = [...annotations].filter(([, found]) => legacy.some((name) => found[name] !== undefined));
  if (clusters.length === 0) return [];
  return [{ id: 'legacy-annotations', clusters: clusters.map(([cluster]) => cluster) }];
}

const inWords = ({ name, port, protocol }: ServicePort): string => `${name ? `${name} ` : ''}${port}/${protocol}`;

/** What backends of another cluster are found by. */
const portOf = ({ name, protocol }: ServicePort): string => `${name}/${protocol}`;

function eachSorted(ports: readonly ServicePort[], say: (port: ServicePort) => string): string {
  return ports.map(say).sort().join(', ');
}

function about(id: ServiceWarningId, entries: readonly ServiceInCluster[]): ServiceWarning {
  return { id, clusters: entries.map(({ cluster }) => cluster) };
}

function some(id: ServiceWarningId, entries: readonly ServiceInCluster[]): ServiceWarning[] {
  return entries.length > 0 ? [about(id, entries)] : [];
}

function someGlobal(
  id: ServiceWarningId,
  defined: readonly Defined[],
  applies: (definition: ServiceDefinition) => boolean,
): ServiceWarning[] {
  return some(
    id,
    defined.filter(({ definition }) => definition.global && applies(definition)),
  );
}

function differing(
  id: ServiceWarningId,
  defined: readonly Defined[],
  say: (definition: ServiceDefinition) => string,
): ServiceWarning[] {
  const values = Object.fromEntries(defined.map(({ cluster, definition }) => [cluster, say(definition)]));
  return new Set(Object.values(values)).size > 1 ? [{ ...about(id, defined), values }] : [];
}
