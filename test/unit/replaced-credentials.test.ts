import { expect, it } from 'vitest';
import type { TlsSecretFacts } from '../../src/mesh/certificates/certificate.ts';
import { replacedCredentials } from '../../src/mesh/enable/helm/replaced-credentials.ts';
import { remotePeerFile } from '../../src/mesh/peers/file/peer-config.ts';
import { caFacts, certificateFacts, secretObject, snapshotOf, tlsFacts } from '../support/snapshots.ts';

const SERVER = 'clustermesh-apiserver-server-cert';
const REMOTE = 'clustermesh-apiserver-remote-cert';
const ADDRESSES = { addresses: ['203.0.113.7:2379'] };

/** A certificate of one CA whose programs go by a bundle of some, where there is one. */
function issued(ca: string, bundle?: readonly string[]): TlsSecretFacts {
  const authorities = bundle?.map((key) => certificateFacts({ publicKeySha256: key, isCa: true }));
  return { ...tlsFacts(ca, {}), ...(authorities ? { bundle: { object: 'ConfigMap x', authorities, pem: '' } } : {}) };
}

interface Setup {
  /** The CA of the certificate for this peer alone. */
  own?: string;
  /** By which this cluster goes, and the peer; none: each by its own CA. */
  bundle?: readonly string[];
  theirs?: readonly string[];
  isRead?: boolean;
  byHelm?: boolean;
  prefix?: string;
}

function effectOn({ own = 'b', bundle, theirs, isRead = true, byHelm = true, prefix = 'mesh-2.' }: Setup) {
  const secret = secretObject('cilium-clustermesh', { 'mesh-2': remotePeerFile('mesh-2', ADDRESSES, prefix) });
  if (byHelm) secret.metadata.annotations = { 'meta.helm.sh/release-name': 'cilium' };
  const snapshot = snapshotOf({
    live: [secret],
    ca: caFacts('a'),
    tlsSecrets: new Map([[REMOTE, issued('a', bundle)]]),
    peerCertificates: new Map([['mesh-2', issued(own)]]),
  });
  const other = snapshotOf({
    context: 'two',
    ciliumConfig: { 'cluster-name': 'mesh-2', 'cluster-id': '2' },
    tlsSecrets: new Map([[SERVER, issued(own, theirs)]]),
  });
  const install = { version: { major: 1, minor: 20, patch: 0, suffix: '' } } as never;
  return replacedCredentials(snapshot, install, isRead ? [other] : []).map(({ becomes, mend }) => [becomes, mend]);
}

const CONNECT = 'meshctl clustermesh connect --context one --destination-context';
const UNNAMED = `${CONNECT} '<context of mesh-2>'`;

it.each<[string, Setup, (string | undefined)[][]]>([
  ['of another CA', {}, [['cut', `${CONNECT} two`]]],
  ['of another CA, which was not read', { isRead: false }, [['cut', UNNAMED]]],
  ['that knows this CA, and is not known by the bundle', { theirs: ['a', 'b'] }, [['cut', `${CONNECT} two`]]],
  ['that is known by the bundle, and does not know this CA', { bundle: ['a', 'b'] }, [['cut', `${CONNECT} two`]]],
  ['that is in the bundle, and was not read', { bundle: ['a', 'b'], isRead: false }, [['unknown', UNNAMED]]],
  ['with a bundle as here', { bundle: ['a', 'b'], theirs: ['a', 'b'] }, []],
  ['of the same CA', { own: 'a' }, []],
  ['of the same CA, which was not read', { own: 'a', isRead: false }, []],
  ['whose file is not made by the chart', { byHelm: false }, []],
  ['with the certificate for all peers already', { prefix: 'common-' }, []],
])('values without keys do to a peer %s', (_which, setup, becomes) => {
  expect(effectOn(setup)).toEqual(becomes);
});
