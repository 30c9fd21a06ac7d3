import { everyNodeCommand, nodesWithReadyPod } from '../apiserver/endpoints.ts';
import { apiserverService } from '../apiserver/live.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { describeCommand } from '../command-line.ts';
import { firstOf } from '../counted.ts';
import { addressFaults } from '../faults/address-faults.ts';
import type { Fault, FaultId } from '../faults/fault.ts';
import { mendOf } from '../faults/fault-advice.ts';
import { serveFaults } from '../faults/serve-faults.ts';
import { allowList } from '../network/allow-lists.ts';
import { balancerOf, keptOut, letInCommand, nodesOutside, whatIsOutside } from '../network/source-ranges.ts';
import { APISERVER } from '../objects/names.ts';
import { serviceSpec } from '../objects/service.ts';
import { knownAs } from '../peers/concerned-peers.ts';
import { choicesFor } from '../peers/peer-choices.ts';
import type { Loss } from './failures.ts';
import type { ProbedCluster } from './places.ts';
import type { LossPlace, TestResult } from './verdict.ts';

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

/** What of the server explains a loss, better than the network does. */
export interface ServerCause {
  /** One clause without a stop. */
  says: string;
  /** Ends with a command. */
  hint: string;
}

/** Where nothing but a clustermesh-apiserver is lost: what keeps these clients from it at its own cluster, as far as that was read. */
export function causesAtServer(loss: Loss, around: Surroundings): ServerCause[] {
  const { clusters } = around;
  const [client, server] = [loss.from, loss.to].map((name) => clusters.find((one) => one.name === name)?.snapshot);
  // The answers that are lost of what goes one way are the asking cluster's.
  if (!client || !server || loss.verdict === 'one-way' || loss.packets.length === 0) return [];
  if (loss.packets.some(({ kind }) => kind !== 'apiserver')) return [];
  return [
    // Whose nodes reach it have its address.
    ...(loss.lostAt === 'pod' ? [] : strayAddress(loss, client, server, around)),
    ...(loss.lostAt !== undefined && SHORT_OF_SERVER.includes(loss.lostAt)
      ? []
      : [...outsideOfRanges(loss, client, server), ...servedElsewhere(loss, server)]),
  ];
}

/** The sender itself has said why, or its node gets through: the server has kept nothing out. */
const SHORT_OF_SERVER: readonly LossPlace[] = ['pod', 'sender', 'route', 'name'];

interface Surroundings {
  clusters: readonly ProbedCluster[];
  /** By the names of clusters. */
  contexts: ReadonlyMap<string, string>;
}

/**
 * It is no address that the server's Service has: that explains it, unless another of the addresses answers, which are the peer's
 * then. It may be how the server is reached from there.
 */
function strayAddress(
  { required }: Loss,
  client: ClusterSnapshot,
  server: ClusterSnapshot,
  { clusters, contexts }: Surroundings,
): ServerCause[] {
  if (!required) return [];
  const others = clusters.flatMap(({ snapshot }) => (snapshot === client ? [] : [snapshot]));
  const explaining = addressFaults(client, others).find(
    ({ fault, explains }) => fault.peer === knownAs(server) && explains.includes('timed-out'),
  );
  return explaining ? [{ says: explaining.fault.says, hint: mendOf(explaining.fault, contexts) }] : [];
}

/** Its load balancer lets in other addresses than those that were sent from; NAT may give them one on the way. */
function outsideOfRanges(
  { to, packets, results }: Loss,
  client: ClusterSnapshot,
  server: ClusterSnapshot,
): ServerCause[] {
  const balancer = balancerOf(server);
  if (packets.some(({ host = '' }) => !balancer.includes(host))) return [];
  const { ranges, unread } = allowList(apiserverService(server));
  if (unread !== undefined) {
    const look = describeCommand(server, 'service', { name: APISERVER });
    return [{ says: `${to}: ${unread}`, hint: `What it names: ${look}` }];
  }
  // Pods' own addresses may be within where their nodes' are not.
  const isOfPods = results.some(({ test }) => test.from.kind === 'pod');
  if (isOfPods && keptOut(client, server).unjudged !== undefined) return [];
  const hosts = packets.flatMap(({ host }) => host ?? []);
  const outside = nodesOutside(client, server, hosts).map(({ name }) => name);
  const senders = [...new Set(results.map(({ test }) => test.from.node))].sort();
  if (!senders.every((node) => outside.includes(node))) return [];
  const says = `the load balancer of ${to} lets in ${firstOf(ranges)} alone, and no ${whatIsOutside(server, hosts)} of ${firstOf(senders)} is within`;
  return [{ says, hint: `Let them in: ${letInCommand([client], server)}` }];
}

/** Nodes were dialled that serve only what is on them, and no ready pod is. */
function servedElsewhere({ results }: Loss, server: ClusterSnapshot): ServerCause[] {
  if (serviceSpec(apiserverService(server)).externalTrafficPolicy !== 'Local') return [];
  const serving = nodesWithReadyPod(server);
  const dialled = [...new Set(results.map(({ test }) => test.to?.node ?? ''))].sort();
  if (!serving || dialled.some((node) => node === '' || serving.has(node))) return [];
  const says = `the externalTrafficPolicy of the Service is Local, and no ready clustermesh-apiserver is on ${firstOf(dialled)}`;
  return [{ says, hint: `Let every node serve: ${everyNodeCommand(server)}` }];
}
