import { recordedIdentity } from '../apiserver/recorded-identity.ts';
import { identityOf } from '../cilium/identity.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { connectCommand, meshctlCommand } from '../command-line.ts';
import { forget } from '../connect/disconnect/dead-cluster.ts';
import type { Fault, FaultId } from '../faults/fault.ts';
import { keyOf } from '../objects/kube-object.ts';
import { apiserverDeploymentRef, apiserverServiceRef } from '../objects/names.ts';
import { knownAs } from '../peers/concerned-peers.ts';
import { dialsAnother } from '../peers/namesakes.ts';
import { peerNameOf, type StatusReport } from './status.ts';
import type { SeenPeers } from './status-tally.ts';

interface SeenCluster extends Partial<SeenPeers> {
  snapshot: ClusterSnapshot;
}

/**
 * Whether two clusters are not each other's peers although one of them is connected to a cluster of the other one's name: a new
 * connection to that was made, and nothing of the other one could have answered it.
 */
export function areStrangers(one: SeenCluster, other: SeenCluster): boolean {
  return answersElsewhere(one, other.snapshot) || answersElsewhere(other, one.snapshot);
}

function answersElsewhere({ snapshot, reached = [] }: SeenCluster, server: ClusterSnapshot): boolean {
  const name = knownAs(server);
  return reached.includes(name) && (servesNobody(server) || dialsAnother(snapshot, name, server));
}

/** Whether neither the server of a cluster is there, nor a Service by which it could be reached. */
function servesNobody({ objects, namespace, unread }: ClusterSnapshot): boolean {
  const keys = [apiserverDeploymentRef(namespace), apiserverServiceRef(namespace)].map(keyOf);
  return !keys.some((key) => objects.has(key) || unread?.has(key));
}

/** What `connect` mends, between clusters that can be connected. */
const CONNECTED_ANEW: readonly FaultId[] = [
  ...([
    'peering-file-missing',
    'peering-file-unreadable',
    'peering-file-no-cache',
    'peer-certificate-missing',
  ] as const),
  ...(['peer-certificate-unreadable', 'peer-certificate-key', 'peer-certificate-expired'] as const),
  ...(['peer-certificate-issuer', 'peer-certificate-foreign', 'peer-ca', 'peers-mutual'] as const),
  ...(['peer-address-gone', 'peer-address-chosen', 'peer-address-doubtful', 'peer-user-missing'] as const),
];

/**
 * The id by which a cluster knows a peer of another one's name, where that is another cluster by it: `connect` refuses it until the
 * former one is forgotten. Undefined where it may be the peer: one that was set up with that id has only got another since.
 */
export function idOfFormer({ snapshot, peerIds }: SeenCluster, server: ClusterSnapshot): number | undefined {
  const known = peerIds?.get(knownAs(server));
  const ids = [server, snapshot].map(({ ciliumConfig = {} }) => identityOf(ciliumConfig).id);
  // Who has its own id from there is connected to itself.
  return known === undefined || ids.includes(known) || recordedIdentity(server).id === known ? undefined : known;
}

/**
 * A fault between clusters of which one knows a former cluster by the other one's name: connecting them is refused until that is
 * forgotten, which is part of what mends it then.
 * @param one the cluster that has the fault
 * @param others those that may be its peers
 */
export function withFormerForgotten(fault: Fault, one: SeenCluster, others: readonly SeenCluster[]): Fault {
  const own = knownAs(one.snapshot);
  const { peers = [] } = fault;
  if (fault.id === 'mesh-disabled') {
    const knowers = others.filter(
      (other) => peers.includes(knownAs(other.snapshot)) && idOfFormer(other, one.snapshot) !== undefined,
    );
    const [first] = knowers;
    if (!first || knowers.length < peers.length) return fault;
    const enabled = meshctlCommand('clustermesh enable', { context: one.snapshot.context });
    const contexts = knowers.map(({ snapshot }) => snapshot.context);
    const forgetting = forget(contexts, [own]);
    const joined = [forgetting, enabled, connectCommand(one.snapshot.context, contexts)].join(' && ');
    const hint = `forget the former one: ${forgetting}; or have this one take its place: ${joined}`;
    return { ...fault, says: `${fault.says} ${byIds(first, one.snapshot)}`, hint };
  }
  const peer = others.find(({ snapshot }) => knownAs(snapshot) === fault.peer);
  if (!peer || !CONNECTED_ANEW.includes(fault.id)) return fault;
  const [client, server] = idOfFormer(one, peer.snapshot) === undefined ? [peer, one] : [one, peer];
  if (idOfFormer(client, server.snapshot) === undefined) return fault;
  const hint = `forget the former one, then connect this one: ${replaceFormer(client.snapshot, server.snapshot)}`;
  return { ...fault, says: `${fault.says} ${byIds(client, server.snapshot)}`, hint };
}

function byIds(client: SeenCluster, server: ClusterSnapshot): string {
  const { name, id } = identityOf(server.ciliumConfig ?? {});
  const { context } = client.snapshot;
  return `(${context} knows a ${name} with the id ${idOfFormer(client, server)}, and this one has the id ${id})`;
}

function replaceFormer(client: ClusterSnapshot, server: ClusterSnapshot): string {
  const forgotten = forget(client.context, [knownAs(server)]);
  return `${forgotten} && ${connectCommand(client.context, server.context)}`;
}

/**
 * The contexts of the clusters that dial another cluster of this one's name.
 * @param reports those that were asked, with this one
 */
export function diallersOfNamesake(own: StatusReport, reports: readonly StatusReport[]): string[] {
  return reports
    .filter(({ ofOtherMeshes, peers }) => {
      return ofOtherMeshes?.includes(own.context) && peers.some(({ name }) => name === peerNameOf(own));
    })
    .map((report) => report.context);
}
