import { clusterNameOf } from '../cilium/identity.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { connectCommand } from '../command-line.ts';
import { dialingSecret, dialsThroughKvstoremesh } from '../connect/direction.ts';
import type { Fault } from '../faults/fault.ts';
import { keyOf } from '../objects/kube-object.ts';
import { AGENT_PEERS_SECRET, KVSTOREMESH_PEERS_SECRET, secretRef } from '../objects/names.ts';
import { knownAs } from '../peers/concerned-peers.ts';
import {
  haveLostBothHalves,
  isChoiceHalfRecorded,
  mendBothLost,
  mendHalfLost,
  mendUndialled,
  saysBothLost,
  saysHalfLost,
  saysHalfRecorded,
  saysUndialled,
  undialledClients,
  undialledServers,
} from '../peers/lost-halves.ts';
import { expectedPeers, mayDialUnseen } from '../peers/peers.ts';
import { isWithoutPeers } from '../peers/peers-on-record.ts';
import { renamedPeers, takeUpCommand } from '../peers/renamed-peers.ts';
import { areBeingJoined } from '../runs-at-work.ts';
import { isAlone, type StatusReport } from './status.ts';

/** What is wrong with whom a cluster dials, by what its agents say and what its peers have: which peers it lacks, or has too many. */
export function peeringFaults(
  report: StatusReport,
  snapshot: ClusterSnapshot,
  others: readonly ClusterSnapshot[],
): Fault[] {
  return [
    ...unconfigured(report, snapshot),
    ...undialled(report, snapshot, others),
    ...halfLost(report, snapshot, others),
    ...renamed(snapshot, others),
  ];
}

/** Of a fault in what the Secret that a cluster dials by has of a peer, or has not. */
function inDialled(snapshot: ClusterSnapshot, peer: string) {
  const { context, namespace } = snapshot;
  const component = dialsThroughKvstoremesh(snapshot) ? ('kvstoremesh' as const) : ('agent' as const);
  return { context, namespace, component, object: `Secret ${dialingSecret(snapshot)}`, key: peer, peer, outage: true };
}

/** Peers that agents or KVStoreMesh have by what they mounted, and that is not there any more. */
function unconfigured({ peers, context }: StatusReport, snapshot: ClusterSnapshot): Fault[] {
  const expected = expectedPeers(snapshot);
  const { namespace, unread } = snapshot;
  // Of a Secret that may not be read it is not known what it names.
  if (unread?.has(keyOf(secretRef(namespace, KVSTOREMESH_PEERS_SECRET)))) return [];
  return peers
    .filter(({ name }) => !expected.includes(name))
    .map(({ name: peer, agents }) => ({
      id: 'peer-unconfigured' as const,
      context,
      namespace,
      peer,
      component: agents.configured > 0 ? ('agent' as const) : ('kvstoremesh' as const),
      object: `Secret ${agents.configured > 0 ? AGENT_PEERS_SECRET : KVSTOREMESH_PEERS_SECRET}`,
      outage: true,
      says: 'what has been mounted still names it, and no Secret does any more',
    }));
}

/** Peers that wait for this cluster to dial them, as it was chosen, where nothing names them here any more. */
function undialled({ peers }: StatusReport, snapshot: ClusterSnapshot, others: readonly ClusterSnapshot[]): Fault[] {
  const { namespace, unread } = snapshot;
  if (unread?.has(keyOf(secretRef(namespace, dialingSecret(snapshot))))) return [];
  return undialledServers(snapshot, others)
    .filter((server) => !peers.some(({ name }) => name === knownAs(server)))
    .map((server) => ({
      ...inDialled(snapshot, knownAs(server)),
      id: 'peering-file-missing' as const,
      says: saysUndialled(snapshot, server),
      hint: mendUndialled(snapshot, server),
    }));
}

/** Peers that dial this cluster and that it does not dial, though nobody chose that. One that is alone is told to be connected. */
function halfLost(report: StatusReport, snapshot: ClusterSnapshot, others: readonly ClusterSnapshot[]): Fault[] {
  if (isAlone(report)) return [];
  return undialledClients(snapshot, others)
    .filter((client) => !report.peers.some(({ name }) => name === knownAs(client)))
    .map((client) => ({
      ...inDialled(snapshot, knownAs(client)),
      id: 'peers-mutual' as const,
      says: saysHalfLost(client, snapshot),
      hint: mendHalfLost(client, snapshot),
    }));
}

/** Choices of one way that this cluster has on record no more, or its peer: connecting the two again writes them down. */
export function halfRecorded(snapshot: ClusterSnapshot, others: readonly ClusterSnapshot[]): Fault[] {
  const { context, namespace } = snapshot;
  return others
    .filter((server) => isChoiceHalfRecorded(snapshot, server))
    .map((server) => ({
      ...{ id: 'choice-half-recorded' as const, context, namespace, component: 'agent' as const, outage: false },
      ...{ object: `Secret ${AGENT_PEERS_SECRET}`, peer: knownAs(server) },
      says: saysHalfRecorded(snapshot, server),
    }));
}

/**
 * Peerings of this cluster that have lost both halves, each told of both of the two: no agent lacks the other one, and no global Service
 * of one has the other's pods. That one dials no peer at all is a matter of its own. Of Secrets that may not be read it is not known
 * whom they name; whom an invitation lets in is on its way to be a peer, and so is whom a run at work in both just makes one.
 * @param peers the other clusters that may be its peers
 */
export function bothHalvesLost(
  { report, snapshot }: Record<'report', StatusReport> & Record<'snapshot', ClusterSnapshot>,
  peers: readonly { report: StatusReport; snapshot: ClusterSnapshot }[],
): Fault[] {
  const { context, namespace } = snapshot;
  const others = peers.map((peer) => peer.snapshot);
  const isUnsure = (one: StatusReport, read: ClusterSnapshot, peer: string) =>
    (one.invitations ?? []).length > 0 || mayDialUnseen(read) || one.peers.some(({ name }) => name === peer);
  return peers
    .filter((peer) => haveLostBothHalves(snapshot, peer.snapshot))
    .filter((peer) => !areBeingJoined(report, peer.report))
    .filter((peer) => !isUnsure(report, snapshot, knownAs(peer.snapshot)))
    .filter((peer) => !isUnsure(peer.report, peer.snapshot, knownAs(snapshot)))
    .map(({ snapshot: other }) => {
      // One that has no peer left is told to be connected to all that are on record.
      const isAwaited = [snapshot, other].some((one) => isWithoutPeers(one, others));
      return {
        ...{ id: 'peering-lost' as const, context, namespace, component: 'agent' as const, outage: !isAwaited },
        ...{ object: `Secret ${AGENT_PEERS_SECRET}`, peer: knownAs(other) },
        says: saysBothLost('they'),
        hint: isAwaited ? connectCommand(context, other.context) : mendBothLost(snapshot, other),
      };
    });
}

/** Peers that serve under another name by now: what those who dial them by the former one read is not there. */
function renamed(snapshot: ClusterSnapshot, others: readonly ClusterSnapshot[]): Fault[] {
  return renamedPeers(snapshot, others).map((peer) => ({
    ...inDialled(snapshot, peer.former),
    id: 'peer-renamed' as const,
    says: `that is the former name of ${clusterNameOf(peer.cluster)}`,
    hint: takeUpCommand(snapshot, peer),
  }));
}
