import { splitHostPort } from '../apiserver/endpoints.ts';

import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { concernedPeers, fileOfOther, knownAs, namesOf } from './concerned-peers.ts';
import { addressesIn } from './file/peer-file.ts';
import { withoutNamesakes } from './namesakes.ts';
import { peersLetIn } from './peer-choices.ts';
import { mayDialUnseen } from './peers.ts';
import { renamedPeers } from './renamed-peers.ts';

/** What others dial of a cluster, as TLS checks it: host names and addresses as they stand in their files. */
export interface HostsDialled {
  /** Who dials it by each, by name. */
  dialled: ReadonlyMap<string, readonly string[]>;
  /** Those of whom it is not known what they dial of it, if anything: they, or their files, were not read. */
  unknown: readonly string[];
}

/** What others dial of a cluster. @param all the clusters that were read, perhaps with this one */
export function hostsDialled(cluster: ClusterSnapshot, all: readonly ClusterSnapshot[]): HostsDialled {
  const others = withoutNamesakes(cluster, all);
  const own = namesOf(cluster);
  const dialled = new Map<string, string[]>();
  const read = renamedPeers(cluster, others).map(({ former }) => former);
  for (const other of others) {
    if (!mayDialUnseen(other)) read.push(knownAs(other));
    for (const { host } of addressesIn(fileOfOther(other, own) ?? '').map(splitHostPort)) {
      const who = dialled.get(host) ?? [];
      dialled.set(host, [...who, ...(who.includes(knownAs(other)) ? [] : [knownAs(other)])]);
    }
  }
  const known = new Set([...concernedPeers(cluster, others), ...peersLetIn(cluster)]);
  return { dialled, unknown: [...known].filter((peer) => !read.includes(peer) && !own.includes(peer)) };
}
