import { describe, expect, it } from 'vitest';
import { authorityOfMesh, authorityState } from '../../src/mesh/certificates/authority.ts';
import { completeBundle } from '../../src/mesh/certificates/ca-bundle.ts';
import type { TlsSecretFacts } from '../../src/mesh/certificates/certificate.ts';
import type { ClusterSnapshot } from '../../src/mesh/cluster-snapshot.ts';
import { caFacts, secretObject, snapshotOf, tlsFacts } from '../support/snapshots.ts';

const SERVER = 'clustermesh-apiserver-server-cert';
const REMOTE = 'clustermesh-apiserver-remote-cert';
const byCertManager = (name: string) => {
  const secret = secretObject(name, { 'tls.crt': 'x', 'ca.crt': 'x' });
  return { ...secret, metadata: { ...secret.metadata, annotations: { 'cert-manager.io/certificate-name': name } } };
};
const byHelm = (name: string) => secretObject(name, { 'tls.crt': 'x' });
const ISSUED = [SERVER, REMOTE].map(byCertManager);
const HUBBLES = caFacts('hubble');
const facts = (ca = 'issuer'): Map<string, TlsSecretFacts> =>
  new Map([SERVER, REMOTE].map((name) => [name, tlsFacts(ca, { commonName: name })]));
const both = () => {
  const issuer = caFacts('issuer').certificate;
  return new Map([...facts()].map(([name, one]) => [name, { ...one, authorities: [issuer, HUBBLES.certificate] }]));
};

describe('the CA in Secret cilium-ca', () => {
  it.each<[string, Pick<ClusterSnapshot, 'tlsSecrets'> & { live?: ReturnType<typeof byHelm>[] }, boolean]>([
    ["is Hubble's alone where cert-manager issues from another one", { tlsSecrets: facts() }, false],
    ['is that of the mesh where cert-manager issues from it', { tlsSecrets: facts('hubble') }, true],
    ['or where one that is issued trusts it', { tlsSecrets: both() }, true],
    ['or where cert-manager keeps it there', { live: [byCertManager('cilium-ca')], tlsSecrets: facts() }, true],
    [
      'or where not all are of cert-manager',
      { live: [byHelm('clustermesh-apiserver-admin-cert')], tlsSecrets: facts() },
      true,
    ],
    ['or where no certificate can be read', { tlsSecrets: new Map() }, true],
  ])('%s', (_what, { live = [byHelm('cilium-ca')], tlsSecrets }, isOfMesh) => {
    const cluster = snapshotOf({ live: [...ISSUED, ...live], tlsSecrets });
    expect(authorityOfMesh(HUBBLES, cluster)).toBe(isOfMesh ? HUBBLES : undefined);
  });

  it('of which nothing is of the mesh is not missing, nor unreadable', () => {
    const cluster = snapshotOf({ live: [...ISSUED, byHelm('cilium-ca')], tlsSecrets: facts(), ca: undefined });
    expect(authorityState(cluster)).toBe('elsewhere');
  });
});

describe('what a bundle lacks', () => {
  const bundle = { object: 'ConfigMap kube-system/cas' };
  const holder = snapshotOf({ tlsSecrets: facts('ca-one') });

  it.each<[string, Partial<ClusterSnapshot>, string]>([
    ['in Secret cilium-ca, where it signs', { tlsSecrets: facts('ca-one') }, 'Add the CA of Secret cilium-ca of'],
    [
      'beside what an issuer of cert-manager has issued',
      { tlsSecrets: facts(), ca: undefined },
      `Add the CA in ca.crt of Secret ${SERVER} of`,
    ],
    [
      'wherever the issuer is, where it brings no CA along',
      {
        ca: undefined,
        tlsSecrets: new Map(
          [...facts()].map(([name, { ca, ...one }]) => [name, { ...one, signedByCa: false, issuer: ca }]),
        ),
      },
      'Add the CA of its certificates of',
    ],
  ])('is found %s', (_where, more, words) => {
    const owner = snapshotOf({ context: 'two', ...more });
    expect(completeBundle(bundle, holder, owner)).toContain(`${words} context "two" to ConfigMap kube-system/cas of`);
  });
});
