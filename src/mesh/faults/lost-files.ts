import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { rememberedOf } from '../remembered.ts';
import { dialFaults } from './dial-faults.ts';
import type { Fault, FaultId } from './fault.ts';

const LOST_FILES: readonly FaultId[] = ['peering-secret-missing', 'peering-file-missing', 'peering-file-unreadable'];

/** None of these faults comes with time; they are looked for once, for all peers. */
const lostFiles = rememberedOf((snapshot: ClusterSnapshot) =>
  dialFaults(snapshot, { now: new Date(0) }).filter(({ id }) => LOST_FILES.includes(id)),
);

/** That a cluster has no file by which it, or its agents, can dial a peer that it is to dial; undefined where it has. */
export function lostFileFault(snapshot: ClusterSnapshot, peer: string): Fault | undefined {
  return lostFiles(snapshot).find((fault) => fault.peer === peer || fault.peers?.includes(peer));
}

/** The same as a clause that says why. */
export function lostFileFor(snapshot: ClusterSnapshot, peer: string): string | undefined {
  const lacking = lostFileFault(snapshot, peer);
  return lacking && `${lacking.says} (${lacking.object})`;
}
