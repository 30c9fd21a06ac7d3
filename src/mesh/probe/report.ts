import { familyOf } from '../cilium/cidr.ts';
import type { Leftover } from '../connectivity/connectivity.ts';
import { counted } from '../counted.ts';
import { type FirewallPlatform, type FirewallRules, firewallRules } from '../network/firewall.ts';
import type { UnreachableCluster } from '../status/mesh-status.ts';
import { adviceForLoss, type ProbeAdvice } from './advice.ts';
import { type Loss, lossesIn } from './failures.ts';
import { isProved, type ProbedPath, pathsOf } from './paths.ts';
import { addressOf, type ProbedCluster, zoneOf } from './places.ts';
import { silentServers, withoutBlame } from './server-faults.ts';
import { mtuOf, type ProbedDial, type ProbeKind, protocolOf } from './tests.ts';
import { type Untested, untestedOf } from './untested.ts';
import { isNeeded, type LossPlace, type ProbeVerdict, type TestResult } from './verdict.ts';

/** A node, or a pod on it, that took part. */
export interface ReportedPlace {
  node: string;
  kind: 'node' | 'pod';
  /** One of each IP family that it has. */
  addresses: string[];
  zone?: string;
  /** Bytes: what Cilium takes for the MTU of the network there. */
  mtu?: number;
  /** Why nothing could be sent or seen there. */
  failed?: string;
}

export interface ReportedCluster {
  context: string;
  name: string;
  platform: FirewallPlatform;
  /** Whether pods of the probe were made there, or its agents were asked. */
  via: 'pods' | 'agents';
  /** What gives the user the right to make pods there, where for lack of it the agents were asked. */
  grant?: string;
  /** How many nodes it has in all. */
  nodes: number;
  places: ReportedPlace[];
}

/** Something wrong, in words and with what mends it. */
export interface ReportedFailure extends Omit<Loss, 'results'>, ProbeAdvice {}

/** One test as data. */
export interface ReportedTest {
  kind: ProbeKind;
  protocol: string;
  port?: number;
  /** Where both are sent between the two clusters. */
  family?: 4 | 6;
  from: { cluster: string; node: string; kind: 'node' | 'pod'; address: string };
  to: { cluster: string; node?: string; address: string };
  verdict: ProbeVerdict;
  lostAt?: LossPlace;
  ms?: number;
  pathMtu?: number;
  why?: string;
  required: boolean;
}

/** The data of `connectivity probe -o json`. */
export interface ProbeReport {
  /** The network is proved by {@link isOpen}, of every node that takes part something was seen, and nothing of the probe is left. */
  passed: boolean;
  clusters: ReportedCluster[];
  paths: ProbedPath[];
  failures: ReportedFailure[];
  /** What could not be tested, each once. */
  untested: Untested[];
  /** Nodes that take part, and from and to which nothing was seen; absent where there is none. */
  unseen?: UnseenNode[];
  tests: ReportedTest[];
  unreachable: UnreachableCluster[];
  /** Absent where nothing is. */
  left?: Leftover[] | undefined;
  /** How it came about otherwise than was asked for, as by agents where pods could not be made; absent where there is nothing to say. */
  warnings?: string[] | undefined;
}

/** Of how many of its nodes a cluster was probed. */
export interface ProbeExtent {
  context: string;
  name: string;
  nodes: number;
  of: number;
}

/** Of how many of its nodes a cluster was probed. */
export function extentOf({ context, name, places, nodes }: Omit<ReportedCluster, 'platform' | 'via'>): ProbeExtent {
  return { context, name, nodes: places.filter(({ kind }) => kind === 'node').length, of: nodes };
}

/** `3 of 5 nodes of mesh-1`. */
export function extentWords({ name, nodes, of }: ProbeExtent): string {
  return `${nodes} of ${counted(of, 'node')} of ${name}`;
}

/** Whether all that the mesh needs was tested between each two clusters, as far as it can be known yet, and nothing of it is blocked. */
export function isOpen({
  failures,
  paths,
  unreachable,
}: Pick<ProbeReport, 'failures' | 'paths' | 'unreachable'>): boolean {
  const isBlocked = failures.some(({ required }) => required);
  return !isBlocked && paths.length > 0 && paths.every(isProved) && unreachable.length === 0;
}

