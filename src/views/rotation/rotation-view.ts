import type { PartedPeer } from '../../mesh/rotation/scope.ts';
import { hintLines } from '../hint-lines.ts';
import type { Theme } from '../theme.ts';

/** A certificate that was made anew. */
interface RenewedCertificate {
  context: string;
  secret: string;
  subject: string;
  peer?: string | undefined;
}

/** The contexts where a run has brought the rotation of a CA to its end, and who has parted with whom by then. */
interface EndOfRotation {
  parted: readonly PartedPeer[];
  /** The former CA is no longer trusted. */
  replaced: readonly string[];
  /** The CA is what it was, and what was to replace it is no longer trusted. */
  staying: readonly string[];
}

/** What a rotation has made anew, for people. */
export function rotationText(certificates: readonly RenewedCertificate[], end: EndOfRotation, theme: Theme): string {
  const parted = end.parted.flatMap(({ context, says, hint }) => [
    `${theme.warn('‼')} ${context}: ${says}`,
    ...hintLines(hint, theme),
  ]);
  return [renewedText(certificates, end, theme), ...parted].join('\n');
}

function renewedText(
  certificates: readonly RenewedCertificate[],
  { replaced, staying }: Omit<EndOfRotation, 'parted'>,
  theme: Theme,
): string {
  if (certificates.length === 0 && replaced.length + staying.length > 0) {
    return [
      ...(replaced.length > 0 ? [`✅ The rotation of the CA is finished in ${replaced.join(', ')}`] : []),
      ...(staying.length > 0 ? [`✅ ${staysText(staying)}`] : []),
      '  • No certificate was due',
    ].join('\n');
  }
  if (certificates.length === 0) return '✅ No certificate was due';
  const lines = certificates.map(
    ({ context, secret, subject, peer }) =>
      `  • ${theme.bold(context)}: ${subject} in Secret ${secret}${peer ? ` (for ${peer})` : ''}`,
  );
  return [
    `✅ Renewed ${certificates.length} ${certificates.length === 1 ? 'certificate' : 'certificates'}`,
    ...lines,
    ...(staying.length > 0 ? [`  • ${staysText(staying)}`] : []),
  ].join('\n');
}

function staysText(contexts: readonly string[]): string {
  return `The CA was not replaced in ${contexts.join(', ')}: what was to replace it is no longer trusted`;
}
