import { type DisableOptions, draftDisable } from '../../../flows/enable/disable.ts';
import {
  clustersOfLeaving,
  endingBy,
  type LeavingCluster,
  leaveInTurn,
  leavingEffects,
  leavingSteps,
  leavingTargets,
  leavingWarnings,
  leftWarnings,
  prepareLeavingPeers,
  type TurnWords,
} from '../../../flows/enable/leave-mesh.ts';
import { requireRemovable } from '../../../flows/enable/leaving-turns.ts';
import type { Target } from '../../../flows/flow.ts';
import { noting } from '../../../flows/noting.ts';
import { type OtherClusters, readLostBackends } from '../../../flows/services/read-lost-backends.ts';
import { whereAccessible } from '../../../flows/where-it-succeeds.ts';
import { tryOnServer } from '../../../flows/write/try-on-server.ts';
import { alikeWarnings } from '../../../mesh/alike-warnings.ts';
import type { ClusterSnapshot } from '../../../mesh/cluster-snapshot.ts';
import { contextList, meshctlCommand } from '../../../mesh/command-line.ts';
import {
  type LeavingName,
  type LeftBehind,
  type StandingPeer,
  standingWords,
} from '../../../mesh/enable/pointing-here.ts';
import { exitOf, type MeshctlError, warningOf } from '../../../mesh/errors.ts';
import { hasServed } from '../../../mesh/peers/concerned-peers.ts';
import { peersAmong } from '../../../mesh/peers/namesakes.ts';
import { knownPeers } from '../../../mesh/peers/peers.ts';
import { inWordsWhereUnled } from '../../../mesh/peers/peers-of-others.ts';
import type { Hazard } from '../../../mesh/plan/agreement.ts';
import { isChange, type Step } from '../../../mesh/plan/plan.ts';
import { silentContexts } from '../../../mesh/status/mesh-status.ts';
import { seenData } from '../../../views/connect/seen-data.ts';
import { disableText } from '../../../views/enable/disable-view.ts';
import { clusterSteps } from '../../../views/plan/plan-data.ts';
import { agreedWords } from '../../../views/plan/plan-view.ts';
import { printable } from '../../../views/printable.ts';
import type { CommandContext, CommandResult } from '../../command.ts';
import type { FlagsOf } from '../../options/flags-of.ts';
import { parseSwitch } from '../../options/option-values.ts';
import { PARTING_WAIT_MS } from '../../options/shared-options.ts';
import { confirmPlan, dryRunOf, planResult, refusalBy, refusalByRotation } from '../../plan-result.ts';
import { sayLeftOut } from '../../targets/each-cluster.ts';
import { otherClustersOf, readerOfOthers } from '../../targets/other-clusters.ts';
import { unreachableData, withChosenClusters, withClustersOf, withUnanswered } from '../../targets/several-clusters.ts';
import { withWayOn } from '../../way-on.ts';
import { type DisableFlags, isUnasked, requireAgreed } from './agree-on-peers.ts';
import { askAboutPeers, type Leaver, type Surroundings } from './ask-about-peers.ts';
import type { DISABLE } from './disable-spec.ts';
import { requireLeftAlone, unableAmong } from './unable-clusters.ts';

