import { groupBy } from '../pairs.ts';
import type { ProbedCluster } from './places.ts';
import { type ProbeKind, type ProbeTest, protocolOf } from './tests.ts';
import { isNeeded, type ProbeVerdict, type TestResult } from './verdict.ts';

/** All tests of one kind from one cluster to another. */
export interface PathCell {
  kind: ProbeKind;
  protocol: string;
  port?: number;
  /** Where both are sent between the two clusters; not of what is dialled by a name. */
  family?: 4 | 6;
  /** Of an apiserver that pods dial: those sent it. */
  sender?: 'pod';
  /** The worst that came of them; a blocked path before one that was not tested. */
  verdict: ProbeVerdict;
  /** How many of the tests came to the verdict, of those that said anything (of all, where none did). */
  count: number;
  tested: number;
  /** How many there are, also those of which nothing was seen. */
  planned: number;
  required: boolean;
  /** Bytes of the largest packet that arrived everywhere; of `mtu`. */
  pathMtu?: number;
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

/** The kinds of packets that the mesh needs, and of which nobody saw any pass or get lost. */
export function unprovedCells({ cells }: ProbedPath): PathCell[] {
  return cells.filter(({ required, verdict }) => required && verdict === 'not-tested');
}

/** Whether only pods can have sent it, and none has tried: agents of nodes have no part in that. */
export function isUntriedByPods({ kind, sender, verdict }: PathCell): boolean {
  return verdict === 'not-tested' && (kind === 'pod-to-pod' || sender === 'pod');
}

/** What tells cells of a kind apart, where there are several: who sent it, the IP family: ` (pod) IPv6`. */
export function variantWords({ kind, sender, family }: Variant): string {
  return `${kind === 'apiserver' && sender ? ` (${sender})` : ''}${family === undefined ? '' : ` IPv${family}`}`;
}

interface Variant {
  kind: ProbeKind;
  sender?: 'pod' | undefined;
  family?: 4 | 6 | undefined;
}

/** Whether all that the mesh needs could be tried there. */
export function isProved(path: ProbedPath): boolean {
  return unprovedCells(path).length === 0;
}

/** Whether something that the mesh needs is known not to pass: that explains, too, why other things could not be tried. */
export function isBroken({ cells }: ProbedPath): boolean {
  return cells.some(({ required, verdict }) => required && verdict !== 'open' && verdict !== 'not-tested');
}

/** From good to bad; what was not tested counts only where nothing was. */
const WORST: readonly ProbeVerdict[] = [
  ...(['not-tested', 'open', 'mtu-too-small', 'service-unreachable', 'one-way', 'path-blocked'] as const),
];

/** Between each two clusters of which anything was tried. */
export function pathsOf(clusters: readonly ProbedCluster[], results: readonly TestResult[]): ProbedPath[] {
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

/** Whether it was a pod that had to send it, so that nodes prove nothing of it. */
const isOfPod = ({ kind, from }: ProbeTest) => kind === 'apiserver' && from.kind === 'pod';

function cellsOf(results: readonly TestResult[]): PathCell[] {
  const kinds = groupBy(results, ({ test }) =>
    [test.kind, test.kind === 'pod-to-pod' ? '' : test.port, test.family, isOfPod(test)].join(' '),
  );
  return [...kinds.values()].map((own) => {
    const { test } = own[0] as TestResult;
    const { kind, via, port, family } = test;
    const mtus = own.flatMap(({ pathMtu }) => pathMtu ?? []);
    const said = own.filter(({ verdict }) => verdict !== 'not-tested');
    const verdict = WORST[Math.max(...own.map((result) => WORST.indexOf(result.verdict)))] ?? 'not-tested';
    // Where there is no tunnel, the MTU is found by echo requests: a network may drop these and carry the mesh.
    const isDropped = kind === 'mtu' && port === undefined && verdict === 'not-tested';
    const isBeside = said.length === 0 && own.every((result) => result.test.isBeside);
    const bad = own.filter((result) => result.verdict !== 'open' && result.verdict !== 'not-tested');
    return {
      kind,
      protocol: kind === 'pod-to-pod' ? 'all' : protocolOf({ via, port }),
      ...(port === undefined || kind === 'pod-to-pod' ? {} : { port }),
      ...(family === undefined ? {} : { family }),
      ...(isOfPod(test) ? { sender: 'pod' as const } : {}),
      verdict,
      count: own.filter((result) => result.verdict === verdict).length,
      tested: said.length || own.length,
      planned: own.length,
      required: !isDropped && !isBeside && (bad.length > 0 ? bad : own).some(isNeeded),
      ...(mtus.length > 0 ? { pathMtu: Math.min(...mtus) } : {}),
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
