import { saysLacking } from '../certificates/ca-bundle.ts';
import type { CertificateUsage, TlsFiles, TrustBundle } from '../certificates/certificate.ts';
import { validityFault } from '../certificates/cluster-certificates.ts';
import { distrusts, lackingBundle } from '../certificates/trust.ts';
import type { ServeFaultId } from './fault.ts';

export interface FoundInCertificate {
  id: ServeFaultId;
  says: string;
  key?: string;
  /** The bundle that lacks its CA. */
  lacking?: TrustBundle;
}

/**
 * What is wrong with one of a cluster's own certificates, by what whoever presents it has; undefined where nothing is.
 * @param what it is, in words
 * @param use what it must be for
 * @param server of a client's certificate the one that must accept it
 */
export function certificateFault(
  { what, use }: { what: string; use: CertificateUsage },
  files: TlsFiles | undefined,
  server: TlsFiles | undefined,
  now: Date,
): FoundInCertificate | undefined {
  if (!files) return { id: 'certificate-missing', says: `${what} is missing` };
  const { certificate, privateKey, ca, signedByCa, bundle } = files;
  if (certificate === 'missing') return { id: 'certificate-missing', says: `${what} is missing`, key: 'tls.crt' };
  if (certificate === 'unreadable') {
    return { id: 'certificate-unreadable', says: `${what} cannot be read`, key: 'tls.crt' };
  }
  if (privateKey === 'missing')
    return { id: 'certificate-missing', says: `the private key of ${what} is missing`, key: 'tls.key' };
  if (privateKey === 'unreadable') {
    return { id: 'certificate-unreadable', says: `the private key of ${what} cannot be read`, key: 'tls.key' };
  }
  if (privateKey === 'other') {
    return {
      id: 'certificate-key',
      says: `the private key belongs to a different certificate than ${what}`,
      key: 'tls.key',
    };
  }
  if (!bundle && ca === 'missing')
    return { id: 'certificate-missing', says: `the CA certificate of ${what} is missing`, key: 'ca.crt' };
  if (!bundle && ca === 'unreadable') {
    return { id: 'certificate-unreadable', says: `the CA certificate of ${what} cannot be read`, key: 'ca.crt' };
  }
  const invalid = validityFault(certificate, now);
  if (invalid) return { id: 'certificate-expired', says: `${what} ${invalid}`, key: 'tls.crt' };
  if (!certificate.usages.includes(use)) {
    return { id: 'certificate-usage', says: `${what} is not for ${use} use`, key: 'tls.crt' };
  }
  const lacking = lackingBundle(files);
  if (lacking) {
    return { id: 'certificate-issuer', says: saysLacking(lacking), lacking };
  }
  if (!bundle && !signedByCa) {
    return {
      id: 'certificate-issuer',
      says: `${what} is not signed by the CA stored with it`,
      key: 'tls.crt',
    };
  }
  if (server && typeof ca === 'object' && distrusts(server, ca)) {
    return { id: 'certificate-issuer', says: `${what} is from a CA that this cluster's etcd does not accept` };
  }
  return undefined;
}
