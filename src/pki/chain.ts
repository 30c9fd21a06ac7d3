import type { X509Certificate } from 'node:crypto';
import { rememberedOf } from '../mesh/remembered.ts';
import { bytesOf, childrenOf, decode, OID, parseCertificateDer } from './certificate-der.ts';

export interface Chain {
  /** CA certificates between the certificate and its signer, from the certificate on. */
  links: readonly X509Certificate[];
  signer: X509Certificate;
  /** Since when the signer is valid, by whichever of its certificates: of one that was renewed with its key there are several. */
  signerSince: Date;
}

/** Of certificates that are sent along so many are looked at: with more, Go gives up after a hundred signatures. */
const MOST_LINKS = 10;

/**
 * How a certificate leads to one of the CAs, as every TLS implementation looks for it: by CA certificates that are sent along with
 * it. Undefined where it leads to none.
 */
export function chainOf(
  certificate: X509Certificate,
  sent: readonly X509Certificate[],
  authorities: readonly X509Certificate[],
): Chain | undefined {
  const paths: [X509Certificate, ...X509Certificate[]][] = [[certificate]];
  const reached = new Set([certificate]);
  // The shortest first, on which the limits of CAs bear the least; each link once, however many lead to it.
  for (const path of paths) {
    const [last] = path;
    const below = path.length - 1;
    const [signer, ...renewed] = endingLast(authorities.filter((ca) => isAllowed(ca, below) && signed(last, ca)));
    if (signer) return { links: path.slice(0, -1).reverse(), signer, signerSince: sinceWhen(signer, renewed) };
    for (const link of sent.slice(0, MOST_LINKS)) {
      if (reached.has(link) || !link.ca || !isAllowed(link, below) || !signed(last, link)) continue;
      reached.add(link);
      paths.push([link, ...path]);
    }
  }
  return undefined;
}

/** Of a CA that was renewed with its key, a bundle may have the former certificate too: whoever verifies takes the one that is valid. */
function endingLast(authorities: readonly X509Certificate[]): X509Certificate[] {
  return [...authorities].sort((one, other) => Date.parse(other.validTo) - Date.parse(one.validTo));
}

/** Since when one of a CA's certificates is valid without a gap. @param former the others, those that end last first */
function sinceWhen(last: X509Certificate, former: readonly X509Certificate[]): Date {
  const sinceMs = former.reduce(
    (since, one) => (Date.parse(one.validTo) < since ? since : Math.min(since, Date.parse(one.validFrom))),
    Date.parse(last.validFrom),
  );
  return new Date(sinceMs);
}

/** By names, key identifiers and the key usage of the CA, which is to sign certificates where it has one; then by the signature. */
function signed(certificate: X509Certificate, ca: X509Certificate): boolean {
  return signedBy(ca)(certificate);
}

/** Most files of a mesh are looked at several times in one run: by their own cluster, by each check, when a wait looks again. */
const signedBy = rememberedOf((ca: X509Certificate) =>
  rememberedOf((certificate: X509Certificate) => certificate.checkIssued(ca) && certificate.verify(ca.publicKey)),
);

/** Whether a CA may have so many others between itself and a certificate (`pathLenConstraint`, RFC 5280, 4.2.1.9). */
function isAllowed(ca: X509Certificate, below: number): boolean {
  if (below === 0) return true;
  try {
    const constraints = parseCertificateDer(ca.raw).extensions.get(OID.basicConstraints);
    const [, length] = constraints ? childrenOf(decode(constraints)) : [];
    return length === undefined || Number.parseInt(bytesOf(length).toString('hex'), 16) >= below;
  } catch {
    // Node reads some certificates whose extensions are none.
    return false;
  }
}
