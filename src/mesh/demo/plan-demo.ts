import { meshctlCommand, unnamedContext } from '../command-line.ts';
import { MeshctlError } from '../errors.ts';
import { DEMO_NAMESPACE, type DemoRecord } from './record.ts';

/** One of the two clusters, as it was found. */
export interface DemoCluster {
  context: string;
  /** In the mesh. */
  name: string;
  /** Whether it has a clustermesh-apiserver. */
  enabled: boolean;
  /** The clusters that it dials. */
  dials: readonly string[];
  /** The clusters that it dials or lets in. */
  knows: readonly string[];
  /** The namespace that the demo is to use, where there is one: a demo's, or somebody's. */
  taken?: { record: DemoRecord | undefined } | undefined;
  /** Namespaces of other demos. */
  others: readonly string[];
}

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
}

/**
 * Decides what the demo enables and connects: what is there already stays as it is, and is not taken away. What a former
 * demo made counts as not there.
 * @throws MeshctlError `Conflict` for a namespace that is not the demo's, and for what another demo left; `Incompatible` for a
 * connection one way, which the demo could not put back
 */
export function planDemo(clusters: DemoPair, namespace: string): DemoPlan {
  const contexts = clusters.map(({ context }) => context);
  for (const cluster of clusters) requireFree(cluster, otherThan(cluster, clusters), namespace);
  const formerly = clusters.filter(({ taken }) => taken?.record);
  const madeConnection = formerly.some(({ taken }) => taken?.record?.connected);
  const [one, other] = clusters;
  const ways = [one.dials.includes(other.name), other.dials.includes(one.name)];
  const known = one.knows.includes(other.name) || other.knows.includes(one.name);
  if (!madeConnection && known && !ways.every(Boolean)) {
    throw new MeshctlError(
      'Incompatible',
      `contexts ${contexts.map((name) => `"${name}"`).join(' and ')} are half connected, which the demo could not restore afterwards`,
      {
        hint: meshctlCommand('clustermesh connect', { context: one.context }, [
          ...['--destination-context', other.context, '--connection-mode', 'bidirectional'],
        ]),
        details: { contexts },
      },
    );
  }
  return {
    namespace,
    clusters,
    enable: clusters
      .filter(({ enabled, taken }) => !enabled || taken?.record?.enabled === true)
      .map(({ context }) => context),
    connect: madeConnection || !known,
    formerly: formerly.length > 0,
  };
}

/** What is written down of a plan at the namespace of one cluster. */
export function recordFor({ clusters, enable, connect }: DemoPlan, cluster: DemoCluster): DemoRecord {
  return {
    peer: otherThan(cluster, clusters).name,
    enabled: enable.includes(cluster.context),
    connected: connect,
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
