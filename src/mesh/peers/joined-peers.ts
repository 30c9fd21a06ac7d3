import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { MeshctlError } from '../errors.ts';
import { knownPeers } from './peers.ts';

/** One cluster at two looks. */
export interface TwoLooks {
  /** What a plan was made from. */
  before: ClusterSnapshot;
  now: ClusterSnapshot;
}

/** The peers that a cluster has by now and had not at the earlier look. */
export function joinedPeers({ before, now }: TwoLooks): string[] {
  const had = knownPeers(before);
  return knownPeers(now).filter((peer) => !had.includes(peer));
}

/**
 * Refuses a plan that was made before further peers came: it says nowhere what becomes of them, so nobody has agreed to it.
 * @param which peers count; default: all that came
 * @throws MeshctlError `Conflict`, naming them
 */
export function requireNoneJoined(
  looks: readonly TwoLooks[],
  which: (looks: TwoLooks) => readonly string[] = joinedPeers,
): void {
  const joined = looks.flatMap((two) => {
    const peers = which(two);
    return peers.length > 0 ? [{ context: two.now.context, peers }] : [];
  });
  if (joined.length === 0) return;
  const clauses = joined.map(({ context, peers }) => {
    return `context "${context}": ${peers.join(', ')} ${peers.length === 1 ? 'was' : 'were'} connected meanwhile`;
  });
  throw new MeshctlError('Conflict', `${clauses.join('; ')}, and the plan does not say what becomes of that`, {
    hint: 'Run the same command again: its plan says it.',
    details: { joined },
  });
}
