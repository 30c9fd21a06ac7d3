import { kubectlCommand, meshctlCommand } from '../../mesh/command-line.ts';
import { capital, enumerated } from '../../mesh/counted.ts';
import { AFFINITIES, type Affinity, makeNamespaceGlobal } from '../../mesh/services/annotations.ts';
import { SERVICE_NAME_LABEL } from '../../mesh/services/endpoint-slices.ts';
import { isExternalName } from '../../mesh/services/own-cluster.ts';
import type { ServiceDefinition } from '../../mesh/services/service-facts.ts';
import type { MeshService } from '../../mesh/services/services.ts';
import type { ServiceWarning, ServiceWarningId } from '../../mesh/services/services-warnings.ts';
import { whence } from '../../mesh/services/unbalanced.ts';
import type { KnownValues, ValueMend } from '../../mesh/services/value-mends.ts';
import { hintLines } from '../hint-lines.ts';
import type { Theme } from '../theme.ts';

/** A warning as data, with its words. */
export interface WarningData extends Omit<ServiceWarning, 'mends'> {
  message: string;
  hint?: string;
}

interface Words {
  message: string;
  hint?: string | undefined;
}

/** A warning with its words, for `-o json`. */
export function warningData(warning: ServiceWarning, service: MeshService): WarningData {
  const { message, hint } = WORDS[warning.id](warning, service);
  const { mends: _mends, ...data } = warning;
  return { ...data, message, ...(hint ? { hint } : {}) };
}

/** One line for a warning, one for what to do about it. */
export function warningLines(service: MeshService, theme: Theme): string[] {
  const subject = theme.bold(`${service.namespace}/${service.name}`);
  return service.warnings.flatMap((warning) => {
    const { message, hint } = warningData(warning, service);
    return [`⚠️  ${subject}: ${message}`, ...(hint ? hintLines(hint, theme) : [])];
  });
}

/**
 * The other way, which takes the annotations away: not as long as a peer is unread, in which it may be what it only seems not to be.
 * @param when it is one, as a clause
 */
function orRemove(
  { unread = [], unseen = [] }: Pick<ServiceWarning, 'unread' | 'unseen'>,
  when: string,
  service: MeshService,
): string {
  return unread.length + unseen.length > 0 ? '' : `; or ${when}: ${annotate(service, '--remove')}`;
}

