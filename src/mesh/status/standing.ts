import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import type { Fault, FaultsInput } from './fault.ts';
import { sizeFaults } from './mesh-size.ts';
import { dialFaults } from './standing-dial.ts';
import { serveFaults } from './standing-serve.ts';

/**
 * Everything that is wrong with what one cluster is configured with, each thing once. What could not be read (`unread`, or
 * a snapshot without `tlsFiles`) is not known, and is no fault.
 */
export function faultsOf(snapshot: ClusterSnapshot, input: FaultsInput): Fault[] {
  return [...dialFaults(snapshot, input), ...serveFaults(snapshot, input), ...sizeFaults(snapshot, input)];
}