/** A node that takes part, and of which no test said anything: it may be cut off. */
export interface UnseenNode {
  cluster: string;
  node: string;
  /** Why nothing could be sent or seen there, where that is known. */
  why?: string | undefined;
}

/** As a clause: whether packets pass there is not known. */
export function unseenWords({ cluster, node, why }: UnseenNode): string {
  return `nothing was seen from or to node ${node} of ${cluster}${why === undefined ? '' : ` (${why})`}`;
}

/** The nodes from and to which nothing was seen: that others see each other proves nothing of them. */
function unseenNodes({ clusters, tests }: Pick<ProbeReport, 'clusters' | 'tests'>): UnseenNode[] {
  const placeOf = (cluster: string, node: string | undefined) => JSON.stringify([cluster, node]);
  const said = tests.filter(({ verdict }) => verdict !== 'not-tested');
  const seen = new Set(
    said.flatMap(({ from, to }) => [placeOf(from.cluster, from.node), placeOf(to.cluster, to.node)]),
  );
  return clusters.flatMap(({ name: cluster, places }) =>
    places
      .filter(({ kind, node }) => kind === 'node' && !seen.has(placeOf(cluster, node)))
      .map(({ node, failed: why }) => ({ cluster, node, ...(why === undefined ? {} : { why }) })),
  );
}

export interface ProbedMesh {
  clusters: readonly ProbedCluster[];
  results: readonly TestResult[];
  unreachable: readonly UnreachableCluster[];
  /** Who is to dial whom, and where, as the tests were planned by. */
  dials?: readonly ProbedDial[] | undefined;
  now: Date;
}

/** All that came of a probe. */
export function probeReport({ clusters, results: seen, unreachable, dials, now }: ProbedMesh): ProbeReport {
  const snapshots = clusters.map(({ snapshot }) => snapshot);
  const silent = silentServers(clusters, now);
  const results = withoutBlame(seen, clusters, silent);
  const rules = firewallRules(snapshots);
  const losses = lossesIn(results);
  const failures = losses.map(({ results: shown, ...loss }) => ({
    ...loss,
    ...adviceForLoss({ ...loss, results: shown }, { clusters, rules, losses, silent }),
  }));
  const paths = pathsOf(clusters, results);
  const shown = clusters.map((cluster) => reported(cluster, rules));
  const tests = results.map(asData);
  const unseen = unseenNodes({ clusters: shown, tests });
  return {
    passed: isOpen({ failures, paths, unreachable: [...unreachable] }) && unseen.length === 0,
    clusters: shown,
    paths,
    failures,
    untested: untestedOf(dials ? [] : snapshots, results),
    ...(unseen.length > 0 ? { unseen } : {}),
    tests,
    unreachable: [...unreachable],
  };
}

function reported(cluster: ProbedCluster, { clusters }: FirewallRules): ReportedCluster {
  const { name, snapshot, places, via, grant } = cluster;
  const zones = new Map(snapshot.nodes.map((node) => [node.name, zoneOf(node)]));
  return {
    context: snapshot.context,
    name,
    platform: clusters.find(({ context }) => context === snapshot.context)?.platform ?? 'unknown',
    via,
    ...(grant === undefined ? {} : { grant }),
    nodes: snapshot.nodes.length,
    places: places.map((place) => {
      const { node, kind, addresses, deviceMtu, failed } = place;
      const zone = zones.get(node);
      return {
        ...{ node, kind, addresses: [...addresses] },
        ...(zone === undefined ? {} : { zone }),
        ...(deviceMtu === undefined ? {} : { mtu: mtuOf(place, cluster) }),
        ...(failed === undefined ? {} : { failed }),
      };
    }),
  };
}

function asData(result: TestResult): ReportedTest {
  const { test, verdict, arrivedAt: _place, isSpare: _spare, ...more } = result;
  const { kind, port, family, from, to, toCluster, host } = test;
  const sender = addressOf(from, familyOf(host)) ?? from.addresses[0] ?? '';
  return {
    kind,
    protocol: protocolOf(test),
    ...(port === undefined ? {} : { port }),
    ...(family === undefined ? {} : { family }),
    from: { cluster: from.cluster, node: from.node, kind: from.kind, address: sender },
    to: { cluster: toCluster, ...(to ? { node: to.node } : {}), address: host },
    verdict,
    ...more,
    required: isNeeded(result),
  };
}
