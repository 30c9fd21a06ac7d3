import { expect, it } from 'vitest';
import { clientSpec } from '../../src/mesh/certificates/cluster-certificates.ts';
import { lifetimeOf } from '../../src/mesh/rotation/lifetime.ts';
import { parseValidity } from '../../src/mesh/span.ts';
import { distinguishedName } from '../../src/pki/certificate.ts';
import { certifyKey } from '../../src/pki/issue.ts';
import { readCertificate, readTlsFiles } from '../../src/pki/read.ts';
import { authorityWith, KEY_PAIRS } from '../support/authorities.ts';

const HOUR_MS = 3_600_000;
const NOW = new Date('2026-03-01T12:00:00.700Z');

// How much of a CA is left when it signs: any number of hours, and minutes around those by which certificates are dated back.
const MINUTES = [0, 1, 2, 5, 6, 14, 15, 16, 30, 45, 55, 59];
const LEFT_MS = [24, 40 * 24, 365 * 24].flatMap((hours) =>
  MINUTES.flatMap((minutes) => [0, 1, 30].map((seconds) => hours * HOUR_MS + minutes * 60_000 + seconds * 1000)),
);
const CHOSEN = ['24h', '25h30m', '36h', '40d', '90d', '365d', '1095d', '999999d'];

it.each(CHOSEN)('what was chosen for a certificate is known of it, or nothing is: %s', (chosen) => {
  const keys = KEY_PAIRS['P-256']();
  const publicKey = keys.publicKey.export({ type: 'spki', format: 'der' });
  const validityMs = parseValidity(chosen);
  const known = LEFT_MS.flatMap((leftMs) => {
    const notAfter = new Date(NOW.getTime() + leftMs);
    const authority = authorityWith(distinguishedName('CA'), keys, { notAfter });
    const pem = certifyKey(authority, clientSpec('remote'), publicKey, { validityMs, now: NOW });
    const ca = readCertificate(authority.certificate);
    const { certificate } = readTlsFiles({ certificate: pem, ca: authority.certificate });
    if (typeof certificate === 'string') throw new Error(certificate);
    return lifetimeOf(certificate, ca).validityMs ?? [];
  });
  expect(new Set(known)).toEqual(new Set(LEFT_MS.some((leftMs) => leftMs > validityMs) ? [validityMs] : []));
});
