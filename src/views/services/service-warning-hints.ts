/** What is to be typed where a warning is about a Service. */
import { kubectlCommand, meshctlCommand } from '../../mesh/command-line.ts';
import { capital, enumerated } from '../../mesh/counted.ts';
import { AFFINITIES, type Affinity } from '../../mesh/services/annotations.ts';
import { SERVICE_NAME_LABEL } from '../../mesh/services/endpoint-slices.ts';
import { isExternalName } from '../../mesh/services/own-cluster.ts';
import type { ServiceDefinition } from '../../mesh/services/service-facts.ts';
import type { MeshService } from '../../mesh/services/services.ts';
import type { KnownValues, ValueMend } from '../../mesh/services/value-mends.ts';

/** The commands that list a Service's EndpointSlices, with their ports, in some of the clusters. */
export function endpointSlicesIn({ namespace, name, clusters }: MeshService, those: readonly string[]): string {
  return clusters
    .filter(({ cluster }) => those.includes(cluster))
    .map(({ context }) =>
      kubectlCommand({ context, namespace }, ['get', 'endpointslices', '-l', `${SERVICE_NAME_LABEL}=${name}`]),
    )
    .join(' && ');
}

/** The commands for values that Cilium does not know, each in the clusters that have them: as it takes them, and as they may be meant. */
export function mendingHint(service: MeshService, mends: readonly ValueMend[] = []): string {
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
export function renamingHint(service: MeshService): string {
  const [global, kept] = [true, false].map((is) => definedWhere(service, (one) => one.global === is));
  const ways = [
    ...(global ? [`rename them: ${annotate(global)}`] : []),
    ...(kept ? [`where it is not global, remove them: ${annotate(kept, '--remove')}`] : []),
  ];
  return capital(ways.join('; '));
}

/** What takes an ExternalName out of the mesh; undefined where no cluster has one. */
export function aliasHint(service: MeshService): string | undefined {
  const aliases = definedWhere(service, isExternalName);
  return (
    aliases && `An ExternalName has no backends to share, so take it out of the mesh: ${annotate(aliases, '--remove')}`
  );
}

/** A Service as some of the clusters have it. */
export function within(service: MeshService, those: readonly string[]): MeshService {
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
export function annotate({ namespace, name, clusters }: MeshService, ...flags: string[]): string {
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
export function agreementHint(service: MeshService): string {
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

/** What comes of a Service that is global no more. */
export const APART = 'so that each cluster uses its own backends only';

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
