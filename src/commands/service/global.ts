import type { Target } from '../../flows/flow.ts';
import { readOutlook } from '../../flows/services/read-outlook.ts';
import { readWithdrawals } from '../../flows/services/read-withdrawals.ts';
import { applyGlobalService, planGlobalServiceIn } from '../../flows/services/service-global.ts';
import { tryOnServer } from '../../flows/write/try-on-server.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { foreignObjectNotes } from '../../mesh/peers/foreign-homes.ts';
import { type Hazard, hazardWords } from '../../mesh/plan/agreement.ts';
import type { Step } from '../../mesh/plan/plan.ts';
import type { GlobalIntent } from '../../mesh/services/global-service.ts';
import { apart, type Remark, remarkWords } from '../../mesh/services/outlook.ts';
import { putBackSteps } from '../../mesh/services/put-back.ts';
import { clusterSteps } from '../../views/plan/plan-data.ts';
import { printable } from '../../views/printable.ts';
import { globalServiceText } from '../../views/services/service-global-view.ts';
import type { CommandContext, CommandResult } from '../command.ts';
import type { FlagsOf } from '../options/flags-of.ts';
import { parseSwitch } from '../options/option-values.ts';
import { confirmCuts, confirmPlan, dryRunOf, planResult } from '../plan-result.ts';
import { withOtherTargets } from '../targets/other-clusters.ts';
import { openingOf } from '../targets/several-clusters.ts';
import type { SERVICE_GLOBAL } from './global-spec.ts';
import { serviceNamed, withMembers } from './service-clusters.ts';

/** `meshctl service global`: in all named clusters or in none. */
export async function run(context: CommandContext, flags: FlagsOf<typeof SERVICE_GLOBAL>): Promise<CommandResult> {
  const intent = intentOf(flags);
  const service = serviceNamed(flags.service, flags);
  const dryRun = dryRunOf(flags);
  return withMembers(context, flags, async (members) => {
    const steps = await planGlobalServiceIn(context, members, service, intent);
    const readLost = () =>
      readWithdrawals(context, members, steps, (work) => withOtherTargets(context, openingOf(flags), members, work));
    const { hazards, unseen } = await readLost();
    const remarks = intent === 'not-global' ? [] : await remarksOn(context, flags, members, { service, steps });
    const warnings = [...unseen, ...foreignObjectNotes(putBackSteps(steps)), ...remarkWords(remarks)];
    for (const warning of warnings) context.progress.warn(warning);
    const report = { steps, hazards, warnings };
    if (dryRun) {
      const verdicts = dryRun === 'server' ? { verdicts: await tryOnServer(context, members, steps) } : {};
      return planResult({ ...report, ...verdicts }, dryRun, flags.output);
    }
    // A rotation does not stand on Services.
    const hazardsNow = async () => (await readLost()).hazards;
    const agreement = { yes: flags.yes, targets: [], planned: [], hazardsNow };
    if (intent === 'not-global') {
      const question = `Take ${service.namespace}/${service.name} out of the mesh in these clusters?`;
      await confirmPlan(context, report, { ...agreement, question });
    } else await confirmCuts(context, report, agreement);
    await applyGlobalService(context, members, steps, { rollback: flags.rollback });
    return result(service, intent, { ...report, remarks });
  });
}

/** What comes of it, and whether the named clusters have anything to do with each other at all. */
async function remarksOn(
  context: CommandContext,
  flags: FlagsOf<typeof SERVICE_GLOBAL>,
  members: readonly Target[],
  { service, steps }: { service: { namespace: string; name: string }; steps: readonly Step[] },
): Promise<Remark[]> {
  const { remarks, clusters } = await readOutlook(context, members, service, steps, (work) =>
    withOtherTargets(context, openingOf(flags), members, work),
  );
  return [...remarks, ...apart(clusters)];
}

function result(
  service: { namespace: string; name: string },
  intent: GlobalIntent,
  {
    steps,
    hazards,
    warnings,
    remarks,
  }: {
    steps: readonly Step[];
    hazards: readonly Hazard[];
    warnings: readonly string[];
    remarks: readonly Remark[];
  },
): CommandResult {
  const global = intent !== 'not-global';
  return {
    kind: 'GlobalServiceResult',
    data: {
      ...service,
      global,
      steps: clusterSteps(steps),
      warnings: printable([...warnings, ...hazardWords(hazards)]),
    },
    text: (theme) => globalServiceText(service, global, { steps, remarks: printable(remarks) }, theme),
  };
}

function intentOf({ remove, affinity, shared, createMissing }: FlagsOf<typeof SERVICE_GLOBAL>): GlobalIntent {
  if (!remove) return { affinity, shared: parseSwitch(shared), createMissing };
  if (affinity !== undefined || shared !== undefined || createMissing) {
    throw new MeshctlError('Usage', '--remove cannot be used with --affinity, --shared or --create-missing');
  }
  return 'not-global';
}
