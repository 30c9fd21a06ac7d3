import type { TlsFiles, TlsSecretFacts } from '../mesh/certificates/certificate.ts';
import { CERTIFICATE_SECRETS } from '../mesh/certificates/cluster-certificates.ts';
import type { KubeObject } from '../mesh/objects/kube-object.ts';
import { AGENT_PEERS_SECRET, CA_SECRET, KVSTOREMESH_PEERS_SECRET } from '../mesh/objects/names.ts';
import { secretTexts } from '../mesh/objects/secret-data.ts';
import { peerCertificateKeys } from '../mesh/peers/peer-config.ts';
import { readTlsFiles, readTlsSecret } from '../pki/read.ts';

/** What the Secrets with certificates hold, by Secret name; those that hold no readable one are left out. */
export function tlsFactsOf(objects: readonly KubeObject[]): Map<string, TlsSecretFacts> {
  const facts = new Map<string, TlsSecretFacts>();
  for (const object of objects) {
    if (object.kind !== 'Secret' || object.metadata.name === CA_SECRET) continue;
    const { 'tls.crt': certificate, 'tls.key': privateKey, 'ca.crt': ca } = secretTexts(object);
    const read = readTlsSecret({ certificate, privateKey, ca });
    if (read) facts.set(object.metadata.name, read);
  }
  return facts;
}

/** The readable certificates with which peers are dialled, by peer. @param secret the one that dials them */
export function peerFactsOf(secret: KubeObject | undefined): Map<string, TlsSecretFacts> {
  const facts = new Map<string, TlsSecretFacts>();
  for (const [peer, files] of peerFilesIn(secret)) {
    const read = readTlsSecret(files);
    if (read) facts.set(peer, read);
  }
  return facts;
}

/** The files `<peer>.etcd-client…` of a Secret of peers, for each peer that has any of them. */
function peerFilesIn(secret: KubeObject | undefined): [string, Parameters<typeof readTlsFiles>[0]][] {
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

/** All TLS files with what is wrong with them, see ClusterSnapshot.tlsFiles. */
export function tlsFilesOf(objects: readonly KubeObject[]): Map<string, TlsFiles> {
  const files = objects
    .filter(({ kind }) => kind === 'Secret')
    .flatMap((secret): [string, TlsFiles][] => {
      const { name } = secret.metadata;
      if (name === AGENT_PEERS_SECRET || name === KVSTOREMESH_PEERS_SECRET) {
        return peerFilesIn(secret).map(([peer, texts]) => [`${name}/${peer}`, readTlsFiles(texts)]);
      }
      if (!CERTIFICATE_SECRETS.includes(name)) return [];
      const { 'tls.crt': certificate, 'tls.key': privateKey, 'ca.crt': ca } = secretTexts(secret);
      return [[name, readTlsFiles({ certificate, privateKey, ca })]];
    });
  return new Map(files);
}
