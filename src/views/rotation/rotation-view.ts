import type { Theme } from '../theme.ts';

/** A certificate that was made anew. */
interface RenewedCertificate {
  context: string;
  secret: string;
  subject: string;
  peer?: string | undefined;
}

/**
 * What a rotation has made anew, for people.
 * @param finished contexts where the run has brought the rotation of a CA to its end
 */
export function rotationText(
  certificates: readonly RenewedCertificate[],
  finished: readonly string[],
  theme: Theme,
): string {
  if (certificates.length === 0) {
    if (finished.length === 0) return '✅ No certificate was due';
    return `✅ The rotation of the CA is finished in ${finished.join(', ')}; no certificate was due`;
  }
  const lines = certificates.map(
    ({ context, secret, subject, peer }) =>
      `  • ${theme.bold(context)}: ${subject} in Secret ${secret}${peer ? ` (for ${peer})` : ''}`,
  );
  return [
    `✅ Renewed ${certificates.length} ${certificates.length === 1 ? 'certificate' : 'certificates'}`,
    ...lines,
  ].join('\n');
}
