import { signerTrouble, succeedingAuthority } from '../certificates/authority.ts';
import { requireSigner, signerAdvice, signingFault } from '../certificates/foreign-authority.ts';
import { earliestOf } from '../cluster-clocks.ts';
import type { Member } from '../connect/member.ts';
import { CA_SECRET } from '../objects/names.ts';
import { withoutNamesakes } from '../peers/namesakes.ts';
import { dueUnsigned } from './issue.ts';
import { type RotationStage, switchesSigner } from './rotated-certificates.ts';
import type { RotationInput } from './rotated-cluster.ts';

/** A cluster of whose certificates some are due and stay: nothing there can sign. */
export interface UnsignedCluster {
  context: string;
  /** As a clause. */
  says: string;
  hint: string;
}

/**
 * A new CA, and a rotation that is to go on, need the key of each; so do the certificates for dialling one cluster that are asked for.
 * @param stages how far the CA of each member is replaced
 * @throws MeshctlError `CertificateAuthority`
 */
export function requireSigners(
  stages: ReadonlyMap<Member, RotationStage>,
  { ca, peer }: { ca: boolean; peer?: string | undefined },
  now: Date,
): void {
  const all = [...stages.keys()].map(({ snapshot }) => snapshot);
  for (const [member, stage] of stages) {
    const former = succeedingAuthority(member.snapshot);
    // Its successor signs all: a CA that was lost is only to be trusted until then.
    const isReplaced = ca && former !== undefined && former.notAfter > earliestOf(now);
    const signsBefore = ca || stage !== 'settled' || switchesSigner(member);
    const isNeeded = (signsBefore && !isReplaced) || member.identity.name === peer;
    if (isNeeded) requireSigner(member.snapshot, SIGNED, now, all);
  }
}

/**
 * The clusters whose CA has its key elsewhere, is lost, or has expired, as far as anything of theirs is due. The others do not wait for them.
 * @throws MeshctlError `CertificateAuthority` where no cluster can sign, so that nothing would be renewed
 */
export function unsignedClusters(input: RotationInput): UnsignedCluster[] {
  const { members, now } = input;
  const all = members.map(({ snapshot }) => snapshot);
  const unsigned = dueUnsigned(input).map(({ snapshot }) => snapshot);
  const [first] = unsigned;
  if (first && all.every((snapshot) => signerTrouble(snapshot, now))) requireSigner(first, SIGNED, now, all);
  return unsigned.map((snapshot) => ({
    context: snapshot.context,
    says: `its due certificates are not renewed: Secret ${snapshot.namespace}/${CA_SECRET} ${signerTrouble(snapshot, now)}`,
    hint: signingFault(snapshot, withoutNamesakes(snapshot, all))?.ways ?? signerAdvice(snapshot, now, all),
  }));
}

/** What cannot be issued, in messages. */
const SIGNED = 'a new certificate';
