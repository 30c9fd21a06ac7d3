import pLimit from 'p-limit';
import { readSnapshot } from '../kube/snapshot.ts';
import { isTunnel } from '../mesh/checks/network.ts';
import { clusterNameOf } from '../mesh/identity.ts';
import { podCidrsOf } from '../mesh/pod-ranges.ts';
import { type RoutesReport, type RouteToPods, readRoutes, routeTo } from '../mesh/routes.ts';
import type { ClusterSnapshot } from '../mesh/snapshot.ts';
import { listAgents } from './ask-agents.ts';
import { during, type Flow, type Target } from './flow.ts';

export interface RoutesOptions {
  parallel: number;
  nodeTimeoutMs: number;
}

/** Asks every node for its routes and judges them against the pod ranges of the other clusters. */
export async function readMeshRoutes(
  flow: Flow,
  targets: readonly Target[],
  options: RoutesOptions,
): Promise<RoutesReport> {
  return during(flow, `Reading the routes of ${targets.map(({ client }) => client.context).join(', ')}`, async () => {
    const snapshots = await Promise.all(
      targets.map(({ client, namespace }) => readSnapshot(client, { namespace, purpose: 'connect' })),
    );
    const perCluster = await Promise.all(
      targets.map((target, index) => routesOfCluster(flow, target, snapshots, index, options)),
    );
    const routes = perCluster.flatMap((one) => one.routes);
    return {
      complete: routes.every(({ source }) => source !== undefined),
      clusters: snapshots.map((snapshot, index) => ({
        context: snapshot.context,
        name: clusterNameOf(snapshot),
        mode: isTunnel(snapshot) ? 'tunnel' : 'native',
        podCidrs: podCidrsOf(snapshot).length,
        nodes: perCluster[index]?.nodes ?? 0,
      })),
      routes,
    };
  });
}

async function routesOfCluster(
  flow: Flow,
  target: Target,
  snapshots: readonly ClusterSnapshot[],
  index: number,
  { parallel, nodeTimeoutMs: timeoutMs }: RoutesOptions,
): Promise<{ routes: RouteToPods[]; nodes: number }> {
  const own = snapshots[index];
  if (!own) return { routes: [], nodes: 0 };
  const agents = await listAgents(flow, target, { most: Number.POSITIVE_INFINITY, timeoutMs });
  const limit = pLimit(parallel);
  const perNode = await Promise.all(
    agents.map((agent) =>
      limit(async () => {
        const answers = await Promise.all([
          agent.json(['ip', '-json', 'route', 'show']),
          own.ciliumConfig?.['enable-ipv6'] === 'true' ? agent.json(['ip', '-json', '-6', 'route', 'show']) : [],
        ]);
        const known = answers.flatMap((answer) => readRoutes(answer) ?? []);
        return snapshots
          .filter((other) => other !== own)
          .flatMap((other) =>
            podCidrsOf(other).map((cidr) => ({
              from: clusterNameOf(own),
              node: agent.node,
              to: clusterNameOf(other),
              ...routeTo(cidr, known, isTunnel(own)),
            })),
          );
      }),
    ),
  );
  return { routes: perNode.flat(), nodes: agents.length };
}
