import { runsKvstoremesh } from '../apiserver/deployment.ts';
import { apiserverDeployment } from '../apiserver/live.ts';
import { expiredAuthority, replaceExpired } from '../certificates/authority-time.ts';
import { completeBundle } from '../certificates/ca-bundle.ts';
import type { TlsFiles } from '../certificates/certificate.ts';
import { validityFault } from '../certificates/cluster-certificates.ts';
import { accepts, distrusts, isSameKey, issuerOf } from '../certificates/trust.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { dialsThroughKvstoremesh } from '../connect/direction.ts';
import { mendsByConnecting, renewTrustCommand } from '../connect/renew-trust.ts';
import { keyOf } from '../objects/kube-object.ts';
import {
  AGENT_PEERS_SECRET,
  CONFIG_DIRECTORY,
  ETCD_PORT,
  KVSTOREMESH_PEERS_SECRET,
  SERVER_CERT_SECRET,
  secretRef,
  serviceHostname,
} from '../objects/names.ts';
import { secretTexts } from '../objects/secret-data.ts';
import { clusterKnownAs } from '../peers/concerned-peers.ts';
import { missingFiles, namedPlaces } from '../peers/file/named-files.ts';
import { COMMON_PREFIX, isTakenForPeer, LOCAL_PREFIX, peerCertificateKeys } from '../peers/file/peer-config.ts';
import { addressesIn, dialsOwnCache, type PeerFile, readPeerFile } from '../peers/file/peer-file.ts';
import { expectedPeers } from '../peers/peers.ts';
import { foreignOwnerOf } from '../peers/users/foreign-user.ts';
import type { DialFaultId, Fault, FaultsInput } from './fault.ts';
import { servesFromElsewhere } from './server-issuer.ts';

type Dialler = 'agent' | 'kvstoremesh';

const SECRETS: Readonly<Record<Dialler, string>> = {
  agent: AGENT_PEERS_SECRET,
  kvstoremesh: KVSTOREMESH_PEERS_SECRET,
};

/** The cluster's own certificates that Cilium's chart mounts into the folder of the peering files, by prefix. */
const MOUNTED_BESIDE: Readonly<Record<Dialler, readonly string[]>> = {
  agent: [COMMON_PREFIX, LOCAL_PREFIX],
  kvstoremesh: [COMMON_PREFIX],
};

/**
 * What is wrong with how a cluster dials its peers.
 * @param peers those that any of its Secrets name, by a file or a certificate, or some of them
 */
export function dialFaults(
  snapshot: ClusterSnapshot,
  input: FaultsInput,
  peers: readonly string[] = expectedPeers(snapshot),
): Fault[] {
  if (peers.length === 0) return [];
  const diallers: Dialler[] = dialsThroughKvstoremesh(snapshot) ? ['kvstoremesh', 'agent'] : ['agent'];
  return diallers.flatMap((component) => {
    const name = SECRETS[component];
    const key = keyOf(secretRef(snapshot.namespace, name));
    if (snapshot.unread?.has(key)) return [];
    const secret = snapshot.objects.get(key);
    const isGoing = secret?.metadata.deletionTimestamp !== undefined;
    const says = isGoing ? 'the Secret with the peering files is being deleted' : 'the peering files are missing';
    if (!secret || isGoing) return [faultFor(snapshot, component, { id: 'peering-secret-missing', says, peers })];
    const texts = secretTexts(secret);
    return peers.flatMap((peer) => fileFaults(snapshot, component, peer, texts, input));
  });
}

/** The Secrets with certificates of the cluster's own that its peering files name. */
export function certificatesNamed(snapshot: ClusterSnapshot): Set<string> {
  const { objects, namespace } = snapshot;
  const files = Object.values(SECRETS).flatMap((name) =>
    Object.values(secretTexts(objects.get(keyOf(secretRef(namespace, name))))),
  );
  const places = files.flatMap((text) => {
    const file = readPeerFile(text);
    return 'unreadable' in file ? [] : namedPlaces(file, '').flatMap((place) => place ?? []);
  });
  return new Set(places);
}

type Told = Pick<Fault, 'says' | 'peer' | 'peers' | 'key'> & { id: DialFaultId };

function faultFor({ context, namespace }: ClusterSnapshot, component: Dialler, told: Told): Fault {
  return { ...told, context, namespace, component, object: `Secret ${SECRETS[component]}`, outage: true };
}

