import { makesRemoteUsers } from '../apiserver/deployment.ts';
import { apiserverDeployment } from '../apiserver/live.ts';
import type { TlsSecretFacts } from '../certificates/certificate.ts';
import { saysAuthorityLack, saysKeyLack } from '../certificates/certificate-lacks.ts';
import { validityFault } from '../certificates/cluster-certificates.ts';
import { requireSigner, signingFault } from '../certificates/foreign-authority.ts';
import { acceptEachOther, isSameKey, trusts } from '../certificates/trust.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { type OptionPlace, optionName, optionWith } from '../enable/option-name.ts';
import { MeshctlError } from '../errors.ts';
import type { KubeObject } from '../objects/kube-object.ts';
import { CA_SECRET, REMOTE_CERT_SECRET, SERVER_CERT_SECRET, SHARED_USER } from '../objects/names.ts';
import type { CredentialChoice, CredentialKind } from '../peers/credential-kind.ts';
import { peerCertificateKeys, remoteUserName } from '../peers/file/peer-config.ts';
import { readPeerFile } from '../peers/file/peer-file.ts';
import { choicesFor } from '../peers/peer-choices.ts';
import { dialingFile } from '../peers/peers.ts';
import type { IdentifiedCluster } from './member.ts';

export interface Credential {
  kind: CredentialKind;
  /** The etcd user: the certificate's CN. */
  user: string;
  warnings: readonly string[];
  /**
   * The certificate with its key as a `kubernetes.io/tls` Secret that is in no cluster: the peer's owner has signed it, and
   * nobody here could. Holds a private key: never printed.
   */
  issued?: { secret: KubeObject; facts: TlsSecretFacts } | undefined;
}

/**
 * Decides the credential of one direction. `auto`: the shared CA where there is one, else a certificate per peer, else,
 * where the CA's key is out of reach, the peer's remote-cert. Without a choice, what was chosen before stays as long as it
 * can, and a certificate per peer that is in use: with another one the peer could no longer be cut off alone.
 * @param place where it is asked for, for messages
 * @throws MeshctlError `Incompatible` or `CertificateAuthority` when what was asked for cannot be
 */
export function chooseCredential(
  client: IdentifiedCluster,
  server: IdentifiedCluster,
  choice: CredentialChoice | undefined,
  now: Date,
  place: OptionPlace = {},
): Credential {
  return choice === undefined
    ? (keptCredential(client, server, now, place) ?? decide(client, server, 'auto', now, place))
    : decide(client, server, choice, now, place);
}

function keptCredential(
  client: IdentifiedCluster,
  server: IdentifiedCluster,
  now: Date,
  place: OptionPlace,
): Credential | undefined {
  const { credentials = kindInUse(client, server) } = choicesFor(client.snapshot, server.identity.name);
  if (credentials === 'per-peer' && (canSign(server) || usableWithoutSigner(client, server, now))) {
    return perPeerCredential(client, server);
  }
  const remote = server.snapshot.tlsSecrets.get(REMOTE_CERT_SECRET);
  if (credentials === 'legacy' && remote && !reasonAgainstCertificate(remote, now)) {
    return legacyCredential(client, server, now, place);
  }
  return undefined;
}

/** `per-peer` where that is what the client dials with now; of the others none is worth keeping by itself. */
function kindInUse({ snapshot, identity }: IdentifiedCluster, server: IdentifiedCluster): CredentialKind | undefined {
  const peer = server.identity.name;
  const file = readPeerFile(dialingFile(snapshot, peer)?.text ?? '');
  const own = 'unreadable' in file ? undefined : file.certFile?.split('/').at(-1);
  const user = snapshot.peerCertificates.get(peer)?.certificate.commonName;
  const isOwn = own === peerCertificateKeys(peer).certificate && user === remoteUserName(identity.name);
  return isOwn ? 'per-peer' : undefined;
}

/**
 * Whether the certificate that the client has of a peer's CA still serves, although nobody here could issue another one:
 * the CA's key may have been taken offline since.
 */
