import { fieldsOf } from '../../record.ts';
import type { BgpSession, HealthProblem, NodeHealth } from './mesh-input.ts';

const MOST_ADDRESSES = 100;
const LONGEST_WORD = 128;
const LONGEST_SENTENCE = 512;

/**
 * Nodes in the answer of `cilium-health status -o json` (Cilium's api/v1/health): a probe that went through has no
 * status text; a node that was not probed yet has addresses alone, until the interval after its first probes (prober.go of
 * pkg/health/server), and what was probed so long ago that its turn has come and gone says nothing of now.
 * @param document parsed, not trusted
 * @param now the cluster's time; without it nothing is too old
 */
export function readHealth(document: unknown, now?: Date): NodeHealth[] | undefined {
  const { nodes, probeInterval, timestamp } = fieldsOf(document);
  // Before its first round it has none.
  if (nodes === null) return [];
  if (!Array.isArray(nodes)) return undefined;
  const clocks = { intervalMs: spanOf(probeInterval), newest: newestOf(nodes, timestamp), now };
  return nodes.map((entry: unknown) => {
    const node = fieldsOf(entry);
    const ofEndpoint = pathsOf(node['health-endpoint']);
    // Before they had several addresses.
    const endpoint = ofEndpoint.length > 0 ? ofEndpoint : [fieldsOf(node.endpoint)];
    const host = pathsOf(node.host);
    const isProbed = (path: Record<string, unknown>) => isTold(path) && !isOutdated(path, clocks);
    const problems = [
      ...host.filter(isProbed).flatMap((path) => problemsOf('node', path, now)),
      ...endpoint.filter(isProbed).flatMap((path) => problemsOf('endpoint', path, now)),
    ];
    const paths = [...host, ...endpoint];
    const unprobed = paths.filter((path) => !isProbed(path)).flatMap(({ ip }) => wordOf(ip) || []);
    return { node: wordOf(node.name), probed: paths.some(isProbed), unprobed, problems };
  });
}

/** Of a HostStatus or an EndpointStatus: with both families, IPv4 is the primary address and IPv6 among the secondary ones. */
function pathsOf(status: unknown): Record<string, unknown>[] {
  const { 'primary-address': primary, 'secondary-addresses': others } = fieldsOf(status);
  const all: unknown[] = [primary, ...(Array.isArray(others) ? others.slice(0, MOST_ADDRESSES) : [])];
  return all.map(fieldsOf).filter((path) => Object.keys(path).length > 0);
}

function isTold(path: Record<string, unknown>): boolean {
  return PROBES.some((probe) => path[probe] !== undefined);
}

/**
 * A probe's turn comes once in each interval, at any place in it; a report shows it a minute later at the latest, and
 * each probe may take ten seconds (pkg/health/server).
 */
const REPORT_LAG_MS = 90_000;
/** So far may the clock of a node be off. */
const CLOCK_TOLERANCE_MS = 15 * 60_000;

interface Clocks {
  intervalMs: number | undefined;
  /** The newest time in the answer, by the clock of the node that gave it. */
  newest: number;
  /** By the cluster's. */
  now: Date | undefined;
}

function isOutdated(path: Record<string, unknown>, { intervalMs, newest, now }: Clocks): boolean {
  if (intervalMs === undefined) return false;
  const limitMs = 2 * intervalMs + REPORT_LAG_MS;
  return PROBES.some((probe) => {
    const at = probedAt(path, probe)?.getTime();
    if (at === undefined) return false;
    return newest - at > limitMs || (now !== undefined && now.getTime() - at > limitMs + CLOCK_TOLERANCE_MS);
  });
}

function newestOf(nodes: readonly unknown[], timestamp: unknown): number {
  const paths = nodes.flatMap((entry) => {
    const { host, endpoint, 'health-endpoint': ofEndpoint } = fieldsOf(entry);
    return [...pathsOf(host), ...pathsOf(ofEndpoint), fieldsOf(endpoint)];
  });
  const times = paths.flatMap((path) => PROBES.flatMap((probe) => probedAt(path, probe)?.getTime() ?? []));
  return [...times, timeOf(timestamp)?.getTime() ?? 0].reduce((newest, time) => Math.max(newest, time), 0);
}

function probedAt(path: Record<string, unknown>, probe: HealthProblem['probe']): Date | undefined {
  return timeOf(fieldsOf(path[probe]).lastProbed);
}

function timeOf(value: unknown): Date | undefined {
  const at = new Date(wordOf(value));
  return Number.isNaN(at.getTime()) ? undefined : at;
}

const UNITS_MS: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 };

/** A duration as Go writes it, like `1m36.566274746s`. @returns milliseconds; undefined for anything else */
function spanOf(value: unknown): number | undefined {
  const parts = [...wordOf(value).matchAll(/(\d+(?:\.\d+)?)(h|ms|m|s)/g)];
  if (parts.length === 0) return undefined;
  return parts.reduce((total, [, amount, unit]) => total + Number(amount) * (UNITS_MS[unit ?? ''] ?? 0), 0);
}

/** The name under which the agent's cluster runs, in the same answer: its own node is `<cluster>/<node>`. */
export function readOwnCluster(document: unknown): string | undefined {
  const [, cluster] = /^([^/]+)\//.exec(wordOf(fieldsOf(fieldsOf(document).local).name)) ?? [];
  return cluster;
}

const PROBES = ['icmp', 'http'] as const;

function problemsOf(of: HealthProblem['of'], path: Record<string, unknown>, now?: Date): HealthProblem[] {
  return PROBES.flatMap((probe) => {
    const status = fieldsOf(path[probe]).status;
    const address = wordOf(path.ip);
    if (typeof status !== 'string' || status === '') return [];
    const at = probedAt(path, probe);
    const ageS = at && now && Math.max(0, Math.round((now.getTime() - at.getTime()) / 1000));
    // With two addresses of IPv6 in it, one that is refused is a long one.
    return [{ of, address, probe, says: wordOf(status, LONGEST_SENTENCE), at, ageS }];
  });
}

/** Sessions in the answer of `cilium-dbg bgp peers -o json`. @param document parsed, not trusted */
export function readBgpSessions(document: unknown): BgpSession[] | undefined {
  if (document === null) return [];
  if (!Array.isArray(document)) return undefined;
  return document.map((entry: unknown) => {
    const peer = fieldsOf(entry);
    return { peer: wordOf(peer['peer-address']), state: wordOf(peer['session-state']) || 'unknown' };
  });
}

/** Prefixes in the answer of `cilium-dbg bgp routes … -o json`. @param document parsed, not trusted */
export function readBgpPrefixes(document: unknown): string[] | undefined {
  if (document === null) return [];
  if (!Array.isArray(document)) return undefined;
  return document.flatMap((entry: unknown) => {
    const { prefix } = fieldsOf(entry);
    return typeof prefix === 'string' ? [wordOf(prefix)] : [];
  });
}

function wordOf(value: unknown, longest = LONGEST_WORD): string {
  return typeof value === 'string' ? [...value.slice(0, longest)].join('') : '';
}