function fileFaults(
  snapshot: ClusterSnapshot,
  component: Dialler,
  peer: string,
  texts: Readonly<Record<string, string>>,
  input: FaultsInput,
): Fault[] {
  const text = texts[peer];
  const fault = (id: DialFaultId, says: string, key = peer) => faultFor(snapshot, component, { id, says, peer, key });
  if (text === undefined) return [fault('peering-file-missing', 'the peering file is missing')];
  const file = readPeerFile(text);
  if ('unreadable' in file) {
    return [fault('peering-file-unreadable', `the peering file cannot be read: ${file.unreadable}`)];
  }
  if (!isTakenForPeer(text)) {
    return [fault('peering-file-unreadable', 'the peering file cannot be read: Cilium looks for "endpoints:" in it')];
  }
  const { namespace, objects } = snapshot;
  const absent = () =>
    missingFiles(file, texts, MOUNTED_BESIDE[component])
      .slice(0, 1)
      .map(({ what, name }) => fault('peer-certificate-missing', `${what} is missing`, name));
  if (component === 'agent' && dialsOwnCache(text, namespace)) {
    const isOff = runsKvstoremesh(apiserverDeployment({ objects, namespace })) === false;
    const says = "the peering file is for the cache of this cluster's KVStoreMesh, which is off";
    return isOff ? [fault('peering-file-no-cache', says)] : absent();
  }
  // etcd's client takes no certificates along to an address of http (client/v3, internal/endpoint).
  if (file.certFile !== undefined && file.endpoints[0]?.startsWith('http://')) {
    return [fault('peering-file-unreadable', 'the peering file cannot be used: it dials without TLS (http://)')];
  }
  if (component === 'agent' && file.certFile?.startsWith(`${CONFIG_DIRECTORY}/${LOCAL_PREFIX}`)) {
    const cache = `${serviceHostname(namespace)}:${ETCD_PORT}`;
    const says = `the peering file is for the cache of this cluster's KVStoreMesh, and leads to ${addressesIn(text).join(', ')}, not to ${cache}`;
    return [fault('peering-file-no-cache', says)];
  }
  const found = absent();
  return found.length > 0 ? found : certificateFaults(snapshot, component, peer, file, input);
}

/** Of the files that are in the same Secret; those of the cluster's own certificates are looked at once, for all peers. */
function certificateFaults(
  snapshot: ClusterSnapshot,
  component: Dialler,
  peer: string,
  file: PeerFile,
  input: FaultsInput,
): Fault[] {
  const { tlsFiles } = snapshot;
  const secret = SECRETS[component];
  const fault = (id: DialFaultId, says: string, key?: string) =>
    faultFor(snapshot, component, { id, says, peer, ...(key === undefined ? {} : { key }) });
  if (!tlsFiles || file.certFile === undefined) return [];
  const [certificatePlace, authorityPlace] = namedPlaces(file, secret);
  // A certificate of the cluster's own is in another Secret: what is wrong here is the file that names it.
  const [certificateName, authorityName] = [certificatePlace, authorityPlace].map((place) =>
    place?.startsWith(`${secret}/`) ? place.slice(secret.length + 1) : undefined,
  );
  const isHere = certificateName !== undefined;
  const own = isHere && certificatePlace !== undefined ? tlsFiles.get(certificatePlace) : undefined;
  const keys = peerCertificateKeys(certificateName ?? peer);
  if (isHere && !own) {
    return [fault('peer-certificate-missing', 'the client certificate is missing', keys.certificate)];
  }
  const other = clusterKnownAs(peer, input.others ?? []);
  // From a CA that is not valid no connect gets anything that is of use.
  const mended = (told: Fault): Fault =>
    other && told.id === 'peer-certificate-expired' && expiredAuthority(other, input.now) !== undefined
      ? { ...told, hint: replaceExpired(other, [snapshot]) }
      : told;
  const found = own && identityFault(own, keys, input.now);
  if (found) return [mended(fault(found.id, found.says, found.key))];
  const trust = authorityPlace === undefined ? undefined : tlsFiles.get(authorityPlace);
  const isInSecret = authorityName !== undefined;
  const caKey = peerCertificateKeys(authorityName ?? peer).ca;
  if (isInSecret && (!trust || typeof trust.ca === 'string')) {
    return trust?.ca === 'unreadable'
      ? [fault('peer-certificate-unreadable', 'the CA certificate by which the peer is known cannot be read', caKey)]
      : [fault('peer-certificate-missing', 'the CA certificate by which the peer is known is missing', caKey)];
  }
  const trusted = trust?.authorities ?? [];
  const invalid = trusted.flatMap((ca) => validityFault(ca, input.now) ?? []);
  if (isInSecret && trusted.length > 0 && invalid.length === trusted.length) {
    const says = `the CA certificate by which the peer is known ${[...new Set(invalid)].join(', and ')}`;
    return [mended(fault('peer-certificate-expired', says, caKey))];
  }
  const presented = certificatePlace === undefined ? undefined : tlsFiles.get(certificatePlace);
  const distrust = trustFault(snapshot, peer, presented, trust, input);
  if (!distrust)
    return foreignFault(snapshot, peer, presented, (says) =>
      fault('peer-certificate-foreign', says, isHere ? keys.certificate : peer),
    );
  const keysHere = { certificate: isHere ? keys.certificate : peer, ca: isInSecret ? caKey : peer };
  const told = fault(distrust.id, distrust.says, keysHere[distrust.key]);
  return [other ? { ...told, hint: distrust.hint ?? renewTrustCommand(snapshot.context, other) } : told];
}

