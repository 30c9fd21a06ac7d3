import { counted } from '../../mesh/counted.ts';
import type { LeftCertificates } from '../../mesh/rotation/left-certificates.ts';
import type { MidwayCluster } from '../../mesh/rotation/midway.ts';
import type { PartedPeer } from '../../mesh/rotation/scope.ts';
import type { UnissuedCertificate } from '../../mesh/rotation/strangers-certificates.ts';
import type { UnsignedCluster } from '../../mesh/rotation/unsigned.ts';
import { hintLines } from '../hint-lines.ts';
import type { Theme } from '../theme.ts';

/** A certificate that was made anew. */
interface RenewedCertificate {
  context: string;
  secret: string;
  subject: string;
  peer?: string | undefined;
}

/** The contexts where a run has brought the rotation of a CA to its end, who has parted with whom by then, and what was left. */
interface EndOfRotation {
  parted: readonly PartedPeer[];
  unsigned: readonly UnsignedCluster[];
  left: readonly LeftCertificates[];
  unissued: readonly UnissuedCertificate[];
  midway: readonly MidwayCluster[];
  /** Only what is old was asked for: what is left to its maker is nothing amiss. */
  isByAge: boolean;
  /** The former CA is no longer trusted. */
  replaced: readonly string[];
  /** The CA is what it was, and what was to replace it is no longer trusted. */
  staying: readonly string[];
  /** The CA that somebody has put there is in use, and the former one is no longer trusted. */
  switched: readonly string[];
}

/** What a rotation has made anew, for people. */
export function rotationText(certificates: readonly RenewedCertificate[], end: EndOfRotation, theme: Theme): string {
  return [
    renewedText(certificates, end, theme),
    ...unsignedLines([...end.unsigned, ...end.unissued, ...end.midway], theme),
    ...leftLines(end, theme),
    ...end.parted.flatMap((one) => linesOf(theme.warn('‼'), one, theme)),
  ].join('\n');
}

/** What is due and stays, and what mends that. */
export function unsignedLines(unsigned: readonly UnsignedCluster[], theme: Theme): string[] {
  return unsigned.flatMap((one) => linesOf(theme.fail('✗'), one, theme));
}

/** What was asked for and is left to those who have made it, with how they make it anew. */
export function leftLines({ left, isByAge }: Pick<EndOfRotation, 'left' | 'isByAge'>, theme: Theme): string[] {
  if (isByAge) return left.map(({ context, says }) => `  • ${theme.bold(context)}: ${says}`);
  return left.flatMap((one) => linesOf(theme.warn('‼'), one, theme));
}

function linesOf(mark: string, { context, says, hint }: UnsignedCluster, theme: Theme): string[] {
  return [`${mark} ${context}: ${says}`, ...hintLines(hint, theme)];
}

function renewedText(
  certificates: readonly RenewedCertificate[],
  { replaced, staying, switched, unsigned, unissued, left, isByAge }: Omit<EndOfRotation, 'parted'>,
  theme: Theme,
): string {
  const due = [...unsigned, ...unissued];
  const none = `No ${due.length + left.length > 0 ? 'other ' : ''}certificate was due`;
  if (certificates.length === 0 && replaced.length + staying.length > 0) {
    return [
      ...(replaced.length > 0 ? [`✅ The rotation of the CA is finished in ${replaced.join(', ')}`] : []),
      ...(staying.length > 0 ? [`✅ ${staysText(staying)}`] : []),
      `  • ${none}`,
    ].join('\n');
  }
  if (certificates.length === 0 && left.length > 0 && !isByAge) return `${theme.fail('✗')} No certificate was renewed`;
  if (certificates.length === 0) return due.length > 0 ? none : `✅ ${none}`;
  const lines = certificates.map(
    ({ context, secret, subject, peer }) =>
      `  • ${theme.bold(context)}: ${subject} in Secret ${secret}${peer ? ` (for ${peer})` : ''}`,
  );
  const renewed = `Renewed ${counted(certificates.length, 'certificate')}`;
  const isPart = due.length > 0 || (left.length > 0 && !isByAge);
  return [
    isPart ? `⚠️  ${renewed}, but not all that were asked for` : `✅ ${renewed}`,
    ...lines,
    ...(staying.length > 0 ? [`  • ${staysText(staying)}`] : []),
    // Its server's certificate is one of those above.
    ...(switched.length > 0 ? [`  • ${switchedText(switched)}`] : []),
  ].join('\n');
}

function staysText(contexts: readonly string[]): string {
  return `The CA was not replaced in ${contexts.join(', ')}: what was to replace it is no longer trusted`;
}

function switchedText(contexts: readonly string[]): string {
  return `The CA in Secret cilium-ca is in use now in ${contexts.join(', ')}: the former one is no longer trusted`;
}
