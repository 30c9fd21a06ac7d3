import { type DisableOptions, draftDisable } from '../../flows/enable/disable.ts';
import {
  type LeaveOutcome,
  type LeavingCluster,
  type LeavingPeers,
  leaveMesh,
  leavingEffects,
  leavingSteps,
  leavingTargets,
  prepareLeavingPeers,
} from '../../flows/enable/leave-mesh.ts';
import type { Target } from '../../flows/flow.ts';
import { whereAccessible } from '../../flows/where-it-succeeds.ts';
import { tryOnServer } from '../../flows/write/try-on-server.ts';
import { meshctlCommand, unnamedContext } from '../../mesh/command-line.ts';
import { forOtherOwners } from '../../mesh/peers/peers-of-others.ts';
import { maybeSilent } from '../../mesh/peers/silent-peers.ts';
import { disableText } from '../../views/enable/disable-view.ts';
import { stepData } from '../../views/plan/plan-data.ts';
import { printable } from '../../views/printable.ts';
import type { CommandContext, CommandResult } from '../command.ts';
import type { FlagsOf } from '../options/flags-of.ts';
import { confirmPlan, dryRunOf, planResult } from '../plan-result.ts';
import { contextsOfClusters } from '../targets/contexts-of-clusters.ts';
import { sayLeftOut } from '../targets/find-clusters.ts';
import { readerOfOthers } from '../targets/other-clusters.ts';
import { withChosenClusters, withClustersOf, withUnanswered } from '../targets/several-clusters.ts';
import type { DISABLE } from './disable-spec.ts';

type DisableFlags = FlagsOf<typeof DISABLE>;

/** `meshctl clustermesh disable`: takes away what meshctl made, its connections first. */
export async function run(context: CommandContext, flags: DisableFlags): Promise<CommandResult> {
  const { keepCertificates, wait, waitDuration } = flags;
  const options: DisableOptions = { keepCertificates, waitMs: wait ? waitDuration : undefined };
  return withChosenClusters(context, flags, async (targets, silent) => {
    const draft = async (target: Target) => ({ target, draft: await draftDisable(context, target, options) });
    const { done: drafts, failed } = flags.all
      ? await whereAccessible(context, targets, draft, { least: 1 })
      : { done: await Promise.all(targets.map(draft)), failed: [] };
    sayLeftOut(context, failed);
    const missing = [...silent, ...failed];
    const plans = { drafts, silent: missing.map((one) => one.context) };
    const result = await withAllPeers(context, flags, plans, [], (leaving) =>
      carryOut(context, flags, options, leaving),
    );
    return withUnanswered(result, missing);
  });
}

/** Opens the peers of one cluster after the other; they stay open until all is done. */
async function withAllPeers<T>(
  context: CommandContext,
  flags: DisableFlags,
  plans: { drafts: readonly Omit<LeavingCluster, 'peers'>[]; silent: readonly string[] },
  ready: readonly LeavingCluster[],
  work: (leaving: readonly LeavingCluster[]) => Promise<T>,
): Promise<T> {
  const next = plans.drafts[ready.length];
  if (!next) return work(ready);
  const leaving = plans.drafts.map(({ draft }) => draft.name);
  return withPeers(context, flags, next, { leaving, silent: plans.silent }, (peers) =>
    withAllPeers(context, flags, plans, [...ready, { ...next, peers }], work),
  );
}

/**
 * Finds the clusters that point here, asks about them, and opens those that are to be disconnected.
 * @param leaving names of all clusters that are to be disabled: they point here no longer
 * @param silent contexts that the operator meant too, and that did not answer
 */
async function withPeers<T>(
  context: CommandContext,
  flags: DisableFlags,
  { target: source, draft }: Omit<LeavingCluster, 'peers'>,
  { leaving, silent }: { leaving: readonly string[]; silent: readonly string[] },
  work: (peers: LeavingPeers) => Promise<T>,
): Promise<T> {
  const { peers, name } = draft;
  if (peers.length === 0) return work({ remaining: [] });
  const staying = peers.filter((peer) => !leaving.includes(peer));
  const known = await contextsOfClusters(context, flags, staying);
  const reachable = [...known.values()];
  const wanted =
    reachable.length > 0 && (flags.disconnect || (await offerDisconnect(context, flags, [...known.keys()])));
  const remaining = staying.filter((peer) => !wanted || !known.has(peer));
  for (const peer of remaining) {
    // The only one that did not answer is most likely where it is.
    const [perhaps, ...more] = known.has(peer) ? [] : silent;
    const where = known.get(peer) ?? (more.length === 0 ? perhaps : undefined) ?? unnamedContext(peer);
    const doubt = perhaps === undefined ? '' : ` (${maybeSilent([peer], silent)})`;
    const forget = meshctlCommand('clustermesh disconnect', { context: where }, ['--peer', name]);
    context.progress.warn(
      `"${peer}" still points here and will report "${name}" as failing${doubt} → ${forOtherOwners(forget, source.client.context, draft.ofOthers)}`,
    );
  }
  const prepare = async (destinations: readonly Target[]): Promise<T> =>
    work({
      prepared: await prepareLeavingPeers(
        context,
        source,
        draft,
        destinations,
        readerOfOthers(context, flags, [source, ...destinations]),
      ),
      remaining,
    });
  return wanted ? withClustersOf(context, flags, reachable, prepare) : prepare([]);
}

/** Only where somebody can be asked, and where something will be done. */
async function offerDisconnect(
  context: CommandContext,
  flags: DisableFlags,
  peers: readonly string[],
): Promise<boolean> {
  if (flags.yes || dryRunOf(flags) || !context.canAsk) return false;
  const names = printable(peers).join(', ');
  return context.confirm(`Disconnect ${names} first?`, `${names} still point here.`);
}

async function carryOut(
  context: CommandContext,
  flags: DisableFlags,
  options: DisableOptions,
  leaving: readonly LeavingCluster[],
): Promise<CommandResult> {
  const steps = leaving.flatMap(leavingSteps);
  const notes = Object.fromEntries(leaving.map(({ target, draft }) => [target.client.context, draft.notes]));
  const report = { steps, notes, effects: leaving.flatMap(leavingEffects) };
  const dryRun = dryRunOf(flags);
  if (dryRun) {
    const verdicts =
      dryRun === 'server' ? { verdicts: await tryOnServer(context, leavingTargets(leaving), steps) } : {};
    return planResult({ ...report, ...verdicts }, dryRun, flags.output);
  }
  for (const note of leaving.flatMap(({ draft }) => draft.notes)) context.progress.warn(note);
  const names = leaving.map(({ target, draft }) => `${draft.name} (context ${target.client.context})`).join(', ');
  await confirmPlan(context, report, { question: `Disable Cluster Mesh in ${names}?`, yes: flags.yes });
  const done: LeaveOutcome[] = [];
  for (const one of leaving) done.push(await leaveMesh(context, one, options));
  const clusters = done.map((one) => ({ ...one, ...printable({ name: one.name, remaining: one.remaining }) }));
  const data = clusters.map(({ steps: made, context: where, name, remaining }) => ({
    context: where,
    cluster: name,
    stillPointingHere: remaining,
    steps: made.map((step) => ({ cluster: step.cluster, ...stepData(step) })),
  }));
  return {
    kind: 'DisableResult',
    data: data.length === 1 ? { ...data[0] } : { clusters: data },
    text: (theme) => clusters.map((one) => disableText(one, theme)).join('\n'),
  };
}
