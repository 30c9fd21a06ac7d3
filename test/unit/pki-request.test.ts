import { X509Certificate } from 'node:crypto';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { clientSpec } from '../../src/mesh/certificates/cluster-certificates.ts';
import { type Authority, createAuthority } from '../../src/pki/authority.ts';
import { generateEcKey, generateRsaKey, type KeyPair } from '../../src/pki/certificate.ts';
import { certifyKey, signingPair } from '../../src/pki/issue.ts';
import { readCertificate } from '../../src/pki/read.ts';
import { createRequest, readRequest } from '../../src/pki/request.ts';
import { isSignedBy, signText } from '../../src/pki/signed-text.ts';

let authority: Authority;
let other: Authority;
let rsa: KeyPair;
beforeAll(async () => {
  [authority, other, rsa] = await Promise.all([createAuthority(), createAuthority(), generateRsaKey(2048)]);
});

describe('a request for a certificate', () => {
  it.each([
    ['RSA', () => rsa],
    ['EC', generateEcKey],
  ])('gives the public key back that it was made for: %s', (_name, key) => {
    const pair = key();
    expect(readRequest(createRequest('remote-a', pair))).toEqual(pair.publicKey);
  });

  it('leads to a certificate of that key, with the names that the signer says', () => {
    const pem = certifyKey(authority, clientSpec('remote-a'), readRequest(createRequest('somebody-else', rsa)));
    expect(new X509Certificate(pem).checkPrivateKey(rsa.privateKey)).toBe(true);
    expect(readCertificate(pem)).toMatchObject({ commonName: 'remote-a', usages: ['client'], isCa: false });
  });

  it('is refused for a weak key', async () => {
    const weak = await generateRsaKey(1024);
    expect(() => readRequest(createRequest('a', weak))).toThrow('is for a key of 1024 bits; at least 2048 are needed');
  });

  it.each(['', 'nothing', '-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n'])(
    'is refused where it is none: %j',
    (text) => {
      expect(() => readRequest(text)).toThrow('the certificate request cannot be read');
    },
  );

  it('is refused with any bit changed', () => {
    const pem = createRequest('remote-a', rsa);
    const der = Buffer.from(pem.replace(/-----[^-]+-----/g, ''), 'base64');
    fc.assert(
      fc.property(fc.nat(der.length - 1), fc.integer({ min: 0, max: 7 }), (at, bit) => {
        const changed = Buffer.from(der);
        changed[at] = (changed[at] ?? 0) ^ (1 << bit);
        const text = `-----BEGIN CERTIFICATE REQUEST-----\n${changed.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`;
        expect(() => readRequest(text)).toThrow('the certificate request');
      }),
      { numRuns: 200 },
    );
  });
});

describe('a signature of a text', () => {
  it('is that of the CA, of this text, and of no other', () => {
    const { key, certificate } = signingPair(authority, new Date());
    const signature = signText('hello', key);
    expect(isSignedBy('hello', signature, certificate)).toBe(true);
    expect(isSignedBy('hellO', signature, certificate)).toBe(false);
    expect(isSignedBy('hello', signature, other.certificate)).toBe(false);
    expect(isSignedBy('hello', `${signature}\n`, certificate)).toBe(false);
    expect(isSignedBy('hello', '', certificate)).toBe(false);
    expect(isSignedBy('hello', signature, 'no certificate')).toBe(false);
  });

  it('is by the certificate of a bundle that the key belongs to', () => {
    const bundle = { certificate: `${other.certificate}${authority.certificate}`, privateKey: authority.privateKey };
    expect(signingPair(bundle, new Date()).certificate.trim()).toBe(authority.certificate.trim());
  });
});
