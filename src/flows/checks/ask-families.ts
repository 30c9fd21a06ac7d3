import { readBgpPrefixes } from '../../mesh/checks/shared/agent-answers.ts';
import type { ByFamily } from '../../mesh/checks/shared/mesh-input.ts';
import { ipFamilies } from '../../mesh/cilium/datapath.ts';
import { type NodeRoute, readRoutes } from '../../mesh/cilium/routes.ts';
import type { ClusterSnapshot } from '../../mesh/cluster-snapshot.ts';
import type { Agent } from '../status/ask-agents.ts';

/** The routes of an agent's node, of each family of addresses that the cluster's pods have. */
export function askRoutes(agent: Agent, cluster: ClusterSnapshot): Promise<ByFamily<NodeRoute>> {
  return askFamilies(cluster, async (family) =>
    readRoutes(await agent.json(['ip', '-json', ...(family === 6 ? ['-6'] : []), 'route', 'show'])),
  );
}

/** The prefixes that an agent tells its BGP peers, all of them together. */
export function askBgpAdvertised(agent: Agent, cluster: ClusterSnapshot): Promise<ByFamily<string>> {
  return askFamilies(cluster, async (family) => {
    const words = ['bgp', 'routes', 'advertised', `ipv${family}`, 'unicast', '-o', 'json'];
    const answer = await agent.json(['cilium-dbg', ...words]);
    return answer === undefined ? undefined : readBgpPrefixes(answer);
  });
}

async function askFamilies<T>(
  { ciliumConfig }: ClusterSnapshot,
  ask: (family: 4 | 6) => Promise<T[] | undefined>,
): Promise<ByFamily<T>> {
  const families = ipFamilies(ciliumConfig ?? {});
  return Object.fromEntries(await Promise.all(families.map(async (family) => [family, await ask(family)] as const)));
}
