import { addressFaults } from '../../mesh/faults/address-faults.ts';
import { clusterKnownAs } from '../../mesh/peers/concerned-peers.ts';
import { withoutNamesakes } from '../../mesh/peers/namesakes.ts';
import type { PolledCluster } from '../../mesh/status/standing-status.ts';
import { areWithEtcdsOf } from '../etcd/own-etcd.ts';
import type { Flow, Target } from '../flow.ts';

/** The ids of etcds that were found to be a peer's own, by who dials it and its name: they stay so. */
export type KnownEtcds = Map<string, string>;

/**
 * With the peers that clusters are connected to at addresses which these have not, and whose own etcd it is all the same: only of such
 * peers etcds are asked.
 * @param known what was found out before, and is now
 */
export async function withOwnEtcds(
  flow: Flow,
  targets: readonly Target[],
  polled: readonly PolledCluster[],
  known: KnownEtcds = new Map(),
): Promise<PolledCluster[]> {
  const snapshots = polled.map(({ snapshot }) => snapshot);
  return Promise.all(
    polled.map(async (one): Promise<PolledCluster> => {
      const { snapshot, report, etcds } = one;
      const { context } = snapshot;
      const others = withoutNamesakes(snapshot, snapshots);
      const lacked = report.problems.map(({ peer }) => peer);
      const astray = addressFaults(snapshot, others).flatMap(({ fault: { id, peer = '' } }) =>
        id === 'peer-address-gone' && !lacked.includes(peer) ? [peer] : [],
      );
      const own = await Promise.all(
        [...new Set(astray)].map(async (peer) => {
          const server = clusterKnownAs(peer, others);
          const target = targets.find(({ client }) => client.context === server?.context);
          const dialled = etcds?.get(peer);
          const [key, ids] = [JSON.stringify([context, peer]), [...(dialled ?? [])].sort().join()];
          if (ids !== '' && known.get(key) === ids) return [peer];
          if (!server || !target || !(await areWithEtcdsOf(flow, target, server, dialled))) return [];
          known.set(key, ids);
          return [peer];
        }),
      );
      const byEtcd = own.flat();
      return byEtcd.length > 0 ? { ...one, byEtcd } : one;
    }),
  );
}
