import type { KeyObject } from 'node:crypto';
import { AUTHORITY_VALIDITY_MS, DATED_BACK_MS } from '../mesh/certificates/certificate.ts';
import { buildCertificate, distinguishedName, generateRsaKey, type KeyPair, keyToPem } from './certificate.ts';
import { bits, boolean, extension, keyIdentifierOf, OID, sequence } from './certificate-der.ts';

/** A certificate authority as PEM. The certificate may be a bundle in which the key belongs to one of its entries. */
export interface Authority {
  certificate: string;
  privateKey: string;
}

export interface AuthorityOptions {
  /** Default `Cilium CA`, as Cilium's chart names it. */
  commonName?: string;
  validityMs?: number;
  /** Bits of the RSA key. */
  keySize?: number;
  /** Its key, instead of a new RSA one. */
  key?: KeyPair | undefined;
  now?: Date;
}

/** Makes a self-signed CA, to be kept in Secret cilium-ca. */
export async function createAuthority({
  commonName = 'Cilium CA',
  validityMs = AUTHORITY_VALIDITY_MS,
  keySize = 2048,
  key,
  now = new Date(),
}: AuthorityOptions = {}): Promise<Authority> {
  const { publicKey, privateKey } = key ?? (await generateRsaKey(keySize));
  return {
    certificate: selfSign(commonName, publicKey, privateKey, validityMs, now),
    privateKey: keyToPem(privateKey),
  };
}

function selfSign(commonName: string, publicKey: Buffer, key: KeyObject, validityMs: number, now: Date): string {
  const name = distinguishedName(commonName);
  // digitalSignature, keyCertSign, cRLSign: bits 0, 5 and 6 of KeyUsage.
  const keyUsage = bits(Buffer.from([0b1000_0110]), 1);
  return buildCertificate(
    {
      subject: name,
      issuer: name,
      notBefore: new Date(now.getTime() - DATED_BACK_MS),
      notAfter: new Date(now.getTime() + validityMs),
      publicKey,
      authorityKeyIdentifier: keyIdentifierOf(publicKey),
      extensions: [
        extension(OID.basicConstraints, sequence(boolean(true)), { critical: true }),
        extension(OID.keyUsage, keyUsage, { critical: true }),
      ],
    },
    key,
  );
}
