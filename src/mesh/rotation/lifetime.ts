import { AUTHORITY_VALIDITY_MS, type CertificateFacts, CILIUM_VALIDITY_MS } from '../certificates/certificate.ts';
import { ownLifetimeMs } from '../certificates/cluster-certificates.ts';

/** How long a key is, and for how long its certificate is good. */
export interface Lifetime {
  /** Bits of an RSA key; undefined for the usual. */
  keySize?: number | undefined;
  /** Undefined for the usual. */
  validityMs?: number | undefined;
}

/**
 * Nobody means less: the lifetime is dated back and a rotation waits for etcd's files to be synced (a minute or more) and for
 * pods, so that what lasts hours may have expired before it is in use, and nothing renews it overnight.
 */
export const SHORTEST_VALIDITY_MS = 24 * 60 * 60 * 1000;

export const HOUR_MS = 60 * 60 * 1000;
/** The times of a certificate are whole seconds, and some tools look at the clock twice, or end it a second before. */
const ROUNDED_MS = 2_000;

/**
 * What was chosen for a certificate, so that its successor gets the same, in whole hours ({@link inWholeHours}): all tools date
 * theirs back by less than an hour (Helm not at all, Vault by 30 seconds, step-ca by a minute, certgen by five, meshctl by
 * `DATED_BACK_MS`), and a successor is not to last longer by that.
 * @param ca that a certificate may have ended with: it then tells nothing of what was wanted
 */
export function lifetimeOf(certificate: CertificateFacts, ca?: CertificateFacts): Lifetime {
  const { keyBits: keySize } = certificate;
  const validityMs = inWholeHours(ownLifetimeMs(certificate) + ROUNDED_MS);
  // Its successor is not to expire in the middle of its own rotation.
  return isCutShort(certificate, ca) || validityMs < SHORTEST_VALIDITY_MS ? { keySize } : { keySize, validityMs };
}

/** Whether a certificate ends with the CA that signed it, and may have been meant for longer. */
export function isCutShort({ notAfter, ownNotAfter = notAfter }: CertificateFacts, ca?: CertificateFacts): boolean {
  return ca !== undefined && ca.notAfter.getTime() === ownNotAfter.getTime();
}

/** So much of a validity a certificate tells by its times: one that is dated back by minutes can tell no minutes. */
export function inWholeHours(validityMs: number): number {
  return Math.floor(validityMs / HOUR_MS) * HOUR_MS;
}

/** What a successor gets: what was asked for, else what is. */
export function successorLifetime(asked: Lifetime, present: Lifetime): Lifetime {
  return { keySize: asked.keySize ?? present.keySize, validityMs: asked.validityMs ?? present.validityMs };
}

/** Whether a certificate is known to be another than what was asked for. */
export function isOtherThan(asked: Lifetime, present: Lifetime): boolean {
  const isOther = (wanted: number | undefined, is: number | undefined) =>
    wanted !== undefined && is !== undefined && wanted !== is;
  return isOther(asked.keySize, present.keySize) || isOther(asked.validityMs, present.validityMs);
}

/**
 * What a CA gets that takes the place of another one: what that has, but where certificates are to last as long, the usual.
 * @param asked of certificates; their validity has to be less than what is usual for a CA, see {@link isWithinAuthority}
 */
export function authorityLifetime(asked: Lifetime, present: Lifetime): Lifetime {
  const { keySize, validityMs } = successorLifetime({ keySize: asked.keySize }, present);
  const isShort = validityMs !== undefined && (asked.validityMs ?? 0) >= validityMs;
  return { keySize, validityMs: isShort ? AUTHORITY_VALIDITY_MS : validityMs };
}

/** Whether a certificate of a new CA of meshctl's is valid for so long: it is issued after the CA, and ends with it. */
export function isWithinAuthority(validityMs: number): boolean {
  return validityMs < AUTHORITY_VALIDITY_MS;
}

/**
 * The end of a CA, where a certificate that it signs now ends with it and not by its own validity (see `pki/issue.ts`).
 * @param validityMs undefined for the usual
 */
export function endWithCa(
  validityMs: number | undefined,
  ca: Pick<CertificateFacts, 'notAfter'> | undefined,
  now: Date,
): Date | undefined {
  const endMs = now.getTime() + (validityMs ?? CILIUM_VALIDITY_MS);
  return ca && ca.notAfter.getTime() < endMs ? ca.notAfter : undefined;
}

/**
 * For people: `3072 bit, 90 days`; what changes, with what it was: `3072 bit → 4096 bit, 90 days`.
 * @param caEnd see {@link endWithCa}: `3072 bit, until its CA ends on 2027-01-09`
 */
export function describeLifetime(wanted: Lifetime, present: Lifetime, caEnd?: Date): string {
  const parts = [
    described(wanted.keySize, present.keySize, (bits) => `${bits} bit`),
    caEnd
      ? `until its CA ends on ${caEnd.toISOString().slice(0, 10)}`
      : described(wanted.validityMs, present.validityMs, (ms) => durationText(ms)),
  ];
  return parts.filter((part) => part !== '').join(', ');
}

function described(wanted: number | undefined, present: number | undefined, say: (value: number) => string): string {
  if (wanted === undefined) return '';
  return present === undefined || present === wanted ? say(wanted) : `${say(present)} → ${say(wanted)}`;
}

function durationText(ms: number): string {
  const hours = Math.round(ms / HOUR_MS);
  return hours % 24 === 0 && hours > 0 ? `${hours / 24} days` : `${hours} hours`;
}
