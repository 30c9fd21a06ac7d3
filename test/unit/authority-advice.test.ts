import { expect, it } from 'vitest';
import { enableAdvice } from '../../src/mesh/certificates/authority.ts';
import { renewAuthorityFirst, replaceExpired, rotateAuthority } from '../../src/mesh/certificates/authority-time.ts';
import type { TlsSecretFacts } from '../../src/mesh/certificates/certificate.ts';
import { signerAdvice, waysToAgree, waysToSign } from '../../src/mesh/certificates/foreign-authority.ts';
import type { ClusterSnapshot } from '../../src/mesh/cluster-snapshot.ts';
import { mendOf } from '../../src/mesh/faults/fault-advice.ts';
import { enableObstacles } from '../../src/mesh/faults/serve-faults.ts';
import { remotePeerFile } from '../../src/mesh/peers/file/peer-config.ts';
import { caFacts, certificateFacts, NOW, secretObject, snapshotOf } from '../support/snapshots.ts';

const SERVER = 'clustermesh-apiserver-server-cert';
const signer = certificateFacts({ publicKeySha256: 'signer', isCa: true });
const caBundle = { object: 'ConfigMap kube-system/cas', pem: '', authorities: [signer] };

/** mesh-1, which dials mesh-2, with this CA in Secret cilium-ca, and by a bundle or without one. */
function cluster(ca: ClusterSnapshot['ca'], isBundled: boolean): ClusterSnapshot {
  const bundle = isBundled ? { bundle: caBundle } : {};
  const facts: TlsSecretFacts = {
    certificate: certificateFacts({ endsWith: 'CA' }),
    ca: signer,
    keyMatches: true,
    signedByCa: true,
    ...bundle,
  };
  return {
    ...snapshotOf({
      live: [
        secretObject('cilium-clustermesh', {
          'mesh-2': remotePeerFile('mesh-2', { addresses: ['10.9.0.2:2379'] }, 'common-'),
        }),
        secretObject(SERVER, { 'tls.crt': 'x' }),
      ],
      tlsSecrets: new Map([[SERVER, facts]]),
      ca,
    }),
    ...(isBundled ? { caBundle } : {}),
  };
}

const other = caFacts('other');
const ending = { ...other, certificate: { ...signer, notAfter: new Date(NOW.getTime() + 1) } };
const expired = { ...other, certificate: { ...signer, notAfter: new Date(NOW.getTime() - 1) } };
const FAULT = { context: 'one', namespace: 'kube-system', component: 'apiserver', outage: true, says: '' } as const;
const EXPIRED = { ...FAULT, id: 'certificate-expired', object: `Secret ${SERVER}` } as const;
const MISSING = { ...FAULT, id: 'ca-missing', object: 'Secret cilium-ca' } as const;
const leafOf = ({ tlsSecrets }: ClusterSnapshot) => tlsSecrets.get(SERVER);

it.each<[string, ClusterSnapshot['ca'], (snapshot: ClusterSnapshot) => string | undefined]>([
  ['the CA expires', ending, (snapshot) => rotateAuthority(snapshot)],
  ['the CA has expired', expired, (snapshot) => replaceExpired(snapshot)],
  ['the CA has expired, and it signs', expired, (snapshot) => signerAdvice(snapshot, NOW)],
  ['the CA has expired, and its cluster is off', expired, (one) => enableAdvice({ ...one, caExpired: true })],
  [
    'the CA has expired, and its certificate with it',
    expired,
    (one) => mendOf({ ...EXPIRED, ...enableObstacles(one, NOW), caExpired: true }, new Map()),
  ],
  [
    'the CA is missing, and Helm made the rest',
    undefined,
    (one) => mendOf({ ...MISSING, ...enableObstacles(one, NOW) }, new Map()),
  ],
  ['a certificate ends with the CA', ending, (one) => renewAuthorityFirst(one, leafOf(one), NOW)],
  ['the CA is lost', undefined, (snapshot) => waysToSign(snapshot)],
  ['the CA is lost, and its cluster is off', undefined, (one) => enableAdvice({ ...one, unsigned: true })],
  ['the CA is another one', other, (snapshot) => waysToAgree(snapshot, [])],
  ['the CA is another one, and it signs', other, (snapshot) => waysToSign(snapshot)],
])('goes by no command where a bundle is what would have to change: %s', (_what, ca, advice) => {
  expect(advice(cluster(ca, false))).toMatch(/--replace-ca|certs rotate/);
  const told = advice(cluster(ca, true));
  expect(told).toMatch(
    /rotate the CA with what makes ConfigMap kube-system\/cas .* in every cluster, before it signs anything$/,
  );
  expect(told).not.toMatch(/--replace-ca|certs rotate/);
});
