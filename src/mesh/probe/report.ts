import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { type FirewallPlatform, type FirewallRules, firewallRules } from '../network/firewall.ts';
import { networkNeeds, unknownNeeds } from '../network/needs.ts';
import { groupBy } from '../pairs.ts';
import type { UnreachableCluster } from '../status/mesh-status.ts';
import { adviceForLoss, type ProbeAdvice } from './advice.ts';
import { type Loss, lossesIn } from './failures.ts';
import { type ProbedCluster, zoneOf } from './places.ts';
import { silentServers, withoutBlame } from './server-faults.ts';
import { mtuOf, type ProbeKind, protocolOf } from './tests.ts';
import { isNeeded, type LossPlace, type ProbeVerdict, type TestResult } from './verdict.ts';

/** A node, or a pod on it, that took part. */
export interface ReportedPlace {
  node: string;
  kind: 'node' | 'pod';
  address: string;
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
  /** How many nodes it has in all. */
  nodes: number;
  places: ReportedPlace[];
}

/** All tests of one kind from one cluster to another. */
export interface PathCell {
  kind: ProbeKind;
  protocol: string;
  port?: number;
  /** The worst that came of them; a blocked path before one that was not tested. */
  verdict: ProbeVerdict;
  /** How many of the tests came to the verdict, of those that said anything (of all, where none did). */
  count: number;
  tested: number;
  required: boolean;
}

/** From one cluster to another. */
export interface ProbedPath {
  from: string;
  to: string;
  cells: PathCell[];
  /** Milliseconds there and back, the middle one of all that were measured. */
  roundTripMs?: number;
  /** Bytes of the largest packet that arrived everywhere. */
  pathMtu?: number;
}

/** Something wrong, in words and with what mends it. */
export interface ReportedFailure extends Omit<Loss, 'results'>, ProbeAdvice {}

/** One test as data. */
export interface ReportedTest {
  kind: ProbeKind;
  protocol: string;
  port?: number;
  from: { cluster: string; node: string; kind: 'node' | 'pod'; address: string };
  to: { cluster: string; node?: string; address: string };
  verdict: ProbeVerdict;
  lostAt?: LossPlace;
  ms?: number;
  pathMtu?: number;
  why?: string;
  required: boolean;
}

/** What no test was made of; from where to where, if it is of two clusters. */
export interface Untested {
  why: string;
  from?: string;
  to?: string;
  /** Empty for all. */
  kinds: ProbeKind[];
}

/** The data of `connectivity probe -o json`. */
export interface ProbeReport {
  /** Nothing that the mesh needs is blocked, and something was tested between each two clusters. */
  passed: boolean;
  clusters: ReportedCluster[];
  paths: ProbedPath[];
  failures: ReportedFailure[];
  /** What could not be tested, each once. */
  untested: Untested[];
  tests: ReportedTest[];
  unreachable: UnreachableCluster[];
}

export interface ProbedMesh {
  clusters: readonly (ProbedCluster & { via: ReportedCluster['via'] })[];
  results: readonly TestResult[];
  unreachable: readonly UnreachableCluster[];
  now: Date;
}

/** All that came of a probe. */
export function probeReport({ clusters, results: seen, unreachable, now }: ProbedMesh): ProbeReport {
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
  return {
    passed:
      !failures.some(({ required }) => required) &&
      paths.length > 0 &&
      paths.every(isProved) &&
      unreachable.length === 0,
    clusters: clusters.map((cluster) => reported(cluster, rules)),
    paths,
    failures,
    untested: untestedOf(snapshots, results, clusters),
    tests: results.map(asData),
    unreachable: [...unreachable],
  };
}

/** Whether anything that the mesh needs could be tried. */
export function isProved({ cells }: ProbedPath): boolean {
  return cells.some(({ required, verdict }) => required && verdict !== 'not-tested');
}

function reported(
  cluster: ProbedCluster & { via: ReportedCluster['via'] },
  { clusters }: FirewallRules,
): ReportedCluster {
  const { name, snapshot, places, via } = cluster;
  const zones = new Map(snapshot.nodes.map((node) => [node.name, zoneOf(node)]));
  return {
    context: snapshot.context,
    name,
    platform: clusters.find(({ context }) => context === snapshot.context)?.platform ?? 'unknown',
    via,
    nodes: snapshot.nodes.length,
    places: places.map((place) => {
      const { node, kind, address, deviceMtu, failed } = place;
      const zone = zones.get(node);
      return {
        ...{ node, kind, address },
        ...(zone === undefined ? {} : { zone }),
        ...(deviceMtu === undefined ? {} : { mtu: mtuOf(place, cluster) }),
        ...(failed === undefined ? {} : { failed }),
      };
    }),
  };
}

/** From good to bad; what was not tested counts only where nothing was. */
const WORST: readonly ProbeVerdict[] = [
  ...(['not-tested', 'open', 'mtu-too-small', 'service-unreachable', 'one-way', 'path-blocked'] as const),
];

