import { isIpAddress, isNodePortUnseen, splitHostPort } from '../../mesh/apiserver/endpoints.ts';
import { answersAt, isNodeUnseen } from '../../mesh/apiserver/own-addresses.ts';
import type { ClusterSnapshot } from '../../mesh/cluster-snapshot.ts';
import { knownAs } from '../../mesh/peers/concerned-peers.ts';
import { dialledAddresses } from '../../mesh/peers/file/dialled-addresses.ts';
import type { PolledCluster } from '../../mesh/status/standing-status.ts';
import { withServingNodes } from '../../snapshot/nodes.ts';
import type { Flow, Target } from '../flow.ts';
import { orWithout } from '../where-it-succeeds.ts';

/** What was read of nodes, by context: who looks again and again need not read them each time. */
export type KnownNodes = Map<string, Pick<ClusterSnapshot, 'nodes' | 'apiserverPods'>>;

/**
 * With the nodes of the clusters behind a NodePort whose addresses tell something: others dial them at an address, or another cluster has
 * the name too; and of those behind a load balancer that others dial at its node port. Without nodes no address of theirs is known, so
 * that neither a stale one shows nor which of two of a name is meant.
 * @param known nodes are read again only where others dial an address that is none of theirs, or are not connected
 */
export async function withDialledAddresses(
  flow: Flow,
  targets: readonly Target[],
  polled: readonly PolledCluster[],
  known: KnownNodes,
): Promise<PolledCluster[]> {
  return Promise.all(
    polled.map(async (one) => {
      const { snapshot } = one;
      const target = targets.find(({ client }) => client.context === snapshot.context);
      if (!target || snapshot.nodes.length > 0) return one;
      const name = knownAs(snapshot);
      const others = polled.filter((other) => other !== one);
      const isByNodes = isNodePortUnseen(snapshot);
      // A host name tells nothing.
      const tells = (address: string) =>
        isIpAddress(splitHostPort(address).host) && (isByNodes || isNodeUnseen(snapshot, address));
      const dialling = others.filter((other) => dialledAddresses(other.snapshot, name).some(tells));
      const isShared = isByNodes && others.some((other) => knownAs(other.snapshot) === name);
      if (dialling.length === 0 && !isShared) return one;
      const kept = known.get(snapshot.context);
      const asKept = kept && { ...snapshot, ...kept };
      const isThere = ({ report, snapshot: client }: PolledCluster, server: ClusterSnapshot) =>
        dialledAddresses(client, name).some((address) => answersAt(server, address)) &&
        !report.problems.some(({ peer }) => peer === name);
      if (asKept && dialling.every((other) => isThere(other, asKept))) return { ...one, snapshot: asKept };
      const read = await orWithout(flow, withServingNodes(target.client, snapshot), snapshot);
      const { nodes, apiserverPods } = read;
      if (nodes.length > 0) known.set(snapshot.context, { nodes, apiserverPods });
      return { ...one, snapshot: read };
    }),
  );
}
