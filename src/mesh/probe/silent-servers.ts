import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import type { Fault, FaultId } from '../faults/fault.ts';
import { serveFaults } from '../faults/serve-faults.ts';
import { choicesFor } from '../peers/peer-choices.ts';
import type { ProbedCluster } from './places.ts';
import type { TestResult } from './verdict.ts';

/** With these of a cluster nobody answers at its Service, whatever the network does. */
const OF_SERVICE: readonly FaultId[] = [
  ...(['service-missing', 'service-type', 'service-selector', 'service-port', 'service-target-port'] as const),
];
/** And with these at no address. */
const OF_PODS: readonly FaultId[] = [
  ...(['mesh-disabled', 'apiserver-missing', 'apiserver-scaled-down', 'apiserver-not-ready'] as const),
];

/**
 * Why nobody answers at clusters' clustermesh-apiservers, by what was read of them.
 * @returns for each cluster (by its name in the report) that has such a fault, the fault
 */
export function silentServers(clusters: readonly ProbedCluster[], now: Date): Map<string, Fault> {
  const snapshots = clusters.map(({ snapshot }) => snapshot);
  return new Map(
    clusters.flatMap(({ name, snapshot }) => {
      const others = snapshots.filter((other) => other !== snapshot);
      const fault = serveFaults(snapshot, { now, others }).find(({ id }) => [...OF_PODS, ...OF_SERVICE].includes(id));
      return fault ? [[name, fault] as const] : [];
    }),
  );
}

/** The results in which the network is not blamed for a clustermesh-apiserver that cannot answer. */
export function withoutBlame(
  results: readonly TestResult[],
  clusters: readonly ProbedCluster[],
  silent: ReadonlyMap<string, Fault>,
): TestResult[] {
  const snapshots = new Map<string, ClusterSnapshot>(clusters.map(({ name, snapshot }) => [name, snapshot]));
  return results.map((result) => {
    const { test, verdict } = result;
    const fault = test.kind === 'apiserver' ? silent.get(test.toCluster) : undefined;
    if (!fault || verdict === 'open' || verdict === 'not-tested') return result;
    const client = snapshots.get(test.from.cluster);
    // What was chosen need not be the Service.
    const isElsewhere = client !== undefined && choicesFor(client, test.toCluster).endpoints !== undefined;
    if (isElsewhere && OF_SERVICE.includes(fault.id)) return result;
    const { lostAt: _blamed, ...rest } = result;
    return { ...rest, verdict: 'service-unreachable', why: fault.says };
  });
}
