import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { AGENT_PEERS_SECRET } from '../objects/names.ts';
import { marksOf, type PeerMark } from './peer-choices.ts';
import { configuredPeers } from './peers.ts';

type ClusterObjects = Pick<ClusterSnapshot, 'objects' | 'namespace'>;

/** What is written down of peers and is none of the choices that are known here: a newer meshctl, or somebody's hand, wrote it. */
export function unreadMarks(snapshot: ClusterObjects): PeerMark[] {
  return marksOf(snapshot).filter(({ isKnown }) => !isKnown);
}

/** Whether either of two clusters has a mode for the other that nobody here knows. */
function hasUnknownMode(one: Named, other: Named): boolean {
  const isAbout = (of: Named, peer: Named) =>
    unreadMarks(of.snapshot).some(({ kind, peer: name }) => kind === 'mode' && name === peer.identity.name);
  return isAbout(one, other) || isAbout(other, one);
}

type Named = { snapshot: ClusterObjects; identity: { name: string } };

/**
 * Whether `client` dials `server` and not the other way round, and something is written down of how they are to be connected that
 * is not known here: it may have been chosen, and stays as it is until it is chosen anew.
 */
export function mayBeOneWay(client: Named, server: Named): boolean {
  const dials = (from: Named, to: Named) => configuredPeers(from.snapshot).includes(to.identity.name);
  return hasUnknownMode(client, server) && dials(client, server) && !dials(server, client);
}

/** What of a cluster's choices for peers cannot be read, as a clause; undefined where there is none of it. */
export function saysUnreadMarks({
  context,
  namespace,
  objects,
}: ClusterObjects & { context: string }): string | undefined {
  const unread = unreadMarks({ objects, namespace });
  if (unread.length === 0) return undefined;
  const marks = unread.map(({ name, value }) => `${name} ${JSON.stringify(value)}`);
  const where = `Secret ${namespace}/${AGENT_PEERS_SECRET}`;
  return `context "${context}": what is written down at ${where} is not known to this meshctl, and is passed over until it is chosen again: ${marks.join(', ')}`;
}