const WORDS: Readonly<Record<ServiceWarningId, (warning: ServiceWarning, service: MeshService) => Words>> = {
  'one-cluster': ({ clusters, ...warning }, service) => ({
    message: `is defined in ${enumerated(clusters)} only${asFarAsKnown(warning)}: no other cluster can ask for it or add backends`,
    hint: `So that the other clusters have it too: ${annotate(service, '--create-missing')}${orRemove(warning, `if it is meant for ${enumerated(clusters)} only`, service)}`,
  }),
  'namespace-missing': ({ clusters }, { namespace }) => ({
    message: `${enumerated(clusters)} ${clusters.length === 1 ? 'has' : 'have'} no namespace ${namespace}`,
  }),
  'annotations-differ': ({ values = {} }, service) => ({
    message: `the clusters' annotations differ: ${byCluster(values)}`,
    hint: agreementHint(service),
  }),
  'ports-differ': ({ values = {} }) => ({
    message: `the clusters' ports differ: ${byCluster(values, 'none')}; what another cluster has behind a port of another name or protocol is not used`,
    hint: 'Give the ports the same names and protocols in each cluster.',
  }),
  'port-numbers-differ': ({ values = {} }) => ({
    message: `the clusters' port numbers differ: ${byCluster(values)}; each cluster's pods ask for its own number`,
  }),
  'selectors-differ': ({ values = {} }) => ({
    message: `the clusters' selectors differ: ${byCluster(values, 'none')}`,
  }),
  'legacy-annotations': ({ clusters }, service) => ({
    message: `${enumerated(clusters)} ${clusters.length === 1 ? 'uses' : 'use'} the older annotation names io.cilium/…, which a newer name beside them overrides`,
    hint: renamingHint(within(service, clusters)),
  }),
  'unknown-affinity': ({ values = {}, mends }, service) => ({
    message: `Cilium knows no such affinity and takes it for none: ${byCluster(values)}`,
    hint: mendingHint(service, mends),
  }),
  'unknown-value': ({ values = {}, mends }, service) => ({
    message: `Cilium does not know these values, and takes them for false, or none: ${byCluster(values)}`,
    hint: mendingHint(service, mends),
  }),
  'families-differ': ({ values = {} }, service) => ({
    message: `its addresses are of other families in other clusters, and backends are used over their own family only: ${byCluster(values)}`,
    hint: `In clusters that have both families, give it both: ${bothFamilies(service, values)}`,
  }),
  'namespace-not-global': ({ clusters }, { namespace, clusters: all }) => ({
    message: `namespace ${namespace} is not global in ${enumerated(clusters)}: the other clusters get no backends from there`,
    hint: all
      .filter(({ cluster }) => clusters.includes(cluster))
      .map(({ context }) => makeNamespaceGlobal(context, namespace))
      .join(' && '),
  }),
  'not-shared': ({ clusters, ...warning }, service) => ({
    message: `is shared by no cluster${asFarAsKnown(warning)}: each one uses its own backends only`,
    hint: `So that all of them share it: ${annotate(within(service, clusters), '--shared=true')}${orRemove(warning, APART, service)}`,
  }),
  headless: ({ clusters }, service) => ({
    message: `is headless, or an ExternalName, in ${enumerated(clusters)}: Cilium balances nothing there, clients see what DNS gives them`,
    hint: aliasHint(within(service, clusters)),
  }),
  'node-local': ({ clusters, values, ...warning }, service) => ({
    message: `has internalTrafficPolicy Local in ${enumerated(clusters)}: its pods use the backends of their own node and of other clusters, and none of other nodes${values ? `; requests fail${asFarAsKnown(warning)}: ${byCluster(values)}` : ''}`,
    hint: `So that they use those of every node: ${patchIn(service, clusters, { internalTrafficPolicy: 'Cluster' })}`,
  }),
  'own-cluster-only': ({ clusters, values = {} }, service) => ({
    message: `${Object.values(values)[0]}, and is global in ${enumerated(clusters)}: some connections end in other clusters, which do not let them in`,
    hint: annotate(within(service, clusters), '--remove'),
  }),
  'kube-proxy': ({ clusters, values = {} }, service) => ({
    message: `kube-proxy serves requests ${whence(clientsIn(service, clusters))} in ${enumerated(clusters)}, and knows own backends only: ${byCluster(values)}`,
    hint: "Where Cilium replaces kube-proxy (its chart's value kubeProxyReplacement), they go to the backends of other clusters too.",
  }),
  'nearest-first': ({ clusters, values = {} }) => ({
    message: `${enumerated(clusters)} ${clusters.length === 1 ? 'chooses' : 'choose'} backends by zone or node before affinity, so that those of other clusters may be left out, and with affinity remote own ones used: ${byCluster(values)}`,
    hint: 'Leave that out of the Service, or out of Cilium (enable-service-topology), where affinity is to decide.',
  }),
  'ports-missing': ({ clusters, values = {} }, service) => ({
    message: `no ready endpoint listens at the port in ${byCluster(values)}: Cilium makes no backend of it`,
    hint: `Its targetPort must be a number, or a name, that a container's port has; which ports its endpoints have: ${endpointSlicesIn(service, clusters)}`,
  }),
  'no-ready-backend': ({ clusters, ...warning }) => ({
    message: `has no ready backend in ${enumerated(clusters)}: requests fail${asFarAsKnown(warning)}`,
  }),
  unserved: ({ clusters, values, ...warning }, { clusters: all }) => ({
    message: `requests from ${enumerated(clusters.map((name) => failingPart(name, all)))} fail${asFarAsKnown(warning)}: no backend that can be used from there is ready${values ? `, and there is no connection ${pathsOf(values)}, whose backends would serve` : ''}`,
    ...(values
      ? { hint: `Why: ${meshctlCommand('clustermesh status', { context: all.map(({ context }) => context) })}` }
      : {}),
  }),
};

