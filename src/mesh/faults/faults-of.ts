import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { dialFaults } from './dial-faults.ts';
import type { Fault, FaultsInput } from './fault.ts';
import { serveFaults } from './serve-faults.ts';
import { sizeFaults } from './size-faults.ts';

/**
 * Everything that is wrong with what one cluster is configured with, each thing once. What could not be read (`unread`, or
 * a snapshot without `tlsFiles`) is not known, and is no fault.
 */
export function faultsOf(snapshot: ClusterSnapshot, input: FaultsInput): Fault[] {
  return [...dialFaults(snapshot, input), ...serveFaults(snapshot, input), ...sizeFaults(snapshot, input)];
}
