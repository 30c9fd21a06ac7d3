import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import type { Authority } from '../../src/pki/authority.ts';
import { buildCertificate } from '../../src/pki/certificate.ts';
import {
  bits,
  boolean,
  type decode,
  extension,
  integer,
  keyIdentifierOf,
  OID,
  objectIdentifier,
  sequence,
} from '../../src/pki/certificate-der.ts';

type Name = ReturnType<typeof decode>;

interface Keys {
  publicKey: KeyObject;
  privateKey: KeyObject;
}

/** A self-signed CA with any key and subject, as cert-manager or a company's PKI would make it; with `by` one that another CA has signed. */
export function authorityWith(
  subject: Name,
  keys: Keys,
  {
    notBefore = new Date('2020-01-01T00:00:00Z'),
    notAfter = new Date('2035-01-01T00:00:00Z'),
    ca = true,
    format = 'pkcs8',
    by = { subject, keys },
    mostBelow,
    signs = true,
    uses,
  }: {
    notBefore?: Date;
    notAfter?: Date;
    ca?: boolean;
    format?: 'pkcs8' | 'sec1';
    by?: { subject: Name; keys: Keys };
    mostBelow?: number;
    /** Whether its key usage is to sign certificates. */
    signs?: boolean;
    /** Object identifiers of its extended key usage; absent: it has none. */
    uses?: readonly string[];
  } = {},
): Authority {
  const publicKey = keys.publicKey.export({ type: 'spki', format: 'der' });
  const certificate = buildCertificate(
    {
      subject,
      issuer: by.subject,
      notBefore,
      notAfter,
      publicKey,
      authorityKeyIdentifier: keyIdentifierOf(by.keys.publicKey.export({ type: 'spki', format: 'der' })),
      extensions: [
        extension(
          OID.basicConstraints,
          sequence(
            ...(ca ? [boolean(true)] : []),
            ...(mostBelow === undefined ? [] : [integer(Buffer.from([mostBelow]))]),
          ),
          { critical: true },
        ),
        // keyCertSign, cRLSign; else digitalSignature.
        extension(OID.keyUsage, bits(Buffer.from([signs ? 0b0000_0110 : 0b1000_0000]), 1), { critical: true }),
        ...(uses ? [extension(OID.extendedKeyUsage, sequence(...uses.map(objectIdentifier)))] : []),
      ],
    },
    by.keys.privateKey,
  );
  return { certificate, privateKey: keys.privateKey.export({ type: format, format: 'pem' }).toString() };
}

export const KEY_PAIRS = {
  rsa: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  'P-256': () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  'P-384': () => generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  'P-521': () => generateKeyPairSync('ec', { namedCurve: 'P-521' }),
  ed25519: () => generateKeyPairSync('ed25519'),
} as const;