function clientsIn({ clusters }: MeshService, those: readonly string[]) {
  return clusters.find(({ cluster }) => those.includes(cluster))?.definition?.ownBackendsFor ?? [];
}

/** The cluster, or those nodes of it that know nothing of another one's backends. */
function failingPart(name: string, all: MeshService['clusters']): string {
  const definition = all.find(({ cluster }) => cluster === name)?.definition;
  return definition?.usesFromSome ? `some nodes of ${name}` : name;
}

/** The commands by which a Service gets addresses of all the families that its cluster has. */
function bothFamilies(service: MeshService, values: Readonly<Record<string, string>>): string {
  const ofOne = Object.entries(values).filter(([, families]) => !families.includes(','));
  return patchIn(
    service,
    ofOne.map(([cluster]) => cluster),
    { ipFamilyPolicy: 'PreferDualStack' },
  );
}

/** The commands that change a Service's spec in some of the clusters. */
function patchIn({ namespace, name, clusters }: MeshService, those: readonly string[], spec: object): string {
  const patch = JSON.stringify({ spec });
  return clusters
    .filter(({ cluster }) => those.includes(cluster))
    .map(({ context }) => kubectlCommand({ context, namespace }, ['patch', 'service', name, '--patch', patch]))
    .join(' && ');
}

/** The commands that list a Service's EndpointSlices, with their ports, in some of the clusters. */
function endpointSlicesIn({ namespace, name, clusters }: MeshService, those: readonly string[]): string {
  return clusters
    .filter(({ cluster }) => those.includes(cluster))
    .map(({ context }) =>
      kubectlCommand({ context, namespace }, ['get', 'endpointslices', '-l', `${SERVICE_NAME_LABEL}=${name}`]),
    )
    .join(' && ');
}

/** `from mesh-1 to mesh-2 or from mesh-3 to mesh-2`. */
function pathsOf(values: Readonly<Record<string, string>>): string {
  return Object.entries(values)
    .map(([from, to]) => `from ${from} to ${to}`)
    .join(' or ');
}

/** Whose Services might make it untrue, and were not read. */
function asFarAsKnown({ unread = [], unseen = [] }: Pick<ServiceWarning, 'unread' | 'unseen'>): string {
  const besides = unseen.length > 0 ? [`what ${enumerated(unseen)} may be connected to besides`] : [];
  const missing = enumerated([...unread, ...besides]);
  return missing ? `, as far as is known without ${missing}` : '';
}

/** The commands for values that Cilium does not know, each in the clusters that have them: as it takes them, and as they may be meant. */
function mendingHint(service: MeshService, mends: readonly ValueMend[] = []): string {
  const commands = (way: 'kept' | 'meant') =>
    mends.map((mend) => annotate(within(service, mend.clusters), ...flagsFor(mend[way]))).join(' && ');
  const [kept, meant] = [commands('kept'), commands('meant')];
  if (kept === meant) return kept;
  return `To keep what Cilium takes them for: ${kept}; or to have it ${valueWords(mends.map((mend) => mend.meant))}: ${meant}`;
}

function flagsFor(values: KnownValues | 'not-global'): string[] {
  if (values === 'not-global') return ['--remove'];
  const { affinity, shared } = values;
  return [
    ...(affinity === undefined ? [] : ['--affinity', affinity]),
    ...(shared === undefined ? [] : [`--shared=${shared}`]),
  ];
}

/** `global and shared, with affinity local`. */
function valueWords(values: readonly KnownValues[]): string {
  const is = [
    ...(values.some(({ global }) => global) ? ['global'] : []),
    ...(values.some(({ shared }) => shared) ? ['shared'] : []),
  ];
  const affinity = values.find((one) => one.affinity)?.affinity;
  return [...(is.length > 0 ? [enumerated(is)] : []), ...(affinity ? [`with affinity ${affinity}`] : [])].join(', ');
}

