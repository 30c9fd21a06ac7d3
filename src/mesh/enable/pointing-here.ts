import { unnamedContext } from '../command-line.ts';
import { forget, forgetEach } from '../connect/disconnect/dead-cluster.ts';
import { capital, counted, enumerated } from '../counted.ts';
import { MeshctlError } from '../errors.ts';
import { groupBy } from '../pairs.ts';
import { forOtherOwners } from '../peers/peers-of-others.ts';
import { grantFor, isRefusedHere, type SilentContext } from '../peers/silent-peers.ts';

/** The same run with a choice for the peers that still dial a cluster that is to be disabled. */
export interface ChoicesForPeers {
  disconnect: string;
  leave: string;
}

/** A cluster that is to be disabled. */
export interface LeavingName {
  context: string;
  name: string;
  /** Names of the peers that dial it, and that can be disconnected. */
  dialling: readonly string[];
  /** Of those to which no context leads, so that nobody has seen whether they dial it still, or can end it from here. */
  beyond: readonly string[];
  /** Those of them that are another owner's, whose kubeconfig is not to be had. */
  ofOthers: readonly string[];
  /** Contexts that did not answer, or may not be read: one of those may lead to them. */
  silent: readonly SilentContext[];
}

/**
 * Who dials a cluster that is gone keeps its backends and sends requests to them, which nobody answers: that is not what --yes agrees
 * to.
 * @throws MeshctlError `Usage`, with the choices that there are
 */
export function requireChoiceFor(leaving: readonly LeavingName[], { disconnect, leave }: ChoicesForPeers): void {
  const says = leaving.flatMap((one) => [
    ...(one.dialling.length > 0 ? [stillDial(one.name, one.dialling)] : []),
    ...(one.beyond.length > 0 ? [mayDial(one)] : []),
  ]);
  if (says.length === 0) return;
  const dialling = namesOf(leaving, (one) => one.dialling);
  const beyond = namesOf(leaving, (one) => one.beyond);
  const all = [...dialling, ...beyond];
  const [them, they] = pronouns(all);
  const leaveThem = `leave ${them} as ${they}: ${leave}`;
  const first = beyond.length > 0 ? `Disconnect first, and forget ${enumerated(beyond)} if gone` : 'Disconnect first';
  throw new MeshctlError('Usage', says.join('; '), {
    hint:
      dialling.length > 0
        ? `${first}: ${[...forgetting(leaving), disconnect].join(' && ')}; or ${leaveThem}`
        : `${reaching(leaving, them)}, or ${leaveThem}`,
    details: { stillPointingHere: all },
  });
}

/**
 * Who is to be disconnected first and cannot be, as no context leads there, goes on like those of which nothing was said: that --yes
 * with it agrees to no more.
 * @param choices to leave peers as they are only where none is within reach
 * @throws MeshctlError `Usage`, with what can be done
 */
export function requireContextsFor(
  leaving: readonly LeavingName[],
  { disconnect, leave }: { disconnect: string; leave: string | undefined },
): void {
  const says = leaving.flatMap((one) => (one.beyond.length > 0 ? [mayDial(one)] : []));
  if (says.length === 0) return;
  const beyond = namesOf(leaving, (one) => one.beyond);
  const [them, they] = pronouns(beyond);
  const wayOn = `if gone, forget ${them} first: ${[...forgetting(leaving), disconnect].join(' && ')}`;
  throw new MeshctlError('Usage', says.join('; '), {
    hint: `${reaching(leaving, them)}; or ${wayOn}${leave === undefined ? '' : `; or leave ${them} as ${they}: ${leave}`}`,
    details: { stillPointingHere: beyond },
  });
}

function stillDial(name: string, dialling: readonly string[]): string {
  const [dial, keep] = dialling.length > 1 ? ['dial', 'keep'] : ['dials', 'keeps'];
  return `${dialling.join(', ')} still ${dial} ${name}, and ${keep} sending requests to its pods after a disable`;
}

function mayDial({ name, beyond, silent }: LeavingName): string {
  const answers =
    silent.length === 0
      ? ''
      : silent.every(isRefusedHere)
        ? ' that this user may read'
        : silent.some(isRefusedHere)
          ? ' that can be read'
          : ' that answers';
  const [dial, keep] = beyond.length > 1 ? ['they still dial', 'they keep'] : ['it still dials', 'it keeps'];
  return `no context${answers} leads to ${beyond.join(', ')}: if ${dial} ${name}, ${keep} sending requests to pods there after a disable`;
}

