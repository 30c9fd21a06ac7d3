import type { StatusReport } from '../../src/mesh/status/status.ts';
import { createTally } from '../../src/mesh/status/status-tally.ts';
import { namesOf } from './mesh-names.ts';

const TIMEOUT = 'dial tcp 10.0.0.1:2379: i/o timeout';

/** Clusters of two nodes, each connected to all others but for these pairs. @param lacks who lacks whom, by these words */
export function meshOf(
  count: number,
  lacks: (from: string, to: string) => boolean = () => false,
  status = TIMEOUT,
): StatusReport[] {
  const names = namesOf(count);
  return names.map((clusterName) => {
    const peers = names.filter((name) => name !== clusterName);
    const tally = createTally({
      ...{ context: clusterName, namespace: 'kube-system', clusterName, clusterId: 1, peers },
      ...{ enabled: true, kvstoremesh: false },
    });
    const seen = peers.map((name) =>
      lacks(clusterName, name) ? { name, status } : { name, ready: true, connected: true },
    );
    for (const node of ['node-with-a-long-name-1', 'node-with-a-long-name-2'])
      tally.add('agent', { name: node, clusters: seen });
    return tally.report();
  });
}
