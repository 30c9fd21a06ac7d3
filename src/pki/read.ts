import { createHash, createPrivateKey, type KeyObject, type X509Certificate } from 'node:crypto';
import ipaddr from 'ipaddr.js';
import type {
  CertificateFacts,
  CertificateUsage,
  FileLack,
  TlsFiles,
  TlsSecretFacts,
} from '../mesh/certificates/certificate.ts';
import { hasPrivateKey } from '../mesh/certificates/pem.ts';
import { MeshctlError } from '../mesh/errors.ts';
import { remembered } from '../mesh/remembered.ts';
import {
  attributeOf,
  bytesOf,
  childrenOf,
  decode,
  GENERAL_NAME,
  OID,
  oidOf,
  parseCertificateDer,
} from './certificate-der.ts';
import { type Chain, chainOf } from './chain.ts';
import { certificatesOf } from './pem.ts';

/** Certificates and pairs of files whose reading is remembered. */
const MOST_REMEMBERED = 200;

/**
 * Reads a PEM certificate; of several (a leaf with its chain, or a bundle) the first. Throws `CertificateAuthority`
 * when there is none or it is not readable.
 */
export function readCertificate(pem: string): CertificateFacts {
  try {
    const [first] = certificatesOf(pem);
    if (first !== undefined) return factsOf(first);
  } catch (cause) {
    throw new MeshctlError('CertificateAuthority', 'the certificate is not readable', { cause });
  }
  throw new MeshctlError('CertificateAuthority', 'there is no PEM certificate in the text', {
    hint: 'A certificate starts with the line -----BEGIN CERTIFICATE-----',
  });
}

/** Every certificate of a PEM bundle, in its order; none when one of them is not readable. */
export function readBundle(pem: string): CertificateFacts[] {
  const facts = readable(pem).map(readFacts);
  return facts.every((one) => one !== undefined) ? (facts as CertificateFacts[]) : [];
}

/** Whether a PEM private key belongs to the (first) certificate. False when either is not readable. */
export function keyMatches(certificatePem: string, privateKeyPem: string): boolean {
  return keyStateOf({ certificate: certificatePem, privateKey: privateKeyPem }) === 'matches';
}

/** A certificate, its key and its CA as PEM. An empty file is as good as none. */
export interface TlsTexts {
  certificate?: string | undefined;
  privateKey?: string | undefined;
  ca?: string | undefined;
}

/** What a `kubernetes.io/tls` Secret holds; undefined when its certificate is missing or not readable. */
export function tlsSecretFacts(files: TlsFiles): TlsSecretFacts | undefined {
  const { certificate, ca, authorities, bundle, privateKey, signedByCa, issuer, links } = files;
  if (typeof certificate === 'string') return undefined;
  return {
    certificate,
    ca: typeof ca === 'string' ? undefined : ca,
    ...(typeof ca === 'string' ? { caLack: ca } : {}),
    authorities,
    ...(bundle ? { bundle } : {}),
    keyMatches: privateKey === 'matches',
    ...(privateKey === 'missing' || privateKey === 'unreadable' ? { keyLack: privateKey } : {}),
    signedByCa,
    ...(issuer ? { issuer } : {}),
    ...(links ? { links } : {}),
  };
}

/**
 * Reads TLS files. What is wrong with a file is said; of a CA bundle, the CA that the certificate's chain ends at counts,
 * else the first. A certificate is good as long as each link of its chain is.
 */
export function readTlsFiles(files: TlsTexts): TlsFiles {
  const [certificate, ...links] = readable(files.certificate ?? '');
  const authorities = readable(files.ca ?? '');
  const chain = certificate && chainOf(certificate, links, authorities);
  const ca = chain?.signer ?? authorities[0];
  const facts = certificate && readFacts(certificate);
  return {
    certificate: facts ? (chain ? inChain(chain, facts) : facts) : lackOf(files.certificate),
    privateKey: keyStateOf(files) ?? lackOf(files.privateKey),
    ca: (ca && readFacts(ca)) ?? lackOf(files.ca),
    signedByCa: chain !== undefined,
    authorities: authorities.flatMap((one) => readFacts(one) ?? []),
    ...(chain || links.length === 0 ? {} : { links: links.flatMap((one) => readFacts(one) ?? []) }),
  };
}

/** Whether a private key belongs to the (first) certificate; undefined when it is not readable. */
const keyStateOf = remembered(
  ({ certificate, privateKey }: Pick<TlsTexts, 'certificate' | 'privateKey'>) => {
    const key = readableKey(privateKey ?? '');
    if (key === undefined) return undefined;
    return readable(certificate ?? '')[0]?.checkPrivateKey(key) ? ('matches' as const) : ('other' as const);
  },
  MOST_REMEMBERED,
  // No key stays in memory only to be known again.
  ({ certificate, privateKey }) => sha256(Buffer.from(JSON.stringify([certificate, privateKey]))),
);

