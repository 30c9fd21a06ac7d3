import { type DisableOptions, draftDisable } from '../../../flows/enable/disable.ts';
import {
  clustersOfLeaving,
  endingBy,
  type LeavingCluster,
  type LeavingPeers,
  leaveInTurn,
  leavingEffects,
  leavingSteps,
  leavingTargets,
  leavingWarnings,
  prepareLeavingPeers,
  type TurnWords,
} from '../../../flows/enable/leave-mesh.ts';
import { requireRemovable } from '../../../flows/enable/leaving-turns.ts';
import type { Target } from '../../../flows/flow.ts';
import { type OtherClusters, readLostBackends } from '../../../flows/services/read-lost-backends.ts';
import { whereAccessible } from '../../../flows/where-it-succeeds.ts';
import { tryOnServer } from '../../../flows/write/try-on-server.ts';
import { alikeWarnings } from '../../../mesh/alike-warnings.ts';
import type { ClusterSnapshot } from '../../../mesh/cluster-snapshot.ts';
import { contextList, meshctlCommand } from '../../../mesh/command-line.ts';
import {
  type LeavingName,
  type LeftBehind,
  outOfReach,
  type StandingPeer,
  standingWords,
} from '../../../mesh/enable/pointing-here.ts';
import { type MeshctlError, warningOf } from '../../../mesh/errors.ts';
import { hasServed, holdOn } from '../../../mesh/peers/concerned-peers.ts';
import { isPeersNamesake, peersAmong } from '../../../mesh/peers/namesakes.ts';
import { choicesFor } from '../../../mesh/peers/peer-choices.ts';
import { isLetIn, knownPeers } from '../../../mesh/peers/peers.ts';
import { isRefusedHere, maybeSilent, type SilentContext } from '../../../mesh/peers/silent-peers.ts';
import type { Hazard } from '../../../mesh/plan/agreement.ts';
import { isChange, type Step } from '../../../mesh/plan/plan.ts';
import { silentContexts, unreachableWords } from '../../../mesh/status/mesh-status.ts';
import { seenData } from '../../../views/connect/seen-data.ts';
import { disableText } from '../../../views/enable/disable-view.ts';
import { stepData } from '../../../views/plan/plan-data.ts';
import { agreedWords } from '../../../views/plan/plan-view.ts';
import { printable } from '../../../views/printable.ts';
import type { CommandContext, CommandResult } from '../../command.ts';
import type { FlagsOf } from '../../options/flags-of.ts';
import { parseSwitch } from '../../options/option-values.ts';
import { confirmPlan, dryRunOf, planResult, refusalBy } from '../../plan-result.ts';
import { sayLeftOut } from '../../targets/each-cluster.ts';
import { otherClustersOf, readerOfOthers } from '../../targets/other-clusters.ts';
import { findPeerClusters, requireAnswers } from '../../targets/peer-clusters.ts';
import { unreachableData, withChosenClusters, withClustersOf, withUnanswered } from '../../targets/several-clusters.ts';
import { withWayOn } from '../../way-on.ts';
import { choicesForPeers, type DisableFlags, isUnasked, offerDisconnect, requireAgreed } from './agree-on-peers.ts';
import type { DISABLE } from './disable-spec.ts';
import { requireLeftAlone, unableAmong } from './unable-clusters.ts';

