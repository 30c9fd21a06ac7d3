import type { KubeObject } from '../objects/kube-object.ts';
import { serviceSpec } from '../objects/service.ts';
import { isMeantGlobal, readSharing, SERVICE_ANNOTATIONS } from './annotations.ts';
import { type ClusterService, isFamily, isPublished, stateOf, usesOthers } from './backends.ts';
import { serviceImportOf } from './derived.ts';
import { isExternalName } from './own-cluster.ts';
import type { ClusterServices, ServiceDefinition, ServiceFacts, ServiceInCluster } from './service-facts.ts';
import { type ServiceWarning, warningsOf } from './services-warnings.ts';
import { nearestFirst, servedByKubeProxy } from './unbalanced.ts';
import { inputOf, selectionInputs, unconnectedFor, unservedPorts, usedBySome, usedUnheard, usesIn } from './uses.ts';

/** A Service over all the clusters that were read. */
export interface MeshService {
  namespace: string;
  name: string;
  /** The ServiceImport that Cilium's operator derives it from. */
  serviceImport?: string;
  /** Every cluster that was read, in the order given. */
  clusters: readonly ServiceInCluster[];
  warnings: readonly ServiceWarning[];
}

/** `namespace/name`, by which a Service is the same in all clusters. */
export function serviceKey({ namespace, name }: { namespace: string; name: string }): string {
  return `${namespace}/${name}`;
}

/** The keys of the Services that are global in at least one of the clusters. */
export function globalKeys(clusters: readonly ClusterServices[]): Set<string> {
  return keysOf(clusters, ({ annotations }) => readSharing(annotations).global);
}

/** The keys of the Services that are global, or that somebody meant to make so (an annotation that Cilium does not take). */
export function meantKeys(clusters: readonly ClusterServices[]): Set<string> {
  return keysOf(clusters, ({ annotations }) => isMeantGlobal(annotations));
}

function keysOf(clusters: readonly ClusterServices[], isWanted: (facts: ServiceFacts) => boolean): Set<string> {
  return new Set(
    clusters.flatMap(({ services }) => [...services].flatMap(([key, facts]) => (isWanted(facts) ? [key] : []))),
  );
}

/**
 * The keys of the Services whose backends two clusters come to share as soon as they are connected: global in both, and offered
 * to others by at least one of them.
 */
export function sharedOnceConnected(one: ClusterServices, other: ClusterServices): string[] {
  return [...new Set([...usedOnceDialled(one, other), ...usedOnceDialled(other, one)])].sort();
}

/**
 * The keys of the Services for which one cluster comes to use the other's backends as soon as it dials it: for one that is headless there
 * where its DNS comes to have them.
 */
export function usedOnceDialled(client: ClusterServices, server: ClusterServices): string[] {
  return [...client.services.keys()].sort().filter((key) => {
    const [own, offered] = selectionInputs([client, server], key);
    const theirs = server.services.get(key);
    return own && isBalanced(own) && offered?.sharing.global && theirs && isOffered(server, theirs);
  });
}

/** Whether the backends of other clusters are given to clients, by agents or by DNS, if there are any. */
export function isBalanced({ sharing, headless, mirrored }: ClusterService): boolean {
  return sharing.global && (!headless || mirrored === true);
}

/** Whether others may use the backends that a cluster has for a Service: an ExternalName has none. */
export function isOffered(cluster: ClusterServices, facts: ServiceFacts): boolean {
  return !isExternalName(facts) && isPublished(inputOf(cluster, facts));
}

/** The Services of these clusters, by namespace and name. */
export function joinServices(clusters: readonly ClusterServices[]): MeshService[] {
  const keys = [...new Set(clusters.flatMap(({ services }) => [...services.keys()]))].sort();
  return keys.map((key) => joinService(clusters, key));
}

function joinService(clusters: readonly ClusterServices[], key: string): MeshService {
  const [namespace = '', name = ''] = key.split('/');
  const inputs = selectionInputs(clusters, key);
  const joined = clusters.map((of): ServiceInCluster => {
    const { cluster, context } = of;
    const facts = of.services.get(key);
    return {
      cluster,
      context,
      namespaceExists: of.namespaces.has(namespace),
      definition: facts && define(of, facts, inputs, unreadPeers(of, clusters)),
    };
  });
  const unread = new Map(clusters.map((of) => [of.cluster, of.peers && unreadPeers(of, clusters)]));
  const [serviceImport] = clusters.flatMap(({ services }) => services.get(key)?.serviceImport ?? []);
  const service = { namespace, name, ...(serviceImport === undefined ? {} : { serviceImport }) };
  const able = clusters.flatMap(({ cluster, podFamilies = [4, 6] }) => (podFamilies.length > 1 ? [cluster] : []));
  const warnings = warningsOf(service, joined, annotationsOf(clusters, key), unread).map((warning) =>
    warning.id === 'families-differ' ? { ...warning, able } : warning,
  );
  return { ...service, clusters: joined, warnings };
}

/** The clusters that a cluster's agents read and this report does not. */
export function unreadPeers(
  { peers = [] }: Pick<ClusterServices, 'peers'>,
  clusters: readonly ClusterServices[],
): string[] {
  return peers.filter((peer) => !clusters.some(({ cluster }) => cluster === peer));
}

