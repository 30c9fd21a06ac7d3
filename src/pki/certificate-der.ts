import { createHash } from 'node:crypto';
// Of forge no more than ASN.1: all of it is seven times as large, which every command would wait for.
import 'node-forge/lib/asn1.js';
import forge from 'node-forge/lib/forge.js';

/*
 * The DER of an X.509 certificate (RFC 5280), taken apart and put together. node-forge does the ASN.1; it cannot sign
 * with EC or Ed25519 keys, so signing is node:crypto's (see sign.ts).
 *
 * forge holds bytes in "binary strings", one char per byte; Buffer calls that encoding latin1.
 */

const { asn1 } = forge;
type Asn1 = forge.asn1.Asn1;

/** The object identifiers that meshctl reads or writes. */
export const OID = {
  commonName: '2.5.4.3',
  organization: '2.5.4.10',
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  authorityKeyIdentifier: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
  anyExtendedKeyUsage: '2.5.29.37.0',
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
} as const;

/** The tags of GeneralName that Cluster Mesh certificates use. */
export const GENERAL_NAME = { dns: 2, ip: 7 } as const;

/** The parts of a certificate that node:crypto does not give. */
export interface CertificateParts {
  issuer: Asn1;
  subject: Asn1;
  /** DER inside each extension, by object identifier. */
  extensions: ReadonlyMap<string, Buffer>;
}

/** Takes a certificate's DER apart. Throws forge's error when it is no certificate. */
export function parseCertificateDer(der: Buffer): CertificateParts {
  const tbs = childrenOf(childrenOf(decode(der))[0]);
  // version is [0] EXPLICIT and absent in version 1 certificates.
  const first = tbs[0]?.tagClass === asn1.Class.CONTEXT_SPECIFIC ? 1 : 0;
  const issuer = tbs[first + 2];
  const subject = tbs[first + 4];
  if (issuer === undefined || subject === undefined) throw new Error('not an X.509 certificate');
  const extensions = new Map<string, Buffer>();
  const wrapped = tbs.find((part, index) => index > first + 5 && part.tagClass !== 0 && Number(part.type) === 3);
  for (const extension of wrapped === undefined ? [] : childrenOf(childrenOf(wrapped)[0])) {
    const fields = childrenOf(extension);
    const value = fields.at(-1);
    if (fields[0] !== undefined && value !== undefined) extensions.set(oidOf(fields[0]), bytesOf(value));
  }
  return { issuer, subject, extensions };
}

/** The last attribute of a type in a Name, e.g. its common name, as text; undefined when the Name has none. */
export function attributeOf(name: Asn1, oid: string): string | undefined {
  const attributes = childrenOf(name).flatMap(childrenOf).map(childrenOf);
  const value = attributes.findLast(([type]) => type !== undefined && oidOf(type) === oid)?.[1];
  if (value === undefined) return undefined;
  if (typeof value.value !== 'string') return undefined;
  // forge decodes BMPString itself, and leaves the others as bytes.
  return value.type === asn1.Type.UTF8 ? forge.util.decodeUtf8(value.value) : value.value;
}

/** DER to forge's tree. */
export function decode(der: Buffer): Asn1 {
  return asn1.fromDer(der.toString('latin1'));
}

/** forge's tree to DER. */
export function encode(node: Asn1): Buffer {
  return Buffer.from(asn1.toDer(node).getBytes(), 'latin1');
}

/** The entries of a constructed value; none for a primitive one. */
export function childrenOf(node: Asn1 | undefined): Asn1[] {
  return node !== undefined && Array.isArray(node.value) ? node.value : [];
}

/** The content of a primitive value. */
export function bytesOf(node: Asn1): Buffer {
  return typeof node.value === 'string' ? Buffer.from(node.value, 'latin1') : Buffer.concat(node.value.map(encode));
}

/** The dotted form of an OBJECT IDENTIFIER. */
export function oidOf(node: Asn1): string {
  return typeof node.value === 'string' ? asn1.derToOid(node.value) : '';
}

/** A SEQUENCE. */
export function sequence(...children: Asn1[]): Asn1 {
  return asn1.create(asn1.Class.UNIVERSAL, asn1.Type.SEQUENCE, true, children);
}

/** A SET; its members are not sorted. */
export function set(...children: Asn1[]): Asn1 {
  return asn1.create(asn1.Class.UNIVERSAL, asn1.Type.SET, true, children);
}

/** `[tag]` with primitive content. */
export function tagged(tag: number, content: Buffer): Asn1 {
  return asn1.create(asn1.Class.CONTEXT_SPECIFIC, tag, false, content.toString('latin1'));
}

/** `[tag]` of a set with nothing in it. */
export function emptySet(tag: number): Asn1 {
  return asn1.create(asn1.Class.CONTEXT_SPECIFIC, tag, true, []);
}

/** `[tag] EXPLICIT`. */
export function explicit(tag: number, child: Asn1): Asn1 {
  return asn1.create(asn1.Class.CONTEXT_SPECIFIC, tag, true, [child]);
}

/** An OBJECT IDENTIFIER. @param oid with dots */
export function objectIdentifier(oid: string): Asn1 {
  return primitive(asn1.Type.OID, asn1.oidToDer(oid).getBytes());
}

/** A UTF8String. */
export function utf8(text: string): Asn1 {
  return primitive(asn1.Type.UTF8, forge.util.encodeUtf8(text));
}

/** An INTEGER from its big-endian two's complement bytes. */
export function integer(bytes: Buffer): Asn1 {
  return primitive(asn1.Type.INTEGER, bytes.toString('latin1'));
}

/** A NULL. */
export function nothing(): Asn1 {
  return primitive(asn1.Type.NULL, '');
}

/** A BOOLEAN. */
export function boolean(value: boolean): Asn1 {
  return primitive(asn1.Type.BOOLEAN, value ? '\xff' : '\0');
}

/** An OCTET STRING. */
export function octets(bytes: Buffer): Asn1 {
  return primitive(asn1.Type.OCTETSTRING, bytes.toString('latin1'));
}

/** A BIT STRING. `unusedBits` are the low bits of the last byte that do not count. */
export function bits(bytes: Buffer, unusedBits = 0): Asn1 {
  return primitive(asn1.Type.BITSTRING, String.fromCharCode(unusedBits) + bytes.toString('latin1'));
}

/** A Time: UTCTime up to 2049, GeneralizedTime after (RFC 5280, 4.1.2.5). Fractions of a second are dropped. */
export function time(date: Date): Asn1 {
  return date.getUTCFullYear() < 2050
    ? primitive(asn1.Type.UTCTIME, asn1.dateToUtcTime(date))
    : primitive(asn1.Type.GENERALIZEDTIME, asn1.dateToGeneralizedTime(date));
}

/** One entry of a certificate's extensions. */
export function extension(oid: string, value: Asn1, { critical = false } = {}): Asn1 {
  return sequence(objectIdentifier(oid), ...(critical ? [boolean(true)] : []), octets(encode(value)));
}

/** The key identifier of a public key: SHA-1 of its bits (RFC 5280, 4.2.1.2, method 1). `spki` is its DER. */
export function keyIdentifierOf(spki: Buffer): Buffer {
  const { bitStringContents } = childrenOf(decode(spki))[1] as Asn1 & { bitStringContents?: string };
  // The first byte counts the unused bits; it is 0 for every key type.
  const key = Buffer.from(bitStringContents ?? '', 'latin1').subarray(1);
  return createHash('sha1').update(key).digest();
}

function primitive(type: forge.asn1.Type, value: string): Asn1 {
  return asn1.create(asn1.Class.UNIVERSAL, type, false, value);
}
