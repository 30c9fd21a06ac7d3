import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import type { FileLack, TlsSecretFacts } from './certificate.ts';

/**
 * What a place has instead of a certificate that can be read; where nothing of it was read, it is taken for missing.
 * @param place as in `tlsFiles` of snapshots: the name of a Secret, or `<Secret>/<peer>`
 */
export function certificateLackAt({ tlsFiles }: Pick<ClusterSnapshot, 'tlsFiles'>, place: string): FileLack {
  const certificate = tlsFiles?.get(place)?.certificate;
  return typeof certificate === 'string' ? certificate : 'missing';
}

/** That as a clause: what is garbage is there, and who looks for why it is replaced finds it. */
export function saysCertificateLack(lack: FileLack): string {
  return lack === 'missing' ? 'there is no certificate yet' : 'the certificate that is there cannot be read';
}

/**
 * What is wrong with the private key of a certificate that has not its own, as a clause.
 * @param key in words
 */
export function saysKeyLack({ keyLack }: Pick<TlsSecretFacts, 'keyLack'>, key = 'its private key'): string {
  if (keyLack === 'missing') return `${key} is missing`;
  return keyLack === 'unreadable' ? `${key} cannot be read` : `${key} belongs to a different certificate`;
}

/** What is wrong with the CA beside a certificate, where that is no certificate of a CA that can be read; undefined where it is one. */
export function saysAuthorityLack({
  ca,
  caLack = 'missing',
}: Pick<TlsSecretFacts, 'ca' | 'caLack'>): string | undefined {
  if (ca) return undefined;
  return caLack === 'missing'
    ? 'no CA certificate is stored with it'
    : 'the CA certificate stored with it cannot be read';
}
