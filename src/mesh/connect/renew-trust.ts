import { runsWithFormerCa } from '../apiserver/pod-marks.ts';
import type { CertificateFacts, FileLack, TlsFiles, TlsSecretFacts } from '../certificates/certificate.ts';
import { handOn } from '../certificates/reissue.ts';
import { accepts, distrusts, isSameKey, issuerOf, trusts } from '../certificates/trust.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { connectCommand, meshctlCommand } from '../command-line.ts';
import { keyOf } from '../objects/kube-object.ts';
import { SERVER_CERT_SECRET, secretRef } from '../objects/names.ts';
import { trustInRotation } from '../rotation/unfinished-rotation.ts';

/**
 * The command by which a cluster takes up the CA that a peer has now. Where the peer's etcd was started with the former one, it
 * lets nobody in by the new one until it is started anew (it reads `ca.crt` only then), so that comes first: enable sees to it,
 * and asks before it cuts anybody off.
 * @param context of the cluster that dials
 */
export function renewTrustCommand(context: string, peer: ClusterSnapshot): string {
  const connect = connectCommand(context, peer.context);
  if (!runsWithFormerCa(peer)) return connect;
  const hand = handOn(peer.objects.get(keyOf(secretRef(peer.namespace, SERVER_CERT_SECRET))));
  const force = hand === undefined ? [] : ['--force-conflicts'];
  return `${meshctlCommand('clustermesh enable', { context: peer.context }, force)} && ${connect}`;
}

/**
 * Whether neither of two knows the other by the certificates that stand, and connecting them mends both without a bundle of CAs: the
 * peer's CA issues one then, and stands beside it. A bundle would be completed in vain, since the other side refuses all the same.
 * @param presented to the peer; @param trust by which the peer is known
 */
export function mendsByConnecting(
  presented: TlsFiles | undefined,
  trust: TlsFiles | undefined,
  { tlsFiles, ca }: Pick<ClusterSnapshot, 'tlsFiles' | 'ca'>,
): boolean {
  const server = tlsFiles?.get(SERVER_CERT_SECRET);
  const issuer = server && issuerOf(server);
  if (!issuer || !presented || !trust) return false;
  const signs = ca?.hasKey === true && ca.keyMatches && isSameKey(ca.certificate, issuer);
  return signs && accepts(server, presented) === false && distrusts(trust, issuer);
}

/**
 * The former CA of a peer in the middle of a rotation, by which its etcd is still known, where it is not beside the certificate for it:
 * the peer has come back from a backup, and its rotation was over here.
 * @param held the certificate that is for the peer, or why there is none
 */
export function unknownIssuer(
  held: TlsSecretFacts | FileLack | undefined,
  peer: ClusterSnapshot,
): CertificateFacts | undefined {
  const server = peer.tlsSecrets.get(SERVER_CERT_SECRET);
  const issuer = server && issuerOf(server);
  // A bundle that is elsewhere is completed there.
  if (typeof held !== 'object' || held.bundle || !issuer || trusts(held, issuer)) return undefined;
  return trustInRotation(peer).some(({ facts }) => isSameKey(facts, issuer)) ? issuer : undefined;
}
