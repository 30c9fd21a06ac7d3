import { createPrivateKey, type KeyObject, type X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { type CertificateSpec, CILIUM_VALIDITY_MS, DATED_BACK_MS } from '../mesh/certificates/certificate.ts';
import { MeshctlError } from '../mesh/errors.ts';
import type { Authority } from './authority.ts';
import { buildCertificate, distinguishedName, generateRsaKey, type KeyPair, keyToPem } from './certificate.ts';
import {
  bits,
  bytesOf,
  decode,
  extension,
  GENERAL_NAME,
  keyIdentifierOf,
  OID,
  objectIdentifier,
  parseCertificateDer,
  sequence,
  tagged,
} from './certificate-der.ts';
import { certificatesOf, certificateToPem } from './pem.ts';

/** An issued certificate and its private key as PEM. */
export interface IssuedCertificate {
  certificate: string;
  privateKey: string;
}

export interface IssueOptions {
  /** Default: Cilium's three years. */
  validityMs?: number;
  /** Bits of the RSA key. */
  keySize?: number;
  /** Certified instead of a new one: several certificates of one holder may share it. */
  key?: KeyPair | undefined;
  now?: Date;
}

/**
 * Issues a leaf certificate for a key, a new RSA one unless it is given, signed by a CA with an RSA, ECDSA or Ed25519 key.
 *
 * The certificate is valid from some minutes ago and never outlives its CA: with less of the CA's time left than
 * `validityMs`, it ends with the CA. Throws `CertificateAuthority` when the CA cannot sign: unreadable, no CA, expired,
 * or its key is another's.
 */
export async function issueCertificate(
  authority: Authority,
  spec: CertificateSpec & { organization?: string },
  { validityMs = CILIUM_VALIDITY_MS, keySize = 2048, key, now = new Date() }: IssueOptions = {},
): Promise<IssuedCertificate> {
  const { publicKey, privateKey } = key ?? (await generateRsaKey(keySize));
  return { certificate: certifyKey(authority, spec, publicKey, { validityMs, now }), privateKey: keyToPem(privateKey) };
}

/**
 * The same for a key of which only the public half is here: its holder keeps the other one.
 * @param publicKey SubjectPublicKeyInfo, DER
 * @returns PEM
 */
export function certifyKey(
  authority: Authority,
  spec: CertificateSpec & { organization?: string },
  publicKey: Buffer,
  { validityMs = CILIUM_VALIDITY_MS, now = new Date() }: Pick<IssueOptions, 'validityMs' | 'now'> = {},
): string {
  const signer = readSigner(authority, now);
  return buildCertificate(
    {
      subject: distinguishedName(spec.commonName, spec.organization),
      issuer: signer.subject,
      notBefore: new Date(now.getTime() - DATED_BACK_MS),
      notAfter: new Date(Math.min(now.getTime() + validityMs, signer.notAfter.getTime())),
      publicKey,
      authorityKeyIdentifier: signer.keyIdentifier,
      extensions: leafExtensions(spec),
    },
    signer.key,
  );
}

/**
 * The key of a CA, with the one certificate of its bundle that it belongs to, as PEM.
 * @throws MeshctlError `CertificateAuthority` as {@link issueCertificate}
 */
export function signingPair(authority: Authority, now: Date): { key: KeyObject; certificate: string } {
  const { key, raw } = readSigner(authority, now);
  return { key, certificate: certificateToPem(raw) };
}

function leafExtensions(spec: CertificateSpec) {
  const usages = spec.usages.map((usage) => objectIdentifier(usage === 'server' ? OID.serverAuth : OID.clientAuth));
  const names = [
    ...spec.dnsNames.map((name) => tagged(GENERAL_NAME.dns, Buffer.from(name, 'latin1'))),
    ...spec.ipAddresses.map((address) => tagged(GENERAL_NAME.ip, ipBytes(address))),
  ];
  return [
    extension(OID.basicConstraints, sequence(), { critical: true }),
    // digitalSignature and keyEncipherment: bits 0 and 2 of KeyUsage.
    extension(OID.keyUsage, bits(Buffer.from([0b1010_0000]), 5), { critical: true }),
    extension(OID.extendedKeyUsage, sequence(...usages)),
    ...(names.length === 0 ? [] : [extension(OID.subjectAltName, sequence(...names))]),
  ];
}

function ipBytes(address: string): Buffer {
  // ipaddr.js alone would take "10" or "0x7f.1" for addresses.
  if (isIP(address) === 0) throw new MeshctlError('Bug', `a certificate was asked for the IP address "${address}"`);
  return Buffer.from(ipaddr.parse(address).toByteArray());
}

interface Signer {
  key: KeyObject;
  /** The CA's certificate, DER. */
  raw: Buffer;
  /** As in the CA's certificate, byte for byte: verifiers compare the encoded names. */
  subject: ReturnType<typeof decode>;
  keyIdentifier: Buffer;
  notAfter: Date;
}

function readSigner(authority: Authority, now: Date): Signer {
  const key = readPrivateKey(authority.privateKey);
  const certificate = readAuthorityCertificates(authority.certificate).find((entry) => entry.checkPrivateKey(key));
  if (certificate === undefined) {
    throw new MeshctlError('CertificateAuthority', "the CA's private key does not belong to its certificate", {
      hint: 'Put the certificate and the key of one CA into the Secret.',
    });
  }
  if (!certificate.ca) {
    throw new MeshctlError('CertificateAuthority', `the certificate "${nameOf(certificate)}" is not that of a CA`, {
      hint: 'Use a certificate with the basic constraint CA:TRUE.',
    });
  }
  const notAfter = new Date(certificate.validTo);
  if (notAfter <= now) {
    throw new MeshctlError(
      'CertificateAuthority',
      `the CA "${nameOf(certificate)}" expired on ${notAfter.toISOString()}`,
      { hint: 'Replace the CA and reissue all certificates.' },
    );
  }
  const { subject, extensions } = parseCertificateDer(certificate.raw);
  const keyIdentifier = extensions.get(OID.subjectKeyIdentifier);
  return {
    key,
    raw: certificate.raw,
    subject,
    keyIdentifier:
      keyIdentifier === undefined
        ? keyIdentifierOf(certificate.publicKey.export({ type: 'spki', format: 'der' }))
        : bytesOf(decode(keyIdentifier)),
    notAfter,
  };
}

function readPrivateKey(pem: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch {
    // Without the cause: OpenSSL's error says nothing of use, and nothing near a key should travel.
    throw new MeshctlError('CertificateAuthority', "the CA's private key is not readable", {
      hint: 'It must be an unencrypted PEM private key.',
    });
  }
}

function readAuthorityCertificates(pem: string): X509Certificate[] {
  try {
    return certificatesOf(pem);
  } catch (cause) {
    throw new MeshctlError('CertificateAuthority', "the CA's certificate is not readable", { cause });
  }
}

function nameOf(certificate: X509Certificate): string {
  return certificate.subject?.replaceAll('\n', ', ') ?? '';
}
