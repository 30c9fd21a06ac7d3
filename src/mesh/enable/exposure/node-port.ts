import { apiserverService } from '../../apiserver/live.ts';
import { identityOf } from '../../cilium/identity.ts';
import type { ClusterSnapshot } from '../../cluster-snapshot.ts';
import { meshctlCommand } from '../../command-line.ts';
import { ETCD_PORT } from '../../objects/names.ts';
import { forceWords } from '../../objects/ownership.ts';

/** The default range of an API server (`--service-node-port-range`). */
const FIRST = 30_000;
const COUNT = 2768;
/** The port of Cilium's chart, 32379, counted from the start of the range. */
const CHART_OFFSET = 2379;
const CLUSTER_IDS = 511;

/**
 * The NodePort for a cluster that nobody chose one for: 32379, as Cilium's chart has it, for id 1, and another one for each
 * other id. Clusters of one mesh must not share a NodePort: with kube-proxy replacement, dialling a peer's node at a port
 * that is also a NodePort of one's own leads back to oneself (cilium/cilium#24692).
 * @param clusterId 1 to 511
 * @param taken ports that other Services have, or that peers are dialled at
 */
export function defaultNodePort(clusterId: number, taken: ReadonlySet<number> = new Set()): number {
  // Steps of the number of ids, so that two clusters that have to give way do not meet.
  for (let step = 0; step * CLUSTER_IDS < COUNT; step++) {
    const port = FIRST + ((CHART_OFFSET + clusterId - 1 + step * CLUSTER_IDS) % COUNT);
    if (!taken.has(port)) return port;
  }
  return FIRST + ((CHART_OFFSET + clusterId - 1) % COUNT);
}

/** The command line that gives a cluster another NodePort. @param taken ports that others have */
export function nodePortCommand(
  cluster: Pick<ClusterSnapshot, 'context' | 'namespace' | 'objects' | 'ciliumConfig'>,
  taken: ReadonlySet<number>,
): string {
  const { context, ciliumConfig = {} } = cluster;
  const port = defaultNodePort(identityOf(ciliumConfig).id, taken);
  const force = forceWords(apiserverService(cluster), [`spec.ports[${ETCD_PORT}/TCP].nodePort`]);
  return meshctlCommand('clustermesh enable', { context }, ['--node-port', String(port), ...force]);
}

/** What an API server has against a node port (pkg/registry/core/service/portallocator of Kubernetes), and the way on. */
const TROUBLES: readonly [pattern: RegExp, advice: string][] = [
  [
    /provided port is already allocated/,
    'Another Service has this node port: choose another one (--node-port, or nodePort in a mesh file).',
  ],
  [
    /provided port is not in the valid range/,
    'This API server has a range of its own for node ports (--service-node-port-range): choose one in it (--node-port, or nodePort in a mesh file).',
  ],
];

/** What to do about a node port that the API server has refused. @param message its words; undefined for other ones */
export function nodePortAdvice(message: string): string | undefined {
  return TROUBLES.find(([pattern]) => pattern.test(message))?.[1];
}
