import { expect, it } from 'vitest';
import type { TlsSecretFacts } from '../../src/mesh/certificates/certificate.ts';
import { openConnections, stillLetIn, tellsOfUser } from '../../src/mesh/connect/disconnect/shut-out.ts';
import { remotePeerFile } from '../../src/mesh/peers/file/peer-config.ts';
import { certificateFacts, NOW, secretObject, snapshotOf, tlsFacts } from '../support/snapshots.ts';

/** Signed by the first CA, and trusting all of them. */
function holding(commonName: string, [signer = '', ...more]: readonly string[]): TlsSecretFacts {
  const authorities = [signer, ...more].map((key) => certificateFacts({ publicKeySha256: key, isCa: true }));
  return { ...tlsFacts(signer, { commonName }), authorities };
}

it.each<[what: string, peer: TlsSecretFacts, server: TlsSecretFacts | undefined, tells: boolean]>([
  ['both take each other', holding('remote-a', ['ca']), holding('server', ['ca']), true],
  ['the CA of the etcd was replaced', holding('remote-a', ['old']), holding('server', ['new']), false],
  ['only the peer trusts the new CA', holding('remote-a', ['old', 'new']), holding('server', ['new']), false],
  ['only the etcd trusts the former CA', holding('remote-a', ['old']), holding('server', ['new', 'old']), false],
  ['a rotation trusts both', holding('remote-a', ['old', 'new']), holding('server', ['new', 'old']), true],
  ['others log in with the same', holding('remote', ['ca']), holding('server', ['ca']), false],
  ['the certificate of the etcd was not read', holding('remote-a', ['ca']), undefined, true],
])('an etcd tells whether it has shut a peer out: %s', (_what, peer, server, tells) => {
  const dialler = snapshotOf({ ciliumConfig: { 'cluster-name': 'a' }, peerCertificates: new Map([['hub', peer]]) });
  expect(tellsOfUser(dialler, 'hub', server, NOW)).toBe(tells);
});

it.each([
  ['the CAs beside its certificates', {}, /clustermesh enable --context one --replace-ca$/],
  [
    'a bundle, where that would be refused',
    { caBundle: { object: 'ConfigMap kube-system/cas', pem: '' } },
    /take its CA out of ConfigMap kube-system\/cas, .*: kubectl --context one .*restart daemonset\/cilium deployment\/clustermesh-apiserver/,
  ],
])('a peer that nobody tells, and that logs in as all of its CA, is shut out by its CA: %s', (_what, by, mends) => {
  const file = remotePeerFile('mesh-2', { addresses: ['10.9.0.2:2379'] }, 'common-');
  const snapshot = snapshotOf({ live: [secretObject('cilium-clustermesh', { 'mesh-2': file })], ...by });
  const warnings = stillLetIn({ snapshot, unserved: ['mesh-2'], partners: [] });
  expect(warnings).toEqual([expect.stringMatching(mends)]);
});

it.each([
  [['a', 'b'], 4, /^context "a" refuses "x" once/],
  [['a', 'b', 'c'], 2, /^contexts "a", "b", "c" refuse "x" once .* → to end it too: (kubectl --context \w .*){3}$/],
])('what goes on at peers that are not told is said of %j once where many shut them out', (contexts, count, says) => {
  const remoteUsers = [{ name: 'remote-x', role: 'remote' }];
  const dials = contexts.map((context) => {
    const own = { name: context, snapshot: snapshotOf({ context, remoteUsers }) };
    return [{ name: 'x' }, own] as const;
  });
  const warnings = openConnections(dials);
  expect(warnings).toHaveLength(count);
  expect(warnings[0]).toMatch(says);
});
