import type { BgpSession, HealthProblem, NodeHealth } from './mesh-input.ts';

const MOST_NODES = 10_000;
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
    const host = recordOf(recordOf(node.host)['primary-address']);
    const endpoint = recordOf(recordOf(node['health-endpoint'])['primary-address']);
    const paths = { node: host, endpoint: Object.keys(endpoint).length > 0 ? endpoint : recordOf(node.endpoint) };
    const problems = [...problemsOf('node', paths.node), ...problemsOf('endpoint', paths.endpoint)];
    const probed = Object.values(paths).some((path) => PROBES.some((probe) => path[probe] !== undefined));
    return { node: wordOf(node.name), probed, problems };
  });
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
    return typeof status === 'string' && status !== '' ? [{ of, probe, says: wordOf(status) }] : [];
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
