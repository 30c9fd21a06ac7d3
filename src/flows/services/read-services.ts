import type { ClusterClient } from '../../kube/client.ts';
import { unlessForbidden } from '../../kube/unless-refused.ts';
import type { KubeObject } from '../../mesh/objects/kube-object.ts';
import { AGENT_PEERS_SECRET, secretRef } from '../../mesh/objects/names.ts';
import { repels } from '../../mesh/objects/taints.ts';
import { groupBy } from '../../mesh/pairs.ts';
import { dialledPeers } from '../../mesh/peers/peers.ts';
import { heededNamespaces, readSharing } from '../../mesh/services/annotations.ts';
import { withAnswers } from '../../mesh/services/answers.ts';
import { backendsIn, NOT_MIRRORED, SERVICE_NAME_LABEL } from '../../mesh/services/endpoint-slices.ts';
import type { ClusterServices, ServiceBackend, ServiceFacts } from '../../mesh/services/service-facts.ts';
import { meantKeys, serviceFacts, serviceKey } from '../../mesh/services/services.ts';
import { readNodes } from '../../snapshot/nodes.ts';
import type { Flow } from '../flow.ts';
import { readLinks } from './read-links.ts';
import { type OnFailure, orNone, type ServiceCluster } from './read-service-clusters.ts';

/** Which Services to read: those that are global in some cluster, or the one named, global or not. */
export interface ServiceScope {
  /** Absent: all namespaces. */
  namespace?: string | undefined;
  name?: string | undefined;
}

/** Service names in one label selector: a URL of some kilobytes, which every proxy takes. */
const NAMES_PER_LIST = 60;

/**
 * Reads the Services in scope from all clusters in parallel, their backends only for those that matter; their agents are asked
 * whom they are connected to.
 * @param onFailure hears of a cluster that cannot be read and is left out then; without it the error is thrown
 * @param everyNode as {@link readLinks} has it
 */
export async function readServices(
  flow: Flow,
  members: readonly ServiceCluster[],
  scope: ServiceScope,
  { onFailure, everyNode = false }: { onFailure?: OnFailure | undefined; everyNode?: boolean } = {},
): Promise<ClusterServices[]> {
  const read = await readAllDefinitions(members, scope, onFailure);
  // Of clusters that could be read: the others would only be waited for again.
  const links = await readLinks(
    flow,
    read.map(({ member }) => member),
    everyNode,
  );
  const linked = withAnswers(read.map(({ member, cluster }) => ({ ...cluster, ...links.get(member.client.context) })));
  const found = read.map(({ member, cluster }, index) => ({ member, cluster: linked[index] ?? cluster }));
  return readAllBackends(found, scope, onFailure);
}

/** As {@link readServices}, but no agent is asked: clusters are taken to be connected as their peering files say. */
export async function readConfiguredServices(
  members: readonly ServiceCluster[],
  scope: ServiceScope,
  onFailure?: OnFailure,
  limit?: Limit,
): Promise<ClusterServices[]> {
  return readAllBackends(await readAllDefinitions(members, scope, onFailure, limit), scope, onFailure, limit);
}

/** Lets clusters be read when it is their turn. */
type Limit = <T>(work: () => Promise<T>) => Promise<T>;
const AT_ONCE: Limit = (work) => work();

/** Only how they are defined: no backends are read. */
export async function readServiceDefinitions(
  members: readonly ServiceCluster[],
  scope: ServiceScope,
  onFailure?: OnFailure,
): Promise<ClusterServices[]> {
  return (await readAllDefinitions(members, scope, onFailure)).map(({ cluster }) => cluster);
}

/** A cluster with what was read of it. */
interface ReadCluster {
  member: ServiceCluster;
  cluster: ClusterServices;
}

async function readAllDefinitions(
  members: readonly ServiceCluster[],
  scope: ServiceScope,
  onFailure: OnFailure | undefined,
  limit = AT_ONCE,
): Promise<ReadCluster[]> {
  const read = await Promise.all(
    members.map(async (member) => {
      const definitions = await limit(() => orNone(member, readDefinitions(member, scope), onFailure));
      return definitions.map((cluster) => ({ member, cluster }));
    }),
  );
  return read.flat();
}

async function readAllBackends(
  found: readonly ReadCluster[],
  scope: ServiceScope,
  onFailure: OnFailure | undefined,
  limit = AT_ONCE,
): Promise<ClusterServices[]> {
  const wanted = scope.name === undefined ? meantKeys(found.map(({ cluster }) => cluster)) : undefined;
  const complete = await Promise.all(
    found.map(async ({ member, cluster }) => {
      const services = new Map([...cluster.services].filter(([key]) => wanted?.has(key) ?? true));
      const reading = () =>
        Promise.all([readBackends(member.client, services, scope), keepsToNodes(services) ? readPodNodes(member) : {}]);
      const read = await limit(() => orNone(member, reading(), onFailure));
      return read.map(([backends, nodes]) => ({ ...cluster, ...nodes, services: withBackends(services, backends) }));
    }),
  );
  return complete.flat();
}

