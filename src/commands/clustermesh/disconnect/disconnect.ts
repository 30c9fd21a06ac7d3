import { disconnectClusters } from '../../../flows/connect/disconnect.ts';
import type { MeshRequest } from '../../../flows/connect/prepare-connect.ts';
import {
  clustersOfParting,
  type DisconnectOptions,
  type PreparedDisconnect,
  prepareDisconnect,
} from '../../../flows/connect/prepare-disconnect.ts';
import { prepareSparing } from '../../../flows/connect/prepare-sparing.ts';
import type { Target } from '../../../flows/flow.ts';
import { noting } from '../../../flows/noting.ts';
import { type OtherClusters, readLostBackends } from '../../../flows/services/read-lost-backends.ts';
import { tryOnServer } from '../../../flows/write/try-on-server.ts';
import { alikeWarnings } from '../../../mesh/alike-warnings.ts';
import { meshctlCommand } from '../../../mesh/command-line.ts';
import { byWhoIsTold } from '../../../mesh/connect/disconnect/disconnect-plan.ts';
import { exitOf, MeshctlError } from '../../../mesh/errors.ts';
import { knownAs } from '../../../mesh/peers/concerned-peers.ts';
import { isChange } from '../../../mesh/plan/plan.ts';
import { disconnectText } from '../../../views/connect/disconnect-view.ts';
import { seenData } from '../../../views/connect/seen-data.ts';
import { clusterSteps } from '../../../views/plan/plan-data.ts';
import { agreedWords, peersData } from '../../../views/plan/plan-view.ts';
import { printable } from '../../../views/printable.ts';
import type { CommandContext, CommandResult } from '../../command.ts';
import type { FlagsOf } from '../../options/flags-of.ts';
import { PARTING_WAIT_MS } from '../../options/shared-options.ts';
import { confirmPlan, dryRunOf, planResult, refusalByRotation } from '../../plan-result.ts';
import { sayLeftOut } from '../../targets/each-cluster.ts';
import { withMesh } from '../../targets/mesh-targets.ts';
import { otherClustersOf } from '../../targets/other-clusters.ts';
import { withUnanswered } from '../../targets/several-clusters.ts';
import type { DISCONNECT } from './disconnect-spec.ts';
import { forgetPeers, ofOneContext } from './forget-peers.ts';

/** `meshctl clustermesh disconnect`: parts clusters, on both sides or, with `--peer`, on one. */
export async function run(context: CommandContext, flags: FlagsOf<typeof DISCONNECT>): Promise<CommandResult> {
  const { force, parallel, rollback, wait, waitDuration } = flags;
  const options: DisconnectOptions = {
    force,
    parallel,
    rollback,
    waitMs: wait ? (waitDuration ?? PARTING_WAIT_MS) : undefined,
    replacingMs: waitDuration,
    spare: flags.all,
  };
  const { peer } = flags;
  if (!peer) {
    if (flags.ignoreNotFound) throw new MeshctlError('Usage', '--ignore-not-found is for names of clusters (--peer)');
    return withMesh(context, ofOneContext(flags), 'disconnect', async (request, silent) => {
      const others = otherClustersOf(context, flags, targetsOf(request));
      // A dry run that asks no API server does not know what they would refuse.
      const prepare = flags.all && !force && dryRunOf(flags) !== 'client' ? prepareSparing : prepareDisconnect;
      const prepared = await prepare(context, request, { ...options, readOthers: others.read });
      sayLeftOut(context, prepared.spared);
      return withUnanswered(await carryOut(context, flags, prepared, options, others), [...silent, ...prepared.spared]);
    });
  }
  if (flags.destinationContext) {
    throw new MeshctlError('Usage', '--peer cannot be used with --destination-context: it is for one side only');
  }
  return forgetPeers(context, flags, peer, (plan, others) => carryOut(context, flags, plan, options, others));
}

function targetsOf({ source, destinations }: MeshRequest): readonly Target[] {
  return source ? [source, ...destinations] : destinations;
}

async function carryOut(
  context: CommandContext,
  flags: FlagsOf<typeof DISCONNECT>,
  plan: PreparedDisconnect,
  options: DisconnectOptions,
  others: OtherClusters,
): Promise<CommandResult> {
  const dryRun = dryRunOf(flags);
  const readLost = () => readLostBackends(context, plan.targets, plan, others, flags.parallel);
  const { hazards, unseen } = await readLost();
  const known = [...plan.warnings, ...unseen];
  const prepared = { ...plan, warnings: known };
  const { effects } = prepared;
  const { steps: planned } = prepared.plan;
  const names = new Map(plan.partings.map(({ snapshot }) => [snapshot.context, knownAs(snapshot)]));
  const report = { steps: planned, names, ...(effects.length > 0 ? { effects } : {}), hazards, warnings: known };
  // With --yes nobody reads it first, and the text of the result has it.
  const toldAtEnd = flags.yes && !dryRun && flags.output === 'text' && planned.some(isChange) ? plan.standing : [];
  const first = known.filter((words) => !toldAtEnd?.includes(words));
  for (const warning of alikeWarnings(first)) context.progress.warn(warning);
  if (dryRun) {
    const verdicts = dryRun === 'server' ? await tryOnServer(context, prepared.targets, planned) : undefined;
    const held = { steps: planned, targets: prepared.targets, parallel: flags.parallel };
    const refused = await refusalByRotation(context, held);
    return planResult({ ...report, ...(verdicts ? { verdicts } : {}) }, dryRun, flags.output, refused);
  }
  const agreement = {
    question: 'Disconnect these clusters?',
    yes: flags.yes,
    parallel: flags.parallel,
    targets: prepared.targets,
    planned: clustersOfParting(prepared),
    hazardsNow: async () => (await readLost()).hazards,
  };
  const { flow, noted } = noting(context);
  await confirmPlan(flow, report, agreement);
  const { steps, verified, letIn, ...outcome } = await disconnectClusters(flow, prepared, {
    ...options,
    readOthers: others.read,
  });
  const look = meshctlCommand('clustermesh status', { context: prepared.targets.map(({ client }) => client.context) });
  const { seen, unlooked } = seenData(verified, flags.wait, look);
  for (const words of unlooked) context.progress.warn(words);
  const { ended, shutOut, standing, warnings } = printable({
    ...byWhoIsTold(outcome.parted, prepared.partings),
    standing: prepared.standing ?? [],
    warnings: [...new Set([...outcome.warnings, ...agreedWords(report), ...noted(), ...unlooked])],
  });
  const reached = agreement.planned.map(({ target }) => target);
  const unreached = prepared.targets.filter((one) => !reached.includes(one)).map(({ client }) => client.context);
  return {
    kind: 'DisconnectResult',
    data: {
      disconnected: ended,
      ...(shutOut.length > 0 ? { shutOut } : {}),
      ...(unreached.length > 0 ? { unreached } : {}),
      ...peersData(effects),
      steps: clusterSteps(steps),
      warnings,
      ...seen,
    },
    text: (theme) =>
      disconnectText({ ended, shutOut, standing, steps, verified, looked: flags.wait, unreached }, theme),
    exitCode: exitOf({ failed: letIn, unseen: !verified }),
  };
}