/** `meshctl clustermesh disable`: takes away what meshctl made, its connections first. */
export async function run(context: CommandContext, given: FlagsOf<typeof DISABLE>): Promise<CommandResult> {
  const flags: DisableFlags = { ...given, disconnect: parseSwitch(given.disconnect) };
  const { keepCertificates, wait, waitDuration } = flags;
  const options: DisableOptions = {
    keepCertificates,
    waitMs: wait ? (waitDuration ?? PARTING_WAIT_MS) : undefined,
    replacingMs: waitDuration,
  };
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
    const unsaid = await refusalBy(() => requireAgreed(context, flags, leavers.map(namesOf), isAnyKnown));
    const refused = unanswered ?? (isUnasked(context, flags) ? unsaid : undefined);
    if (refused && !dryRunOf(flags)) throw refused;
    // What is yet to be chosen for them is said with the choices that there are.
    const isChosen = !unsaid || flags.disconnect !== undefined;
    // Of those to which no context leads there is none: whoever is asked hears of them now.
    const isAsked = !isUnasked(context, flags) && dryRunOf(flags) === undefined;
    const isTold = ({ dials, context: where }: StandingPeer) => isChosen || !dials || (isAsked && where === undefined);
    const standing = (of: readonly Leaver[]) => [
      ...standingWords(of.map((one) => leftBehind(one, isTold))).map(inWordsWhereUnled),
      ...new Set(of.flatMap(({ grants }) => grants)),
    ];
    // With --yes nobody reads it first, and until a cluster is gone what is said would cut connections that work.
    const isSaidFirst = !flags.yes || dryRunOf(flags) !== undefined;
    if (isSaidFirst) for (const words of standing(leavers)) context.progress.warn(words);
    if (refused) context.progress.warn(warningOf(refused));
    // A plan is shown to one who is asked, and carried out by --yes, which does not say that.
    const unasked =
      dryRunOf(flags) && !refused && unsaid ? [`with --yes, this would be refused: ${warningOf(unsaid)}`] : [];
    for (const words of unasked) context.progress.warn(words);
    const contexts = [...new Set(leavers.flatMap(({ forgettingIn }) => forgettingIn))];
    const result = await withClustersOf(context, flags, contexts, async (opened) => {
      const leaving: LeavingCluster[] = [];
      for (const one of leavers) leaving.push(await prepareLeaving(context, flags, one, opened));
      const readLost = () => readLostBackends(context, leavingTargets(leaving), endingBy(leaving), others);
      const { hazards, unseen } = await readLost();
      const hazardsNow = async () => (await readLost()).hazards;
      for (const words of unseen) context.progress.warn(words);
      const warnings = [...standing(leavers), ...unasked, ...unseen];
      const untold = new Map(leavers.map((one) => [one.target.client.context, one.untold]));
      const inTurn: TurnWords = {
        elsewhere: async (look) => {
          const known = await others.read();
          if (known.length === 0) return;
          await others.withOpened(
            known.map((one) => one.context),
            look,
          );
        },
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

function leftBehind(
  { target, draft: { name, ofOthers }, standing }: Leaver,
  isTold: (peer: StandingPeer) => boolean,
): LeftBehind {
  return { context: target.client.context, name, standing: standing.filter(isTold), ofOthers };
}

function namesOf({ target, draft: { name }, dialling, beyond, ofOthers, silent }: Leaver): LeavingName {
  return { context: target.client.context, ...printable({ name, dialling, beyond, ofOthers, silent }) };
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
  const dryRun = dryRunOf(flags);
  // Whoever waits is told by that.
  const ofPods = dryRun || !flags.wait ? leftWarnings(leaving) : [];
  const ofPartings = [...leavingWarnings(leaving), ...ofPods];
  for (const words of ofPartings) context.progress.warn(words);
  const effects = leaving.flatMap(leavingEffects);
  const nameOf = new Map(leaving.map(({ target, draft }) => [target.client.context, draft.name]));
  const report = { steps, names: nameOf, notes, effects, hazards, warnings: [...warnings, ...ofPartings] };
  if (dryRun) {
    const verdicts =
      dryRun === 'server' ? { verdicts: await tryOnServer(context, leavingTargets(leaving), steps) } : {};
    const held = await refusalByRotation(context, { steps, targets: leavingTargets(leaving) }, refused);
    return planResult({ ...report, ...verdicts }, dryRun, flags.output, held);
  }
  const contexts = leaving.map(({ target }) => target.client.context);
  const { flow, noted } = noting(context);
  const untried = steps.filter((step) => !tried.has(step));
  if (tried.size === 0 || untried.some(isChange))
    await requireRemovable(flow, leavingTargets(leaving), untried, contexts, options.goOn);
  for (const note of alikeWarnings(leaving.flatMap(({ draft }) => draft.notes))) context.progress.warn(note);
  const names = leaving.map(({ target, draft }) => `${draft.name} (context ${target.client.context})`).join(', ');
  const question = `Disable Cluster Mesh in ${names}?`;
  const planned = leaving.flatMap(clustersOfLeaving);
  await confirmPlan(flow, report, {
    question,
    yes: flags.yes,
    targets: leavingTargets(leaving),
    planned,
    hazardsNow,
  });
  const done = await withWayOn(context, () => leaveInTurn(flow, leaving, options));
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
    steps: clusterSteps(made),
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
        ...new Set([
          ...warnings,
          ...done.flatMap((one) => one.warnings),
          ...agreedWords(report),
          ...noted(),
          ...unlooked,
        ]),
      ]),
      ...seen,
    },
    text: (theme) => clusters.map((one) => disableText(one, theme)).join('\n'),
    exitCode: exitOf({
      failed: clusters.some(
        ({ letIn, still, left, untold: missed }) => letIn || still || left?.areStaying || missed.length > 0,
      ),
      unseen: !verified,
    }),
  };
}
