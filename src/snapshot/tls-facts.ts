import type { TlsFiles, TlsSecretFacts } from '../mesh/certificates/certificate.ts';
import { CERTIFICATE_SECRETS } from '../mesh/certificates/cluster-certificates.ts';
import type { KubeObject } from '../mesh/objects/kube-object.ts';
import { AGENT_PEERS_SECRET, CA_SECRET, KVSTOREMESH_PEERS_SECRET } from '../mesh/objects/names.ts';
import { secretTexts } from '../mesh/objects/secret-data.ts';
import { peerCertificateKeys } from '../mesh/peers/file/peer-config.ts';
import { readTlsFiles, type TlsTexts, tlsSecretFacts } from '../pki/read.ts';

/** What a cluster's TLS files hold, see the fields of the same names of ClusterSnapshot. */
export interface TlsFacts {
  /** By Secret name; those that hold no readable certificate are left out. */
  tlsSecrets: Map<string, TlsSecretFacts>;
  /** The readable certificates with which peers are dialled, by peer. */
  peerCertificates: Map<string, TlsSecretFacts>;
  /** All files with what is wrong with them. */
  tlsFiles: Map<string, TlsFiles>;
}

/**
 * Reads all TLS files among a cluster's objects.
 * @param dialing the Secret by which its peers are dialled
 */
export function readTlsFacts(objects: readonly KubeObject[], dialing: KubeObject | undefined): TlsFacts {
  const secrets = objects.filter(({ kind }) => kind === 'Secret');
  const ownFiles = secrets
    .filter(({ metadata }) => metadata.name !== CA_SECRET)
    .map((secret): [string, TlsFiles] => [secret.metadata.name, readTlsFiles(ownTexts(secret))]);
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
