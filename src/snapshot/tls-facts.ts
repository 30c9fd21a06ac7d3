import type { ClusterClient } from '../kube/client.ts';
import { bundleBeside, bundleRef, bundleRefs } from '../mesh/certificates/ca-bundle.ts';
import type { TlsFiles, TlsSecretFacts, TrustBundle } from '../mesh/certificates/certificate.ts';
import { CERTIFICATE_SECRETS } from '../mesh/certificates/cluster-certificates.ts';
import type { ClusterSnapshot } from '../mesh/cluster-snapshot.ts';
import { describeRef, type KubeObject, keyOf } from '../mesh/objects/kube-object.ts';
import { AGENT_PEERS_SECRET, CA_SECRET, KVSTOREMESH_PEERS_SECRET } from '../mesh/objects/names.ts';
import { dataOf, secretTexts } from '../mesh/objects/secret-data.ts';
import { namedPlaces } from '../mesh/peers/file/named-files.ts';
import { peerCertificateKeys } from '../mesh/peers/file/peer-config.ts';
import { readPeerFile } from '../mesh/peers/file/peer-file.ts';
import { TLS_KEYS } from '../mesh/plan/plan.ts';
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
  const known = authoritiesIn(secrets, bundles);
  const ownFiles = secrets
    .filter(({ metadata }) => metadata.name !== CA_SECRET)
    .map((secret): [string, TlsFiles] => {
      const { name } = secret.metadata;
      return [name, withIssuer(ownFilesOf(ownTexts(secret), bundles.get(name)), ownTexts(secret), known)];
    });
  const beside = new Map(secrets.map((secret) => [secret.metadata.name, ownTexts(secret).ca]));
  const peerFilesOf = (secret: KubeObject | undefined): [string, TlsFiles][] =>
    peerTexts(secret).map(([peer, { ca, ...texts }]) => {
      const mounted = mountedAuthority(secret, peer);
      const files =
        mounted === undefined
          ? readTlsFiles({ ...texts, ca })
          : ownFilesOf({ ...texts, ca: beside.get(mounted) }, bundles.get(mounted));
      return [peer, withIssuer(files, texts, known)];
    });
  const peerFiles = secrets
    .filter(({ metadata: { name } }) => name === AGENT_PEERS_SECRET || name === KVSTOREMESH_PEERS_SECRET)
    .flatMap((secret) =>
      peerFilesOf(secret).map(([peer, files]) => [`${secret.metadata.name}/${peer}`, files] as const),
    );
  return {
    tlsSecrets: readable(ownFiles),
    peerCertificates: readable(peerFilesOf(dialing)),
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

/**
 * The Secret of the cluster's own certificates beside which the CA is that a peering file names for the peer's own client certificate:
 * Cilium's chart writes such files where a certificate and a key are given without a CA (`clustermesh.config.clusters[].tls`).
 * Undefined where the CA is in the Secret of the file.
 */
function mountedAuthority(secret: KubeObject | undefined, peer: string): string | undefined {
  if (!secret) return undefined;
  const { name } = secret.metadata;
  const file = readPeerFile(secretTexts(secret)[peer] ?? '');
  if ('unreadable' in file) return undefined;
  const [certificate, authority] = namedPlaces(file, name);
  return certificate === `${name}/${peer}` && CERTIFICATE_SECRETS.includes(authority ?? '') ? authority : undefined;
}

/** Every CA that a cluster has, as PEM. */
function authoritiesIn(secrets: readonly KubeObject[], bundles: Bundles): string {
  const isAuthority = (key: string) => key === TLS_KEYS.ca || key.endsWith(peerCertificateKeys('').ca);
  const texts = secrets.flatMap((secret) => {
    const isOfCa = secret.metadata.name === CA_SECRET;
    const entries = Object.entries(secretTexts(secret));
    return entries.flatMap(([key, text]) => (isAuthority(key) || (isOfCa && key === TLS_KEYS.certificate) ? text : []));
  });
  const all = new Set([...texts, ...[...bundles.values()].map(({ pem }) => pem)]);
  return [...all].filter((text) => readBundle(text).length > 0).join('\n');
}

/** By which CA a certificate was signed, whatever is beside it: that is for the other side's certificates. */
function withIssuer(files: TlsFiles, texts: TlsTexts, known: string): TlsFiles {
  if (files.signedByCa || typeof files.certificate === 'string') return files;
  const { certificate, ca, signedByCa } = readTlsFiles({ certificate: texts.certificate, ca: known });
  return signedByCa && typeof ca === 'object' ? { ...files, certificate, issuer: ca } : files;
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
