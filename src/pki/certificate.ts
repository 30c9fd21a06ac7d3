import { generateKeyPair, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import {
  decode,
  explicit,
  extension,
  integer,
  keyIdentifierOf,
  OID,
  objectIdentifier,
  octets,
  sequence,
  set,
  tagged,
  time,
  utf8,
} from './certificate-der.ts';
import { certificateToPem } from './pem.ts';
import { signatureAlgorithmOf, signCertificate } from './sign.ts';

type Asn1 = ReturnType<typeof decode>;

const generateKeyPairAsync = promisify(generateKeyPair);

/** A key pair in memory: RSA, or EC where whoever reads it is known to take it. */
export interface KeyPair {
  /** SubjectPublicKeyInfo, DER. */
  publicKey: Buffer;
  privateKey: KeyObject;
}

/** A new RSA key pair; node:crypto makes it on a worker thread. */
export async function generateRsaKey(keySize: number): Promise<KeyPair> {
  const { publicKey, privateKey } = await generateKeyPairAsync('rsa', { modulusLength: keySize });
  return { publicKey: publicKey.export({ type: 'spki', format: 'der' }), privateKey };
}

/** A new key pair on the curve P-256, which is made and used a thousand times as quickly. */
export function generateEcKey(): KeyPair {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { publicKey: publicKey.export({ type: 'spki', format: 'der' }), privateKey };
}

/** An RSA key as `RSA PRIVATE KEY` (PKCS #1), the form that every tool around Cilium reads (Helm's sprig, certgen, etcd). */
export function keyToPem(key: KeyObject): string {
  return key.export({ type: key.asymmetricKeyType === 'rsa' ? 'pkcs1' : 'pkcs8', format: 'pem' }).toString();
}

export interface CertificateContent {
  subject: Asn1;
  issuer: Asn1;
  notBefore: Date;
  notAfter: Date;
  /** SubjectPublicKeyInfo, DER. */
  publicKey: Buffer;
  authorityKeyIdentifier: Buffer;
  /** Besides the key identifiers, which every certificate gets. */
  extensions: readonly Asn1[];
}

/** Puts a version 3 certificate together, with a random serial number, and signs it. Gives PEM. */
export function buildCertificate(content: CertificateContent, signingKey: KeyObject): string {
  const algorithm = signatureAlgorithmOf(signingKey);
  const tbs = sequence(
    explicit(0, integer(Buffer.from([2]))),
    integer(randomSerial()),
    algorithm.identifier,
    content.issuer,
    sequence(time(content.notBefore), time(content.notAfter)),
    content.subject,
    decode(content.publicKey),
    explicit(
      3,
      sequence(
        ...content.extensions,
        extension(OID.subjectKeyIdentifier, octets(keyIdentifierOf(content.publicKey))),
        extension(OID.authorityKeyIdentifier, sequence(tagged(0, content.authorityKeyIdentifier))),
      ),
    ),
  );
  return certificateToPem(signCertificate(tbs, algorithm, signingKey));
}

/** A Name with a common name and, before it, an organization. */
export function distinguishedName(commonName: string, organization?: string): Asn1 {
  const attribute = (oid: string, value: string) => set(sequence(objectIdentifier(oid), utf8(value)));
  return sequence(
    ...(organization === undefined ? [] : [attribute(OID.organization, organization)]),
    attribute(OID.commonName, commonName),
  );
}

/** 126 random bits, positive and without leading zero bytes. */
function randomSerial(): Buffer {
  const serial = randomBytes(16);
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40;
  return serial;
}
