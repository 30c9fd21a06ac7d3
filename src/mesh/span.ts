import { MeshctlError } from './errors.ts';
import { inWholeHours, SHORTEST_VALIDITY_MS } from './rotation/lifetime.ts';

const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** An age or a validity: no timer waits for it, so it may be years, and days are a unit too (`30d`). @returns milliseconds */
export function parseSpan(text: string): number {
  return sumOf(text, /(\d+(?:\.\d+)?)(ms|s|m|h|d)/g, 'Write it like 30d, 8760h or 1h30m.');
}

/**
 * How long a certificate is to be good, in whole hours, which is what can be kept for the certificates after it.
 * @returns milliseconds, no more than asked
 * @throws MeshctlError `Usage` for less than a day
 */
export function parseValidity(text: string): number {
  const validityMs = parseSpan(text);
  if (validityMs >= SHORTEST_VALIDITY_MS) return inWholeHours(validityMs);
  throw new MeshctlError(
    'Usage',
    `"${text}" is too short: certificates would expire before their peers could renew them`,
    { hint: 'Give 24h or more, like 90d or 8760h.' },
  );
}

/** The sum of the amounts in a text, of which nothing else may be left. @returns milliseconds. @throws MeshctlError `Usage` */
export function sumOf(text: string, pattern: RegExp, hint: string): number {
  const parts = [...text.matchAll(pattern)];
  if (parts.length === 0 || parts.map(([part]) => part).join('') !== text) {
    throw new MeshctlError('Usage', `"${text}" is not a duration`, { hint });
  }
  return parts.reduce((total, [, amount, unit]) => total + Number(amount) * (UNITS_MS[unit ?? ''] ?? 0), 0);
}
