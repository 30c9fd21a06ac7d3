import type { LeavingCluster, LeavingPeers } from '../../../flows/enable/leave-mesh.ts';
import type { ClusterSnapshot } from '../../../mesh/cluster-snapshot.ts';
import type { LeavingName, StandingPeer } from '../../../mesh/enable/pointing-here.ts';
import type { MeshctlError } from '../../../mesh/errors.ts';
import { holdOn } from '../../../mesh/peers/concerned-peers.ts';
import { isPeersNamesake } from '../../../mesh/peers/namesakes.ts';
import { choicesFor } from '../../../mesh/peers/peer-choices.ts';
import { isLetIn, knownPeers } from '../../../mesh/peers/peers.ts';
import { isRefusedHere, maybeSilent, type SilentContext } from '../../../mesh/peers/silent-peers.ts';
import { silentContexts, unreachableWords } from '../../../mesh/status/mesh-status.ts';
import type { CommandContext } from '../../command.ts';
import { dryRunOf, refusalBy } from '../../plan-result.ts';
import { findPeerClusters, requireAnswers } from '../../targets/peer-clusters.ts';
import { unreachableData } from '../../targets/several-clusters.ts';
import { choicesForPeers, type DisableFlags, isUnasked, offerDisconnect } from './agree-on-peers.ts';

/** What is to be known of other clusters. */
export interface Surroundings {
  /** All clusters that are to be disabled: they point to no peer any longer. */
  leaving: readonly LeavingCluster['draft'][];
  /** All that were read. */
  all: readonly ClusterSnapshot[];
  /** Contexts that the operator meant too, and that did not answer, or may not be read. */
  silent: readonly SilentContext[];
  /** Those that were read, and in which nothing may be removed: they stay, and cannot be told either. */
  unable: readonly string[];
}

/** A cluster that is to leave, with the contexts of the peers that are to forget it. */
export interface Leaver
  extends Omit<LeavingCluster, 'peers'>,
    Pick<LeavingPeers, 'remaining' | 'unconnected'>,
    Omit<LeavingName, 'context' | 'name'> {
  forgettingIn: readonly string[];
  /** Names of those that go on dialling it although they were to be told. */
  untold: readonly string[];
  /** Those that are not told. */
  standing: readonly StandingPeer[];
  /** What has to be granted before it is known of some whether they are its peers. */
  grants: readonly string[];
  /** With a dry run: what a run is refused for. */
  refused: MeshctlError | undefined;
}

/** Finds the clusters that point here, asks about them, and says which will go on pointing here. */
export async function askAboutPeers(
  context: CommandContext,
  flags: DisableFlags,
  { target, draft }: Omit<LeavingCluster, 'peers'>,
  { leaving, all, silent, unable }: Surroundings,
): Promise<Leaver> {
  const isLeaving = (peer: string) =>
    leaving.some(({ name, snapshot }) => name === peer && !isPeersNamesake(draft.snapshot, snapshot, all));
  const staying = draft.peers.filter((peer) => !isLeaving(peer));
  const contexts = await findPeerClusters(
    context,
    flags,
    staying.map((name) => ({ name, knownBy: [draft.snapshot] })),
    [draft.snapshot, ...all],
  );
  const { leave } = choicesForPeers(context);
  if (flags.disconnect && !flags.all)
    requireAnswers(staying, contexts, `To disable the cluster alone, and leave its peers dialling: ${leave}`);
  const { known } = contexts;
  const found = silentContexts(unreachableData(contexts.silent));
  const untoldOf = found.filter(({ context: name }) => !silent.some((one) => one.context === name));
  const unanswering = [...silent, ...untoldOf];
  const readOf = (peer: string) => all.find((other) => other.context === known.get(peer));
  // What it has by the name of this cluster is for another one of that name.
  const isOfNamesake = (peer: string) => {
    const there = readOf(peer);
    return there !== undefined && isPeersNamesake(there, draft.snapshot, all);
  };
  const holdOf = (peer: string) => {
    const there = readOf(peer);
    if (isOfNamesake(peer)) return undefined;
    if (there) return holdOn(there, draft.snapshot);
    // Of one that was not read the worst is to be thought, unless it is on record that it does not dial, and nothing lets it in.
    const isOneWay = choicesFor(draft.snapshot, peer).mode === 'unicast' && !isLetIn(draft.snapshot, peer);
    return isOneWay ? undefined : 'dials';
  };
  const dialling = staying.filter((peer) => holdOf(peer) === 'dials');
  const holding = staying.filter((peer) => holdOf(peer) !== undefined);
  const canTell = (peer: string) => known.has(peer) && !unable.includes(known.get(peer) ?? '');
  const reached = (peers: readonly string[]) => peers.filter(canTell);
  const beyond = dialling.filter((peer) => !known.has(peer));
  const { ofOthers } = draft;
  const refused = await refusalBy(() => {
    if (flags.disconnect === false || !isUnasked(context, flags)) return;
    // Of another owner's cluster no context is to be had, were it one that answers.
    const ours = beyond.filter((peer) => !ofOthers.includes(peer));
    requireAnswers(ours, { ...contexts, doubts: [] }, `Or leave peers alone: ${leave}`);
  });
  if (refused && !dryRunOf(flags)) throw refused;
  const told = [...known].flatMap(([peer, there]) => (canTell(peer) && !isOfNamesake(peer) ? [there] : []));
  const wanted =
    told.length > 0 && (flags.disconnect ?? (await offerDisconnect(context, flags, draft.name, reached(holding))));
  const staysUntold = holding.filter((peer) => !wanted || !canTell(peer));
  const remaining = staysUntold.filter((peer) => dialling.includes(peer));
  const standing = staysUntold.map((peer): StandingPeer => {
    const dials = dialling.includes(peer);
    if (known.has(peer)) return { name: peer, dials, context: known.get(peer) };
    // The only one that did not answer is most likely where it is.
    const [perhaps, ...more] = unanswering;
    const doubt = perhaps === undefined ? undefined : maybeSilent([peer], unanswering);
    return { name: peer, dials, perhaps: more.length === 0 ? perhaps?.context : undefined, doubt };
  });
  // Only with that right is it known whether it is the peer, and can it be disconnected from here.
  const refusedThere = staysUntold.every((peer) => known.has(peer)) ? [] : contexts.silent;
  const grants = refusedThere.flatMap(({ context: name, error }) =>
    isRefusedHere(error) && error.hint !== undefined && untoldOf.some((one) => one.context === name)
      ? [`${unreachableWords({ context: name, message: error.message })} → ${error.hint}`]
      : [],
  );
  return {
    target,
    draft,
    standing,
    grants,
    refused,
    forgettingIn: wanted ? told : [],
    dialling: reached(dialling),
    beyond,
    ofOthers,
    silent: unanswering,
    remaining,
    untold: (flags.disconnect ?? wanted) ? remaining : [],
    unconnected: holding.filter((peer) => !dialling.includes(peer) && !knownPeers(draft.snapshot).includes(peer)),
  };
}
