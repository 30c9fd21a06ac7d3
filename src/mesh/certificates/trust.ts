import type { CertificateFacts, TlsFiles, TlsSecretFacts } from './certificate.ts';

/**
 * Whether two CA certificates are one to whom verifies with them: the key counts, since a CA may have been renewed with it
 * under other dates, and what it has signed verifies with either.
 * @returns false where one of them is not known
 */
export function isSameKey(one: CertificateFacts | undefined, other: CertificateFacts | undefined): boolean {
  return one !== undefined && one.publicKeySha256 === other?.publicKeySha256;
}

/** The CAs that a Secret trusts, as its bundle has them. */
export function trustedBy({ authorities, ca }: TlsSecretFacts): readonly CertificateFacts[] {
  return authorities ?? (ca ? [ca] : []);
}

/** Whether certificates of a CA would be refused. @returns false where no CA can be read: that is told by itself */
export function distrusts({ authorities }: TlsFiles, ca: CertificateFacts): boolean {
  return authorities.length > 0 && !authorities.some((one) => isSameKey(one, ca));
}

/**
 * Whether a client and a server accept each other's certificate: each is from a CA that the other one trusts. While a CA is
 * being replaced a bundle has both, and which one has signed is another question than which are trusted.
 */
export function acceptEachOther(client: TlsSecretFacts, server: TlsSecretFacts): boolean {
  if (!client.ca || !server.ca || !client.signedByCa || !server.signedByCa) return false;
  return trusts(server, client.ca) && trusts(client, server.ca);
}

/** Whether a CA is among those that a Secret trusts. */
export function trusts(secret: TlsSecretFacts, ca: CertificateFacts): boolean {
  return trustedBy(secret).some((one) => isSameKey(one, ca));
}
