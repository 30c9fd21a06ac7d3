import { keyOf } from './kube-object.ts';
import { AGENT_PEERS_SECRET, KVSTOREMESH_PEERS_SECRET, secretRef } from './names.ts';
import { peersIn } from './peer-config.ts';
import { secretTexts } from './secret-data.ts';
import type { ClusterSnapshot } from './snapshot.ts';

/** The Secrets that hold a file for each peer. */
export const PEER_SECRETS = [KVSTOREMESH_PEERS_SECRET, AGENT_PEERS_SECRET] as const;

/** The names of the clusters that this one is configured to dial, by its agents' or KVStoreMesh's files. */
export function configuredPeers({ objects, namespace }: ClusterSnapshot): string[] {
  const names = PEER_SECRETS.flatMap((name) => peersIn(secretTexts(objects.get(keyOf(secretRef(namespace, name))))));
  return [...new Set(names)].sort();
}
