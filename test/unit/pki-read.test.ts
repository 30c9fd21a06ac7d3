import { X509Certificate } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import type { CertificateSpec } from '../../src/mesh/certificates/certificate.ts';
import { validityFault } from '../../src/mesh/certificates/cluster-certificates.ts';
import { lifetimeOf } from '../../src/mesh/rotation/lifetime.ts';
import { type Authority, createAuthority } from '../../src/pki/authority.ts';
import { distinguishedName } from '../../src/pki/certificate.ts';
import { OID } from '../../src/pki/certificate-der.ts';
import { type IssuedCertificate, issueCertificate } from '../../src/pki/issue.ts';
import { keyMatches, readCertificate, readTlsFiles, type TlsTexts, tlsSecretFacts } from '../../src/pki/read.ts';
import { authorityWith, KEY_PAIRS } from '../support/authorities.ts';

const NOW = new Date('2026-03-01T12:00:00Z');
const SPEC: CertificateSpec = {
  commonName: 'remote',
  usages: ['client'],
  dnsNames: ['a.example'],
  ipAddresses: ['::1'],
};

let authority: Authority;
let stranger: Authority;
let leaf: IssuedCertificate;
beforeAll(async () => {
  [authority, stranger] = await Promise.all([createAuthority({ now: NOW }), createAuthority({ now: NOW })]);
  leaf = await issueCertificate(authority, SPEC, { now: NOW });
});

describe('readCertificate', () => {
  it('agrees with node:crypto', () => {
    const x509 = new X509Certificate(leaf.certificate);
    const facts = readCertificate(leaf.certificate);
    expect(facts.sha256).toBe(x509.fingerprint256.replaceAll(':', '').toLowerCase());
    expect(facts.serial).toBe(x509.serialNumber.toLowerCase());
    expect(facts.notAfter).toEqual(new Date(x509.validTo));
  });

  it('takes the first of several', () => {
    expect(readCertificate(leaf.certificate + authority.certificate).commonName).toBe('remote');
  });

  it('reads text around the certificate and Windows line ends', () => {
    const text = `subject=CN = remote\r\n${leaf.certificate.replaceAll('\n', '\r\n')}`;
    expect(readCertificate(text)).toEqual(readCertificate(leaf.certificate));
  });

  it('takes a certificate without extended key usage for good at all', () => {
    expect(readCertificate(authority.certificate).usages).toEqual(['server', 'client']);
  });

  it.each(['P-384', 'ed25519'] as const)('reads a certificate with a key of type %s', (type) => {
    const ca = authorityWith(distinguishedName('EC', 'Example'), KEY_PAIRS[type]());
    expect(readCertificate(ca.certificate)).toMatchObject({ commonName: 'EC', isCa: true });
  });

  it.each([
    ['', /no PEM certificate/],
    ['hello', /no PEM certificate/],
    ['-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----', /not readable/],
    ['-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----', /not readable/],
  ])('refuses %j', (text, message) => {
    expect(() => readCertificate(text)).toThrow(
      expect.objectContaining({ code: 'CertificateAuthority', message: expect.stringMatching(message) }),
    );
  });
});

describe('keyMatches', () => {
  it('tells whether a key belongs to a certificate', () => {
    expect(keyMatches(leaf.certificate, leaf.privateKey)).toBe(true);
    expect(keyMatches(leaf.certificate, authority.privateKey)).toBe(false);
    expect(keyMatches(leaf.certificate, 'garbage')).toBe(false);
    expect(keyMatches('garbage', leaf.privateKey)).toBe(false);
  });
});

const readTlsSecret = (files: TlsTexts) => tlsSecretFacts(readTlsFiles(files));