/** `meshctl clustermesh disable`: takes away what meshctl made, its connections first. */
export async function run(context: CommandContext, given: FlagsOf<typeof DISABLE>): Promise<CommandResult> {
  const flags: DisableFlags = { ...given, disconnect: parseSwitch(given.disconnect) };
  const { keepCertificates, wait, waitDuration } = flags;
  const options: DisableOptions = { keepCertificates, waitMs: wait ? waitDuration : undefined };
  return withChosenClusters(context, flags, async (targets, silent) => {
    const draft = async (target: Target) => ({ target, draft: await draftDisable(context, target, options) });
    const least = flags.all ? 1 : targets.length;
    const { done: read, failed } = await whereAccessible(context, targets, draft, { least });
    const others = otherClustersOf(
      context,
      flags,
      read.map(({ target }) => target),
    );
    const all = await withDiallers(flags, read, others);
    const { unable, tried } = await unableAmong(context, flags, read);
    const able = read.filter(({ target }) => !unable.some((one) => one.context === target.client.context));
    const drafts = all.length > 0 ? able.map((one) => withPeersAmong(one, all)) : able;
    sayLeftOut(context, [...failed, ...unable]);
    const about: Surroundings = {
      leaving: drafts.map((one) => one.draft),
      all,
      silent: silentContexts(unreachableData([...silent, ...failed])),
      unable: unable.map((one) => one.context),
    };
    const missing = [...silent, ...failed, ...unable];
    const leavers: Leaver[] = [];
    for (const one of drafts) leavers.push(await askAboutPeers(context, flags, one, about));
    requireLeftAlone(context, flags, leavers, unable);
    const isAnyKnown = leavers.some(({ forgettingIn }) => forgettingIn.length > 0);
    const [unanswered] = leavers.flatMap((one) => one.refused ?? []);
    const refused =
      unanswered ?? (await refusalBy(() => requireAgreed(context, flags, leavers.map(namesOf), isAnyKnown)));
    if (refused && !dryRunOf(flags)) throw refused;
    const standing = (of: readonly Leaver[]) => [
      ...standingWords(of.map(leftBehind)),
      ...new Set(of.flatMap(({ grants }) => grants)),
    ];
    // With --yes nobody reads it first, and until a cluster is gone what is said would cut connections that work.
    const isSaidFirst = !flags.yes || dryRunOf(flags) !== undefined;
    if (isSaidFirst) for (const words of standing(leavers)) context.progress.warn(words);
    if (refused) context.progress.warn(warningOf(refused));
    const contexts = [...new Set(leavers.flatMap(({ forgettingIn }) => forgettingIn))];
    const result = await withClustersOf(context, flags, contexts, async (opened) => {
      const leaving: LeavingCluster[] = [];
      for (const one of leavers) leaving.push(await prepareLeaving(context, flags, one, opened));
      const readLost = () => readLostBackends(context, leavingTargets(leaving), endingBy(leaving), others);
      const { hazards, unseen } = await readLost();
      const hazardsNow = async () => (await readLost()).hazards;
      for (const words of unseen) context.progress.warn(words);
      const warnings = [...standing(leavers), ...unseen];
      const untold = new Map(leavers.map((one) => [one.target.client.context, one.untold]));
      const inTurn: TurnWords = {
        goOn: (names) => context.againWithout(['--context', '--all'], '--context', contextList(names)),
        standing: (gone) =>
          isSaidFirst ? [] : standing(leavers.filter(({ target }) => gone.includes(target.client.context))),
      };
      const planned = { leaving, tried, untold, warnings, hazards, hazardsNow, refused };
      return carryOut(context, flags, { ...options, ...inTurn }, planned);
    });
    return withUnanswered(result, missing);
  });
}

/**
 * These clusters and, of all that the kubeconfig leads to, who else may dial them: one that has forgotten its peers, in a disconnect
 * that was interrupted, say, does not know that they go on. None where nothing is there that others could dial, and no peer is known,
 * unless they are to forget it.
 */
async function withDiallers(
  flags: DisableFlags,
  drafts: readonly Omit<LeavingCluster, 'peers'>[],
  others: OtherClusters,
): Promise<readonly ClusterSnapshot[]> {
  const own = drafts.map(({ draft }) => draft.snapshot);
  if (!flags.disconnect && !own.some((one) => hasServed(one) || knownPeers(one).length > 0)) return [];
  return [...own, ...(await others.read())];
}

function withPeersAmong<T extends Pick<LeavingCluster, 'draft'>>(one: T, all: readonly ClusterSnapshot[]): T {
  return { ...one, draft: { ...one.draft, peers: peersAmong(one.draft.snapshot, all) } };
}