function define(
  of: ClusterServices,
  facts: ServiceFacts,
  inputs: readonly ClusterService[],
  unread: readonly string[],
): ServiceDefinition {
  const { type, headless, nodeLocal, ports, selector, families } = facts;
  const uses = usesIn(of, inputs);
  const unserved = uses.length > 0 ? unservedPorts(of, inputs) : [];
  const usesDisconnected = unconnectedFor(of, inputs);
  const usesFromSome = usedBySome(of, usesDisconnected);
  const usesLastHeard = usedUnheard(of, facts).filter(
    (peer) => !usesDisconnected.includes(peer) && !uses.some(({ cluster }) => cluster === peer),
  );
  const input = inputOf(of, facts);
  const ownBackendsFor = servedByKubeProxy(of, facts);
  const nearest = nearestFirst(of, facts);
  const [first] = families ?? [];
  const backends = facts.backends.filter(({ family }) => first === undefined || (family ?? first) === first);
  return {
    ...input.sharing,
    type,
    headless,
    ...(input.mirrored ? { mirrored: true } : {}),
    ...(nodeLocal ? { nodeLocal } : {}),
    published: isPublished(input),
    namespaceGlobal: input.namespaceGlobal,
    ...(nearest === undefined ? {} : { nearestFirst: nearest }),
    ...(ownBackendsFor.length > 0 ? { ownBackendsFor } : {}),
    ports,
    ...(families ? { families } : {}),
    selector,
    ready: backends.filter((backend) => stateOf(facts, backend) === 'active').length,
    backends,
    uses,
    ...(unserved.length > 0 ? { unserved } : {}),
    usesDisconnected,
    ...(usesFromSome.length > 0 ? { usesFromSome } : {}),
    ...(usesLastHeard.length > 0 ? { usesLastHeard } : {}),
    usesUnread: usesOthers(input) ? unread : [],
  };
}

function annotationsOf(clusters: readonly ClusterServices[], key: string): Map<string, ServiceFacts['annotations']> {
  return new Map(
    clusters.flatMap(({ cluster, services }) => {
      const facts = services.get(key);
      return facts ? [[cluster, facts.annotations]] : [];
    }),
  );
}

const MESH_ANNOTATIONS: ReadonlySet<string> = new Set(
  Object.values(SERVICE_ANNOTATIONS).flatMap(({ name, legacy }) => [name, legacy]),
);
/** Makes a Service headless for Cilium whatever its clusterIP (Kubernetes sets it on the Endpoints of headless ones). */
const HEADLESS_LABEL = 'service.kubernetes.io/headless';

/** Has Cilium's operator write EndpointSlices of other clusters' backends, of a headless Service unless it says otherwise. */
const MIRRORED = 'service.cilium.io/global-sync-endpoint-slices';

function isMirrored(annotations: Readonly<Record<string, string>> = {}, clusterIP: string | undefined): boolean {
  const value = annotations[MIRRORED];
  return value === undefined ? clusterIP === 'None' : value.toLowerCase() === 'true';
}

/** The former one has precedence (pkg/loadbalancer/reflectors, `getAnnotationTopologyAwareHints`). */
const ZONE_HINTS = ['service.kubernetes.io/topology-aware-hints', 'service.kubernetes.io/topology-mode'];

function zoneHintsOf(annotations: Readonly<Record<string, string>> = {}): Pick<ServiceFacts, 'zoneHints'> {
  const name = ZONE_HINTS.find((one) => annotations[one] !== undefined);
  const value = name === undefined ? '' : annotations[name];
  return name === undefined || ['', 'disabled', 'Disabled'].includes(value ?? '')
    ? {}
    : { zoneHints: `${name}: ${value}` };
}

function isAskedFromOutside(type: string, { externalIPs = [] }: { externalIPs?: string[] }): boolean {
  return type === 'NodePort' || type === 'LoadBalancer' || (type === 'ClusterIP' && externalIPs.length > 0);
}

/** A Service as facts, without backends. @param heeded whether the agents there heed its internalTrafficPolicy */
export function serviceFacts(service: KubeObject, heeded = true): ServiceFacts {
  const { metadata } = service;
  const { type = 'ClusterIP', clusterIP, ipFamilies, ports = [], selector = {}, ...spec } = serviceSpec(service);
  return {
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    serviceImport: serviceImportOf(service),
    type,
    annotations: Object.fromEntries(
      Object.entries(metadata.annotations ?? {}).filter(([name]) => MESH_ANNOTATIONS.has(name)),
    ),
    headless:
      type === 'ExternalName' || clusterIP?.toLowerCase() === 'none' || metadata.labels?.[HEADLESS_LABEL] !== undefined,
    ...(heeded && spec.internalTrafficPolicy === 'Local' ? { nodeLocal: true } : {}),
    ...(spec.trafficDistribution === undefined ? {} : { distribution: spec.trafficDistribution }),
    ...zoneHintsOf(metadata.annotations),
    ...(isAskedFromOutside(type, spec) ? { fromOutside: true } : {}),
    ...(isMirrored(metadata.annotations, clusterIP) ? { mirrored: true } : {}),
    families: ipFamilies?.filter(isFamily),
    ports: ports.map(({ name = '', port, protocol = 'TCP' }) => ({ name, port, protocol })),
    selector,
    backends: [],
  };
}
