import { X509Certificate } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import type { CertificateSpec } from '../../src/mesh/certificates/certificate.ts';
import { type Authority, createAuthority } from '../../src/pki/authority.ts';
import { distinguishedName } from '../../src/pki/certificate.ts';
import { OID } from '../../src/pki/certificate-der.ts';
import { issueCertificate } from '../../src/pki/issue.ts';
import { alertFor, parseCertificates, verifyCertificate } from '../../src/sandbox/cilium/certificate-verification.ts';
import { authorityWith, KEY_PAIRS } from '../support/authorities.ts';

const NOW = new Date('2026-03-01T12:00:00Z');
const HOUR_MS = 60 * 60 * 1000;
const SERVER: CertificateSpec = {
  commonName: 'clustermesh-apiserver.kube-system.svc',
  usages: ['server'],
  dnsNames: ['clustermesh-apiserver.kube-system.svc', '*.mesh.cilium.io'],
  ipAddresses: ['127.0.0.1', '::1', '203.0.113.7'],
};

let ca: Authority;
let namesake: Authority;
let stranger: Authority;
/** For SERVER. */
let certificate: X509Certificate;
beforeAll(async () => {
  [ca, namesake, stranger] = await Promise.all([
    createAuthority({ now: NOW }),
    createAuthority({ now: NOW }),
    createAuthority({ now: NOW, commonName: 'Another CA' }),
  ]);
  certificate = await leaf(SERVER);
});

async function leaf(spec: CertificateSpec, validityMs = HOUR_MS): Promise<X509Certificate> {
  return new X509Certificate((await issueCertificate(ca, spec, { now: NOW, validityMs })).certificate);
}

const trusting = (...authorities: Authority[]) => ({
  roots: authorities.flatMap(({ certificate }) => parseCertificates(certificate)),
  now: NOW,
  usage: 'server' as const,
});

describe('a server certificate', () => {
  it.each(['203.0.113.7', '127.0.0.1', '::1', 'mesh-2.mesh.cilium.io', 'clustermesh-apiserver.kube-system.svc'])(
    'is good for %s',
    (host) => {
      expect(verifyCertificate(certificate, { ...trusting(ca), host })).toBeUndefined();
    },
  );

  it.each([
    ['198.51.100.1', 'x509: certificate is valid for 127.0.0.1, ::1, 203.0.113.7, not 198.51.100.1'],
    [
      'mesh-2.example.com',
      'x509: certificate is valid for clustermesh-apiserver.kube-system.svc, *.mesh.cilium.io, not mesh-2.example.com',
    ],
  ])('is not good for %s', (host, says) => {
    expect(verifyCertificate(certificate, { ...trusting(ca), host })).toBe(says);
  });

  it('without names is good for none, whatever its common name', async () => {
    const bare = await leaf({ ...SERVER, commonName: 'a.example', dnsNames: [], ipAddresses: [] });
    expect(verifyCertificate(bare, { ...trusting(ca), host: 'a.example' })).toBe(
      'x509: certificate is not valid for any names, but wanted to match a.example',
    );
    expect(verifyCertificate(bare, { ...trusting(ca), host: '192.0.2.1' })).toBe(
      "x509: cannot validate certificate for 192.0.2.1 because it doesn't contain any IP SANs",
    );
  });

  it('ends at the given time, not the machine’s', () => {
    const at = (time: string) => verifyCertificate(certificate, { ...trusting(ca), now: new Date(time) });
    expect(at('2026-03-01T12:59:59Z')).toBeUndefined();
    expect(at('2026-03-01T13:00:01Z')).toBe(
      'x509: certificate has expired or is not yet valid: current time 2026-03-01T13:00:01Z is after 2026-03-01T13:00:00Z',
    );
    expect(at('2026-03-01T11:44:59Z')).toBe(
      'x509: certificate has expired or is not yet valid: current time 2026-03-01T11:44:59Z is before 2026-03-01T11:45:00Z',
    );
  });

  it('needs its very CA among the roots; a namesake is named', () => {
    expect(verifyCertificate(certificate, trusting(stranger))).toBe('x509: certificate signed by unknown authority');
    expect(verifyCertificate(certificate, trusting(namesake))).toBe(
      'x509: certificate signed by unknown authority (possibly because of "crypto/rsa: verification error" ' +
        'while trying to verify candidate authority certificate "Cilium CA")',
    );
    expect(verifyCertificate(certificate, trusting(stranger, namesake, ca))).toBeUndefined();
  });

  it('is no client certificate', () => {
    const failure = verifyCertificate(certificate, { ...trusting(ca), usage: 'client' });
    expect(failure).toBe('x509: certificate specifies an incompatible key usage');
    expect(alertFor(failure ?? '')).toBe('remote error: tls: bad certificate');
  });

  // Go's checkChainForKeyUsage goes as far as the root.
  it.each([
    ['no extended key usage', undefined, undefined],
    ['that one', [OID.serverAuth], undefined],
    ['another one', [OID.clientAuth], 'x509: certificate specifies an incompatible key usage'],
  ])('is what its CA may sign: one with %s', async (_what, uses, failure) => {
    const issuer = authorityWith(distinguishedName('Corporate CA'), KEY_PAIRS['P-256'](), { ...(uses && { uses }) });
    const issued = await issueCertificate(issuer, SERVER, { now: NOW, validityMs: HOUR_MS });
    const leaf = new X509Certificate(issued.certificate);
    expect(verifyCertificate(leaf, { ...trusting(issuer), host: '127.0.0.1' })).toBe(failure);
  });
});
