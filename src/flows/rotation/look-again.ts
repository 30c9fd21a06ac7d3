import pLimit from 'p-limit';
import { dials } from '../../mesh/connect/direction.ts';
import type { Member } from '../../mesh/connect/member.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { REMOTE_CERT_SECRET } from '../../mesh/objects/names.ts';
import { certificatesFrom, type RotatedCertificate } from '../../mesh/rotation/rotated-certificates.ts';
import { readMembers } from '../connect/read-members.ts';
import { type Proof, proveServer } from '../etcd/prove.ts';
import { during, type Flow } from '../flow.ts';
import { allOrFirstError } from '../parallel.ts';
import type { PreparedRotation, RotateOptions } from './prepare-rotation.ts';
import { credentialIn, proofOf } from './proofs.ts';

/** What a look at the clusters of a rotation that has stopped saw. */
export type LookAgain = 'let-in' | 'nobody-dials' | { unknown: string };

/** Users and files follow a rollback within seconds. */
const LOOK_MS = 20_000;

/**
 * Whether each cluster lets those of the others in that dial it, with what they hold now: a rotation that has stopped may not
 * say so unseen. Nothing is looked at after Ctrl-C.
 */
export async function lookAgain(
  flow: Flow,
  { targets, members: before }: PreparedRotation,
  { parallel, waitMs }: RotateOptions,
): Promise<LookAgain> {
  if (flow.signal.aborted) return { unknown: 'it was interrupted before a look at it' };
  const words = {
    doing: 'Checking whether the clusters still let each other in',
    done: 'Checked whether the clusters still let each other in',
  };
  try {
    return await during(flow, words, async (): Promise<LookAgain> => {
      const members = await readMembers(targets, parallel, before);
      const limit = pLimit(parallel);
      const timeoutMs = Math.min(LOOK_MS, waitMs);
      const proving = targets.flatMap((target) => {
        const server = members.find(({ snapshot }) => snapshot.context === target.client.context);
        const proofs = server ? proofsHeld(server, members) : [];
        return proofs.length > 0 ? [proveServer(flow, target, proofs, { timeoutMs, limit })] : [];
      });
      await allOrFirstError(proving, flow.progress);
      return proving.length > 0 ? 'let-in' : 'nobody-dials';
    });
  } catch (error) {
    // It must not take the place of the failure that led here.
    return { unknown: error instanceof MeshctlError ? error.message : String(error) };
  }
}

/** What the others dial a server with: a certificate that was made for it, or else the one that they have for all. */
function proofsHeld(server: Member, members: readonly Member[]): Proof[] {
  const made = certificatesFrom(server, members).filter(({ peer }) => peer !== undefined);
  const common = members.flatMap((client) => {
    const isOwn = client === server || made.some(({ holder }) => holder === client);
    return isOwn || !dials(client, server) ? [] : ownRemoteCert(client, members);
  });
  return [...made, ...common].map((one) => proofOf(server, one, credentialIn(one)));
}

function ownRemoteCert(client: Member, members: readonly Member[]): RotatedCertificate[] {
  return certificatesFrom(client, members).filter(
    ({ peer, secret }) => peer === undefined && secret === REMOTE_CERT_SECRET,
  );
}
