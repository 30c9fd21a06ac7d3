import type { KubeObject } from '../objects/kube-object.ts';
import { serviceSpec } from '../objects/service.ts';
import { isMeantGlobal, isNamespaceGlobal, readSharing, SERVICE_ANNOTATIONS } from './annotations.ts';
import {
  type ClusterService,
  isPublished,
  type NamedPort,
  type SelectedBackend,
  selectBackends,
  stateOf,
  usesOthers,
} from './backends.ts';
import { serviceImportOf } from './derived.ts';
import type {
  ClusterServices,
  ServiceBackend,
  ServiceDefinition,
  ServiceFacts,
  ServiceInCluster,
  Use,
} from './service-facts.ts';
import { type ServiceWarning, warningsOf } from './services-warnings.ts';

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
  const unread = new Map(clusters.map((of) => [of.cluster, unreadPeers(of, clusters)]));
  const [serviceImport] = clusters.flatMap(({ services }) => services.get(key)?.serviceImport ?? []);
  const service = { namespace, name, ...(serviceImport === undefined ? {} : { serviceImport }) };
  const warnings = warningsOf(service, joined, annotationsOf(clusters, key), unread);
  return { ...service, clusters: joined, warnings };
}

/** The clusters that a cluster's agents read and this report does not. */
export function unreadPeers({ peers = [] }: ClusterServices, clusters: readonly ClusterServices[]): string[] {
  return peers.filter((peer) => !clusters.some(({ cluster }) => cluster === peer));
}

function define(
  of: ClusterServices,
  facts: ServiceFacts,
  inputs: readonly ClusterService[],
  unread: readonly string[],
): ServiceDefinition {
  const { annotations, type, headless, ports, selector, backends } = facts;
  const namespaceGlobal = isGlobalIn(of, facts.namespace);
  const uses = usesIn(of, inputs);
  const input = { cluster: of.cluster, sharing: readSharing(annotations), headless, namespaceGlobal, backends };
  return {
    ...input.sharing,
    type,
    headless,
    published: isPublished(input),
    namespaceGlobal,
    ports,
    selector,
    ready: backends.filter((backend) => stateOf(backend) === 'active').length,
    backends,
    uses,
    usesDisconnected: usesIn({ ...of, broken: undefined }, inputs)
      .map(({ cluster }) => cluster)
      .filter((cluster) => isDisconnected(of, cluster) && !uses.some((use) => use.cluster === cluster)),
    usesUnread: usesOthers(input) ? unread : [],
  };
}

/** What {@link selectBackends} needs of one Service, for each cluster that has it. */
export function selectionInputs(clusters: readonly ClusterServices[], key: string): ClusterService[] {
  return clusters.flatMap((of) => {
    const facts = of.services.get(key);
    if (!facts) return [];
    const { annotations, headless, ports, backends, namespace } = facts;
    const namespaceGlobal = isGlobalIn(of, namespace);
    return [{ cluster: of.cluster, sharing: readSharing(annotations), headless, namespaceGlobal, ports, backends }];
  });
}

/**
 * What the agents of a cluster use of a Service for any of its ports, counted by the backends' clusters; none behind a broken
 * connection.
 */
export function usesIn(of: ClusterServices, inputs: readonly ClusterService[]): Use[] {
  const { broken = [] } = of;
  const used = new Map(
    portsIn(of, inputs).flatMap((port) =>
      selectionFor(of, inputs, port).map(({ backend, cluster }) => [backend, cluster] as const),
    ),
  );
  const counts = new Map<string, number>();
  for (const cluster of used.values()) counts.set(cluster, (counts.get(cluster) ?? 0) + 1);
  return [...counts].map(([name, backends]) => ({
    cluster: name,
    backends,
    ...(broken.some(({ peer }) => peer === name) ? { atRisk: true } : {}),
  }));
}

/** The ports of a cluster's Service that no backend serves which its agents could use. */
export function unservedPorts(of: ClusterServices, inputs: readonly ClusterService[]): NamedPort[] {
  return portsIn(of, inputs).filter((port) => selectionFor(of, inputs, port).length === 0);
}

function portsIn({ cluster }: ClusterServices, inputs: readonly ClusterService[]): readonly NamedPort[] {
  return inputs.find((input) => input.cluster === cluster)?.ports ?? [];
}

function selectionFor(of: ClusterServices, inputs: readonly ClusterService[], port: NamedPort): SelectedBackend[] {
  const { cluster, peers } = of;
  const read = inputs.filter(
    (other) =>
      other.cluster === cluster || ((peers?.includes(other.cluster) ?? true) && !isDisconnected(of, other.cluster)),
  );
  return selectBackends(read, cluster, port);
}

function isDisconnected({ broken = [] }: ClusterServices, cluster: string): boolean {
  return broken.some(({ peer, state }) => peer === cluster && state === 'disconnected');
}

/** The same cluster when all have been restarted: what is at risk did not come back. */
export function afterRestart(of: ClusterServices): ClusterServices {
  return { ...of, broken: of.broken?.map((link) => ({ ...link, state: 'disconnected' })) };
}

function isGlobalIn({ namespaces, globalByDefault }: ClusterServices, namespace: string): boolean {
  return isNamespaceGlobal(namespaces.get(namespace), globalByDefault);
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

/** A Service as facts, without backends. */
export function serviceFacts(service: KubeObject): ServiceFacts {
  const { metadata } = service;
  const { type = 'ClusterIP', clusterIP, ipFamilies, ports = [], selector = {} } = serviceSpec(service);
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
    ipFamily: ipFamilies?.[0],
    ports: ports.map(({ name = '', port, protocol = 'TCP' }) => ({ name, port, protocol })),
    selector,
    backends: [],
  };
}

interface SliceEndpoint {
  addresses?: string[];
  conditions?: { ready?: boolean | null; serving?: boolean | null; terminating?: boolean | null };
  nodeName?: string;
  zone?: string;
  targetRef?: { kind?: string; name?: string };
}

/** Weight 0 takes a slice's endpoints out of use in their own cluster (Cilium's pkg/k8s/endpoints.go). */
const WEIGHT_ANNOTATION = 'service.cilium.io/weight';

/** The backends in an EndpointSlice, one for each address. Absent conditions count as Kubernetes has them. */
export function backendsIn({ metadata, endpoints }: KubeObject): ServiceBackend[] {
  const maintenance = Number(metadata.annotations?.[WEIGHT_ANNOTATION] || NaN) === 0;
  return ((endpoints ?? []) as SliceEndpoint[]).flatMap(({ addresses = [], conditions, nodeName, zone, targetRef }) =>
    addresses.map((address) => ({
      address,
      ready: conditions?.ready ?? true,
      serving: conditions?.serving ?? true,
      terminating: conditions?.terminating ?? false,
      ...(maintenance ? { maintenance } : {}),
      ...(nodeName === undefined ? {} : { node: nodeName }),
      ...(zone === undefined ? {} : { zone }),
      ...(targetRef?.kind === 'Pod' && targetRef.name !== undefined ? { pod: targetRef.name } : {}),
    })),
  );
}
