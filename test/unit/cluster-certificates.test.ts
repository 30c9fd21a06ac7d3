import { describe, expect, it } from 'vitest';
import type { CertificateFacts, FileLack, TlsSecretFacts } from '../../src/mesh/certificates/certificate.ts';
import { certificateSpecs, clientSpec, reasonToReissue } from '../../src/mesh/certificates/cluster-certificates.ts';
import { certificateFacts } from '../support/snapshots.ts';

const NOW = new Date('2026-03-01T12:00:00Z');
const inDays = (days: number) => new Date(NOW.getTime() + days * 24 * 60 * 60 * 1000);

const CLUSTER = { clusterName: 'mesh-1', namespace: 'kube-system', serviceAddresses: [], kvstoremesh: true };

const CA = certificateFacts({
  isCa: true,
  notBefore: inDays(-100),
  notAfter: inDays(3000),
  sha256: 'ca',
  publicKeySha256: 'ca-key',
});
const SPEC = {
  commonName: 'clustermesh-apiserver.kube-system.svc',
  usages: ['server', 'client'] as const,
  dnsNames: ['clustermesh-apiserver.kube-system.svc', '*.mesh.cilium.io'],
  ipAddresses: ['127.0.0.1', '::1', '2001:db8::7'],
};
const LEAF: CertificateFacts = {
  ...CA,
  ...SPEC,
  issuerCommonName: CA.commonName,
  isCa: false,
  notAfter: inDays(1000),
  sha256: 'leaf',
  publicKeySha256: 'leaf-key',
};
const FACTS: TlsSecretFacts = { certificate: LEAF, ca: CA, keyMatches: true, signedByCa: true };
const withLeaf = (changes: Partial<CertificateFacts>): TlsSecretFacts => ({
  ...FACTS,
  certificate: { ...LEAF, ...changes },
});

describe('certificateSpecs', () => {
  it('gives the four certificates of a cluster', () => {
    const addresses = ['203.0.113.7', '2001:DB8:0::7', 'mesh.example.com', '203.0.113.7'];
    expect(certificateSpecs({ ...CLUSTER, serviceAddresses: addresses })).toEqual([
      {
        secret: 'clustermesh-apiserver-server-cert',
        spec: {
          commonName: 'clustermesh-apiserver.kube-system.svc',
          usages: ['server', 'client'],
          dnsNames: ['clustermesh-apiserver.kube-system.svc', '*.mesh.cilium.io', 'mesh.example.com'],
          ipAddresses: ['127.0.0.1', '::1', '203.0.113.7', '2001:db8::7'],
        },
      },
      {
        secret: 'clustermesh-apiserver-admin-cert',
        spec: { commonName: 'admin-mesh-1', usages: ['client'], dnsNames: [], ipAddresses: [] },
      },
      {
        secret: 'clustermesh-apiserver-local-cert',
        spec: { commonName: 'local-mesh-1', usages: ['client'], dnsNames: [], ipAddresses: [] },
      },
      {
        secret: 'clustermesh-apiserver-remote-cert',
        spec: { commonName: 'remote', usages: ['client'], dnsNames: [], ipAddresses: [] },
      },
    ]);
  });

  it('leaves the local one out without KVStoreMesh', () => {
    const secrets = certificateSpecs({ ...CLUSTER, kvstoremesh: false }).map(({ secret }) => secret);
    expect(secrets).not.toContain('clustermesh-apiserver-local-cert');
    expect(secrets).toHaveLength(3);
  });

  it.each([
    ['one of its own stays, as in authMode cluster', 'remote-mesh-1', 'remote-mesh-1'],
    ['that of another cluster does not', 'remote-mesh-2', 'remote'],
    ['the one that all share stays', 'remote', 'remote'],
  ])('the user of the common certificate: %s', (_what, commonName, user) => {
    const tlsSecrets = new Map([['clustermesh-apiserver-remote-cert', withLeaf({ commonName })]]);
    expect(certificateSpecs({ ...CLUSTER, tlsSecrets }).at(-1)?.spec.commonName).toBe(user);
  });

  it('follows the namespace', () => {
    const [server] = certificateSpecs({ ...CLUSTER, namespace: 'cilium' });
    expect(server?.spec.commonName).toBe('clustermesh-apiserver.cilium.svc');
  });
});

