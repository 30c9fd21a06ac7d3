import type { CertificateFacts, TlsFiles, TlsSecretFacts, TrustBundle } from './certificate.ts';

/**
 * Whether two CA certificates are one to whom verifies with them: the key counts, since a CA may have been renewed with it
 * under other dates, and what it has signed verifies with either.
 * @returns false where one of them is not known
 */
export function isSameKey(one: CertificateFacts | undefined, other: CertificateFacts | undefined): boolean {
  return one !== undefined && one.publicKeySha256 === other?.publicKeySha256;
}

/** A CA as plans name it, with what tells it from others of its name: Cilium's are all called the same. */
export function describeAuthority(ca: CertificateFacts): string {
  return `"${ca.commonName}", ${shortFingerprint(ca)}`;
}

/** Enough of a certificate's digest to tell it from others, as plans have it. */
export function shortFingerprint({ sha256 }: CertificateFacts): string {
  return `sha256:${sha256.slice(0, 12)}`;
}

/** A CA that is told of beside another one: by its name, where that is not the other's as well. */
export function nameBeside(ca: CertificateFacts, other: CertificateFacts | undefined): string {
  return ca.commonName === other?.commonName ? describeAuthority(ca) : `"${ca.commonName}"`;
}

/** The CAs by which whoever presents a certificate verifies the other side; none where they may not be read. */
export function trustedBy(secret: TlsSecretFacts): readonly CertificateFacts[] {
  return secret.bundle ? (secret.bundle.authorities ?? []) : storedWith(secret);
}

/** The CAs in the file beside a certificate, which meshctl writes, whether or not its programs go by them. */
export function storedWith({ authorities, ca }: TlsSecretFacts): readonly CertificateFacts[] {
  return authorities ?? (ca ? [ca] : []);
}

/** Whether certificates of a CA would be refused. @returns false where no CA can be read: that is told by itself */
export function distrusts({ authorities: stored, bundle }: TlsFiles, ca: CertificateFacts): boolean {
  const authorities = bundle ? (bundle.authorities ?? []) : stored;
  return authorities.length > 0 && !authorities.some((one) => isSameKey(one, ca));
}

/** What is known of who signed a certificate. */
type Presented = Pick<TlsFiles | TlsSecretFacts, 'certificate' | 'ca' | 'signedByCa' | 'issuer' | 'links'>;

/** The CA that signed a certificate, as far as its cluster has it: beside the certificate, or anywhere else. */
export function issuerOf({ ca, signedByCa, issuer }: Presented): CertificateFacts | undefined {
  return signedByCa && typeof ca === 'object' ? ca : issuer;
}

/**
 * Whether a server takes a client's certificate, by the CAs that it trusts, whichever the client has beside it: those are for the
 * server's. Of a CA that the client's cluster has nowhere names and key identifiers tell.
 * @returns undefined where nothing tells
 */
export function accepts(server: TlsFiles, client: Presented): boolean | undefined {
  const authorities = server.bundle ? (server.bundle.authorities ?? []) : server.authorities;
  const { certificate, links = [] } = client;
  if (authorities.length === 0 || typeof certificate === 'string') return undefined;
  const issuer = issuerOf(client);
  if (issuer) return authorities.some((one) => isSameKey(one, issuer));
  const answers = [certificate, ...links].flatMap((one) => authorities.map((ca) => mayHaveSigned(ca, one)));
  if (answers.includes(true)) return true;
  return answers.includes(undefined) ? undefined : false;
}

/** As OpenSSL and Go look for the issuer of a certificate (RFC 5280, 4.1.2.4 and 4.2.1.1); undefined where only names tell. */
function mayHaveSigned(ca: CertificateFacts, { issuerCommonName, issuerKeyId }: CertificateFacts): boolean | undefined {
  if (ca.commonName !== issuerCommonName) return false;
  return ca.keyId === undefined || issuerKeyId === undefined ? undefined : ca.keyId === issuerKeyId;
}

/**
 * Whether a client and a server accept each other's certificate: each is from a CA that the other one trusts. While a CA is
 * being replaced a bundle has both, and which one has signed is another question than which are trusted.
 */
export function acceptEachOther(client: TlsSecretFacts, server: TlsSecretFacts): boolean {
  const [ofClient, ofServer] = [issuerOf(client), issuerOf(server)];
  return ofClient !== undefined && ofServer !== undefined && trusts(server, ofClient) && trusts(client, ofServer);
}

/** Whether a CA is among those by which whoever presents a certificate verifies. */
export function trusts(secret: TlsSecretFacts, ca: CertificateFacts): boolean {
  return trustedBy(secret).some((one) => isSameKey(one, ca));
}

/** Whether a CA is in the file beside a certificate. */
export function isStoredWith(secret: TlsSecretFacts, ca: CertificateFacts): boolean {
  return storedWith(secret).some((one) => isSameKey(one, ca));
}

/** The bundle by which a certificate's programs verify, where it lacks the CA of that very certificate; undefined where it may not be read. */
export function lackingBundle({
  bundle,
  ca,
  signedByCa,
}: Pick<TlsFiles | TlsSecretFacts, 'bundle' | 'ca' | 'signedByCa'>): TrustBundle | undefined {
  if (!bundle?.authorities) return undefined;
  const isIn = typeof ca === 'object' && signedByCa && bundle.authorities.some((one) => isSameKey(one, ca));
  return isIn ? undefined : bundle;
}