function keepsToNodes(services: ReadonlyMap<string, ServiceFacts>): boolean {
  return [...services.values()].some(({ nodeLocal, annotations }) => nodeLocal && readSharing(annotations).global);
}

/** The nodes that any pod may be on, so none with a taint. */
async function readPodNodes({ client }: ServiceCluster): Promise<Pick<ClusterServices, 'nodes' | 'nodesUnseen'>> {
  const nodes = await unlessForbidden(readNodes(client));
  if (!nodes) return { nodesUnseen: true };
  const untainted = nodes.filter(({ taints = [] }) => !taints.some((taint) => repels(taint, [])));
  return { nodes: untainted.map(({ name }) => name) };
}

function withBackends(
  services: ReadonlyMap<string, ServiceFacts>,
  backends: ReadonlyMap<string, ServiceBackend[]>,
): Map<string, ServiceFacts> {
  return new Map(
    [...services].map(([key, facts]): [string, ServiceFacts] => [key, { ...facts, backends: backends.get(key) ?? [] }]),
  );
}

/** One cluster's Services without their backends. */
async function readDefinitions(member: ServiceCluster, scope: ServiceScope): Promise<ClusterServices> {
  const { client, cluster, globalByDefault, image, settings } = member;
  const [peers, annotated, services] = await Promise.all([
    readPeers(member),
    readNamespaces(client, scope.namespace),
    readServiceFacts(member, scope),
  ]);
  const namespaces = heededNamespaces(annotated, image);
  return { context: client.context, cluster, globalByDefault, ...settings, peers, namespaces, services };
}

/** The peers that the agents read from; undefined where Secrets may not be read. */
export async function readPeers({ client, namespace, cluster }: ServiceCluster): Promise<string[] | undefined> {
  const reading = client.get(secretRef(namespace, AGENT_PEERS_SECRET));
  return unlessForbidden(reading.then((secret) => dialledPeers(secret).filter((peer) => peer !== cluster)));
}

async function readNamespaces(
  client: ClusterClient,
  namespace: string | undefined,
): Promise<Map<string, Record<string, string>>> {
  const annotations = new Map<string, Record<string, string>>();
  const add = ({ metadata }: KubeObject) => annotations.set(metadata.name, metadata.annotations ?? {});
  if (namespace === undefined) {
    for await (const object of client.list({ apiVersion: 'v1', kind: 'Namespace' })) add(object);
  } else {
    const object = await client.get({ apiVersion: 'v1', kind: 'Namespace', name: namespace });
    if (object) add(object);
  }
  return annotations;
}

async function readServiceFacts(
  { client, heedsInternalPolicy }: ServiceCluster,
  { namespace, name }: ServiceScope,
): Promise<Map<string, ServiceFacts>> {
  const services = new Map<string, ServiceFacts>();
  const add = (object: KubeObject) => {
    const facts = serviceFacts(object, heedsInternalPolicy);
    services.set(serviceKey(facts), facts);
  };
  if (namespace !== undefined && name !== undefined) {
    const object = await client.get({ apiVersion: 'v1', kind: 'Service', namespace, name });
    if (object) add(object);
  } else {
    for await (const object of client.list({ apiVersion: 'v1', kind: 'Service', namespace })) add(object);
  }
  return services;
}

/** The backends of these Services, by the Service's key. */
async function readBackends(
  client: ClusterClient,
  services: ReadonlyMap<string, ServiceFacts>,
  { namespace }: ServiceScope,
): Promise<Map<string, ServiceBackend[]>> {
  const names = [...new Set([...services.values()].map(({ name }) => name))].sort();
  const keyOfService = ({ metadata }: KubeObject) => `${metadata.namespace}/${metadata.labels?.[SERVICE_NAME_LABEL]}`;
  const slices: KubeObject[] = [];
  const lists = chunksOf(names, NAMES_PER_LIST).map(async (chunk) => {
    const labelSelector = `${SERVICE_NAME_LABEL} in (${chunk.join(',')}),${NOT_MIRRORED}`;
    const selection = { apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', namespace, labelSelector };
    for await (const slice of client.list(selection)) {
      if (services.has(keyOfService(slice))) slices.push(slice);
    }
  });
  await Promise.all(lists);
  return new Map([...groupBy(slices, keyOfService)].map(([key, own]) => [key, backendsIn(own)]));
}

function chunksOf<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  );
}
