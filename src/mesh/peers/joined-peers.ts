import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { MeshctlError } from '../errors.ts';
import { endangeredEffects, type PeerEffect } from '../plan/peer-effects.ts';
import { peersByDirection } from './peers.ts';

/** One cluster at two looks. */
export interface TwoLooks {
  /** What a plan was made from. */
  before: ClusterSnapshot;
  now: ClusterSnapshot;
  /** From whom it was parted in between: one of them that is there now has come again. */
  parted?: readonly string[] | undefined;
}

/** The peers that a cluster dials, or that dial it, by now, and did not at the earlier look. */
export function joinedPeers({ before, now, parted = [] }: TwoLooks): string[] {
  const [had, has] = [peersByDirection(before), peersByDirection(now)];
  const isNew = (peer: string, former: readonly string[]) => parted.includes(peer) || !former.includes(peer);
  const joined = [
    ...has.dialled.filter((peer) => isNew(peer, had.dialled)),
    ...has.letIn.filter((peer) => isNew(peer, had.letIn)),
  ];
  return [...new Set(joined)].sort();
}

/** With whom a cluster's connections were ended. */
export function partedFrom(name: string, parted: readonly { from: string; to: string }[]): string[] {
  const peers = parted.flatMap(({ from, to }) => (from === name ? [to] : to === name ? [from] : []));
  return [...new Set(peers)];
}

/**
 * Refuses a plan that was made before further peers came: it says nowhere what becomes of them, so nobody has agreed to it.
 * @throws MeshctlError `Conflict`, naming them
 */
export function requireNoneJoined(looks: readonly TwoLooks[]): void {
  refuse(looks.map((two) => ({ context: two.now.context, peers: joinedPeers(two) })));
}

/**
 * The same where a list of the peers is handed over as it was: who has gone since would be let in again by it.
 * @throws MeshctlError `Conflict`, naming them
 */
export function requireSamePeers({ before, now }: TwoLooks): void {
  requireNoneJoined([{ before, now }]);
  refuse([{ context: now.context, peers: joinedPeers({ before: now, now: before }) }], 'disconnected');
}

/**
 * The same where a plan was made anew in the middle of a run: those count that it would cut off, or may.
 * @param effects of the plan as it is now
 */
export function requireNoneEndangered(looks: readonly TwoLooks[], effects: readonly PeerEffect[]): void {
  const endangered = endangeredEffects(effects);
  refuse(
    looks.map((two) => {
      const { context } = two.now;
      const own = endangered.filter(({ cluster }) => cluster === context).map(({ peer }) => peer);
      return { context, peers: joinedPeers(two).filter((peer) => own.includes(peer)) };
    }),
  );
}

/** Of a refusal by one of these: the names of the peers that have come. */
export function joinedBy(error: unknown): string[] {
  if (!(error instanceof MeshctlError) || !Array.isArray(error.details.joined)) return [];
  return (error.details.joined as JoinedPeers[]).flatMap(({ peers }) => peers);
}

interface JoinedPeers {
  context: string;
  peers: readonly string[];
}

function refuse(all: readonly JoinedPeers[], became: 'connected' | 'disconnected' = 'connected'): void {
  const joined = all.filter(({ peers }) => peers.length > 0);
  if (joined.length === 0) return;
  const clauses = joined.map(({ context, peers }) => {
    return `context "${context}": ${peers.join(', ')} ${peers.length === 1 ? 'was' : 'were'} ${became} meanwhile`;
  });
  throw new MeshctlError('Conflict', `${clauses.join('; ')}, and the plan does not say what becomes of that`, {
    hint: 'Run the same command again: its plan says it.',
    details: { joined },
  });
}
