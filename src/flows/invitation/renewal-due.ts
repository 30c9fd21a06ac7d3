import { isDueOfOwner } from '../../mesh/rotation/due.ts';
import type { Flow, Target } from '../flow.ts';
import { readOwnSnapshot } from './own-member.ts';

/** Whether a new certificate is to be asked of another owner. @param olderThanMs only where the present one is as old as that */
export async function isRenewalDue(flow: Flow, target: Target, peer: string, olderThanMs: number): Promise<boolean> {
  return isDueOfOwner(await readOwnSnapshot(flow, target), peer, olderThanMs, flow.now());
}
