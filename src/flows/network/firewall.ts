import { requireCilium } from '../../mesh/cilium/identity.ts';
import { type FirewallRules, firewallRules } from '../../mesh/network/firewall.ts';
import { type UnreachableCluster, unreachableCluster } from '../../mesh/status/mesh-status.ts';
import { readSnapshot } from '../../snapshot/read-snapshot.ts';
import { during, type Flow, type Target } from '../flow.ts';
import { whereItSucceeds } from '../where-it-succeeds.ts';

/**
 * Reads the clusters, and says what the network between them must let through.
 * @param silent clusters that are known not to answer; those that cease to are added
 * @param parallel clusters read at a time
 * @throws MeshctlError `CiliumNotFound` for a cluster without Cilium, and why no cluster can be read
 */
export async function readFirewallRules(
  flow: Flow,
  targets: readonly Target[],
  silent: readonly UnreachableCluster[],
  parallel: number,
): Promise<FirewallRules> {
  return during(
    flow,
    {
      doing: `Reading ${targets.map(({ client }) => client.context).join(', ')}`,
      done: `Read ${targets.map(({ client }) => client.context).join(', ')}`,
      of: targets,
    },
    async () => {
      const read = ({ client, namespace }: Target) => readSnapshot(client, { namespace, purpose: 'connect' });
      const { done, failed } = await whereItSucceeds(flow, targets, read, parallel);
      for (const snapshot of done) requireCilium(snapshot);
      const gone = failed.map(({ context, error }) => unreachableCluster(context, error));
      return firewallRules(done, [...silent, ...gone]);
    },
  );
}
