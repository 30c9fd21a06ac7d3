import { clusterNameOf } from '../../cilium/identity.ts';
import { selectsLocalCluster } from '../../cilium/policy-scope.ts';
import type { ClusterSnapshot } from '../../cluster-snapshot.ts';
import { meshctlCommand } from '../../command-line.ts';
import { firstOf } from '../../counted.ts';
import { configuredPeers } from '../../peers/peers.ts';
import { type DialOfSnapshots, firstDials } from '../../services/newly-shared.ts';
import { policiesNamed } from './policy-words.ts';

/**
 * What first dials do to network policies, as clauses: where Cilium is not set to `policy-default-local-cluster`, a selector that
 * names no cluster means pods of all clusters that are dialled, which may let in who was not let in. Who has written it so may mean
 * that: it is named, and nobody is asked.
 */
export function widenedPolicies(dials: readonly DialOfSnapshots[]): string[] {
  return firstDials(dials).flatMap(({ client, servers }) => widenedIn(client, servers.map(clusterNameOf)));
}

/** The same of a peer that is not within reach. @param dialsPeer whether the cluster comes to dial it */
export function widenedByStranger(own: ClusterSnapshot, peer: string, dialsPeer: boolean): string[] {
  return dialsPeer && !configuredPeers(own).includes(peer) ? widenedIn(own, [peer]) : [];
}

function widenedIn(snapshot: ClusterSnapshot, peers: readonly string[]): string[] {
  const { context, widePolicies = [], policiesRefused } = snapshot;
  const names = firstOf(peers);
  if (policiesRefused !== undefined) {
    const says = `context "${context}": its network policies may not be listed, so it is not known what they come to allow or deny for ${names}`;
    return [`${says} → ${policiesRefused}`];
  }
  if (widePolicies.length === 0) return [];
  const may = selectsLocalCluster(snapshot) === undefined ? 'may mean' : 'mean';
  const look = meshctlCommand('clustermesh inspect-policy-default-local-cluster', { context }, ['--all-namespaces']);
  const says = `context "${context}": selectors that name no cluster ${may} pods of ${names} too, in ${policiesNamed(widePolicies)}`;
  return [`${says} → ${look}`];
}
