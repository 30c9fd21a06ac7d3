import { type KeyObject, sign as signBytes } from 'node:crypto';
import { MeshctlError } from '../mesh/errors.ts';
import { bits, type decode, encode, nothing, objectIdentifier, sequence } from './certificate-der.ts';

type Asn1 = ReturnType<typeof decode>;

interface SignatureAlgorithm {
  identifier: Asn1;
  /** node:crypto's name of the digest; null where the algorithm brings its own. */
  digest: string | null;
}

/** Signature algorithms of EC keys by their curve: the digest as strong as the curve (RFC 5758). */
const ECDSA: Readonly<Record<string, { oid: string; digest: string }>> = {
  prime256v1: { oid: '1.2.840.10045.4.3.2', digest: 'sha256' },
  secp384r1: { oid: '1.2.840.10045.4.3.3', digest: 'sha384' },
  secp521r1: { oid: '1.2.840.10045.4.3.4', digest: 'sha512' },
};

/** The algorithm with which a key signs certificates. Throws `CertificateAuthority` for keys that Go's TLS does not take. */
export function signatureAlgorithmOf(key: KeyObject): SignatureAlgorithm {
  if (key.asymmetricKeyType === 'rsa') {
    return { identifier: sequence(objectIdentifier('1.2.840.113549.1.1.11'), nothing()), digest: 'sha256' };
  }
  if (key.asymmetricKeyType === 'ed25519') {
    return { identifier: sequence(objectIdentifier('1.3.101.112')), digest: null };
  }
  const curve = key.asymmetricKeyDetails?.namedCurve;
  const ecdsa = key.asymmetricKeyType === 'ec' && curve !== undefined ? ECDSA[curve] : undefined;
  if (ecdsa === undefined) {
    throw new MeshctlError(
      'CertificateAuthority',
      `the CA has a key of type ${[key.asymmetricKeyType, curve].filter(Boolean).join(' ')}, which cannot sign certificates for etcd`,
      { hint: 'Use a CA with an RSA, ECDSA (P-256, P-384, P-521) or Ed25519 key.' },
    );
  }
  return { identifier: sequence(objectIdentifier(ecdsa.oid)), digest: ecdsa.digest };
}

/** Signs a TBSCertificate that names `algorithm`, or the content of a request, and gives the DER of both. */
export function signCertificate(tbs: Asn1, algorithm: SignatureAlgorithm, key: KeyObject): Buffer {
  const signature = signBytes(algorithm.digest, encode(tbs), key);
  return encode(sequence(tbs, algorithm.identifier, bits(signature)));
}