function identityFault(
  { certificate, privateKey }: TlsFiles,
  keys: ReturnType<typeof peerCertificateKeys>,
  now: Date,
): { id: DialFaultId; says: string; key: string } | undefined {
  if (certificate === 'missing') {
    return { id: 'peer-certificate-missing', says: 'the client certificate is missing', key: keys.certificate };
  }
  if (certificate === 'unreadable') {
    return { id: 'peer-certificate-unreadable', says: 'the client certificate cannot be read', key: keys.certificate };
  }
  const key = keys.privateKey;
  if (privateKey === 'missing') {
    return { id: 'peer-certificate-missing', says: 'the private key of the client certificate is missing', key };
  }
  if (privateKey === 'unreadable') {
    return { id: 'peer-certificate-unreadable', says: 'the private key of the client certificate cannot be read', key };
  }
  if (privateKey === 'other') {
    return { id: 'peer-certificate-key', says: 'the private key belongs to a different certificate', key };
  }
  const says = validityFault(certificate, now);
  return says === undefined
    ? undefined
    : { id: 'peer-certificate-expired', says: `the client certificate ${says}`, key: keys.certificate };
}

/** The peer would let it in, until another cluster is shut out there. */
function foreignFault(
  snapshot: ClusterSnapshot,
  peer: string,
  presented: TlsFiles | undefined,
  fault: (says: string) => Fault,
): Fault[] {
  const user = typeof presented?.certificate === 'object' ? presented.certificate.commonName : '';
  const owner = foreignOwnerOf(snapshot, peer, user);
  if (owner === undefined) return [];
  return [
    fault(
      `the client certificate is that of ${owner}: this cluster logs in to ${peer} as ${user}, and would be shut out together with it`,
    ),
  ];
}

/**
 * Whether the peer, where it was read, would accept the certificate, and its own would be accepted here. That a peer has
 * replaced its CA is one fault, although neither side accepts the other by it.
 */
function trustFault(
  snapshot: ClusterSnapshot,
  peer: string,
  presented: TlsFiles | undefined,
  trust: TlsFiles | undefined,
  { others = [] }: FaultsInput,
): { id: DialFaultId; says: string; key: 'certificate' | 'ca'; hint?: string | undefined } | undefined {
  const other = clusterKnownAs(peer, others);
  const server = other?.tlsFiles?.get(SERVER_CERT_SECRET);
  // Where only the server certificate is from elsewhere, it is the peer that has to be mended.
  if (!other || !server || servesFromElsewhere(other)) return undefined;
  const serverIssuer = issuerOf(server);
  const isRefused = presented !== undefined && accepts(server, presented) === false;
  const isUnknown = serverIssuer !== undefined && trust !== undefined && distrusts(trust, serverIssuer);
  if (isUnknown && trust.bundle) {
    const says = `the server certificate of ${peer} is from a CA that is missing in ${trust.bundle.object}`;
    if (mendsByConnecting(presented, trust, other)) {
      return { id: 'peer-ca', says: `${says}, and ${peer} does not accept the client certificate`, key: 'ca' };
    }
    return { id: 'peer-ca', says, key: 'ca', hint: completeBundle(trust.bundle, snapshot, other) };
  }
  if (isUnknown) {
    const says = isRefused
      ? `${peer} now has another CA than the one that is trusted here and issued the client certificate`
      : `the server certificate of ${peer} is from a different CA than the one that is trusted here`;
    return { id: 'peer-ca', says, key: 'ca' };
  }
  if (!isRefused) return undefined;
  const says = `the client certificate is from a CA that ${peer} does not accept`;
  // To one that has its own CA's certificate, another is issued by the peer's; one that has the peer's, the peer itself tells.
  const isOwn = isSameKey(presented && issuerOf(presented), snapshot.ca?.certificate);
  const hint = server.bundle && isOwn ? completeBundle(server.bundle, other, snapshot) : undefined;
  return { id: 'peer-certificate-issuer', says, key: 'certificate', hint };
}
