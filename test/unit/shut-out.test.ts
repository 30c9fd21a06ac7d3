import { expect, it } from 'vitest';
import type { TlsSecretFacts } from '../../src/mesh/certificates/certificate.ts';
import { tellsOfUser } from '../../src/mesh/connect/shut-out.ts';
import { certificateFacts, NOW, snapshotOf, tlsFacts } from '../support/snapshots.ts';

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
