import { createHash, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import tls from 'node:tls';
import { certificateBlocks } from '../mesh/certificates/pem.ts';
import { remembered } from '../mesh/remembered.ts';
import { EtcdReadError, type EtcdReadReason, type EtcdSeen } from './read-error.ts';

/** Where an etcd is, and with what a client shows itself to it. */
export interface EtcdRead {
  /** A raw connection to etcd's client port, e.g. a port-forward. It is used up: destroyed at the end in any case. */
  socket: Duplex;
  /** PEM; one certificate or a bundle. */
  ca: string;
  /** The client's certificate and key, PEM, in memory only. */
  certificate: string;
  privateKey: string;
  /** A DNS name or IP address that etcd's certificate must hold. */
  serverName: string;
  /** Further ones that it must hold. */
  otherNames?: readonly string[] | undefined;
  /** The one certificate that it must show: SHA-256 of the DER bytes, lower-case hexadecimal. */
  shows?: string | undefined;
  timeoutMs: number;
  signal?: AbortSignal | undefined;
  /** The time of the cluster that etcd is in: a certificate that is valid then is, whatever this machine's clock shows. */
  at?: Date | undefined;
}

/** One credential is tried with every pod, again and again; OpenSSL takes longer to read it than for a handshake. */
const contextOf = remembered(
  ({ ca, certificate, privateKey }: EtcdRead) =>
    tls.createSecureContext({
      ca,
      cert: certificate,
      key: privateKey,
      // As in Go, in which the real clients are written: any certificate of the bundle is an anchor.
      allowPartialTrustChain: true,
    }),
  20,
  ({ ca, certificate, privateKey }) =>
    createHash('sha256')
      .update(JSON.stringify([ca, certificate, privateKey]))
      .digest('base64'),
);

/**
 * TLS over a connection that is there already, as a client of etcd does it.
 * @throws EtcdReadError with what of the handshake failed
 */
export function shakeHands(read: EtcdRead): Promise<tls.TLSSocket> {
  return new Promise((resolve, reject) => {
    let secured: tls.TLSSocket;
    try {
      secured = tls.connect({
        socket: read.socket,
        secureContext: contextOf(read),
        // An IP address is checked against the certificate, but not sent as SNI.
        ...(isIP(read.serverName) ? { host: read.serverName } : { servername: read.serverName }),
        ALPNProtocols: ['h2'],
        // OpenSSL verifies all the same, and nothing is sent before its verdict is heeded.
        rejectUnauthorized: false,
      });
    } catch (error) {
      reject(new EtcdReadError('protocol', 'the certificate, its key or the CA is not usable', error));
      return;
    }
    secured.once('secureConnect', () => {
      const error = verdictOn(secured, read);
      if (!error) return resolve(secured);
      reject(error);
      secured.destroy();
    });
    secured.on('error', (error) => reject(handshakeError(error)));
    secured.once('close', () =>
      reject(new EtcdReadError('unavailable', 'the connection closed during the TLS handshake')),
    );
  });
}

/** Why the certificate that etcd has shown is not taken; undefined where it is. */
function verdictOn(secured: tls.TLSSocket, read: EtcdRead): EtcdReadError | undefined {
  if (secured.authorized) return undefined;
  // Node has there a code where OpenSSL gave one, else the error.
  const found: unknown = secured.authorizationError;
  const code = typeof found === 'string' ? found : ((found as NodeJS.ErrnoException | null)?.code ?? '');
  if (OF_TIME.includes(code) && isValidAt(secured, read)) return undefined;
  const cert = secured.getPeerCertificate();
  return handshakeError(Object.assign(new Error(code || 'etcd shows no certificate'), { code, cert }));
}

/**
 * Whether a certificate that OpenSSL refuses for its time, by this machine's clock, is one that a client in the cluster takes: signed by
 * one of the CAs itself, both in time by the cluster's clock, for servers and for the name. Signed by way of another one, it is not.
 */
function isValidAt(secured: tls.TLSSocket, { at, ca, serverName }: EtcdRead): boolean {
  const shown = secured.getPeerCertificate();
  if (!at || !shown.raw) return false;
  const leaf = new X509Certificate(shown.raw);
  const isInTime = ({ validFrom, validTo }: X509Certificate) => new Date(validFrom) <= at && at < new Date(validTo);
  const isFromIt = (signer: X509Certificate) => signer.ca && leaf.checkIssued(signer) && leaf.verify(signer.publicKey);
  const signers = certificateBlocks(ca).map((pem) => new X509Certificate(pem));
  return (
    isInTime(leaf) &&
    signers.some((signer) => isInTime(signer) && isFromIt(signer)) &&
    (leaf.keyUsage ?? []).includes(SERVER_AUTH) &&
    tls.checkServerIdentity(serverName, shown) === undefined
  );
}

const OF_TIME: readonly string[] = ['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID'];
/** id-kp-serverAuth (RFC 5280). Node has the extended key usage under the name of the other one. */
const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';

/** Sees that etcd's certificate holds further names. @throws EtcdReadError `tls-name` where etcd's certificate lacks one of these names */
export function checkOtherNames(secured: tls.TLSSocket, names: readonly string[]): void {
  if (names.length === 0) return;
  const certificate = secured.getPeerCertificate();
  const uncovered = names.filter((name) => tls.checkServerIdentity(name, certificate) !== undefined);
  if (uncovered.length === 0) return;
  throw new EtcdReadError(
    'tls-name',
    `etcd's certificate does not hold ${uncovered.join(', ')}`,
    undefined,
    digestOf(certificate),
  );
}

/** Sees that etcd shows a certificate and no other. @throws EtcdReadError `tls-not-shown` where it does not, as before its files have changed */
export function checkShown(secured: tls.TLSSocket, shows: string | undefined): void {
  const seen = digestOf(secured.getPeerCertificate());
  if (shows === undefined || seen.certificateSha256 === shows) return;
  throw new EtcdReadError('tls-not-shown', 'etcd shows another certificate', undefined, seen);
}

const HANDSHAKE_REASONS: Readonly<Record<string, [EtcdReadReason, string]>> = {
  CERT_HAS_EXPIRED: ['tls-expired', "etcd's certificate has expired"],
  CERT_NOT_YET_VALID: ['tls-expired', "etcd's certificate is not valid yet"],
  ERR_TLS_CERT_ALTNAME_INVALID: ['tls-name', "etcd's certificate is for other names"],
};

/** What OpenSSL says of a chain that does not end in the CA, or whose signature is not the CA's. */
const UNKNOWN_CA: ReadonlySet<string> = new Set([
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'INVALID_CA',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

/** Of an error about names, Node tells which certificate it is about. */
function handshakeError(error: NodeJS.ErrnoException & { cert?: tls.PeerCertificate }): EtcdReadError {
  const code = error.code ?? '';
  const known = HANDSHAKE_REASONS[code];
  if (known) return new EtcdReadError(known[0], known[1], error, digestOf(error.cert));
  if (UNKNOWN_CA.has(code))
    return new EtcdReadError('tls-unknown-ca', "etcd's certificate is from a different CA", error);
  if (isAlert(error)) return clientRejected(error);
  if (code.startsWith('ERR_SSL_') || code === 'EPROTO') {
    return new EtcdReadError('protocol', 'it does not speak TLS as etcd does', error);
  }
  return new EtcdReadError('unavailable', error.message, error);
}

function digestOf(certificate: tls.PeerCertificate | undefined): EtcdSeen {
  return { certificateSha256: certificate?.fingerprint256?.replaceAll(':', '').toLowerCase() };
}

/** With TLS 1.3 the client is done before the server has looked at its certificate: the alert comes later. */
export function isAlert(error: NodeJS.ErrnoException): boolean {
  return /^ERR_SSL_.*ALERT/.test(error.code ?? '');
}

/** Of an alert, or of a connection that etcd closed on seeing the certificate. */
export function clientRejected(cause?: unknown): EtcdReadError {
  const alert = /alert ([a-z ]+)/.exec(cause instanceof Error ? cause.message : '')?.[1]?.trim();
  return new EtcdReadError(
    'tls-client-rejected',
    `etcd refuses the client certificate${alert ? ` (${alert})` : ''}`,
    cause,
    { alert },
  );
}
