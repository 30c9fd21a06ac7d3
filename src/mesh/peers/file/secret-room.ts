import { certificateBlocks } from '../../certificates/pem.ts';
import type { ClusterSnapshot } from '../../cluster-snapshot.ts';
import { keyOf } from '../../objects/kube-object.ts';
import { secretRef } from '../../objects/names.ts';
import { dataOf, secretTexts } from '../../objects/secret-data.ts';
import { PEER_SECRETS } from '../peers.ts';
import { peerCertificateKeys, peersIn } from './peer-config.ts';

/** Bytes of all values of a Secret together, names of keys not counted (Kubernetes' API reference, Secret: MaxSecretSize). */
export const SECRET_LIMIT = 1024 * 1024;

/** Rounded up, as for what is to have room. */
export function kibOf(bytes: number): number {
  return Math.ceil(bytes / 1024);
}

/** How full a Secret of peers is. */
export interface SecretRoom {
  secret: string;
  peers: number;
  /** Of its values. */
  bytes: number;
  /** The same while the CAs of all these peers are rotated: each peer's file of CAs has the new one beside the present one. */
  inRotation: number;
}

/** The Secrets with peering files of a cluster, and how full they are. */
export function secretRooms({ objects, namespace }: Pick<ClusterSnapshot, 'objects' | 'namespace'>): SecretRoom[] {
  return PEER_SECRETS.flatMap((secret): SecretRoom[] => {
    const live = objects.get(keyOf(secretRef(namespace, secret)));
    const texts = secretTexts(live);
    const peers = peersIn(texts);
    if (peers.length === 0) return [];
    const bytes = Object.values(dataOf(live)).reduce((sum, value) => sum + Buffer.byteLength(value, 'base64'), 0);
    const added = peers.reduce((sum, peer) => {
      const text = texts[peerCertificateKeys(peer).ca] ?? '';
      return certificateBlocks(text).length === 1 ? sum + Buffer.byteLength(text) : sum;
    }, 0);
    return [{ secret, peers: peers.length, bytes, inRotation: bytes + added }];
  });
}