/** With their present names annotations say the same, unless a former one keeps it from being global: there they can go. */
function renamingHint(service: MeshService): string {
  const [global, kept] = [true, false].map((is) => definedWhere(service, (one) => one.global === is));
  const ways = [
    ...(global ? [`rename them: ${annotate(global)}`] : []),
    ...(kept ? [`where it is not global, remove them: ${annotate(kept, '--remove')}`] : []),
  ];
  return capital(ways.join('; '));
}

function aliasHint(service: MeshService): string | undefined {
  const aliases = definedWhere(service, isExternalName);
  return (
    aliases && `An ExternalName has no backends to share, so take it out of the mesh: ${annotate(aliases, '--remove')}`
  );
}

/** A Service as some of the clusters have it. */
function within(service: MeshService, those: readonly string[]): MeshService {
  return { ...service, clusters: service.clusters.filter(({ cluster }) => those.includes(cluster)) };
}

/** The same where its definition is like that; undefined where none is. */
function definedWhere(service: MeshService, is: (definition: ServiceDefinition) => boolean): MeshService | undefined {
  const clusters = service.clusters.filter(({ definition }) => definition !== undefined && is(definition));
  return clusters.length > 0 ? { ...service, clusters } : undefined;
}

/**
 * In the clusters that have the Service, as far as it is not to be copied: a cluster without it refuses the command, as one does that
 * has an ExternalName, unless it is to go.
 */
function annotate({ namespace, name, clusters }: MeshService, ...flags: string[]): string {
  const named = clusters.filter(({ definition }) => {
    if (!definition) return flags.includes('--create-missing');
    return flags.includes('--remove') || !isExternalName(definition);
  });
  const context = named.map((cluster) => cluster.context);
  return meshctlCommand('service global', { context }, [`${namespace}/${name}`, ...flags]);
}

const EFFECTS: Readonly<Record<Affinity, string>> = {
  none: 'new connections go to the backends of all alike',
  local: 'each one uses its own backends first',
  remote: 'each one uses the backends of the others first',
};

/** The commands after which the clusters agree, each with what it means for traffic: which one is meant only operators know. */
function agreementHint(service: MeshService): string {
  const { affinity, isCommon } = agreement(service);
  const defined = sharingIn(service);
  const isShared = defined.every(({ global, shared }) => global && shared);
  const way = (what: string, chosen: Affinity, ...flags: string[]) =>
    `${what}${EFFECTS[chosen]}: ${annotate(service, '--affinity', chosen, ...flags)}`;
  const common = 'as in most of them, so that ';
  const ways = isShared
    ? AFFINITIES.filter((one) => defined.some((definition) => definition.affinity === one))
        .toSorted((a, b) => Number(b === affinity) - Number(a === affinity))
        .map((one) => way(isCommon && one === affinity ? common : 'so that ', one))
    : [
        way(isCommon ? common : 'so that all of them use and share it, and ', affinity, '--shared=true'),
        `${APART}: ${annotate(service, '--remove')}`,
      ];
  return capital(ways.join('; or '));
}

const APART = 'so that each cluster uses its own backends only';

/**
 * What most of the clusters have, unless it would take the Service away from the others: then, as where there is no
 * majority, all of them use and share it, by the affinity that all have where it is global, or most.
 */
function agreement(service: MeshService): { affinity: Affinity; isCommon: boolean } {
  const defined = sharingIn(service);
  const common = majority(defined.map(({ global, shared, affinity }) => (global && shared ? affinity : undefined)));
  const affinities = defined.flatMap((one) => (one.global ? [one.affinity] : []));
  const affinity = common ?? majority(affinities) ?? 'none';
  return { affinity, isCommon: common !== undefined };
}

function sharingIn({ clusters }: MeshService): ServiceDefinition[] {
  return clusters.flatMap(({ definition }) => (definition && !isExternalName(definition) ? [definition] : []));
}

/** What more than half of the values are. */
function majority<T>(values: readonly T[]): T | undefined {
  return values.find((value) => values.filter((other) => other === value).length * 2 > values.length);
}

function byCluster(values: Readonly<Record<string, string>>, empty = '-'): string {
  return Object.entries(values)
    .map(([cluster, value]) => `${cluster} (${value || empty})`)
    .join(', ');
}
