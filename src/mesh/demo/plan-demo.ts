import { connectCommand, meshctlCommand, unnamedContext } from '../command-line.ts';
import { capital, firstOf } from '../counted.ts';
import { MeshctlError } from '../errors.ts';
import { waysOut } from '../peers/parted.ts';
import { DEMO_NAMESPACE, type DemoRecord } from './record.ts';

/** One of the two clusters, as it was found. */
export interface DemoCluster {
  context: string;
  /** In the mesh. */
  name: string;
  /** The uid of its clustermesh-apiserver's Deployment; undefined where it has none. */
  deployment: string | undefined;
  /** What disable would remove from it, the uid of each object and its name in words. */
  parts: readonly { uid: string; object: string }[];
  /** The clusters that it dials. */
  dials: readonly string[];
  /** The clusters that it dials or lets in. */
  knows: readonly string[];
  /** The namespace that the demo is to use, where there is one: a demo's, or somebody's; and since when there is. */
  taken?: { record: DemoRecord | undefined; uid?: string | undefined; since?: string | undefined } | undefined;
  /** Namespaces of other demos. */
  others: readonly string[];
}

const MOST_NAMED = 3;
const LEFT_TO_OTHERS = 'It stays as it is; run the same command again to see the demo on that.';

export type DemoPair = readonly [DemoCluster, DemoCluster];

/** What the demo will change beyond its own namespace. */
export interface DemoPlan {
  namespace: string;
  clusters: DemoPair;
  /** Contexts in which Cluster Mesh is enabled first. */
  enable: readonly string[];
  /** Whether the clusters are connected first. */
  connect: boolean;
  /** Whether a former demo left something, which is taken away first. */
  formerly: boolean;
  /** When that demo began, as Kubernetes writes it: it may be at work. */
  formerlySince?: string | undefined;
}

/**
 * Decides what the demo enables and connects: what is there already stays as it is, and is not taken away. What a former
 * demo made counts as not there.
 * @throws MeshctlError `Conflict` for a namespace that is not the demo's, for what another demo left, and for parts of Cluster
 * Mesh that would go with the demo; `Incompatible` for a connection one way, which the demo could not put back
 */
export function planDemo(clusters: DemoPair, namespace: string): DemoPlan {
  const contexts = clusters.map(({ context }) => context);
  requireOwnPlace(clusters, namespace);
  const formerly = clusters.filter(({ taken }) => taken?.record);
  const madeConnection = formerly.some(hasConnected);
  const [one, other] = clusters;
  const ways = [one.dials.includes(other.name), other.dials.includes(one.name)];
  const known = areKnown(clusters);
  if (!madeConnection && known && !ways.every(Boolean)) {
    throw new MeshctlError(
      'Incompatible',
      `contexts ${contexts.map((name) => `"${name}"`).join(' and ')} are half connected, which the demo could not restore afterwards`,
      {
        hint: wholeAgain(clusters),
        details: { contexts },
      },
    );
  }
  const enable = clusters.filter((cluster) => cluster.deployment === undefined || hasEnabled(cluster));
  for (const cluster of enable) if (!hasEnabled(cluster)) requireNoParts(cluster);
  return {
    namespace,
    clusters,
    enable: enable.map(({ context }) => context),
    connect: madeConnection || !known,
    formerly: formerly.length > 0,
    formerlySince: formerly.flatMap(({ taken }) => taken?.since ?? []).sort()[0],
  };
}

/**
 * Where Cluster Mesh is not enabled, but something of it is there, as certificates that were kept or an enable that stopped,
 * the demo would go on with that, and at the end it would be gone.
 */
function requireNoParts({ context, parts }: DemoCluster): void {
  if (parts.length === 0) return;
  const objects = parts.map(({ object }) => object);
  throw new MeshctlError(
    'Conflict',
    `context "${context}": Cluster Mesh is not enabled, but ${firstOf(objects, MOST_NAMED)} ${objects.length === 1 ? 'is' : 'are'} there from before, which the demo would remove at the end`,
    {
      hint: `Enable it, which the demo leaves as it is: ${meshctlCommand('clustermesh enable', { context })}`,
      details: { context, objects },
    },
  );
}

/**
 * Sees that no Service of the operator's changes what it does: connected clusters share the backends of those that are global in
 * both, and at the end of the demo they would part again.
 * @param shared keys of the Services that the two share as soon as they are connected
 * @throws MeshctlError `Conflict`, unless the demo connects nothing
 */
export function requireNoneShared({ clusters, enable, connect, namespace }: DemoPlan, shared: readonly string[]): void {
  const services = shared.filter((key) => !key.startsWith(`${namespace}/`));
  if (!connect || services.length === 0) return;
  const [one, other] = clusters;
  const contexts = [one.context, other.context];
  const connecting = [
    ...(enable.length > 0 ? [meshctlCommand('clustermesh enable', { context: enable })] : []),
    connectCommand(one.context, other.context),
  ];
  const are = services.length === 1 ? 'is' : 'are';
  throw new MeshctlError(
    'Conflict',
    `contexts ${contexts.map((name) => `"${name}"`).join(' and ')}: ${firstOf(services, MOST_NAMED)} ${are} global in both, and would share backends as long as the demo connects them`,
    {
      hint: `Take other clusters; or, where these may share them, connect them first, which the demo leaves so: ${connecting.join(' && ')}`,
      details: { contexts, services },
    },
  );
}

