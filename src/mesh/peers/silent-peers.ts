import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { COMMAND_LINES, contextsIn, meshctlCommand, unnamedIn } from '../command-line.ts';
import type { ErrorCode } from '../errors.ts';
import { stageOf } from '../faults/hint-order.ts';
import { groupBy } from '../pairs.ts';
import { namesOf } from './concerned-peers.ts';

/** A context of which nothing could be read, and why. */
export interface SilentContext {
  context: string;
  code: ErrorCode;
  /** What is to be done about it, e.g. who grants the right that is missing, and how. */
  hint?: string | undefined;
}

/**
 * A next step that leaves the context of a peer to the operator, in a run in which a context did not answer: that peer is
 * most likely the very cluster, and to ask it tells the same once more. What is left is to bring it back, or to forget it.
 * @param hint unchanged where all its contexts are known, or where every context answered
 * @param holders contexts of the clusters that have the peer, and would forget it
 * @param silent contexts that did not answer, or may not be read
 */
export function forgetIfSilent(hint: string, holders: readonly string[], silent: readonly SilentContext[]): string {
  const peers = unnamedIn(hint);
  if (peers.length === 0 || holders.length === 0 || silent.length === 0) return hint;
  const forget = forgetCommands(peers.join(','), holders);
  const gone = peers.length === 1 ? 'it is gone for good, forget it' : 'they are gone for good, forget them';
  const grant = grantFor(silent);
  if (grant !== undefined) return `${maybeSilent(peers, silent)}. ${grant}; or if ${gone}: ${forget}`;
  return `${maybeSilent(peers, silent)}. If ${gone}: ${forget}`;
}

/**
 * What a cluster that has fallen silent costs: agents go on using what they last heard of it, since nothing tells them that it is gone
 * (Cilium's docs, "Handling Unreachable Clusters").
 * @param senders who use it: for how long is a Go duration (`clustermesh-cache-ttl`), absent where it is until agents restart
 */
export function stillSent(senders: readonly { readonly keptFor?: string | undefined }[]): string {
  const spans = [...new Set(senders.flatMap(({ keptFor }) => keptFor ?? []))];
  const until = spans.length > 0 && senders.every(({ keptFor }) => keptFor) ? ` for ${spans.join(' or ')}` : '';
  return `a cluster that is silent is still sent its share of requests${until}, which are lost`;
}

/** The command line that ends it, by which clusters forget a peer. @param holders contexts of those that have it */
export function forgetCommands(peer: string, holders: readonly string[]): string {
  return meshctlCommand('clustermesh disconnect', { context: holders }, ['--peer', peer]);
}

/**
 * Of contexts that gave no answer those that may lead to peers: not one that was read as another cluster before, and answers no more.
 * @param peers names of clusters
 * @param read clusters, by contexts of the same kubeconfig
 */
export function mayLeadTo<T extends { readonly context: string }>(
  peers: readonly string[],
  silent: readonly T[],
  read: readonly ClusterSnapshot[],
): T[] {
  const isAnother = ({ context }: T) =>
    read.some((one) => one.context === context && !namesOf(one).some((name) => peers.includes(name)));
  return silent.filter((one) => !isAnother(one));
}

/** `"mesh-2" may be the cluster of context "two", which does not answer`. @param peers names of clusters */
export function maybeSilent(peers: readonly string[], silent: readonly SilentContext[]): string {
  const names = peers.map((peer) => `"${peer}"`).join(', ');
  const where = `${silent.length === 1 ? 'context' : 'one of the contexts'} ${saysSilent(silent)}`;
  return `${peers.length === 1 ? '' : 'One of '}${names} may be the cluster of ${where}`;
}

/** `"two", which does not answer, "three", which may not be read by this user`: why each of them could not be read. */
export function saysSilent(silent: readonly SilentContext[]): string {
  const byReason = groupBy(silent, ({ code }) => REASONS[code] ?? OTHERWISE);
  return [...byReason]
    .map(([[one, several], same]) => {
      const names = same.map(({ context }) => `"${context}"`).join(', ');
      return `${names}, which ${same.length === 1 ? one : several}`;
    })
    .join(', ');
}

/** Whether the API server answers and does not let the user in: the cluster is there, and what is missing is a right or a login. */
export function isRefusedHere({ code }: Pick<SilentContext, 'code'>): boolean {
  return code === 'Forbidden' || code === 'Unauthenticated';
}

/**
 * A next step that writes to a context which this user may not even read: typed by them it is refused, so it is said who types it.
 * @param hint unchanged where it writes to no such context
 */
export function leftToWhoMay(hint: string, silent: readonly SilentContext[]): string {
  const written = (hint.match(COMMAND_LINES) ?? []).filter(
    (line) => line.startsWith('meshctl ') && stageOf(line) !== undefined,
  );
  const named = new Set(written.flatMap(contextsIn));
  const refused = silent.filter(({ context, code }) => code === 'Forbidden' && named.has(context));
  if (refused.length === 0) return hint;
  const contexts = refused.map(({ context }) => `"${context}"`).join(', ');
  const [which, it] = refused.length === 1 ? ['context', 'it'] : ['contexts', 'them'];
  return `This user may not read ${which} ${contexts}, so a command that names ${it} is for someone who may. ${hint}`;
}

/** What lets the user read a context that they may not read: who has to grant what, as a hint; undefined where none is known. */
export function grantFor(silent: readonly SilentContext[]): string | undefined {
  return silent.find((one) => isRefusedHere(one) && one.hint !== undefined)?.hint?.replace(/\.$/, '');
}

/** Why nothing was read of a context, of one and of several. */
type Reason = readonly [one: string, several: string];
const UNANSWERED: Reason = ['does not answer', 'do not answer'];
const OTHERWISE: Reason = ['could not be read', 'could not be read'];
const REASONS: Readonly<Partial<Record<ErrorCode, Reason>>> = {
  ClusterUnreachable: UNANSWERED,
  Timeout: UNANSWERED,
  ApiFailure: ['answers with an error', 'answer with an error'],
  Forbidden: ['may not be read by this user', 'may not be read by this user'],
  Unauthenticated: ['does not accept the login', 'do not accept the login'],
  ContextUnknown: ['cannot be used', 'cannot be used'],
  KubeconfigInvalid: ['cannot be used', 'cannot be used'],
};