/** Between each two clusters of which anything was tried. */
function pathsOf(clusters: readonly ProbedCluster[], results: readonly TestResult[]): ProbedPath[] {
  const between = groupBy(results, ({ test }) => `${test.from.cluster} ${test.toCluster}`);
  return clusters.flatMap(({ name: from }) =>
    clusters
      .filter(({ name }) => between.has(`${from} ${name}`))
      .map(({ name: to }) => {
        const own = between.get(`${from} ${to}`) ?? [];
        const times = roundTrips(own);
        const mtus = own.flatMap(({ pathMtu }) => pathMtu ?? []);
        return {
          ...{ from, to, cells: cellsOf(own) },
          ...(times.length > 0 ? { roundTripMs: median(times) } : {}),
          ...(mtus.length > 0 ? { pathMtu: Math.min(...mtus) } : {}),
        };
      }),
  );
}

function cellsOf(results: readonly TestResult[]): PathCell[] {
  const kinds = groupBy(results, ({ test: { kind, port } }) => `${kind} ${kind === 'pod-to-pod' ? '' : port}`);
  return [...kinds.values()].map((own) => {
    const { kind, via, port } = (own[0] as TestResult).test;
    const said = own.filter(({ verdict }) => verdict !== 'not-tested');
    const verdict = WORST[Math.max(...own.map((result) => WORST.indexOf(result.verdict)))] ?? 'not-tested';
    const bad = own.filter((result) => result.verdict !== 'open' && result.verdict !== 'not-tested');
    return {
      kind,
      protocol: kind === 'pod-to-pod' ? 'all' : protocolOf({ via, port }),
      ...(port === undefined || kind === 'pod-to-pod' ? {} : { port }),
      verdict,
      count: own.filter((result) => result.verdict === verdict).length,
      tested: said.length || own.length,
      required: (bad.length > 0 ? bad : own).some(isNeeded),
    };
  });
}

/** Of what answers the soonest: the kernel echo requests, an agent what only connects. */
function roundTrips(results: readonly TestResult[]): number[] {
  const kinds = ['ping', 'health', 'apiserver'] as const;
  const times = kinds.map((kind) => results.filter(({ test }) => test.kind === kind).flatMap(({ ms }) => ms ?? []));
  return times.find((own) => own.length > 0) ?? [];
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? 0;
}

/** What no packet was sent for, and what came of packets that nobody could watch; not what another failure explains. */
function untestedOf(
  snapshots: readonly ClusterSnapshot[],
  results: readonly TestResult[],
  clusters: ProbedMesh['clusters'],
): ProbeReport['untested'] {
  const unknown: Untested[] = snapshots.flatMap((client) =>
    snapshots
      .filter((server) => server !== client)
      .flatMap((server) =>
        unknownNeeds(client, server).map(({ context, kind, why }) => ({
          why: `context "${context}": ${why}`,
          kinds: kind === 'all' ? [] : [kind],
        })),
      ),
  );
  const isExplained = ({ test, verdict }: TestResult) =>
    test.kind === 'mtu' &&
    verdict === 'not-tested' &&
    results.some(
      (other) => other.test.from === test.from && other.test.to === test.to && other.verdict === 'path-blocked',
    );
  const silent: Untested[] = results
    .filter((result) => result.verdict === 'not-tested' && !isExplained(result))
    .map(({ test, why = '' }) => ({ from: test.from.cluster, to: test.toCluster, why, kinds: [test.kind] }));
  const podless = clusters.filter(
    ({ places }) => !places.some(({ kind, failed }) => kind === 'pod' && failed === undefined),
  );
  const ofPods = podless.flatMap(({ snapshot }) =>
    snapshots.flatMap((other) =>
      other === snapshot
        ? []
        : networkNeeds(snapshot, other).flatMap(({ from, kind }) => (from === 'pods' ? [kind] : [])),
    ),
  );
  const unsent: Untested[] =
    ofPods.length > 0
      ? [
          {
            why: `no pod that is not of the host network sent anything in ${podless.map(({ name }) => name).join(', ')}`,
            kinds: ofPods,
          },
        ]
      : [];
  const alike = groupBy([...unknown, ...silent, ...unsent], ({ why, from, to }) => JSON.stringify([why, from, to]));
  return [...alike.values()].map((group) => ({
    ...(group[0] as Untested),
    kinds: [...new Set(group.flatMap(({ kinds }) => kinds))],
  }));
}

function asData(result: TestResult): ReportedTest {
  const { test, verdict, arrivedAt: _place, ...more } = result;
  const { kind, port, from, to, toCluster, host } = test;
  return {
    kind,
    protocol: protocolOf(test),
    ...(port === undefined ? {} : { port }),
    from: { cluster: from.cluster, node: from.node, kind: from.kind, address: from.address },
    to: { cluster: toCluster, ...(to ? { node: to.node } : {}), address: host },
    verdict,
    ...more,
    required: isNeeded(result),
  };
}