export function usableWithoutSigner(client: IdentifiedCluster, server: IdentifiedCluster, now: Date): boolean {
  const present = client.snapshot.peerCertificates.get(server.identity.name);
  const serving = server.snapshot.tlsSecrets.get(SERVER_CERT_SECRET);
  return (
    present !== undefined &&
    serving !== undefined &&
    acceptEachOther(present, serving) &&
    present.certificate.commonName === peerUser(client, server) &&
    reasonAgainstCertificate(present, now) === undefined
  );
}

function decide(
  client: IdentifiedCluster,
  server: IdentifiedCluster,
  choice: CredentialChoice,
  now: Date,
  place: OptionPlace,
): Credential {
  const noSharedCa = reasonAgainstSharedCa(client, server, now);
  if (choice === 'shared-ca' && noSharedCa) {
    const contexts = [client.snapshot.context, server.snapshot.context];
    throw new MeshctlError(
      'Incompatible',
      `contexts "${contexts.join('" and "')}" cannot use a shared CA: ${noSharedCa}`,
      {
        hint: `Leave ${optionName('credentials', place)} out: clusters with different CAs get a certificate per peer.`,
        details: { contexts },
      },
    );
  }
  if (choice === 'shared-ca' || (choice === 'auto' && !noSharedCa)) return sharedCredential(client);
  if (choice === 'per-peer' && !usableWithoutSigner(client, server, now)) {
    refuseBrokenAuthority(client, server, 'per-peer', place);
    requireSigner(server.snapshot, `a client certificate for "${client.identity.name}"`, now, [client.snapshot]);
  }
  if (choice === 'per-peer' || (choice === 'auto' && canSign(server))) return perPeerCredential(client, server);
  if (choice === 'auto' && !logsInAsCommon(client, server)) refuseBrokenAuthority(client, server, 'auto', place);
  return legacyCredential(client, server, now, place);
}

/**
 * A CA whose key is kept elsewhere is somebody's choice; one that is broken, lost or foreign is a fault, for which nobody is
 * to get a weaker credential unasked.
 */
function refuseBrokenAuthority(
  client: IdentifiedCluster,
  { snapshot }: IdentifiedCluster,
  choice: CredentialChoice,
  place: OptionPlace,
): void {
  const fault = signingFault(snapshot, [client.snapshot]);
  if (!fault) return;
  const { context, namespace } = snapshot;
  const secret = `Secret ${namespace}/${CA_SECRET}`;
  const weaker = `With ${optionWith('credentials', 'legacy', place)} it gets the common certificate, which cannot be revoked for one peer alone.`;
  throw new MeshctlError(
    'CertificateAuthority',
    `context "${context}": a client certificate for "${client.identity.name}" cannot be issued: ${secret} ${fault.says}`,
    {
      hint: choice === 'auto' ? `${weaker} Instead, ${fault.ways}` : `To fix it, ${fault.ways}`,
      details: { context, object: secret },
    },
  );
}

/** Whether the client has the common certificate already: then no weaker one is handed out than there is. */
function logsInAsCommon({ snapshot }: IdentifiedCluster, server: IdentifiedCluster): boolean {
  const held = snapshot.peerCertificates.get(server.identity.name)?.certificate;
  const common = server.snapshot.tlsSecrets.get(REMOTE_CERT_SECRET)?.certificate;
  if (!held || !common) return false;
  return held.commonName === common.commonName && held.publicKeySha256 === common.publicKeySha256;
}

function sharedCredential({ snapshot }: IdentifiedCluster): Credential {
  const user = snapshot.tlsSecrets.get(REMOTE_CERT_SECRET)?.certificate.commonName ?? SHARED_USER;
  return { kind: 'shared-ca', user, warnings: [] };
}

/** The etcd user of a client that has a certificate of its own. */
function peerUser(client: IdentifiedCluster, server: IdentifiedCluster): string {
  return managesUsers(server.snapshot) ? remoteUserName(client.identity.name) : SHARED_USER;
}

