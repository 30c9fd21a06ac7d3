import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { meshctlCommand } from '../command-line.ts';
import { isUnjudged, MeshctlError } from '../errors.ts';
import { knownAs, namesOf } from '../peers/concerned-peers.ts';
import { remoteUserName } from '../peers/file/peer-config.ts';
import { isDialledAt, isPeersNamesake, mayBeAnother } from '../peers/namesakes.ts';
import { knownPeers } from '../peers/peers.ts';
import { isOfNobody } from '../peers/unused-keys.ts';
import { loginsOf } from './disconnect-plan.ts';

/** Whether what an error tells of may be a cluster that is gone, as opposed to one that says no. */
export function maybeDead(error: MeshctlError): boolean {
  return isUnjudged(error) || error.code === 'CiliumMissing';
}

/**
 * An error of a destination that may be gone for good, with what else can be done then.
 * @param dead its context
 * @param left whoever forgets it by its name, and what was read; absent where several clusters part from each other
 */
export function withWayOut(
  error: MeshctlError,
  dead: string,
  left: { context: string; alive: readonly ClusterSnapshot[] } | undefined,
): MeshctlError {
  const wayOut = left
    ? wayToForget(dead, left.context, left.alive)
    : `if "${dead}" is gone for good, add --force: the others forget it`;
  const { code, message, details } = error;
  return new MeshctlError(code, message, {
    hint: error.hint === undefined ? `I${wayOut.slice(1)}` : `${error.hint.replace(/\.$/, '')}; ${wayOut}`,
    details,
    cause: error,
  });
}

/** Which peer is behind a context that does not answer, the operator knows, unless it has its name: it may be none at all. */
function wayToForget(dead: string, context: string, alive: readonly ClusterSnapshot[]): string {
  const candidates = peersElsewhere(alive);
  if (candidates.length === 0) return 'if that cluster is gone for good, nothing of it is left to take out';
  if (candidates.includes(dead)) return `if that cluster is gone for good, forget it: ${forget(context, [dead])}`;
  const [only, ...more] = candidates;
  // It may be none of them, and the only one alive behind another context.
  if (only !== undefined && more.length === 0) {
    return `if that cluster is ${only}, and is gone for good, forget it: ${forget(context, [only])}`;
  }
  const which = candidates.join(' or ');
  return `if that cluster is gone for good, forget it by its name, ${which}: ${forget(context, ['<name>'])}`;
}

/**
 * The names by which a peer that is forgotten knows a cluster still, as far as it was read: it is not told, and goes on.
 * @param others further clusters, as far as they were read: one at another address than the cluster dials only has the peer's name, and
 * so may one where nothing is that could be dialled
 * @returns undefined where it was not read, or under another name; empty also where nothing tells that there is such a cluster
 */
export function namesAtPeer(
  peer: string,
  snapshot: ClusterSnapshot,
  others: readonly ClusterSnapshot[],
): string[] | undefined {
  const all = [snapshot, ...others];
  const read = others.filter(
    (other) =>
      knownAs(other) === peer && isDialledAt(snapshot, peer, other) !== false && !mayBeAnother(snapshot, other, all),
  );
  if (read.length === 0) return isOfNobody(peer, snapshot, all) ? [] : undefined;
  // One that has another peer of the name goes on with that.
  const known = new Set(read.filter((other) => !isPeersNamesake(other, snapshot, all)).flatMap(knownPeers));
  return namesOf(snapshot).filter((name) => known.has(name));
}

/**
 * What a peer has become that is called otherwise by now: the cluster that logs in to this one as that peer still, and nobody that was
 * read has its name. A cluster that is enabled by a new name keeps the files by which it dials.
 * @param others further clusters, as far as they were read
 */
export function calledOtherwise(
  peer: string,
  snapshot: ClusterSnapshot,
  others: readonly ClusterSnapshot[],
): ClusterSnapshot | undefined {
  if (others.some((other) => knownAs(other) === peer)) return undefined;
  const all = [snapshot, ...others];
  const isIt = (other: ClusterSnapshot) =>
    loginsOf(other, snapshot).includes(remoteUserName(peer)) && !isPeersNamesake(other, snapshot, all);
  const [one, ...more] = others.filter((other) => other.context !== snapshot.context && isIt(other));
  return more.length === 0 ? one : undefined;
}

function peersElsewhere(alive: readonly ClusterSnapshot[]): string[] {
  const here = new Set(alive.map(knownAs));
  return [...new Set(alive.flatMap(knownPeers))].filter((name) => !here.has(name));
}

/**
 * The name of a cluster that cannot be asked: that of its context, where a peer has it, or where no peer is left that it could be, as
 * once it is forgotten. The only peer that is left may be alive, behind another context.
 * @param others what was read behind other contexts: they are not dead
 * @throws MeshctlError `Usage` where it cannot be told which peer it is
 */
export function nameOfDead(
  context: string,
  alive: readonly ClusterSnapshot[],
  others: readonly ClusterSnapshot[],
): string {
  const known = peersElsewhere(alive);
  const all = [...alive, ...others];
  const isAlive = (name: string) =>
    others.some(
      (other) =>
        knownAs(other) === name &&
        alive.some((one) => knownPeers(one).includes(name) && !isPeersNamesake(one, other, all)),
    );
  const candidates = known.filter((name) => !isAlive(name));
  if (candidates.length === 0 || known.includes(context)) return context;
  throw new MeshctlError('Usage', `context "${context}" cannot be reached, so it is not known which peer it is`, {
    hint: `Unless it is forgotten already, name the peer instead of the context: --peer ${candidates.join(' or --peer ')}`,
    details: { context, candidates },
  });
}

/** The command with which a cluster forgets peers. */
export function forget(context: string, peers: readonly string[]): string {
  return meshctlCommand('clustermesh disconnect', { context }, ['--peer', peers.join(',')]);
}
