/**
 * How far `notBefore` of a new certificate lies in the past, for clusters whose clocks are behind the operator's. More than
 * others take (certgen and cert-manager: five minutes and none): one that is not valid yet cuts peers off until it is.
 */
export const DATED_BACK_MS = 15 * 60 * 1000;

/** Cilium's default, in Helm values `tls.…certValidityDuration` (days). */
export const CILIUM_VALIDITY_MS = 1095 * 24 * 60 * 60 * 1000;

/**
 * Ten years. Cilium's chart gives its CA the three years of its certificates, so that all of them end on one day;
 * but a new CA means a restart of every clustermesh-apiserver and a new exchange between all peers, so it should come
 * rarely, and by intent.
 */
export const AUTHORITY_VALIDITY_MS = 3650 * 24 * 60 * 60 * 1000;

/** Key usages that Cluster Mesh certificates need. */
export type CertificateUsage = 'server' | 'client';

/** What a leaf certificate must be; `pki/` issues it. */
export interface CertificateSpec {
  commonName: string;
  usages: readonly CertificateUsage[];
  dnsNames: readonly string[];
  /** Textual IPv4 or IPv6 addresses. */
  ipAddresses: readonly string[];
}

/** What `pki/` read from a certificate, enough to decide whether it can stay. Holds nothing secret. */
export interface CertificateFacts {
  commonName: string;
  issuerCommonName: string;
  /** Serial number, hexadecimal. */
  serial: string;
  dnsNames: readonly string[];
  ipAddresses: readonly string[];
  usages: readonly CertificateUsage[];
  isCa: boolean;
  notBefore: Date;
  notAfter: Date;
  /** The name of the CA in its chain with which it ends, where it would be valid for longer by itself. */
  endsWith?: string | undefined;
  /** Until when it would be valid by itself, where it ends with a CA of its chain. */
  ownNotAfter?: Date | undefined;
  /** The name of the CA in its chain with which it begins, and since when it would be valid by itself, where it began before. */
  beginsWith?: string | undefined;
  ownNotBefore?: Date | undefined;
  /** SHA-256 of the DER bytes, lower-case hexadecimal. */
  sha256: string;
  /** SHA-256 of the subject public key info, lower-case hexadecimal: equal for two certificates of one key. */
  publicKeySha256: string;
  /** Its key identifier, and that of the CA that issued it, hexadecimal (RFC 5280, 4.2.1.1 and 4.2.1.2); what has neither does not tell. */
  keyId?: string | undefined;
  issuerKeyId?: string | undefined;
  /** Bits of an RSA key; undefined for other kinds of keys. */
  keyBits?: number | undefined;
}

/** A file that is not there, or that is and holds nothing of its kind. */
export type FileLack = 'missing' | 'unreadable';

/** The CAs by which programs verify that have them from elsewhere than from beside their certificate, see ca-bundle.ts. */
export interface TrustBundle {
  /** `ConfigMap kube-system/cilium-root-ca.crt`. */
  object: string;
  /** Its certificates; undefined where it may not be read. */
  authorities?: readonly CertificateFacts[] | undefined;
  /** PEM; not secret. */
  pem: string;
}

/** The three files of a TLS identity, each as far as it can be read. Holds nothing secret. */
export interface TlsFiles {
  certificate: CertificateFacts | FileLack;
  /** Told only where the certificate can be read; else `other` for any key. */
  privateKey: 'matches' | 'other' | FileLack;
  /** Of a bundle, the CA that signed the certificate, else the first. */
  ca: CertificateFacts | FileLack;
  /** Whether one of the CAs that are with it signed the certificate. */
  signedByCa: boolean;
  /** Where none of those did, the CA that signed it, as far as the cluster has it anywhere. */
  issuer?: CertificateFacts | undefined;
  /** The certificates that are sent along with it, where no CA is known that signed it. */
  links?: readonly CertificateFacts[] | undefined;
  /** Every certificate of the bundle `ca`, in its order. */
  authorities: readonly CertificateFacts[];
  /** Where programs that present it verify by other CAs than by those that are with it. */
  bundle?: TrustBundle | undefined;
}

/** A `kubernetes.io/tls` Secret's content as facts. */
export interface TlsSecretFacts {
  certificate: CertificateFacts;
  /** The CA in the same Secret (`ca.crt`), absent when missing or unreadable. */
  ca?: CertificateFacts | undefined;
  /** What there is instead, where there is none. */
  caLack?: FileLack | undefined;
  /**
   * Every certificate of `ca.crt`, in its order, {@link ca} among them: while a CA is being replaced, the new one and the
   * former. Absent means that `ca` is the only one.
   */
  authorities?: readonly CertificateFacts[] | undefined;
  /** Where programs that present it verify by other CAs than by those that are with it. */
  bundle?: TrustBundle | undefined;
  /** Whether the private key belongs to the certificate. */
  keyMatches: boolean;
  /** What there is instead of a private key; absent where there is one, be it of another certificate. */
  keyLack?: FileLack | undefined;
  /** Whether the certificate's signature verifies with `ca`. */
  signedByCa: boolean;
  /** See {@link TlsFiles}, as `links`. */
  issuer?: CertificateFacts | undefined;
  links?: readonly CertificateFacts[] | undefined;
}