describe('readTlsFiles', () => {
  it('tells for each file whether it is there, can be read and fits', () => {
    const states = (files: TlsTexts) => {
      const { certificate, privateKey, ca, signedByCa } = readTlsFiles(files);
      const word = (one: object | string) => (typeof one === 'string' ? one : 'readable');
      return [word(certificate), privateKey, word(ca), signedByCa].join(' ');
    };
    const all = { ...leaf, ca: authority.certificate };
    expect(states(all)).toBe('readable matches readable true');
    expect(states({})).toBe('missing missing missing false');
    expect(states({ certificate: '', privateKey: '', ca: '' })).toBe('missing missing missing false');
    expect(states({ ...all, certificate: 'not a cert' })).toBe('unreadable other readable false');
    expect(states({ ...all, privateKey: 'not a key' })).toBe('readable unreadable readable true');
    expect(states({ ...all, privateKey: stranger.privateKey })).toBe('readable other readable true');
    expect(states({ ...all, ca: 'not a CA' })).toBe('readable matches unreadable false');
    expect(states({ ...all, ca: stranger.certificate })).toBe('readable matches readable false');
  });
});

describe('tlsSecretFacts', () => {
  it('tells what a Secret holds', () => {
    const facts = readTlsSecret({ ...leaf, ca: authority.certificate });
    expect(facts).toMatchObject({ keyMatches: true, signedByCa: true });
    expect(facts?.certificate).toEqual(readCertificate(leaf.certificate));
    expect(facts?.ca).toEqual(readCertificate(authority.certificate));
  });

  it('names the CA of a bundle that signed, else the first', () => {
    const signed = readTlsSecret({ ...leaf, ca: stranger.certificate + authority.certificate });
    expect(signed?.ca?.sha256).toBe(readCertificate(authority.certificate).sha256);
    const unsigned = readTlsSecret({ ...leaf, ca: stranger.certificate });
    expect(unsigned).toMatchObject({ signedByCa: false, keyMatches: true });
    expect(unsigned?.ca?.sha256).toBe(readCertificate(stranger.certificate).sha256);
  });

  it('follows the chain that is sent along, as long as each link of it is a CA and valid', async () => {
    const root = { subject: distinguishedName('Root'), keys: KEY_PAIRS['P-256']() };
    const ends = new Date('2026-05-01T00:00:00Z');
    const own = KEY_PAIRS['P-256']();
    const made = (ca: boolean) => authorityWith(distinguishedName('Issuing'), own, { by: root, notAfter: ends, ca });
    const { certificate: rootCertificate } = authorityWith(root.subject, root.keys);
    const issued = await issueCertificate(made(true), SPEC, { now: NOW });
    const of = (ca: string, ...chain: string[]) =>
      readTlsSecret({ ...issued, certificate: [issued.certificate, ...chain].join(''), ca });
    const link = made(true).certificate;
    const read = of(rootCertificate, stranger.certificate, link);
    expect(read).toMatchObject({ signedByCa: true, keyMatches: true, certificate: { notAfter: ends } });
    expect(read?.ca?.commonName).toBe('Root');
    expect(of(rootCertificate)?.signedByCa).toBe(false);
    expect(of(stranger.certificate, link)?.signedByCa).toBe(false);
    expect(of(rootCertificate, made(false).certificate)?.signedByCa).toBe(false);
    expect(of(rootCertificate, link, link)?.signedByCa).toBe(true);
  });

  it('follows no chain that is longer than a CA of it allows, and ends with copies that lead to each other', async () => {
    const keysOf = () => KEY_PAIRS['P-256']();
    const root = { subject: distinguishedName('Root'), keys: keysOf() };
    const upper = { subject: distinguishedName('Upper'), keys: keysOf() };
    const lower = { subject: distinguishedName('Lower'), keys: keysOf() };
    const ca = authorityWith(root.subject, root.keys).certificate;
    const made = authorityWith(lower.subject, lower.keys, { by: upper });
    const issued = await issueCertificate(made, SPEC, { now: NOW });
    const isGood = (mostBelow?: number) => {
      const top = authorityWith(upper.subject, upper.keys, {
        by: root,
        ...(mostBelow === undefined ? {} : { mostBelow }),
      });
      const certificate = issued.certificate + made.certificate + top.certificate;
      return readTlsSecret({ ...issued, certificate, ca })?.signedByCa;
    };
    expect([isGood(), isGood(1), isGood(0)]).toEqual([true, true, false]);
    const copies = Array.from({ length: 9 }, () => authorityWith(lower.subject, lower.keys).certificate);
    expect(readTlsSecret({ ...issued, certificate: [issued.certificate, ...copies].join(''), ca })?.signedByCa).toBe(
      false,
    );
  });

  describe.each(['link', 'signer'] as const)('of a %s of the chain', (place) => {
    const [root, issuing] = ['Root', 'Issuing'].map((name) => ({
      subject: distinguishedName(name),
      keys: KEY_PAIRS['P-256'](),
    })) as [Issuer, Issuer];
    type Issuer = { subject: ReturnType<typeof distinguishedName>; keys: ReturnType<(typeof KEY_PAIRS)['P-256']> };
    const read = async (more: Parameters<typeof authorityWith>[2]) => {
      const top = authorityWith(root.subject, root.keys, place === 'signer' ? more : {});
      const link = authorityWith(issuing.subject, issuing.keys, { by: root, ...(place === 'link' ? more : {}) });
      // Issued by what has the same key and may issue.
      const issuer = authorityWith(issuing.subject, issuing.keys, { by: root });
      const issued = await issueCertificate(issuer, { ...SPEC, usages: ['server', 'client'] }, { now: NOW });
      return readTlsSecret({
        ...issued,
        certificate: issued.certificate + link.certificate,
        ca: top.certificate,
      });
    };

    it.each([
      ['none', undefined, ['server', 'client']],
      ['any', [OID.anyExtendedKeyUsage], ['server', 'client']],
      ['one', [OID.clientAuth], ['client']],
      ['another', ['1.3.6.1.5.5.7.3.3'], []],
    ])('the extended key usage limits what the certificate is for: %s', async (_what, uses, expected) => {
      expect((await read({ ...(uses ? { uses } : {}) }))?.certificate.usages).toEqual(expected);
    });

    it('the key usage has to be to sign certificates', async () => {
      expect((await read({ signs: false }))?.signedByCa).toBe(false);
    });
  });

  it.each([
    ['before it', '2026-05-01T00:00:00Z', undefined, 'Root'],
    ['after it', '2035-01-01T00:00:00Z', undefined, undefined],
    ['before it, and was renewed with its key since', '2026-05-01T00:00:00Z', '2035-01-01T00:00:00Z', undefined],
  ])('names the CA that ends %s', async (_what, ends, renewed, expected) => {
    const keys = KEY_PAIRS['P-256']();
    const endingAt = (end: string) => authorityWith(distinguishedName('Root'), keys, { notAfter: new Date(end) });
    const issued = await issueCertificate(authorityWith(distinguishedName('Root'), keys), SPEC, { now: NOW });
    const bundle = [ends, ...(renewed ? [renewed] : [])].map((end) => endingAt(end).certificate).join('');
    const { certificate } = readTlsSecret({ ...issued, ca: bundle }) ?? {};
    const own = readCertificate(issued.certificate).notAfter;
    expect(certificate?.endsWith).toBe(expected);
    expect(certificate?.notAfter).toEqual(expected === undefined ? own : new Date(ends));
    expect(certificate?.ownNotAfter).toEqual(expected === undefined ? undefined : own);
  });

  it.each([
    ['root', { root: ['2026-03-03', '2035-01-01'] }, 'Root'],
    ['root, before it', { root: ['2026-02-01', '2035-01-01'] }, undefined],
    [
      'root, and one of its key is valid',
      { root: ['2026-03-03', '2035-01-01'], former: ['2020-01-01', '2027-01-01'] },
      undefined,
    ],
    [
      'root, and one of its key had ended by then',
      { root: ['2026-03-03', '2035-01-01'], former: ['2020-01-01', '2026-02-01'] },
      'Root',
    ],
    ['intermediate CA', { link: ['2026-03-03', '2035-01-01'] }, 'Issuing'],
    ['intermediate CA, before it', { link: ['2026-02-01', '2035-01-01'] }, undefined],
  ] as [string, Partial<Record<'root' | 'former' | 'link', [string, string]>>, string | undefined][])(
    'is not valid before each CA of its chain is, and tells what it is by itself: %s',
    async (_what, times, expected) => {
      const during = ([notBefore, notAfter] = ['2020-01-01', '2035-01-01']) => ({
        notBefore: new Date(notBefore),
        notAfter: new Date(notAfter),
      });
      const root = { subject: distinguishedName('Root'), keys: KEY_PAIRS['P-256']() };
      const own = KEY_PAIRS['P-256']();
      const valid = authorityWith(distinguishedName('Issuing'), own, { by: root });
      const link = authorityWith(distinguishedName('Issuing'), own, { by: root, ...during(times.link) });
      const roots = [times.root, ...(times.former ? [times.former] : [])];
      const ca = roots.map((time) => authorityWith(root.subject, root.keys, during(time)).certificate).join('');
      const issued = await issueCertificate(valid, SPEC, { now: NOW });
      const facts = readTlsSecret({ ...issued, certificate: issued.certificate + link.certificate, ca })?.certificate;
      const alone = readCertificate(issued.certificate);
      expect(facts?.beginsWith).toBe(expected);
      expect(facts?.notBefore).toEqual(expected === undefined ? alone.notBefore : new Date('2026-03-03'));
      const invalid = facts && validityFault(facts, NOW);
      expect(invalid).toBe(
        expected === undefined ? undefined : `is not valid before 2026-03-03T00:00:00.000Z (with the CA "${expected}")`,
      );
      expect(facts && lifetimeOf(facts)).toEqual(lifetimeOf(alone));
    },
  );

  it.each([
    ['before it', '2026-05-01T00:00:00Z', 'Issuing'],
    ['after it', '2035-01-01T00:00:00Z', undefined],
  ])('names the intermediate CA that ends %s', async (_what, ends, expected) => {
    const root = { subject: distinguishedName('Root'), keys: KEY_PAIRS['P-256']() };
    const own = KEY_PAIRS['P-256']();
    const made = authorityWith(distinguishedName('Issuing'), own, { by: root, notAfter: new Date(ends) });
    const long = authorityWith(distinguishedName('Issuing'), own, { by: root });
    const issued = await issueCertificate(long, SPEC, { now: NOW });
    const ca = authorityWith(root.subject, root.keys).certificate;
    const facts = readTlsSecret({ ...issued, certificate: issued.certificate + made.certificate, ca });
    expect(facts?.certificate.endsWith).toBe(expected);
  });

  it('has every CA of the bundle, in its order, and the size of RSA keys', () => {
    const facts = readTlsSecret({ ...leaf, ca: stranger.certificate + authority.certificate });
    const shas = [stranger, authority].map(({ certificate }) => readCertificate(certificate).sha256);
    expect(facts?.authorities?.map(({ sha256 }) => sha256)).toEqual(shas);
    expect(facts?.certificate.keyBits).toBe(2048);
    expect(readTlsSecret({ certificate: leaf.certificate })?.authorities).toEqual([]);
  });

  it('copes with what is missing', () => {
    expect(readTlsSecret({})).toBeUndefined();
    expect(readTlsSecret({ certificate: '', privateKey: '', ca: '' })).toBeUndefined();
    expect(readTlsSecret({ ...leaf, certificate: 'garbage' })).toBeUndefined();
    expect(readTlsSecret({ certificate: leaf.certificate })).toMatchObject({
      ca: undefined,
      keyMatches: false,
      signedByCa: false,
    });
  });

  it('gives away nothing of the key', () => {
    const secret = leaf.privateKey.split('\n')[3] ?? '';
    expect(JSON.stringify(readTlsSecret({ ...leaf, ca: authority.certificate }))).not.toContain(secret);
  });
});