/** How those are reached to which no context leads. @param them all of them, as a pronoun */
function reaching(leaving: readonly LeavingName[], them: string): string {
  const ours = namesOf(leaving, ({ beyond, ofOthers }) => beyond.filter((peer) => !ofOthers.includes(peer)));
  const all = namesOf(leaving, ({ beyond }) => beyond);
  const owners = leaving.flatMap(({ name, beyond, ofOthers }) => {
    const theirs = beyond.filter((peer) => ofOthers.includes(peer)).map((peer) => `"${peer}"`);
    return theirs.length > 0
      ? [`have the owner of ${enumerated(theirs)} run "clustermesh disconnect --peer ${name}" in their cluster`]
      : [];
  });
  const grants = [
    ...new Set(leaving.flatMap(({ silent, beyond }) => (beyond.length > 0 ? (grantFor(silent) ?? []) : []))),
  ];
  const kubeconfig = `give a kubeconfig that leads to ${ours.length === all.length ? them : enumerated(ours)} too`;
  const ways = [...(ours.length > 0 ? [kubeconfig] : []), ...owners].join(', ');
  return capital([...(ours.length > 0 ? grants : []), ways].join('; or '));
}

function namesOf(leaving: readonly LeavingName[], which: (one: LeavingName) => readonly string[]): string[] {
  return [...new Set(leaving.flatMap(which))];
}

function pronouns({ length }: readonly string[]): readonly [them: string, they: string] {
  return length > 1 ? ['them', 'they are'] : ['it', 'it is'];
}

/** What has clusters forget those that cannot be told: for these a run with --disconnect is refused no more. */
function forgetting(leaving: readonly LeavingName[]): string[] {
  return forgetEach(
    leaving.map(({ context, beyond }) => ({ context, peers: beyond })),
    ['--yes'],
  );
}

/** A peer that is not told that a cluster leaves. */
export interface StandingPeer {
  name: string;
  /** Whether it dials the cluster, or only lets it in. */
  dials: boolean;
  /** The context that leads to it; absent where none does that answers. */
  context?: string | undefined;
  /** Of one to which none leads: the only context that it may be behind, and what there is to say of contexts that do not answer. */
  perhaps?: string | undefined;
  doubt?: string | undefined;
}

/** A cluster that leaves, with the peers that are not told. */
export interface LeftBehind {
  context: string;
  name: string;
  standing: readonly StandingPeer[];
  /** Names of the peers that are another owner's. */
  ofOthers: readonly string[];
}

/**
 * What goes on at peers that are not told, with what ends it there. Clusters that leave at once are named together, and so are peers
 * of which the same is to be said.
 */
export function standingWords(left: readonly LeftBehind[]): string[] {
  const all = left.flatMap(({ standing, ...cluster }) => standing.map((peer) => ({ peer, cluster })));
  const known = all.filter(({ peer }) => peer.context !== undefined);
  const ofPeer = [...groupBy(known, ({ peer }) => JSON.stringify([peer.context, peer.name, peer.dials])).values()];
  const together = groupBy(ofPeer, (of) => JSON.stringify([of.map(({ cluster }) => cluster.name), of[0]?.peer.dials]));
  const unknown = all.filter(({ peer }) => peer.context === undefined);
  return [
    ...[...together.values()].map((peers) => standingTogether(peers)),
    ...unknown.map(({ peer, cluster }) => unreadStanding(peer, cluster)),
  ];
}

/** @param peers of each, the clusters that leave, which are the same for all of them */
function standingTogether(peers: readonly (readonly { peer: StandingPeer; cluster: { name: string } }[])[]): string {
  const [first = []] = peers;
  const names = first.map(({ cluster }) => `"${cluster.name}"`);
  const them = names.length > 1 ? 'them' : 'it';
  const forgetting = forget(
    peers.flatMap(([of]) => of?.peer.context ?? []),
    first.map(({ cluster }) => cluster.name),
  );
  const isOne = peers.length === 1;
  const who = isOne ? `"${first[0]?.peer.name}"` : counted(peers.length, 'cluster');
  const each = isOne ? '' : ` (${peers.map((of) => of[0]?.peer.name).join(', ')})`;
  const says = first[0]?.peer.dials
    ? `${who} still ${isOne ? 'dials' : 'dial'} ${enumerated(names)} and will report ${them} as failing${each}`
    : `${who} still ${isOne ? 'lets' : 'let'} ${enumerated(names)} in: anyone with ${names.length > 1 ? 'their' : 'its'} certificate${each}`;
  return `${says} → ${forgetting}`;
}

function unreadStanding(peer: StandingPeer, { context, name, ofOthers }: Omit<LeftBehind, 'standing'>): string {
  const where = peer.perhaps ?? unnamedContext(peer.name);
  const forgetting = forget(where, [name]);
  const doubt = peer.doubt === undefined ? '' : ` (${peer.doubt})`;
  const says = peer.dials
    ? `still dials "${name}", unless it is gone, and will report it as failing${doubt}`
    : `still lets "${name}" in: anyone with its certificate`;
  return `"${peer.name}" ${says} → ${forOtherOwners(forgetting, context, ofOthers)}`;
}
