import { execFileSync, spawnSync } from 'node:child_process';
import { createPublicKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  AUTHORITY_VALIDITY_MS,
  type CertificateSpec,
  CILIUM_VALIDITY_MS,
  DATED_BACK_MS,
} from '../../src/mesh/certificates/certificate.ts';
import { type Authority, createAuthority } from '../../src/pki/authority.ts';
import { distinguishedName } from '../../src/pki/certificate.ts';
import { encode, objectIdentifier, parseCertificateDer, sequence, set, utf8 } from '../../src/pki/certificate-der.ts';
import { issueCertificate } from '../../src/pki/issue.ts';
import { readCertificate } from '../../src/pki/read.ts';
import { authorityWith, KEY_PAIRS } from '../support/authorities.ts';

const NOW = new Date('2026-03-01T12:00:00Z');
const DAY_MS = 24 * 60 * 60 * 1000;
const SERVER: CertificateSpec = {
  commonName: 'clustermesh-apiserver.kube-system.svc',
  usages: ['server', 'client'],
  dnsNames: ['clustermesh-apiserver.kube-system.svc', '*.mesh.cilium.io'],
  ipAddresses: ['127.0.0.1', '::1', '203.0.113.7', '2001:db8::7'],
};
const CLIENT: CertificateSpec = { commonName: 'remote-mesh-1', usages: ['client'], dnsNames: [], ipAddresses: [] };

const hasOpenssl = spawnSync('openssl', ['version']).status === 0;
if (!hasOpenssl) console.warn('openssl is not on PATH: its tests are skipped');

let authority: Authority;
beforeAll(async () => {
  authority = await createAuthority({ now: NOW });
});

describe('createAuthority', () => {
  it('makes a CA that signs itself and lives for ten years', () => {
    const certificate = new X509Certificate(authority.certificate);
    const facts = readCertificate(authority.certificate);
    expect(facts).toMatchObject({ commonName: 'Cilium CA', issuerCommonName: 'Cilium CA', isCa: true });
    expect(certificate.verify(certificate.publicKey)).toBe(true);
    expect(facts.notAfter.getTime() - NOW.getTime()).toBe(AUTHORITY_VALIDITY_MS);
    expect(authority.privateKey).toMatch(/^-----BEGIN RSA PRIVATE KEY-----\n/);
  });

  it('takes name, validity and key size', async () => {
    const small = await createAuthority({
      commonName: 'Tést CA',
      validityMs: 40 * 365 * DAY_MS,
      keySize: 1024,
      now: NOW,
    });
    const facts = readCertificate(small.certificate);
    expect(facts.commonName).toBe('Tést CA');
    // Past 2049 dates have another form in the certificate.
    expect(facts.notAfter.getUTCFullYear()).toBe(2066);
    expect(createPublicKey(small.certificate).asymmetricKeyDetails?.modulusLength).toBe(1024);
  });
});

