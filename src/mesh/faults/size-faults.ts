import { describeSize, outdatedSize, restoreSizeCommand } from '../apiserver/mesh-size.ts';
import { identityOf } from '../cilium/identity.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { dialsThroughKvstoremesh } from '../connect/direction.ts';
import { CILIUM_CONFIG } from '../objects/names.ts';
import { knownAs } from '../peers/concerned-peers.ts';
import { expectedPeers } from '../peers/peers.ts';
import type { Fault, FaultsInput } from './fault.ts';

/**
 * Clusters of two sizes do not read each other's state: Cilium refuses a peer whose `maxConnectedClusters` differs (its
 * pkg/clustermesh/types: ClusterIDs are laid out by it). Programs know it from their start.
 */
export function sizeFaults(snapshot: ClusterSnapshot, { others = [] }: FaultsInput): Fault[] {
  const { context, namespace, ciliumConfig } = snapshot;
  if (!ciliumConfig) return [];
  const place = {
    context,
    namespace,
    object: `ConfigMap ${CILIUM_CONFIG}`,
    key: 'max-connected-clusters',
    outage: true,
  };
  const outdated = outdatedSize(snapshot);
  if (outdated) {
    const told = { says: describeSize(outdated), hint: restoreSizeCommand(snapshot, outdated) };
    return [{ id: 'max-connected-clusters-running', component: 'apiserver', ...place, ...told }];
  }
  const own = identityOf(ciliumConfig).maxConnectedClusters;
  const peers = expectedPeers(snapshot);
  return others.flatMap((other): Fault[] => {
    const peer = knownAs(other);
    const its = identityOf(other.ciliumConfig ?? {}).maxConnectedClusters;
    // One that was changed is the fault, and not those that it no longer goes with.
    if (!peers.includes(peer) || own === its || outdatedSize(other)) return [];
    const component = dialsThroughKvstoremesh(snapshot) ? 'kvstoremesh' : 'agent';
    const says = `max-connected-clusters is ${own}, and ${its} in ${peer}: all clusters of a mesh need the same value, set at installation`;
    return [{ id: 'max-connected-clusters-equal', component, peer, ...place, says }];
  });
}
