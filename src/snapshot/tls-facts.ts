import type { ClusterClient } from '../kube/client.ts';
import { bundleBeside, bundleRef, bundleRefs } from '../mesh/certificates/ca-bundle.ts';
import type { TlsFiles, TlsSecretFacts, TrustBundle } from '../mesh/certificates/certificate.ts';
import { CERTIFICATE_SECRETS } from '../mesh/certificates/cluster-certificates.ts';
import type { ClusterSnapshot } from '../mesh/cluster-snapshot.ts';
import { describeRef, type KubeObject, keyOf } from '../mesh/objects/kube-object.ts';
import { AGENT_PEERS_SECRET, CA_SECRET, KVSTOREMESH_PEERS_SECRET } from '../mesh/objects/names.ts';
import { dataOf, secretTexts } from '../mesh/objects/secret-data.ts';
import { peerCertificateKeys } from '../mesh/peers/file/peer-config.ts';
import { readBundle, readTlsFiles, type TlsTexts, tlsSecretFacts } from '../pki/read.ts';

/** What a cluster's TLS files hold, see the fields of the same names of ClusterSnapshot. */
export interface TlsFacts {
  /** By Secret name; those that hold no readable certificate are left out. */
  tlsSecrets: Map<string, TlsSecretFacts>;
  /** The readable certificates with which peers are dialled, by peer. */
  peerCertificates: Map<string, TlsSecretFacts>;
  /** All files with what is wrong with them. */
  tlsFiles: Map<string, TlsFiles>;
}

/** The bundles of CAs beside a cluster's own certificates, by the Secrets of those; none where the CAs are in these Secrets. */
export type Bundles = ReadonlyMap<string, TrustBundle>;

/**
 * Reads all TLS files among a cluster's objects.
 * @param dialing the Secret by which its peers are dialled
 */
export function readTlsFacts(
  objects: readonly KubeObject[],
  dialing: KubeObject | undefined,
  bundles: Bundles = new Map(),
): TlsFacts {
  const secrets = objects.filter(({ kind }) => kind === 'Secret');
  const ownFiles = secrets
    .filter(({ metadata }) => metadata.name !== CA_SECRET)
    .map((secret): [string, TlsFiles] => {
      const { name } = secret.metadata;
      return [name, ownFilesOf(ownTexts(secret), bundles.get(name))];
    });
  const peerFiles = secrets
    .filter(({ metadata: { name } }) => name === AGENT_PEERS_SECRET || name === KVSTOREMESH_PEERS_SECRET)
    .flatMap((secret) =>
      peerTexts(secret).map(([peer, texts]) => [`${secret.metadata.name}/${peer}`, readTlsFiles(texts)] as const),
    );
  return {
    tlsSecrets: readable(ownFiles),
    peerCertificates: readable(peerTexts(dialing).map(([peer, texts]) => [peer, readTlsFiles(texts)])),
    tlsFiles: new Map([...ownFiles.filter(([name]) => CERTIFICATE_SECRETS.includes(name)), ...peerFiles]),
  };
}

/**
 * Reads the bundles of CAs that a cluster's programs mount instead of those beside their certificates.
 * @param read gives undefined for what is not there, or may not be read
 * @param isUnread whether it is the latter
 */
export async function readBundles(
  cluster: Pick<ClusterSnapshot, 'objects' | 'namespace'>,
  read: ClusterClient['get'],
  isUnread: (key: string) => boolean = () => false,
): Promise<Bundles> {
  const refs = bundleRefs(cluster);
  const objects = new Map(await Promise.all(refs.map(async (ref) => [keyOf(ref), await read(ref)] as const)));
  return new Map(
    CERTIFICATE_SECRETS.flatMap((secret): [string, TrustBundle][] => {
      const bundle = bundleBeside(cluster, secret);
      if (!bundle) return [];
      const ref = bundleRef(bundle, cluster.namespace);
      const object = objects.get(keyOf(ref));
      const pem = (object && (bundle.kind === 'Secret' ? secretTexts(object) : dataOf(object))[bundle.key]) ?? '';
      const authorities = isUnread(keyOf(ref)) ? undefined : readBundle(pem);
      return [[secret, { object: describeRef(ref), pem, authorities }]];
    }),
  );
}

/** By which CA a certificate was signed, the file beside it tells, and where that does not, the bundle. */
function ownFilesOf(texts: TlsTexts, bundle: TrustBundle | undefined): TlsFiles {
  const own = readTlsFiles(texts);
  if (!bundle) return own;
  const found = own.signedByCa ? own : readTlsFiles({ ...texts, ca: bundle.pem });
  return { ...(found.signedByCa ? found : own), authorities: own.authorities, bundle };
}

function readable(files: readonly [string, TlsFiles][]): Map<string, TlsSecretFacts> {
  return new Map(
    files.flatMap(([name, read]): [string, TlsSecretFacts][] => {
      const facts = tlsSecretFacts(read);
      return facts === undefined ? [] : [[name, facts]];
    }),
  );
}

function ownTexts(secret: KubeObject): TlsTexts {
  const { 'tls.crt': certificate, 'tls.key': privateKey, 'ca.crt': ca } = secretTexts(secret);
  return { certificate, privateKey, ca };
}

/** The files `<peer>.etcd-client…` of a Secret of peers, for each peer that has any of them. */
function peerTexts(secret: KubeObject | undefined): [string, TlsTexts][] {
  const texts = secretTexts(secret);
  const suffixes = Object.values(peerCertificateKeys(''));
  const peers = Object.keys(texts).flatMap((key) => {
    const suffix = suffixes.find((one) => key.endsWith(one));
    return suffix === undefined ? [] : [key.slice(0, -suffix.length)];
  });
  return [...new Set(peers)].map((peer) => {
    const keys = peerCertificateKeys(peer);
    return [peer, { certificate: texts[keys.certificate], privateKey: texts[keys.privateKey], ca: texts[keys.ca] }];
  });
}
