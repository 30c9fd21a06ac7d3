import type { ClusterSnapshot } from '../../cluster-snapshot.ts';
import { meshctlCommand } from '../../command-line.ts';
import { MeshctlError } from '../../errors.ts';
import { groupBy } from '../../pairs.ts';
import { knownAs } from '../../peers/concerned-peers.ts';
import {
  arePeers,
  isPeerByNameAlone,
  isPeersNamesake,
  leadToNamesakes,
  maybeNamesakes,
} from '../../peers/namesakes.ts';
import { knownPeers } from '../../peers/peers.ts';
import { forget } from './dead-cluster.ts';
import type { PartingCluster } from './disconnect-plan.ts';

/** A cluster that was named, and the one that knows another cluster by that name. */
export interface NotPeer {
  knower: ClusterSnapshot;
  other: ClusterSnapshot;
  /** Nothing but the name tells whether it is that one. */
  isDoubtful?: true;
}

/**
 * Of clusters that are to part, those that are not connected with each other, but each with a namesake of the other one: names are
 * given in each mesh anew. So also where the other one may be such a namesake, since there is nothing that could be a peer.
 * @param others clusters that it is not about, as far as they were read
 */
export function notPeersAmong(
  dials: readonly (readonly [PartingCluster, PartingCluster])[],
  others: readonly ClusterSnapshot[],
): NotPeer[] {
  const all = [...new Set([...dials.flat().flatMap(({ snapshot }) => snapshot ?? []), ...others])];
  const pairs = dials.flatMap(([{ snapshot: one }, { snapshot: other }]) =>
    one && other
      ? [
          { knower: one, other },
          { knower: other, other: one },
        ]
      : [],
  );
  const once = new Map(pairs.map((pair) => [`${pair.knower.context} ${pair.other.context}`, pair])).values();
  return [...once].flatMap(({ knower, other }): NotPeer[] => {
    const name = knownAs(other);
    if (name === knownAs(knower) || !knownPeers(knower).includes(name)) return [];
    if (isPeersNamesake(knower, other, all)) return [{ knower, other }];
    return isPeerByNameAlone(knower, other) ? [{ knower, other, isDoubtful: true }] : [];
  });
}

/** Whether a dial is of clusters that are not each other's peers. */
export function isOfNotPeers(
  [{ snapshot: one }, { snapshot: other }]: readonly [PartingCluster, PartingCluster],
  found: readonly NotPeer[],
): boolean {
  return found.some((pair) => [one, other].includes(pair.knower) && [one, other].includes(pair.other));
}

/** What is said of those that are left as they are. */
export function notPeersNotes(found: readonly NotPeer[]): string[] {
  const alike = groupBy(found, ({ other, isDoubtful = false }) => `${isDoubtful} ${other.context}`);
  return [...alike.values()].flatMap((pairs) => {
    const [first] = pairs;
    if (!first) return [];
    const says = saysNotPeers(first, pairs);
    return first.isDoubtful
      ? `${says}; nothing is disconnected between them → ${forgetNamesake(first, pairs)}`
      : `${says}: nothing is disconnected between them`;
  });
}

function saysNotPeers({ other, isDoubtful }: NotPeer, pairs: readonly NotPeer[]): string {
  const says = isDoubtful ? maybeNamesakes : leadToNamesakes;
  return says(
    [other.context],
    knownAs(other),
    pairs.map(({ knower }) => knower.context),
  );
}

/** What has those that know a cluster of this name forget it. */
function forgetNamesake({ other }: NotPeer, pairs: readonly NotPeer[]): string {
  return forget(
    pairs.map(({ knower }) => knower.context),
    [knownAs(other)],
  );
}

/**
 * Each would forget its own peer, which knows nothing of it and goes on dialling; or only the first would, as one that was moved away
 * from and still dials it.
 * @param others clusters that it is not about, as far as they were read: one of them may be the peer that is meant
 * @throws MeshctlError `Usage`
 */
export function requirePeers(found: readonly NotPeer[], others: readonly ClusterSnapshot[]): void {
  const [first] = found;
  if (!first) return;
  const { knower, other, isDoubtful } = first;
  const alike = isDoubtful ? found.filter((one) => one.isDoubtful && one.other === other) : [first];
  throw new MeshctlError('Usage', saysNotPeers(first, alike), {
    hint: isDoubtful
      ? `Name the context that leads to it; or if it is gone, or is this one, forget it: ${forgetNamesake(first, alike)}`
      : wayToPart(first, others),
    details: { name: knownAs(other), contexts: [knower.context, other.context] },
  });
}

/** What ends what was meant, and leaves the knower with its own peer. */
function wayToPart({ knower, other }: NotPeer, others: readonly ClusterSnapshot[]): string {
  const { context } = knower;
  const name = knownAs(other);
  // What the knower dials is another one, so that only the other one can be connected with it.
  if (arePeers(other, knower)) {
    return `Only context "${other.context}" dials the other one; to end that: ${forget(other.context, [knownAs(knower)])}`;
  }
  const peer = others.find((one) => one !== other && knownAs(one) === name && arePeers(knower, one));
  if (!peer) {
    return `Name the context that leads to the peer; or where the peer was rebuilt, forget the former one: ${forget(context, [name])}`;
  }
  const meant = meshctlCommand('clustermesh disconnect', { context }, ['--destination-context', peer.context]);
  return `The peer is that of context "${peer.context}": ${meant}`;
}