/** A certificate of the client's own, whoever issues it. */
export function perPeerCredential(client: IdentifiedCluster, server: IdentifiedCluster): Credential {
  const user = peerUser(client, server);
  if (user !== SHARED_USER) return { kind: 'per-peer', user, warnings: [] };
  return {
    kind: 'per-peer',
    user,
    warnings: [
      `context "${server.snapshot.context}": its clustermesh-apiserver has no users of its own for peers (authMode legacy), ` +
        `so "${client.identity.name}" logs in as the common user "${SHARED_USER}" and cannot be cut off alone`,
    ],
  };
}

function legacyCredential(
  client: IdentifiedCluster,
  server: IdentifiedCluster,
  now: Date,
  place: OptionPlace,
): Credential {
  const { context, namespace, tlsSecrets } = server.snapshot;
  const remote = tlsSecrets.get(REMOTE_CERT_SECRET);
  const unusable = remote ? reasonAgainstCertificate(remote, now) : 'it is missing, or holds no readable certificate';
  if (!remote || unusable) {
    throw new MeshctlError(
      'CertificateAuthority',
      `context "${context}": there is no credential for "${client.identity.name}": Secret ${namespace}/${REMOTE_CERT_SECRET} cannot be used (${unusable})`,
      {
        hint: `Restore the CA's key in Secret ${namespace}/${CA_SECRET}, or let the tool that issued the certificates renew them.`,
        details: { context, object: `Secret ${namespace}/${REMOTE_CERT_SECRET}` },
      },
    );
  }
  return {
    kind: 'legacy',
    user: remote.certificate.commonName,
    warnings: [
      `context "${context}": "${client.identity.name}" gets this cluster's own remote-cert (${optionWith('credentials', 'legacy', place)}, or the CA's key is not available): ` +
        'it cannot be cut off alone, and must be connected again when that certificate is renewed',
    ],
  };
}

/** Whether a cluster makes an etcd user for each entry of ConfigMap clustermesh-remote-users. */
export function managesUsers({ objects, namespace, remoteUsers }: ClusterSnapshot): boolean {
  return makesRemoteUsers(apiserverDeployment({ objects, namespace })) && remoteUsers !== undefined;
}

/** Whether certificates can be issued here that the cluster's etcd will accept, and peers will trust. */
export function canSign({ snapshot }: Pick<IdentifiedCluster, 'snapshot'>): boolean {
  const { ca, tlsSecrets } = snapshot;
  const server = tlsSecrets.get(SERVER_CERT_SECRET);
  // A bundle has both CAs while one takes the other's place.
  return Boolean(ca?.hasKey && ca.keyMatches && server && trusts(server, ca.certificate));
}

function reasonAgainstSharedCa(client: IdentifiedCluster, server: IdentifiedCluster, now: Date): string | undefined {
  const serving = server.snapshot.tlsSecrets.get(SERVER_CERT_SECRET);
  const signing = client.snapshot.ca?.certificate;
  const own = client.snapshot.tlsSecrets.get(REMOTE_CERT_SECRET);
  // Those that have each other's CA in their bundles do as well as with one.
  const isBundled = own?.bundle !== undefined && serving?.bundle !== undefined && acceptEachOther(own, serving);
  if (!isBundled && !isSameKey(signing, serving?.ca)) return 'their CAs are different';
  if (!own) return `context "${client.snapshot.context}" has no Secret ${REMOTE_CERT_SECRET}`;
  if (!isBundled && !isSameKey(own.ca, signing))
    return `the remote-cert of context "${client.snapshot.context}" is from a different CA`;
  const user = own.certificate.commonName;
  if (user !== SHARED_USER && !managesUsers(server.snapshot))
    return `the remote-cert of context "${client.snapshot.context}" is for the user "${user}", and context "${server.snapshot.context}" makes no users for peers`;
  return reasonAgainstCertificate(own, now);
}

function reasonAgainstCertificate(facts: TlsSecretFacts, now: Date): string | undefined {
  const { certificate, keyMatches, signedByCa } = facts;
  if (!keyMatches) return saysKeyLack(facts);
  if (!signedByCa) return saysAuthorityLack(facts) ?? 'it is not signed by the CA stored with it';
  const invalid = validityFault(certificate, now);
  return invalid && `it ${invalid}`;
}
