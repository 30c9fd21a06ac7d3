import { clusterNameOf } from '../cilium/identity.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { addressFaults } from '../faults/address-faults.ts';
import type { Fault, FaultId } from '../faults/fault.ts';
import { serveFaults } from '../faults/serve-faults.ts';
import { choicesFor } from '../peers/peer-choices.ts';
import type { Loss } from './failures.ts';
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

/**
 * Where nothing but an apiserver's address is lost, and it is none that the server's Service has: that explains it better than
 * the network does.
 */
export function strayAddress(
  { from, to, packets }: Pick<Loss, 'from' | 'to' | 'packets'>,
  clusters: readonly ProbedCluster[],
): Fault | undefined {
  const [client, server] = [from, to].map((name) => clusters.find((one) => one.name === name)?.snapshot);
  if (!client || !server || packets.length === 0 || packets.some(({ kind }) => kind !== 'apiserver')) return undefined;
  const others = clusters.flatMap(({ snapshot }) => (snapshot === client ? [] : [snapshot]));
  const explaining = addressFaults(client, others).find(
    ({ fault, explains }) => fault.peer === clusterNameOf(server) && explains.includes('timed-out'),
  );
  return explaining?.fault;
}