/** How a half connection ends: one that a cluster has parted with may be so on purpose. */
function wholeAgain([one, other]: DemoPair): string {
  const [ours, theirs] = [one.knows.includes(other.name), other.knows.includes(one.name)];
  if (ours && theirs) return connectCommand(one.context, other.context, ['--connection-mode', 'bidirectional']);
  return capital(ours ? waysOut(one, other) : waysOut(other, one));
}

/** @throws MeshctlError `Conflict` for a namespace that is not the demo's, and for what another demo left */
export function requireOwnPlace(clusters: DemoPair, namespace: string): void {
  for (const cluster of clusters) requireFree(cluster, otherThan(cluster, clusters), namespace);
}

/** Whether what a cluster has of Cluster Mesh is what a demo has made. */
export function hasEnabled({ deployment, parts, taken }: DemoCluster): boolean {
  const enabled = taken?.record?.enabled;
  if (typeof enabled !== 'object') return false;
  return enabled.made === deployment || parts.some(({ uid }) => uid === enabled.made);
}

/** Whether a demo may have enabled what a cluster has, and was ended before it could write that down: it may be somebody else's. */
export function isEnabledInDoubt(cluster: DemoCluster): boolean {
  return isBegun(cluster) && cluster.taken?.record?.enabled === 'planned';
}

/** Whether there is anything of Cluster Mesh, be it enabled or not. */
function isBegun({ deployment, parts }: DemoCluster): boolean {
  return deployment !== undefined || parts.length > 0;
}

/** The same of their connection: the command that ends it, if it was the demo. */
export function doubtfulConnection(clusters: DemoPair): string | undefined {
  const isPlanned = clusters.some(({ taken }) => taken?.record?.connected === 'planned');
  if (!isPlanned || clusters.some(hasConnected) || !areKnown(clusters)) return undefined;
  const [one, other] = clusters;
  return meshctlCommand('clustermesh disconnect', { context: one.context }, ['--destination-context', other.context]);
}

/** Whether a demo has connected a cluster with the other one. */
export function hasConnected({ taken }: DemoCluster): boolean {
  return taken?.record?.connected === 'made';
}

/**
 * Sees that what the demo is about to make, nobody else has made since the plan: at the end it would be taken away.
 * @param now the clusters as they are
 * @throws MeshctlError `Conflict`
 */
export function requireUnmade({ enable, connect }: DemoPlan, now: DemoPair, what: 'enable' | 'connect'): void {
  const [one, other] = now;
  const enabled = now.filter((cluster) => enable.includes(cluster.context) && isBegun(cluster));
  const isKnown = connect && areKnown(now);
  const [says, contexts] =
    what === 'enable'
      ? ['Cluster Mesh has been enabled there', enabled.map(({ context }) => context)]
      : ['they have been connected', isKnown ? [one.context, other.context] : []];
  if (contexts.length === 0) return;
  const names = contexts.map((name) => `"${name}"`).join(' and ');
  throw new MeshctlError(
    'Conflict',
    `${contexts.length === 1 ? 'context' : 'contexts'} ${names}: ${says} since the plan was made, by someone else`,
    { hint: LEFT_TO_OTHERS, details: { contexts } },
  );
}

/** The namespace that a demo was to make is there by then: it is not this demo's, which leaves it. */
export function namespaceOfOthers(context: string, namespace: string): MeshctlError {
  return new MeshctlError(
    'Conflict',
    `context "${context}": namespace ${namespace} has been made since the plan was, by someone else`,
    { hint: LEFT_TO_OTHERS, details: { context, namespace } },
  );
}

/** The namespaces that are a demo's, by uid: no other one of their name is to be taken away. */
export function demoNamespaces(clusters: DemoPair): string[] {
  return clusters.flatMap(({ taken }) => (taken?.record && taken.uid !== undefined ? [taken.uid] : []));
}

/** Whether either dials the other one or lets it in. */
export function areKnown([one, other]: DemoPair): boolean {
  return one.knows.includes(other.name) || other.knows.includes(one.name);
}

/** What is written down of a plan at the namespace of one cluster. */
export function recordFor({ clusters, enable, connect }: DemoPlan, cluster: DemoCluster): DemoRecord {
  return {
    peer: otherThan(cluster, clusters).name,
    enabled: enable.includes(cluster.context) ? 'planned' : 'no',
    connected: connect ? 'planned' : 'no',
  };
}

function otherThan(cluster: DemoCluster, [one, other]: DemoPair): DemoCluster {
  return cluster === one ? other : one;
}

function requireFree({ context, taken, others }: DemoCluster, peer: DemoCluster, namespace: string): void {
  const details = { context, namespace };
  if (taken && !taken.record) {
    throw new MeshctlError(
      'Conflict',
      `context "${context}": namespace ${namespace} is there already and is not the demo's, which would be removed at the end`,
      { hint: 'Name another one with --namespace.', details },
    );
  }
  if (taken?.record && taken.record.peer !== peer.name) {
    throw new MeshctlError(
      'Conflict',
      `context "${context}": namespace ${namespace} is that of a demo with cluster "${taken.record.peer}"`,
      { hint: cleanUpCommand([context, unnamedContext(taken.record.peer)], namespace), details },
    );
  }
  const [first] = others;
  if (first === undefined) return;
  throw new MeshctlError('Conflict', `context "${context}": namespace ${first} is that of another demo`, {
    hint: cleanUpCommand([context, peer.context], first),
    details: { ...details, namespace: first },
  });
}

/** The command that takes away what a demo left. */
export function cleanUpCommand(contexts: readonly string[], namespace: string): string {
  return meshctlCommand('demo', { context: contexts }, [
    ...(namespace === DEMO_NAMESPACE ? [] : ['--namespace', namespace]),
    '--clean-up',
  ]);
}