describe('issueCertificate', () => {
  it('puts names, usages and validity into the certificate', async () => {
    const { certificate, privateKey } = await issueCertificate(authority, SERVER, { now: NOW });
    const facts = readCertificate(certificate);
    expect(facts).toMatchObject({ ...SERVER, issuerCommonName: 'Cilium CA', isCa: false });
    expect(facts.notAfter.getTime() - NOW.getTime()).toBe(CILIUM_VALIDITY_MS);
    expect(facts.notBefore.getTime()).toBe(NOW.getTime() - DATED_BACK_MS);
    // A cluster's clock may be ten minutes behind.
    expect(DATED_BACK_MS).toBeGreaterThan(10 * 60 * 1000);
    expect(privateKey).toMatch(/^-----BEGIN RSA PRIVATE KEY-----\n/);
    expect(new X509Certificate(certificate).subjectAltName).toContain('IP Address:2001:DB8:0:0:0:0:0:7');
  });

  it('names the organization, which Kubernetes takes for a group', async () => {
    const spec = { ...CLIENT, organization: 'system:masters' };
    const { certificate } = await issueCertificate(authority, spec, { now: NOW });
    expect(new X509Certificate(certificate).subject).toBe('O=system:masters\nCN=remote-mesh-1');
  });

  it('gives each certificate its own positive serial number and key', async () => {
    const issued = await Promise.all([1, 2, 3].map(() => issueCertificate(authority, CLIENT, { now: NOW })));
    const facts = issued.map(({ certificate }) => readCertificate(certificate));
    expect(new Set(facts.map(({ serial }) => serial)).size).toBe(3);
    expect(new Set(facts.map(({ publicKeySha256 }) => publicKeySha256)).size).toBe(3);
    for (const { serial } of facts) expect(serial).toMatch(/^[4-7][0-9a-f]{31}$/);
  });

  it('ends with the CA at the latest', async () => {
    const short = await createAuthority({ now: NOW, validityMs: 10 * DAY_MS });
    const { certificate } = await issueCertificate(short, CLIENT, { now: NOW });
    expect(readCertificate(certificate).notAfter).toEqual(readCertificate(short.certificate).notAfter);
  });

  it.each(Object.keys(KEY_PAIRS) as (keyof typeof KEY_PAIRS)[])('signs with a CA of key type %s', async (type) => {
    const ca = authorityWith(distinguishedName('Corporate CA'), KEY_PAIRS[type]());
    const { certificate } = await issueCertificate(ca, SERVER, { now: NOW });
    const [leaf, issuer] = [new X509Certificate(certificate), new X509Certificate(ca.certificate)];
    expect(leaf.verify(issuer.publicKey)).toBe(true);
    expect(leaf.checkIssued(issuer)).toBe(true);
  });

  it('reads EC keys in their own form too', async () => {
    const ca = authorityWith(distinguishedName('Corporate CA'), KEY_PAIRS['P-256'](), { format: 'sec1' });
    expect(ca.privateKey).toContain('BEGIN EC PRIVATE KEY');
    const { certificate } = await issueCertificate(ca, CLIENT, { now: NOW });
    expect(readCertificate(certificate).issuerCommonName).toBe('Corporate CA');
  });

  it("copies the CA's name byte for byte", async () => {
    // Several attributes in one set, and an order of attributes of its own.
    const subject = sequence(
      set(sequence(objectIdentifier('2.5.4.3'), utf8('Zürich CA'))),
      set(
        sequence(objectIdentifier('2.5.4.10'), utf8('Example AG')),
        sequence(objectIdentifier('2.5.4.11'), utf8('Network')),
      ),
    );
    const ca = authorityWith(subject, KEY_PAIRS['P-256']());
    const { certificate } = await issueCertificate(ca, CLIENT, { now: NOW });
    const { issuer } = parseCertificateDer(new X509Certificate(certificate).raw);
    expect(encode(issuer).equals(encode(subject))).toBe(true);
    expect(readCertificate(certificate).issuerCommonName).toBe('Zürich CA');
  });

  it('finds the CA in a bundle by its key', async () => {
    const other = await createAuthority({ commonName: 'Former CA', now: NOW });
    const bundle = { certificate: other.certificate + authority.certificate, privateKey: authority.privateKey };
    const { certificate } = await issueCertificate(bundle, CLIENT, { now: NOW });
    expect(readCertificate(certificate).issuerCommonName).toBe('Cilium CA');
  });

  it('refuses what cannot sign', async () => {
    const other = await createAuthority({ now: NOW });
    const leaf = await issueCertificate(authority, CLIENT, { now: NOW });
    const late = new Date(NOW.getTime() + AUTHORITY_VALIDITY_MS);
    const cases: [Authority, Date, RegExp][] = [
      [{ ...authority, privateKey: other.privateKey }, NOW, /private key does not belong to its certificate/],
      [{ ...authority, privateKey: 'garbage' }, NOW, /private key is not readable/],
      [
        { ...authority, certificate: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----' },
        NOW,
        /not readable/,
      ],
      [leaf, NOW, /"CN=remote-mesh-1" is not that of a CA/],
      [authority, late, /"CN=Cilium CA" expired on 2036-/],
    ];
    for (const [ca, now, message] of cases) {
      await expect(issueCertificate(ca, CLIENT, { now })).rejects.toMatchObject({
        code: 'CertificateAuthority',
        message: expect.stringMatching(message),
      });
    }
  });

  it('refuses keys that no TLS peer would accept', () => {
    const keys = generateKeyPairSync('ec', { namedCurve: 'secp224r1' });
    expect(() => authorityWith(distinguishedName('Old CA'), keys)).toThrow(/key of type ec secp224r1/);
  });

  it('says nothing of the key in an error', async () => {
    const broken = authority.privateKey.replace(/\n.{10}/, '\n@@@@@@@@@@');
    const secret = authority.privateKey.split('\n')[5] ?? '';
    const error: unknown = await issueCertificate({ ...authority, privateKey: broken }, CLIENT).catch(
      (thrown) => thrown,
    );
    expect(error).toBeInstanceOf(Error);
    const { message, stack, cause, details } = error as Error & { details: unknown };
    expect(cause).toBeUndefined();
    expect(`${message}${stack}${JSON.stringify(details)}`).not.toContain(secret);
  });

  it('takes only IP addresses for IP addresses', async () => {
    await expect(issueCertificate(authority, { ...SERVER, ipAddresses: ['10'] }, { now: NOW })).rejects.toThrow('"10"');
  });
});

describe.skipIf(!hasOpenssl)('openssl verify', () => {
  const folder = mkdtempSync(join(tmpdir(), 'meshctl-pki-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  function verify(ca: string, certificate: string, ...options: string[]): string {
    writeFileSync(join(folder, 'ca.pem'), ca);
    writeFileSync(join(folder, 'leaf.pem'), certificate);
    const seconds = String(NOW.getTime() / 1000);
    const checks = ['verify', '-x509_strict', '-attime', seconds, '-CAfile', join(folder, 'ca.pem'), ...options];
    return spawnSync('openssl', [...checks, join(folder, 'leaf.pem')], { encoding: 'utf8' }).stdout.trim();
  }

  it.each(Object.keys(KEY_PAIRS) as (keyof typeof KEY_PAIRS)[])(
    'accepts what a CA of key type %s signs',
    async (type) => {
      const ca = authorityWith(distinguishedName('Corporate CA'), KEY_PAIRS[type]());
      const { certificate } = await issueCertificate(ca, SERVER, { now: NOW });
      for (const purpose of ['sslserver', 'sslclient']) {
        expect(verify(ca.certificate, certificate, '-purpose', purpose)).toMatch(/leaf\.pem: OK$/);
      }
      expect(verify(ca.certificate, certificate, '-verify_ip', '2001:db8::7')).toMatch(/OK$/);
      expect(verify(ca.certificate, certificate, '-verify_hostname', 'mesh-2.mesh.cilium.io')).toMatch(/OK$/);
      expect(verify(ca.certificate, certificate, '-verify_ip', '203.0.113.8')).not.toMatch(/OK$/);
    },
  );

  it('accepts a client certificate for clients only', async () => {
    const { certificate } = await issueCertificate(authority, CLIENT, { now: NOW });
    expect(verify(authority.certificate, certificate, '-purpose', 'sslclient')).toMatch(/OK$/);
    expect(verify(authority.certificate, certificate, '-purpose', 'sslserver')).not.toMatch(/OK$/);
  });

  it('reads the CA as one', () => {
    writeFileSync(join(folder, 'ca.pem'), authority.certificate);
    const text = execFileSync('openssl', ['x509', '-noout', '-text', '-in', join(folder, 'ca.pem')], {
      encoding: 'utf8',
    });
    expect(text).toMatch(/Basic Constraints: critical\s+CA:TRUE/);
    expect(text).toMatch(/Key Usage: critical\s+Digital Signature, Certificate Sign, CRL Sign/);
  });
});
