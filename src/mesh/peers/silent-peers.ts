import { meshctlCommand, unnamedIn } from '../command-line.ts';

/**
 * A next step that leaves the context of a peer to the operator, in a run in which a context did not answer: that peer is
 * most likely the very cluster, and to ask it tells the same once more. What is left is to bring it back, or to forget it.
 * @param hint unchanged where all its contexts are known, or where every context answered
 * @param holders contexts of the clusters that have the peer, and would forget it
 * @param silent contexts that did not answer
 */
export function forgetIfSilent(hint: string, holders: readonly string[], silent: readonly string[]): string {
  const peers = unnamedIn(hint);
  if (peers.length === 0 || holders.length === 0 || silent.length === 0) return hint;
  const forget = holders.map((context) =>
    meshctlCommand('clustermesh disconnect', { context }, ['--peer', peers.join(',')]),
  );
  const gone = peers.length === 1 ? 'it is gone for good, forget it' : 'they are gone for good, forget them';
  return `${maybeSilent(peers, silent)}. If ${gone}: ${forget.join(' && ')}`;
}

/** `"mesh-2" may be the cluster of context "two", which does not answer`. @param peers names of clusters */
export function maybeSilent(peers: readonly string[], silent: readonly string[]): string {
  const names = peers.map((peer) => `"${peer}"`).join(', ');
  const contexts = silent.map((context) => `"${context}"`).join(', ');
  const [where, does] =
    silent.length === 1 ? [`context ${contexts}`, 'does'] : [`one of the contexts ${contexts}`, 'do'];
  return peers.length === 1
    ? `${names} may be the cluster of ${where}, which ${does} not answer`
    : `One of ${names} may be the cluster of ${where}, which ${does} not answer`;
}
