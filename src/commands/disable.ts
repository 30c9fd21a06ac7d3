import { type DisableDraft, type DisableOptions, disableCluster, draftDisable } from '../flows/disable.ts';
import {
  disconnectClusters,
  type PreparedDisconnect,
  prepareDisconnect,
  prepareForgetting,
} from '../flows/disconnect.ts';
import type { Target } from '../flows/flow.ts';
import { tryOnServer } from '../flows/try-on-server.ts';
import { meshctlCommand } from '../mesh/command-line.ts';
import { MeshctlError } from '../mesh/errors.ts';
import type { Step } from '../mesh/plan.ts';
import { disableText } from '../views/disable-view.ts';
import { stepData } from '../views/plan-data.ts';
import { printable } from '../views/printable.ts';
import { type ClusterFlags, withClusters } from './cluster-flags.ts';
import type { CommandContext, CommandResult, ParsedOptions } from './command.ts';
import { contextsOfClusters } from './contexts-of-clusters.ts';
import { confirmPlan, dryRunOf, type PlanFlags, planResult } from './plan-result.ts';

interface DisableFlags extends ClusterFlags, PlanFlags {
  context?: string;
  disconnect: boolean;
  keepCertificates: boolean;
  yes: boolean;
  /** Milliseconds. */
  waitDuration: number;
}

/** Clusters whose contexts are disconnected at a time. */
const PARALLEL = 4;

/** `meshctl clustermesh disable`: takes away what meshctl made, its connections first. */
export async function run(context: CommandContext, parsed: ParsedOptions): Promise<CommandResult> {
  const flags = parsed as unknown as DisableFlags;
  const options: DisableOptions = { keepCertificates: flags.keepCertificates, waitMs: flags.waitDuration };
  return withClusters(context, flags, [flags.context], async ([client]) => {
    if (!client) throw new MeshctlError('Bug', 'no cluster was opened');
    const target: Target = { client, namespace: flags.namespace };
    const draft = await draftDisable(context, target, options);
    return withPeers(context, flags, target, draft, (peers) =>
      carryOut(context, flags, options, { target, draft, peers }),
    );
  });
}

/** What is to be done about the peers, before anything else. */
interface Parting {
  /** The cluster's own side, and the other side of those that shall and can be disconnected. */
  prepared?: PreparedDisconnect;
  /** Names of those that will go on pointing here. */
  remaining: readonly string[];
}

/** Finds the clusters that point here, asks about them, and opens those that are to be disconnected. */
async function withPeers<T>(
  context: CommandContext,
  flags: DisableFlags,
  source: Target,
  { peers, name }: DisableDraft,
  work: (parting: Parting) => Promise<T>,
): Promise<T> {
  if (peers.length === 0) return work({ remaining: [] });
  const known = await contextsOfClusters(context, flags, peers);
  const reachable = [...known.values()];
  const wanted =
    reachable.length > 0 && (flags.disconnect || (await offerDisconnect(context, flags, [...known.keys()])));
  const remaining = peers.filter((peer) => !wanted || !known.has(peer));
  for (const peer of remaining) {
    const where = known.get(peer) ?? `<context of ${peer}>`;
    context.progress.warn(
      `"${peer}" still points here and will report "${name}" as failing → ${meshctlCommand('clustermesh disconnect', { context: where }, ['--peer', name])}`,
    );
  }
  const options = { parallel: PARALLEL };
  if (!wanted) {
    const prepared = await prepareForgetting(context, source, peers, 'bidirectional');
    return work({ prepared, remaining });
  }
  return withClusters(context, flags, reachable, async (clients) => {
    const destinations = clients.map((client) => ({ client, namespace: flags.namespace }));
    const both = await prepareDisconnect(context, { source, destinations, mode: 'bidirectional' }, options);
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
  { target, draft, peers }: { target: Target; draft: DisableDraft; peers: Parting },
): Promise<CommandResult> {
  const parting = withoutRemoved(peers.prepared?.plan.steps ?? [], draft.steps);
  const steps = [...parting, ...draft.steps];
  const report = { steps, notes: { [target.client.context]: draft.notes } };
  const targets = peers.prepared?.targets ?? [target];
  const dryRun = dryRunOf(flags);
  if (dryRun) {
    const verdicts = dryRun === 'server' ? { verdicts: await tryOnServer(context, targets, steps) } : {};
    return planResult({ ...report, ...verdicts }, dryRun, flags.output);
  }
  for (const note of draft.notes) context.progress.warn(note);
  const question = `Disable Cluster Mesh in ${draft.name} (context ${target.client.context})?`;
  await confirmPlan(context, report, { question, yes: flags.yes });
  const parted = peers.prepared && (await disconnectClusters(context, peers.prepared, { parallel: PARALLEL }));
  const final = parted ? await draftDisable(context, target, options) : draft;
  await disableCluster(context, target, final, options);
  const done = [...withoutRemoved(parted?.steps ?? [], final.steps), ...final.steps];
  const { name, remaining } = printable({ name: draft.name, remaining: peers.remaining });
  return {
    kind: 'DisableResult',
    data: {
      context: target.client.context,
      cluster: name,
      stillPointingHere: remaining,
      steps: done.map((step) => ({ cluster: step.cluster, ...stepData(step) })),
    },
    text: (theme) => disableText({ context: target.client.context, name, steps: done }, theme),
  };
}

/** What is taken out of an object that is removed right after need not be shown. */
function withoutRemoved(parting: readonly Step[], removals: readonly Step[]): Step[] {
  return parting.filter(
    ({ cluster, object }) =>
      !removals.some(
        (step) =>
          step.action === 'delete' &&
          step.cluster === cluster &&
          step.object.kind === object.kind &&
          step.object.name === object.name,
      ),
  );
}