/** What is to be known of other clusters. */
interface Surroundings {
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
interface Leaver
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

function leftBehind({ target, draft: { name, ofOthers }, standing }: Leaver): LeftBehind {
  return { context: target.client.context, name, standing, ofOthers };
}

function namesOf({ target, draft: { name }, dialling, beyond, ofOthers, silent }: Leaver): LeavingName {
  return { context: target.client.context, ...printable({ name, dialling, beyond, ofOthers, silent }) };
}

/** Finds the clusters that point here, asks about them, and says which will go on pointing here. */
async function askAboutPeers(
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
  const unread = dialling.filter((peer) => !known.has(peer));
  const { ofOthers } = draft;
  const beyond = outOfReach(unread, { ofOthers, silent: unanswering, all: flags.all });
  const refused = await refusalBy(() => {
    if (flags.all || flags.disconnect !== undefined || !isUnasked(context, flags)) return;
    requireAnswers(staying, { ...contexts, doubts: [] }, `Or leave peers alone: ${leave}`);
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

/** Plans the disconnects of one cluster. @param opened all clusters that are to forget any */
async function prepareLeaving(
  context: CommandContext,
  flags: DisableFlags,
  { target, draft, forgettingIn, remaining, unconnected }: Leaver,
  opened: readonly Target[],
): Promise<LeavingCluster> {
  if (draft.peers.length === 0) return { target, draft, peers: { remaining, unconnected } };
  const destinations = opened.filter(({ client }) => forgettingIn.includes(client.context));
  const others = readerOfOthers(context, flags, [target, ...destinations]);
  const prepared = await prepareLeavingPeers(context, target, draft, destinations, others);
  return { target, draft, peers: { prepared, remaining, unconnected } };
}

async function carryOut(
  context: CommandContext,
  flags: DisableFlags,
  options: DisableOptions & TurnWords,
  {
    leaving,
    tried,
    untold,
    warnings,
    hazards,
    hazardsNow,
    refused,
  }: {
    leaving: readonly LeavingCluster[];
    /** Steps that the API servers have let pass as a dry run by now. */
    tried: ReadonlySet<Step>;
    /** By context: who goes on dialling although it was to be told. */
    untold: ReadonlyMap<string, readonly string[]>;
    warnings: readonly string[];
    hazards: readonly Hazard[];
    hazardsNow: () => Promise<readonly Hazard[]>;
    refused: MeshctlError | undefined;
  },
): Promise<CommandResult> {
  const steps = leaving.flatMap(leavingSteps);
  const notes = Object.fromEntries(leaving.map(({ target, draft }) => [target.client.context, draft.notes]));
  const ofPartings = leavingWarnings(leaving);
  for (const words of ofPartings) context.progress.warn(words);
  const effects = leaving.flatMap(leavingEffects);
  const report = { steps, notes, effects, hazards, warnings: [...warnings, ...ofPartings] };
  const dryRun = dryRunOf(flags);
  if (dryRun) {
    const verdicts =
      dryRun === 'server' ? { verdicts: await tryOnServer(context, leavingTargets(leaving), steps) } : {};
    return planResult({ ...report, ...verdicts }, dryRun, flags.output, refused);
  }
  const contexts = leaving.map(({ target }) => target.client.context);
  const untried = steps.filter((step) => !tried.has(step));
  if (tried.size === 0 || untried.some(isChange))
    await requireRemovable(context, leavingTargets(leaving), untried, contexts, options.goOn);
  for (const note of alikeWarnings(leaving.flatMap(({ draft }) => draft.notes))) context.progress.warn(note);
  const names = leaving.map(({ target, draft }) => `${draft.name} (context ${target.client.context})`).join(', ');
  const question = `Disable Cluster Mesh in ${names}?`;
  const planned = leaving.flatMap(clustersOfLeaving);
  await confirmPlan(context, report, {
    question,
    yes: flags.yes,
    targets: leavingTargets(leaving),
    planned,
    hazardsNow,
  });
  const done = await withWayOn(context, () => leaveInTurn(context, leaving, options));
  const clusters = done.map(({ verified, ...one }) => {
    const missed = untold.get(one.context) ?? [];
    const shown = printable({ name: one.name, remaining: one.remaining, untold: missed });
    return { ...one, ...shown, verified: verified && missed.length === 0 };
  });
  const data = clusters.map(({ steps: made, context: where, name, remaining, still }) => ({
    context: where,
    cluster: name,
    ...(still ? { stillEnabled: printable(still) } : {}),
    stillPointingHere: remaining,
    steps: made.map((step) => ({ cluster: step.cluster, ...stepData(step) })),
  }));
  const verified = clusters.every((one) => one.verified);
  const all = leavingTargets(leaving).map(({ client }) => client.context);
  const { seen, unlooked } = seenData(verified, flags.wait, meshctlCommand('clustermesh status', { context: all }));
  for (const words of unlooked) context.progress.warn(words);
  return {
    kind: 'DisableResult',
    data: {
      ...(data.length === 1 ? data[0] : { clusters: data }),
      warnings: printable([
        ...new Set([...warnings, ...done.flatMap((one) => one.warnings), ...agreedWords(report), ...unlooked]),
      ]),
      ...seen,
    },
    text: (theme) => clusters.map((one) => disableText(one, theme)).join('\n'),
    exitCode: verified && clusters.every(({ still }) => still === undefined) ? 0 : 1,
  };
}
