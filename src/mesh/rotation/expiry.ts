import { validityFault } from '../certificates/cluster-certificates.ts';
import type { Member } from '../connect/member.ts';
import { certificatesFrom } from './rotated-certificates.ts';

/** Certificates of a mesh that are of no use for their time, in words. */
export function expiredIn(members: readonly Member[], now: Date): string[] {
  return members.flatMap((member) =>
    certificatesFrom(member, members).flatMap(({ holder, secret, facts, spec }) => {
      const fault = facts && validityFault(facts.certificate, now);
      return fault ? [`${holder.snapshot.context}: ${spec.commonName} in Secret ${secret} ${fault}`] : [];
    }),
  );
}
