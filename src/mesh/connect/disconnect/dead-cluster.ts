import type { ClusterSnapshot } from '../../cluster-snapshot.ts';
import { contextList, meshctlCommand } from '../../command-line.ts';
import { capital, enumerated } from '../../counted.ts';
import { isUnjudged, MeshctlError } from '../../errors.ts';
import { groupBy } from '../../pairs.ts';
import { knownAs, namesOf } from '../../peers/concerned-peers.ts';
import type { ConnectionMode } from '../../peers/connection-mode.ts';
import { remoteUserName } from '../../peers/file/peer-config.ts';
import { isDialledAt, isPeersNamesake, mayBeAnother } from '../../peers/namesakes.ts';
import { knownPeers } from '../../peers/peers.ts';
import { isOfNobody } from '../../peers/unused-keys.ts';
import { loginsOf } from './disconnect-plan.ts';

/** Whether what an error tells of may be a cluster that is gone, as opposed to one that says no. */
export function maybeDead(error: MeshctlError): boolean {
  return isUnjudged(error) || error.code === 'CiliumMissing';
}

/**
 * Whether a context that does not answer is taken for a cluster that is to be forgotten by its name: it is called like it, and no cluster
 * that was read has that name. One that refuses is not gone.
 */
export function isForgottenOne(
  { context, error }: { context: string; error: MeshctlError },
  peers: readonly string[],
  read: readonly ClusterSnapshot[],
): boolean {
  return peers.includes(context) && maybeDead(error) && !read.some((one) => knownAs(one) === context);
}

/** A disconnect of clusters of which some may be gone. */
export interface DisconnectOfDead {
  /** The context of the cluster that parts from each other one; absent where every pair parts. */
  source?: string | undefined;
  mode: ConnectionMode;
  /** Those of its clusters that were read. */
  alive: readonly ClusterSnapshot[];
  /** What was read behind other contexts: they are not dead. */
  others: readonly ClusterSnapshot[];
}

/** Whether a context that does not answer has the name of a peer that none of those that were read is. */
export function isCalledAsPeer(context: string, alive: readonly ClusterSnapshot[]): boolean {
  return peersElsewhere(alive).includes(context);
}

/**
 * An error of a destination that may be gone for good, with what else can be done then.
 * @param dead its context
 */
export function withWayOut(error: MeshctlError, dead: string, of: DisconnectOfDead): MeshctlError {
  const wayOut = wayToForget(dead, of);
  const { code, message, details } = error;
  return new MeshctlError(code, message, {
    hint: error.hint === undefined ? `I${wayOut.slice(1)}` : `${error.hint.replace(/\.$/, '')}; ${wayOut}`,
    details,
    cause: error,
  });
}

/** Which peer is behind a context that does not answer, the operator knows, unless it has its name: it may be none at all. */
function wayToForget(dead: string, of: DisconnectOfDead): string {
  const gone = 'if that cluster is gone for good, ';
  if (isCalledAsPeer(dead, of.alive))
    return of.source === undefined
      ? `if "${dead}" is gone for good, add --force: the others forget it`
      : `${gone}forget it: ${forgetting(dead, of)}`;
  const names = thoseItMayBe(of);
  return `${gone}${names.length === 0 ? 'nothing of it is left to take out' : waysToForget(names, of)}`;
}

/** So many peers, of which any may be the one, are told a command each: by the name of another one a living peer would be forgotten. */
const MOST_WAYS = 3;

/** How a cluster is forgotten that is one of these. */
function waysToForget(names: readonly string[], of: DisconnectOfDead): string {
  const ways = names.map((name) => `if it is ${name}: ${forgetting(name, of)}`);
  if (ways.length <= MOST_WAYS) return `forget it by its name, ${ways.join('; or ')}`;
  const where = [...new Set(names.flatMap((name) => holdersOf(name, of)))].map((context) => `"${context}"`);
  const which = `which is one of ${enumerated(names)}`;
  return `forget it by its name, ${which}, with "clustermesh disconnect --peer" in context ${enumerated(where)}`;
}

