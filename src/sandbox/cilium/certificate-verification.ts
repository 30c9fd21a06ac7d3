/**
 * What Go's crypto/x509 says of a certificate, so that a stand-in refuses what Cilium and etcd would refuse, in their
 * words. Node's own verification cannot be used: it follows the machine's clock, not the sandbox's.
 */
import type { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import type { CertificateUsage } from '../../mesh/certificates/certificate.ts';
import { remembered } from '../../mesh/remembered.ts';
import { certificatesOf } from '../../pki/pem.ts';
import { readCertificate } from '../../pki/read.ts';

export interface VerifyOptions {
  roots: readonly X509Certificate[];
  now: Date;
  usage: CertificateUsage;
  /** The host dialled; absent for client certificates. */
  host?: string;
}

/** Why `leaf` is not to be trusted, in the order of Go's Certificate.Verify; undefined when it is. */
export function verifyCertificate(leaf: X509Certificate, options: VerifyOptions): string | undefined {
  return (
    expiry(leaf, options.now) ??
    (options.host === undefined ? undefined : hostMismatch(leaf, options.host)) ??
    untrusted(leaf, options)
  );
}

/** The certificates of a PEM text. Throws an Error for a certificate that is not readable. */
export function parseCertificates(pem: string): X509Certificate[] {
  return certificatesOf(pem);
}

/** The subject's common name. */
export function commonNameOf(certificate: X509Certificate): string {
  return readCertificate(certificate.toString()).commonName;
}

/** The TLS alert that Go's server sends for a client certificate that failed so (crypto/tls, processCertsFromClient). */
export function alertFor(failure: string): string {
  if (failure.includes('unknown authority')) return 'remote error: tls: unknown certificate authority';
  if (failure.includes('has expired')) return 'remote error: tls: expired certificate';
  return 'remote error: tls: bad certificate';
}

function expiry(certificate: X509Certificate, now: Date): string | undefined {
  const says = 'x509: certificate has expired or is not yet valid: current time';
  const notBefore = new Date(certificate.validFrom);
  const notAfter = new Date(certificate.validTo);
  if (now < notBefore) return `${says} ${seconds(now)} is before ${seconds(notBefore)}`;
  if (now > notAfter) return `${says} ${seconds(now)} is after ${seconds(notAfter)}`;
  return undefined;
}

function hostMismatch(certificate: X509Certificate, host: string): string | undefined {
  const { ipAddresses, dnsNames } = readCertificate(certificate.toString());
  if (isIP(host)) {
    if (certificate.checkIP(host) !== undefined) return undefined;
    if (ipAddresses.length === 0)
      return `x509: cannot validate certificate for ${host} because it doesn't contain any IP SANs`;
    return `x509: certificate is valid for ${ipAddresses.join(', ')}, not ${host}`;
  }
  if (certificate.checkHost(host, { subject: 'never' }) !== undefined) return undefined;
  if (dnsNames.length === 0) return `x509: certificate is not valid for any names, but wanted to match ${host}`;
  return `x509: certificate is valid for ${dnsNames.join(', ')}, not ${host}`;
}

/** Whoever dials does so again and again, with the same certificate. */
const isSignedBy = remembered(
  ({ leaf, root }: Record<'leaf' | 'root', X509Certificate>) => leaf.checkIssued(root) && leaf.verify(root.publicKey),
  200,
  ({ leaf, root }) => `${leaf.fingerprint256} ${root.fingerprint256}`,
);

function untrusted(leaf: X509Certificate, { roots, now, usage }: VerifyOptions): string | undefined {
  const issuer = roots.find((root) => isSignedBy({ leaf, root }));
  if (!issuer) {
    const namesake = roots.find((root) => root.subject === leaf.issuer);
    const hint = namesake
      ? ` (possibly because of "crypto/rsa: verification error" while trying to verify candidate authority certificate "${commonNameOf(namesake)}")`
      : '';
    return `x509: certificate signed by unknown authority${hint}`;
  }
  const expired = expiry(issuer, now);
  if (expired) return expired;
  // Of the whole chain, its root included (crypto/x509, checkChainForKeyUsage).
  const isForIt = (certificate: X509Certificate) => readCertificate(certificate.toString()).usages.includes(usage);
  return [leaf, issuer].every(isForIt) ? undefined : 'x509: certificate specifies an incompatible key usage';
}

function seconds(date: Date): string {
  return `${date.toISOString().slice(0, 19)}Z`;
}
