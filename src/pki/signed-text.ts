import { createHash, type KeyObject, randomBytes, sign, verify } from 'node:crypto';
import { generateRsaKey, type KeyPair, keyToPem } from './certificate.ts';
import { certificatesOf } from './pem.ts';
import { signatureAlgorithmOf } from './sign.ts';

/** A signature of a text, apart from it. @returns base64 */
export function signText(text: string, key: KeyObject): string {
  return sign(signatureAlgorithmOf(key).digest, Buffer.from(text, 'utf8'), key).toString('base64');
}

/** Whether the key of a certificate (of several, the first) signed a text. @param signature base64; anything else is none */
export function isSignedBy(text: string, signature: string, certificate: string): boolean {
  try {
    const [signer] = certificatesOf(certificate);
    if (!signer) return false;
    const bytes = Buffer.from(signature, 'base64');
    // One signature has one form: what decodes to the same bytes is not taken for it.
    if (bytes.toString('base64') !== signature) return false;
    const { digest } = signatureAlgorithmOf(signer.publicKey);
    return verify(digest, Buffer.from(text, 'utf8'), signer.publicKey, bytes);
  } catch {
    return false;
  }
}

/** A new key for which somebody else signs the certificate. */
export async function newHeldKey(keySize: number): Promise<KeyPair & { pem: string }> {
  const pair = await generateRsaKey(keySize);
  return { ...pair, pem: keyToPem(pair.privateKey) };
}

/** SHA-256 of a text, hexadecimal. */
export function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** A name that nobody else will come upon: 96 random bits, hexadecimal. */
export function randomId(): string {
  return randomBytes(12).toString('hex');
}
