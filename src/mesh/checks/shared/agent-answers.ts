import type { BgpSession, HealthProblem, NodeHealth } from './mesh-input.ts';

const MOST_NODES = 10_000;
const MOST_ADDRESSES = 100;
const MOST_PREFIXES = 100_000;
const LONGEST_WORD = 128;

/**
 * Nodes in the answer of `cilium-health status -o json` (Cilium's api/v1/health): a probe that went through has no
 * status text; a node that was not probed yet has addresses alone, until the interval after its first probes (prober.go of
 * pkg/health/server). @param document parsed, not trusted
 */
export function readHealth(document: unknown): NodeHealth[] | undefined {
  const nodes = recordOf(document).nodes;
  // Before its first round it has none.
  if (nodes === null) return [];
  if (!Array.isArray(nodes)) return undefined;
  return nodes.slice(0, MOST_NODES).map((entry: unknown) => {
    const node = recordOf(entry);
    const ofEndpoint = pathsOf(node['health-endpoint']);
    // Before they had several addresses.
    const endpoint = ofEndpoint.length > 0 ? ofEndpoint : [recordOf(node.endpoint)];
    const host = pathsOf(node.host);
    const problems = [
      ...host.flatMap((path) => problemsOf('node', path)),
      ...endpoint.flatMap((path) => problemsOf('endpoint', path)),
    ];
    const paths = [...host, ...endpoint];
    const unprobed = paths.filter((path) => !isProbed(path)).flatMap(({ ip }) => wordOf(ip) || []);
    return { node: wordOf(node.name), probed: paths.some(isProbed), unprobed, problems };
  });
}

/** Of a HostStatus or an EndpointStatus: with both families, IPv4 is the primary address and IPv6 among the secondary ones. */
function pathsOf(status: unknown): Record<string, unknown>[] {
  const { 'primary-address': primary, 'secondary-addresses': others } = recordOf(status);
  const all: unknown[] = [primary, ...(Array.isArray(others) ? others.slice(0, MOST_ADDRESSES) : [])];
  return all.map(recordOf).filter((path) => Object.keys(path).length > 0);
}

function isProbed(path: Record<string, unknown>): boolean {
  return PROBES.some((probe) => path[probe] !== undefined);
}

/** The name under which the agent's cluster runs, in the same answer: its own node is `<cluster>/<node>`. */
export function readOwnCluster(document: unknown): string | undefined {
  const [, cluster] = /^([^/]+)\//.exec(wordOf(recordOf(recordOf(document).local).name)) ?? [];
  return cluster;
}

const PROBES = ['icmp', 'http'] as const;

function problemsOf(of: HealthProblem['of'], path: Record<string, unknown>): HealthProblem[] {
  return PROBES.flatMap((probe) => {
    const status = recordOf(path[probe]).status;
    const address = wordOf(path.ip);
    return typeof status === 'string' && status !== '' ? [{ of, address, probe, says: wordOf(status) }] : [];
  });
}

/** Sessions in the answer of `cilium-dbg bgp peers -o json`. @param document parsed, not trusted */
export function readBgpSessions(document: unknown): BgpSession[] | undefined {
  if (document === null) return [];
  if (!Array.isArray(document)) return undefined;
  return document.slice(0, MOST_NODES).map((entry: unknown) => {
    const peer = recordOf(entry);
    return { peer: wordOf(peer['peer-address']), state: wordOf(peer['session-state']) || 'unknown' };
  });
}

/** Prefixes in the answer of `cilium-dbg bgp routes … -o json`. @param document parsed, not trusted */
export function readBgpPrefixes(document: unknown): string[] | undefined {
  if (document === null) return [];
  if (!Array.isArray(document)) return undefined;
  return document.slice(0, MOST_PREFIXES).flatMap((entry: unknown) => {
    const { prefix } = recordOf(entry);
    return typeof prefix === 'string' ? [wordOf(prefix)] : [];
  });
}

function recordOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}

function wordOf(value: unknown): string {
  return typeof value === 'string' ? [...value.slice(0, LONGEST_WORD)].join('') : '';
}