function lackOf(file: string | undefined): FileLack {
  return file ? 'unreadable' : 'missing';
}

/** Node reads some certificates whose extensions are none. */
function readFacts(certificate: X509Certificate): CertificateFacts | undefined {
  try {
    return factsOf(certificate);
  } catch {
    return undefined;
  }
}

/**
 * A certificate's facts, with the time in which its chain is valid too, that of its CA included, and without the usages that a CA
 * of the chain does not have: Go's crypto/x509 (`isValid`) and OpenSSL ask each certificate of a chain for its time, and an
 * extended key usage limits what is below it. Helm's certificates outlive its CA by what they are issued later.
 */
function inChain({ links, signer, signerSince }: Chain, facts: CertificateFacts): CertificateFacts {
  const between = links.flatMap((link) => readFacts(link) ?? []);
  const above = [...between, ...[readFacts(signer) ?? []].flat().map((ca) => ({ ...ca, notBefore: signerSince }))];
  const usages = facts.usages.filter((usage) => above.every((ca) => ca.usages.includes(usage)));
  const first = [facts, ...above].reduce((one, other) => (other.notAfter < one.notAfter ? other : one));
  const last = [facts, ...above].reduce((one, other) => (other.notBefore > one.notBefore ? other : one));
  if (first === facts && last === facts && usages.length === facts.usages.length) return facts;
  return {
    ...facts,
    usages,
    notBefore: last.notBefore,
    notAfter: first.notAfter,
    ...(first === facts ? {} : { endsWith: first.commonName, ownNotAfter: facts.notAfter }),
    ...(last === facts ? {} : { beginsWith: last.commonName, ownNotBefore: facts.notBefore }),
  };
}

const factsOf = remembered((certificate: X509Certificate): CertificateFacts => {
  const { subject, issuer, extensions } = parseCertificateDer(certificate.raw);
  const names = extensions.get(OID.subjectAltName);
  const [ownId, issuerId] = [OID.subjectKeyIdentifier, OID.authorityKeyIdentifier].map((oid) => extensions.get(oid));
  const issuerKey = issuerId && childrenOf(decode(issuerId)).find(({ type }) => Number(type) === 0);
  const generalNames = names === undefined ? [] : childrenOf(decode(names));
  const ofType = (tag: number) => generalNames.filter((name) => Number(name.type) === tag).map(bytesOf);
  return {
    commonName: attributeOf(subject, OID.commonName) ?? '',
    issuerCommonName: attributeOf(issuer, OID.commonName) ?? '',
    serial: certificate.serialNumber.toLowerCase(),
    dnsNames: ofType(GENERAL_NAME.dns).map((name) => name.toString('latin1')),
    ipAddresses: ofType(GENERAL_NAME.ip).map((bytes) => ipaddr.fromByteArray([...bytes]).toString()),
    usages: usagesOf(extensions.get(OID.extendedKeyUsage)),
    isCa: certificate.ca,
    notBefore: new Date(certificate.validFrom),
    notAfter: new Date(certificate.validTo),
    sha256: sha256(certificate.raw),
    publicKeySha256: sha256(certificate.publicKey.export({ type: 'spki', format: 'der' })),
    ...(ownId ? { keyId: bytesOf(decode(ownId)).toString('hex') } : {}),
    ...(issuerKey ? { issuerKeyId: bytesOf(issuerKey).toString('hex') } : {}),
    keyBits: certificate.publicKey.asymmetricKeyDetails?.modulusLength,
  };
}, MOST_REMEMBERED);

/** A certificate without the extension is good for every usage (RFC 5280, 4.2.1.12). */
function usagesOf(extendedKeyUsage: Buffer | undefined): CertificateUsage[] {
  const oids = extendedKeyUsage && childrenOf(decode(extendedKeyUsage)).map(oidOf);
  const allows = (oid: string) => oids === undefined || oids.includes(oid) || oids.includes(OID.anyExtendedKeyUsage);
  return [
    ...(allows(OID.serverAuth) ? ['server' as const] : []),
    ...(allows(OID.clientAuth) ? ['client' as const] : []),
  ];
}

function readable(pem: string): X509Certificate[] {
  try {
    return certificatesOf(pem);
  } catch {
    return [];
  }
}

function readableKey(pem: string): KeyObject | undefined {
  if (!hasPrivateKey(pem)) return undefined;
  try {
    return createPrivateKey(pem);
  } catch {
    return undefined;
  }
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
