import { disconnectClusters } from '../../flows/connect/disconnect.ts';
import {
  type PreparedDisconnect,
  prepareDisconnect,
  prepareForgetting,
} from '../../flows/connect/prepare-disconnect.ts';
import { type DisableDraft, type DisableOptions, disableCluster, draftDisable } from '../../flows/enable/disable.ts';
import type { Target } from '../../flows/flow.ts';
import { tryOnServer } from '../../flows/write/try-on-server.ts';
import { meshctlCommand } from '../../mesh/command-line.ts';
import { keyOf } from '../../mesh/objects/kube-object.ts';
import type { PeerEffect } from '../../mesh/plan/peer-effects.ts';
import type { Step } from '../../mesh/plan/plan.ts';
import { disableText } from '../../views/enable/disable-view.ts';
import { stepData } from '../../views/plan/plan-data.ts';
import { printable } from '../../views/printable.ts';
import type { CommandContext, CommandResult } from '../command.ts';
import type { FlagsOf } from '../flags-of.ts';
import { confirmPlan, dryRunOf, planResult } from '../plan-result.ts';
import { contextsOfClusters } from '../targets/contexts-of-clusters.ts';
import { withChosenClusters } from '../targets/several-clusters.ts';
import type { DISABLE } from './disable-spec.ts';

/** Clusters whose contexts are disconnected at a time. */
const PARALLEL = 4;

/** A cluster with what is to go there, and what becomes of its peers. */
interface Leaving {
  target: Target;
  draft: DisableDraft;
  parting: Parting;
}

type DisableFlags = FlagsOf<typeof DISABLE>;

/** `meshctl clustermesh disable`: takes away what meshctl made, its connections first. */
export async function run(context: CommandContext, flags: DisableFlags): Promise<CommandResult> {
  const options: DisableOptions = { keepCertificates: flags.keepCertificates, waitMs: flags.waitDuration };
  return withChosenClusters(context, flags, async (targets) => {
    const drafts = await Promise.all(
      targets.map(async (target) => ({ target, draft: await draftDisable(context, target, options) })),
    );
    return withAllPeers(context, flags, drafts, [], (leaving) => carryOut(context, flags, options, leaving));
  });
}

/** What is to be done about the peers of a cluster, before anything else. */
interface Parting {
  /** The cluster's own side, and the other side of those that shall and can be disconnected. */
  prepared?: PreparedDisconnect;
  /** Names of those that will go on pointing here. */
  remaining: readonly string[];
}

/** Opens the peers of one cluster after the other; they stay open until all is done. */
async function withAllPeers<T>(
  context: CommandContext,
  flags: DisableFlags,
  drafts: readonly Omit<Leaving, 'parting'>[],
  ready: readonly Leaving[],
  work: (leaving: readonly Leaving[]) => Promise<T>,
): Promise<T> {
  const next = drafts[ready.length];
  if (!next) return work(ready);
  const leaving = drafts.map(({ draft }) => draft.name);
  return withPeers(context, flags, next, leaving, (parting) =>
    withAllPeers(context, flags, drafts, [...ready, { ...next, parting }], work),
  );
}

/**
 * Finds the clusters that point here, asks about them, and opens those that are to be disconnected.
 * @param leaving names of all clusters that are to be disabled: they point here no longer
 */
