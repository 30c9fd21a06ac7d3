import { endsByRefresh, type Fault } from '../faults/fault.ts';
import { isOfUndialled, type MeshStatusReport } from './mesh-status.ts';
import { areAllConnected, isAlone, mayBePeersOf, peerNameOf, type StatusReport } from './status.ts';

type Clusters = Pick<MeshStatusReport, 'clusters'>;

/** Whether what a fault is about works now: of one by which a cluster does not let a peer in, that is that peer's connection. */
function isHeld({ clusters }: Clusters, report: StatusReport, { component, peer }: Fault): boolean {
  const { nodes } = report;
  const peers = component === 'apiserver' ? mayBePeersOf(report, clusters) : [];
  const client = peers.find((one) => peerNameOf(one) === peer);
  return areAllConnected(client ? client.peers.find(({ name }) => name === peerNameOf(report))?.agents : nodes);
}

/** Where nobody dials, or is to, no connection could come back. */
function isLeadless(mesh: Clusters, report: StatusReport, fault: Fault): boolean {
  return isOfUndialled(report, fault) || (fault.outage && isUnused(mesh, report));
}

/** A cluster that is connected with no other, as far as that was seen: nothing of it could come back. */
function isUnused({ clusters }: Clusters, report: StatusReport): boolean {
  const name = peerNameOf(report);
  return (
    isAlone(report) && !mayBePeersOf(report, clusters).some(({ peers }) => peers.some((peer) => peer.name === name))
  );
}

/** How who dials is with a fault now, before what is wrong; undefined where that is not to be said. */
export function leadOf(mesh: Clusters, report: StatusReport, fault: Fault): string | undefined {
  if (isLeadless(mesh, report, fault)) return undefined;
  const { id, outage } = fault;
  const connected = isHeld(mesh, report, fault);
  // Who is meant by a name is not a matter of whether it is connected.
  if (id === 'cluster-name-unique') return undefined;
  // None is left of them.
  if (id === 'peering-lost') return undefined;
  // Of a user that may not be missed it is not known whether any connection needs it.
  if (id === 'agents-missing' || id === 'agents-outdated' || (id === 'peer-user-missing' && !outage)) return undefined;
  if (id === 'peer-certificate-foreign') return connected ? 'connected, but not as itself' : undefined;
  // It is no matter of a connection, but of what comes by it.
  if (id === 'cilium-endpoints') return connected ? 'connected, but its pods are not known to peers' : undefined;
  if (!outage) return 'no connection is affected yet';
  if (!connected) return 'would not reconnect';
  if (endsByRefresh(fault)) return 'connected, but only until kubelets refresh the Secret (about a minute)';
  const spans = spansOf(mesh, report, fault);
  const used = spans.length === 0 ? '' : `, and once it breaks, its services are used for ${spans.join(' or ')} only`;
  return `connected, but not after a restart${used}`;
}

/** For how long who dials keeps what it has of a lost peer, where that is not for good. */
function spansOf({ clusters }: Clusters, report: StatusReport, { component, peer }: Fault): string[] {
  const isDialler = (one: StatusReport) =>
    (peer === undefined || peerNameOf(one) === peer) && one.peers.some(({ name }) => name === peerNameOf(report));
  const dialling = component === 'apiserver' ? mayBePeersOf(report, clusters).filter(isDialler) : [report];
  return [...new Set(dialling.flatMap(({ keptFor }) => keptFor ?? []))];
}
