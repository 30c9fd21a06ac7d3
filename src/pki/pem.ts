import { X509Certificate } from 'node:crypto';
import { certificateBlocks } from '../mesh/certificates/pem.ts';
import { remembered } from '../mesh/remembered.ts';

/** A certificate's DER as PEM. */
export function certificateToPem(der: Buffer): string {
  return toPem(der, 'CERTIFICATE');
}

/** DER as PEM, in lines of 64 characters (RFC 7468), with a final newline. */
export function toPem(der: Buffer, label: string): string {
  const lines = der.toString('base64').replace(/.{1,64}/g, '$&\n');
  return `-----BEGIN ${label}-----\n${lines}-----END ${label}-----\n`;
}

/** OpenSSL takes as long to read one certificate as all else takes that is made of it. */
const certificateIn = remembered((block: string) => new X509Certificate(block), 200);

/** Every certificate in a PEM text, in its order. Throws node:crypto's error when one of them is not readable. */
export function certificatesOf(pem: string): X509Certificate[] {
  return certificateBlocks(pem).map(certificateIn);
}