async function withPeers<T>(
  context: CommandContext,
  flags: DisableFlags,
  { target: source, draft: { peers, name } }: Omit<Leaving, 'parting'>,
  leaving: readonly string[],
  work: (parting: Parting) => Promise<T>,
): Promise<T> {
  if (peers.length === 0) return work({ remaining: [] });
  const staying = peers.filter((peer) => !leaving.includes(peer));
  const known = await contextsOfClusters(context, flags, staying);
  const reachable = [...known.values()];
  const wanted =
    reachable.length > 0 && (flags.disconnect || (await offerDisconnect(context, flags, [...known.keys()])));
  const remaining = staying.filter((peer) => !wanted || !known.has(peer));
  for (const peer of remaining) {
    const where = known.get(peer) ?? `<context of ${peer}>`;
    context.progress.warn(
      `"${peer}" still points here and will report "${name}" as failing → ${meshctlCommand('clustermesh disconnect', { context: where }, ['--peer', name])}`,
    );
  }
  if (!wanted) {
    const prepared = await prepareForgetting(context, source, peers, 'bidirectional');
    return work({ prepared, remaining });
  }
  return withChosenClusters(context, { ...flags, all: false, context: reachable }, async (destinations) => {
    const both = await prepareDisconnect(
      context,
      { source, destinations, mode: 'bidirectional' },
      { parallel: PARALLEL },
    );
    return work({ prepared: both, remaining });
  });
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
  leaving: readonly Leaving[],
): Promise<CommandResult> {
  const steps = leaving.flatMap(stepsOf);
  const notes = Object.fromEntries(leaving.map(({ target, draft }) => [target.client.context, draft.notes]));
  const report = { steps, notes, effects: leaving.flatMap(effectsOf) };
  const targets = uniqueTargets(leaving.flatMap(({ target, parting }) => parting.prepared?.targets ?? [target]));
  const dryRun = dryRunOf(flags);
  if (dryRun) {
    const verdicts = dryRun === 'server' ? { verdicts: await tryOnServer(context, targets, steps) } : {};
    return planResult({ ...report, ...verdicts }, dryRun, flags.output);
  }
  for (const note of leaving.flatMap(({ draft }) => draft.notes)) context.progress.warn(note);
  const names = leaving.map(({ target, draft }) => `${draft.name} (context ${target.client.context})`).join(', ');
  await confirmPlan(context, report, { question: `Disable Cluster Mesh in ${names}?`, yes: flags.yes });
  const done: Disabled[] = [];
  for (const one of leaving) done.push(await disableOne(context, options, one));
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

/** All connections of a cluster that leaves end. */
function effectsOf({ target, draft, parting }: Leaving): PeerEffect[] {
  const cluster = target.client.context;
  return draft.peers.map((peer) => {
    const points = parting.remaining.includes(peer);
    const why = points ? 'this cluster leaves the mesh, and it goes on pointing here' : 'this cluster leaves the mesh';
    return { cluster, peer, becomes: 'cut', why };
  });
}

interface Disabled {
  context: string;
  name: string;
  remaining: readonly string[];
  steps: Step[];
}

async function disableOne(
  context: CommandContext,
  options: DisableOptions,
  { target, draft, parting }: Leaving,
): Promise<Disabled> {
  const parted = parting.prepared && (await disconnectClusters(context, parting.prepared, { parallel: PARALLEL }));
  const final = parted ? await draftDisable(context, target, options) : draft;
  await disableCluster(context, target, final, options);
  const steps = oneStepEach(parted?.steps ?? [], final.steps);
  return { context: target.client.context, name: draft.name, remaining: parting.remaining, steps };
}

function stepsOf({ draft, parting }: Leaving): Step[] {
  return oneStepEach(parting.prepared?.plan.steps ?? [], draft.steps);
}

function uniqueTargets(targets: readonly Target[]): Target[] {
  return [...new Map(targets.map((target) => [target.client.context, target])).values()];
}

/**
 * One step for each object: what is taken out of an object that is removed right after need not be shown, nor that an
 * object stays which parting changes or removes.
 */
function oneStepEach(parting: readonly Step[], removals: readonly Step[]): Step[] {
  const keyed = ({ cluster, object }: Step) => JSON.stringify([cluster, keyOf(object)]);
  const going = new Set(removals.filter(({ action }) => action !== 'keep').map(keyed));
  const shown = parting.filter((step) => !going.has(keyed(step)) && step.action !== 'keep');
  const parted = new Set(shown.map(keyed));
  const known = new Set(removals.map(keyed));
  const kept = parting.filter((step) => step.action === 'keep' && !known.has(keyed(step)));
  return [...shown, ...kept, ...removals.filter((step) => !parted.has(keyed(step)))];
}
