import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { clusterKnownAs } from '../peers/concerned-peers.ts';
import { withoutNamesakes } from '../peers/namesakes.ts';
import { partedBy } from '../peers/parted.ts';
import { dialFaults } from './dial-faults.ts';
import type { Fault, FaultsInput } from './fault.ts';
import { serveFaults } from './serve-faults.ts';
import { sizeFaults } from './size-faults.ts';

/**
 * Everything that is wrong with what one cluster is configured with, each thing once. What could not be read (`unread`, or
 * a snapshot without `tlsFiles`) is not known, and is no fault.
 */
export function faultsOf(snapshot: ClusterSnapshot, { now, others = [], agents }: FaultsInput): Fault[] {
  const input = { now, agents, others: withoutNamesakes(snapshot, others) };
  const dialling = dialFaults(snapshot, input).map((fault) => withBothWaysOut(fault, snapshot, input));
  return [...dialling, ...serveFaults(snapshot, input), ...sizeFaults(snapshot, input)];
}

/** Of a peer that has parted with this cluster: whatever is wrong with the way there, whether it is wanted is to be decided first. */
function withBothWaysOut(fault: Fault, snapshot: ClusterSnapshot, { others = [] }: FaultsInput): Fault {
  const peer = clusterKnownAs(fault.peer, others);
  const parted = peer && partedBy(peer, snapshot);
  return parted ? { ...fault, hint: parted.mend } : fault;
}