describe('clientSpec', () => {
  it('is for a client, and names its user', () => {
    expect(clientSpec('remote-mesh-1')).toEqual({
      commonName: 'remote-mesh-1',
      usages: ['client'],
      dnsNames: [],
      ipAddresses: [],
    });
  });
});

describe('reasonToReissue', () => {
  const cases: [what: string, facts: TlsSecretFacts | FileLack, reason: RegExp | undefined][] = [
    ['all is well', FACTS, undefined],
    ['it covers more than asked for', withLeaf({ dnsNames: [...LEAF.dnsNames, 'old.example'] }), undefined],
    ['an address is written otherwise', withLeaf({ ipAddresses: ['127.0.0.1', '0:0::1', '2001:0DB8::7'] }), undefined],
    ['a name is in capitals', withLeaf({ dnsNames: LEAF.dnsNames.map((name) => name.toUpperCase()) }), undefined],
    ['the CA was renewed with its key', { ...FACTS, ca: { ...CA, sha256: 'former' } }, undefined],
    ['it has 31 days left', withLeaf({ notAfter: inDays(31) }), undefined],
    ['there is none', 'missing', /^there is no certificate yet$/],
    ['it is garbage', 'unreadable', /^the certificate that is there cannot be read$/],
    ['the key is another', { ...FACTS, keyMatches: false }, /^its private key belongs to a different certificate$/],
    ['there is no key', { ...FACTS, keyMatches: false, keyLack: 'missing' }, /^its private key is missing$/],
    ['the key is garbage', { ...FACTS, keyMatches: false, keyLack: 'unreadable' }, /^its private key cannot be read$/],
    ['no CA is with it', { ...FACTS, ca: undefined }, /^no CA certificate is stored with it$/],
    ['garbage is the CA with it', { ...FACTS, ca: undefined, caLack: 'unreadable' }, /^the CA .+ cannot be read$/],
    [
      'it is from a different CA of the same name',
      { ...FACTS, ca: { ...CA, publicKeySha256: 'other', sha256: '0123456789abcdef' } },
      /^it is from the CA "Cilium CA", sha256:0123456789ab, and not from "Cilium CA", sha256:(?!0123)/,
    ],
    [
      'it is from a different CA of another name',
      { ...FACTS, ca: { ...CA, publicKeySha256: 'other', commonName: 'Company CA' } },
      /^it is from a different CA than "Cilium CA"$/,
    ],
    ['the signature is bad', { ...FACTS, signedByCa: false }, /not signed/],
    ['the name is another', withLeaf({ commonName: 'remote' }), /"remote", not "clustermesh-apiserver/],
    ['a usage lacks', withLeaf({ usages: ['client'] }), /not for server use/],
    ['a host name lacks', withLeaf({ dnsNames: ['*.mesh.cilium.io'] }), /does not cover clustermesh-apiserver\./],
    ['an address lacks', withLeaf({ ipAddresses: ['127.0.0.1', '::1'] }), /does not cover 2001:db8::7/],
    ['it has 29 days left', withLeaf({ notAfter: inDays(29) }), /expires on 2026-03-30/],
    ['it has expired', withLeaf({ notAfter: inDays(-1) }), /expired on 2026-02-28/],
    ['it is of the future', withLeaf({ notBefore: inDays(1) }), /not valid before 2026-03-02/],
    [
      'the CA certificate with it is about to end',
      { ...FACTS, ca: { ...CA, notAfter: inDays(3) } },
      /CA certificate stored with it/,
    ],
  ];

  it.each(cases)('%s', (_, facts, reason) => {
    const given = reasonToReissue(facts, SPEC, CA, NOW);
    if (reason === undefined) expect(given).toBeUndefined();
    else expect(given).toMatch(reason);
  });

  it('does not renew again and again what ends with its CA', () => {
    const ending = { ...CA, notAfter: inDays(10) };
    const facts = { ...withLeaf({ notAfter: inDays(10) }), ca: ending };
    expect(reasonToReissue(facts, SPEC, ending, NOW)).toBeUndefined();
  });
});
