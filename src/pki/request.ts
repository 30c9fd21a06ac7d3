import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import { MeshctlError } from '../mesh/errors.ts';
import { distinguishedName, type KeyPair } from './certificate.ts';
import { bits, bytesOf, childrenOf, decode, emptySet, encode, integer, sequence } from './certificate-der.ts';
import { toPem } from './pem.ts';
import { signatureAlgorithmOf, signCertificate } from './sign.ts';

/*
 * Requests for a certificate (PKCS #10, RFC 2986): whoever signs learns the public key, and that somebody holds the other
 * half. What the certificate is for is the signer's to say, so of the names in a request nothing is taken over.
 */

const LABEL = 'CERTIFICATE REQUEST';
const REQUEST = /^\s*-----BEGIN CERTIFICATE REQUEST-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE REQUEST-----\s*$/;
const LEAST_RSA_BITS = 2048;

/** A request for a certificate of this key. @returns PEM */
export function createRequest(commonName: string, { publicKey, privateKey }: KeyPair): string {
  const algorithm = signatureAlgorithmOf(privateKey);
  const content = sequence(integer(Buffer.from([0])), distinguishedName(commonName), decode(publicKey), emptySet(0));
  return toPem(signCertificate(content, algorithm, privateKey), LABEL);
}

/**
 * The public key that a request is for, once it is proved that the other half signed it.
 * @returns SubjectPublicKeyInfo, DER
 * @throws MeshctlError `CertificateAuthority` for what is no such request, is signed by another key, or is too weak
 */
export function readRequest(pem: string): Buffer {
  const refuse = (why: string) => new MeshctlError('CertificateAuthority', `the certificate request ${why}`);
  let key: KeyObject;
  let isSigned: boolean;
  try {
    const der = Buffer.from(REQUEST.exec(pem)?.[1] ?? '', 'base64');
    const [content, , signature] = childrenOf(decode(der));
    const spki = childrenOf(content)[2];
    if (!content || !signature || !spki) throw new Error('not a request');
    key = createPublicKey({ key: encode(spki), format: 'der', type: 'spki' });
    const { digest, identifier } = signatureAlgorithmOf(key);
    // Bytes that could be read in two ways are in neither.
    const isPlain = encode(sequence(content, identifier, bits(bitsOf(signature)))).equals(der);
    isSigned = isPlain && verify(digest, encode(content), key, bitsOf(signature));
  } catch {
    throw refuse('cannot be read');
  }
  if (!isSigned) throw refuse('is not signed by the key that it is for');
  const { modulusLength } = key.asymmetricKeyDetails ?? {};
  if (modulusLength !== undefined && modulusLength < LEAST_RSA_BITS) {
    throw refuse(`is for a key of ${modulusLength} bits; at least ${LEAST_RSA_BITS} are needed`);
  }
  return key.export({ format: 'der', type: 'spki' });
}

/** The bits of a BIT STRING, however forge has taken it. */
function bitsOf(node: ReturnType<typeof decode>): Buffer {
  const { bitStringContents } = node as { bitStringContents?: string };
  const bytes = bitStringContents === undefined ? bytesOf(node) : Buffer.from(bitStringContents, 'latin1');
  // The first byte counts the bits of the last one that do not count.
  return bytes.subarray(1);
}
