import { restoreTypeCommand } from '../apiserver/service-type-taken.ts';
import { clusterNameOf } from '../cilium/identity.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { dialsThroughKvstoremesh } from '../connect/direction.ts';
import { describeRef, refOf } from '../objects/kube-object.ts';
import { addressesAstray } from '../peers/addresses-astray.ts';
import { choicesFor } from '../peers/peer-choices.ts';
import { configuredPeers, dialingFile } from '../peers/peers.ts';
import type { Fault } from './fault.ts';

/**
 * For each peer of which no address is dialled that its Service has, what is dialled instead. It may be how the peer is
 * reached from there, so it only explains why a peer cannot be reached.
 * @param others the other clusters that were read; of one that was not, only what was chosen is told
 */
export function addressFaults(snapshot: ClusterSnapshot, others: readonly ClusterSnapshot[]): Fault[] {
  return configuredPeers(snapshot).flatMap((peer) => {
    const file = dialingFile(snapshot, peer);
    const other = others.find((cluster) => clusterNameOf(cluster) === peer);
    const stray = addressesAstray(snapshot, peer, other);
    if (!file || !stray || (!stray.present && !choicesFor(snapshot, peer).endpoints)) return [];
    const { dialled, present, how } = stray;
    const service = present ? `, but the Service of ${peer} has ${present.join(', ')}` : '';
    const says = `${peer} is dialled at ${dialled.join(', ')}${how ? `, ${how}` : ''}${service}`;
    // Only to ask for the Service's makes connect change what was chosen, or what a tool wrote.
    const id = how ? 'peer-address-chosen' : 'peer-address-gone';
    const { context, namespace } = snapshot;
    const component = dialsThroughKvstoremesh(snapshot) ? 'kvstoremesh' : 'agent';
    const object = describeRef({ ...refOf(file.secret), namespace: undefined });
    const hint = how || !other ? undefined : restoreTypeCommand(other);
    return [
      { id, says, context, namespace, peer, component, object, key: peer, outage: true, ...(hint ? { hint } : {}) },
    ];
  });
}
