import { connectClusters } from '../../../flows/connect/connect.ts';
import type { PreparedConnect } from '../../../flows/connect/plan-dials.ts';
import { type ConnectOptions, type MeshRequest, prepareConnect } from '../../../flows/connect/prepare-connect.ts';
import type { Target } from '../../../flows/flow.ts';
import { noting } from '../../../flows/noting.ts';
import { requireOpenNetwork } from '../../../flows/probe/require-open.ts';
import { isInaccessible, type Unanswered } from '../../../flows/where-it-succeeds.ts';
import { plannedClusters } from '../../../flows/write/require-none-joined.ts';
import { tryOnServer } from '../../../flows/write/try-on-server.ts';
import { alikeWarnings } from '../../../mesh/alike-warnings.ts';
import { COMPATIBILITY_CHECKS } from '../../../mesh/checks/compatibility.ts';
import { meshctlCommand } from '../../../mesh/command-line.ts';
import { namesByContext } from '../../../mesh/connect/member.ts';
import { unprovedDials } from '../../../mesh/connect/unproved.ts';
import { isChange, type Step } from '../../../mesh/plan/plan.ts';
import type { ProbeExtent } from '../../../mesh/probe/report.ts';
import { connectText } from '../../../views/connect/connect-view.ts';
import { clusterSteps } from '../../../views/plan/plan-data.ts';
import { agreedWords, peersData } from '../../../views/plan/plan-view.ts';
import { printable } from '../../../views/printable.ts';
import type { CommandContext, CommandResult } from '../../command.ts';
import type { FlagsOf } from '../../options/flags-of.ts';
import { requireKnown } from '../../options/option-values.ts';
import { type Agreement, confirmCuts, dryRunOf, PROOF, planResult, refusalByRotation } from '../../plan-result.ts';
import { namingContexts, withMendsNamed } from '../../targets/contexts-of-clusters.ts';
import { sayLeftOut } from '../../targets/each-cluster.ts';
import { withMesh } from '../../targets/mesh-targets.ts';
import { readerOfOthers } from '../../targets/other-clusters.ts';
import { withUnanswered } from '../../targets/several-clusters.ts';
import type { CONNECT } from './connect-spec.ts';

/** `meshctl clustermesh connect`: joins clusters with each other, all of them or none. */
export async function run(context: CommandContext, flags: FlagsOf<typeof CONNECT>): Promise<CommandResult> {
  const dryRun = dryRunOf(flags);
  requireKnown(
    'check',
    flags.skipChecks ?? [],
    COMPATIBILITY_CHECKS.map(({ id }) => id),
  );
  const options: ConnectOptions = {
    credentials: flags.credentials,
    sourceEndpoints: flags.sourceEndpoint,
    destinationEndpoints: flags.destinationEndpoint,
    skipChecks: flags.skipChecks,
    parallel: flags.parallel,
    proof: flags.proof,
    proofMs: flags.waitDuration,
    rollback: flags.rollback,
    again: (mode) =>
      mode === undefined ? context.again() : context.againWithout(['--connection-mode'], '--connection-mode', mode),
    planOnly: dryRun !== undefined,
    spare: flags.all,
    readOthers: (targets) => readerOfOthers(context, flags, targets)(),
  };
  if (flags.allowMismatchingCa) {
    context.progress.info(
      '--allow-mismatching-ca is not needed: clusters with different CAs keep them, and get a client certificate per peer from the side that checks it',
    );
  }
  return withMesh(context, flags, 'connect', async (request, silent) => {
    const plan = await prepareConnect(context, request, options);
    const again = { ...options, held: plan.held };
    const hazardsNow = async () => (await prepareConnect(context, request, again)).hazards ?? [];
    const probed: ProbeExtent[] = [];
    const notes: string[] = [];
    if (flags.probe && dryRun) {
      const contexts = plan.targets.map(({ client }) => client.context);
      const probe = meshctlCommand('connectivity probe', { context: contexts });
      notes.push(`a dry run puts no pods into clusters, so --probe has probed nothing → by itself: ${probe}`);
      for (const words of notes) context.progress.warn(words);
    } else if (flags.probe) {
      const open = await requireOpenNetwork(context, plan.targets, plan.directions, flags.parallel);
      probed.push(...open.probed);
      notes.push(...open.warnings);
    }
    sayLeftOut(context, plan.spared);
    const missing = [...silent, ...plan.spared];
    const joining = { plan, probed, notes, missing, hazardsNow };
    return withUnanswered(await join(request, joining), missing);
  });

  async function join(
    request: MeshRequest,
    {
      plan,
      probed,
      notes,
      missing,
      hazardsNow,
    }: {
      plan: PreparedConnect;
      probed: readonly ProbeExtent[];
      notes: readonly string[];
      missing: readonly Unanswered[];
      hazardsNow: Agreement['hazardsNow'];
    },
  ): Promise<CommandResult> {
    const prepared = {
      ...plan,
      warnings: await namingContexts(context, flags, plan.warnings),
      effects: await withMendsNamed(
        context,
        flags,
        plan.effects,
        missing.filter(({ error }) => isInaccessible(error)),
      ),
    };
    for (const warning of alikeWarnings(prepared.warnings)) context.progress.warn(warning);
    const planned = inOrderOf(prepared.targets, [...prepared.serve.steps, ...prepared.dial.steps]);
    const { effects, hazards = [], warnings: known } = prepared;
    const names = namesByContext(prepared.members);
    const report = { steps: planned, names, effects, hazards, warnings: [...notes, ...known] };
    if (dryRun) {
      const verdicts = dryRun === 'server' ? await tryOnServer(context, prepared.targets, planned) : undefined;
      const onlyInRun = flags.proof && planned.some(isChange) ? [PROOF] : [];
      const held = { steps: planned, targets: prepared.targets, parallel: flags.parallel };
      const refused = await refusalByRotation(context, held);
      return planResult({ ...report, onlyInRun, ...(verdicts ? { verdicts } : {}) }, dryRun, flags.output, refused);
    }
    const snapshots = prepared.members.map(({ snapshot }) => snapshot);
    const { targets } = prepared;
    const agreement = {
      ...{ yes: flags.yes, parallel: flags.parallel },
      ...{ targets, planned: plannedClusters(targets, snapshots), hazardsNow },
    };
    const { flow, noted } = noting(context);
    await confirmCuts(flow, report, agreement);
    const { steps, ...outcome } = await connectClusters(flow, prepared, options);
    const { clusters, connections, warnings } = printable({
      ...outcome,
      warnings: [...new Set([...notes, ...outcome.warnings, ...agreedWords(report), ...noted()])],
    });
    const unproved = printable(unprovedDials(prepared.directions));
    return {
      kind: 'ConnectResult',
      data: {
        clusters,
        connections,
        ...(unproved.length > 0 ? { unproved } : {}),
        ...(probed.length > 0 ? { probed } : {}),
        ...peersData(effects),
        steps: clusterSteps(steps),
        warnings,
      },
      text: (theme) =>
        connectText(
          {
            ...{ clusters, mode: request.mode, connections, steps, unproved, probed },
          },
          theme,
        ),
    };
  }
}

/** A plan is read cluster by cluster, as the operator named them. */
function inOrderOf(targets: readonly Target[], steps: readonly Step[]): Step[] {
  return targets.flatMap(({ client }) => steps.filter(({ cluster }) => cluster === client.context));
}