/** Contexts of the clusters that part from a peer of this name. */
function holdersOf(name: string, { source, mode, alive }: DisconnectOfDead): string[] {
  if (source !== undefined && mode !== 'mesh') return [source];
  return alive.filter((one) => knownPeers(one).includes(name)).map(({ context }) => context);
}

function forgetting(name: string, of: DisconnectOfDead): string {
  return forget(holdersOf(name, of), [name], of.mode === 'unicast' ? modeWords(of.mode) : []);
}

const modeWords = (mode: ConnectionMode): string[] => (mode === 'bidirectional' ? [] : ['--connection-mode', mode]);

/** What parts those that answer from each other; undefined where there is but one. */
function partingTheRest({ source, mode, alive }: DisconnectOfDead): string | undefined {
  const contexts = alive.map(({ context }) => context);
  const [first, ...rest] = source === undefined ? contexts : [source, ...contexts.filter((one) => one !== source)];
  if (first === undefined || rest.length === 0) return undefined;
  const words = ['--destination-context', contextList(rest), ...modeWords(source === undefined ? 'mesh' : mode)];
  return meshctlCommand('clustermesh disconnect', { context: first }, words);
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
  const read = readAsPeer(peer, snapshot, others);
  if (read.length === 0) return isOfNobody(peer, snapshot, all) ? [] : undefined;
  // One that has another peer of the name goes on with that.
  const known = new Set(read.filter((other) => !isPeersNamesake(other, snapshot, all)).flatMap(knownPeers));
  return namesOf(snapshot).filter((name) => known.has(name));
}

/** The clusters that are a peer which is forgotten by its name, and do not only have it: it is not gone. @param others that were read */
export function readAsPeer(
  peer: string,
  snapshot: ClusterSnapshot,
  others: readonly ClusterSnapshot[],
): ClusterSnapshot[] {
  return others.filter(
    (other) =>
      knownAs(other) === peer &&
      isDialledAt(snapshot, peer, other) !== false &&
      !mayBeAnother(snapshot, other, [snapshot, ...others]),
  );
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

/** The peers of which any may be a cluster that cannot be asked: none of them was read, here or behind other contexts. */
function thoseItMayBe({ alive, others }: DisconnectOfDead): string[] {
  const all = [...alive, ...others];
  const isAlive = (name: string) =>
    others.some(
      (other) =>
        knownAs(other) === name &&
        alive.some((one) => knownPeers(one).includes(name) && !isPeersNamesake(one, other, all)),
    );
  return peersElsewhere(alive).filter((name) => !isAlive(name));
}

/**
 * The name of a cluster that cannot be asked: that of its context, where a peer has it, or where no peer is left that it could be, as
 * once it is forgotten. The only peer that is left may be alive, behind another context.
 * @throws MeshctlError `Usage` where it cannot be told which peer it is, with what parts the others, and forgets it by its name
 */
export function nameOfDead(context: string, of: DisconnectOfDead): string {
  const candidates = thoseItMayBe(of);
  if (candidates.length === 0 || isCalledAsPeer(context, of.alive)) return context;
  const rest = partingTheRest(of);
  const first = rest === undefined ? '' : `Part from those that answer: ${rest}; and `;
  throw new MeshctlError('Usage', `context "${context}" cannot be reached, so it is not known which peer it is`, {
    hint: capital(`${first}unless it is forgotten already, ${waysToForget(candidates, of)}`),
    details: { context, candidates },
  });
}

/** The command with which a cluster, or each of several, forgets peers. @param more further words */
export function forget(
  context: string | readonly string[],
  peers: readonly string[],
  more: readonly string[] = [],
): string {
  return meshctlCommand('clustermesh disconnect', { context }, ['--peer', peers.join(','), ...more]);
}

/** The commands with which each of several clusters forgets its own peers: one for all that forget the same ones. */
export function forgetEach(
  all: readonly { context: string; peers: readonly string[] }[],
  more: readonly string[] = [],
): string[] {
  const alike = groupBy(
    all.filter(({ peers }) => peers.length > 0),
    ({ peers }) => peers.join(','),
  );
  return [...alike.values()].map((same) =>
    forget(
      same.map(({ context }) => context),
      same[0]?.peers ?? [],
      more,
    ),
  );
}
