import type { EnableOptions } from '../../../flows/enable/draft-enable.ts';
import {
  concernsOthers,
  draftEnableCluster,
  draftWithOthers,
  type EnableOutcome,
  enableCluster,
  givenAuthorities,
  requireStartable,
} from '../../../flows/enable/enable.ts';
import { afterSource } from '../../../flows/enable/given-authority.ts';
import { noting } from '../../../flows/noting.ts';
import { sayOthers } from '../../../flows/parallel.ts';
import { requireNoRotation } from '../../../flows/rotation/rotation-hold.ts';
import { allInFull, firstFailure, isInaccessible } from '../../../flows/where-it-succeeds.ts';
import { tryOnServer } from '../../../flows/write/try-on-server.ts';
import { alikeWarnings } from '../../../mesh/alike-warnings.ts';
import { validityWarnings } from '../../../mesh/certificates/cluster-certificates.ts';
import { contextList } from '../../../mesh/command-line.ts';
import { exitOf, exitOfAll } from '../../../mesh/errors.ts';
import { foreignObjectNotes } from '../../../mesh/peers/foreign-homes.ts';
import { cutEffects } from '../../../mesh/plan/peer-effects.ts';
import { type EnableFailure, enableText, failureData } from '../../../views/enable/enable-view.ts';
import { agreedWords, type PlanReport } from '../../../views/plan/plan-view.ts';
import { printable } from '../../../views/printable.ts';
import type { CommandContext, CommandResult } from '../../command.ts';
import { type Agreement, confirmCuts, confirmPlan, dryRunOf, planResult } from '../../plan-result.ts';
import { namingContexts } from '../../targets/contexts-of-clusters.ts';
import { withOtherClusters } from '../../targets/other-clusters.ts';
import { withWritableClusters } from '../../targets/several-clusters.ts';
import { withWayOn } from '../../way-on.ts';
import { broughtAuthority } from './brought-authority.ts';
import { type EnableFlags, enableOptionsOf } from './enable-flags.ts';
import { interruptedEnable, outcomeData, shownOutcome } from './enable-outcome.ts';
import {
  canHelm,
  checkHelmOptions,
  helmOptionsOf,
  helmPlanText,
  runViaHelm,
  unforcedWarnings,
} from './enable-via-helm.ts';
import {
  hazardsOfEnables,
  inEachCluster,
  type PlannedEnable,
  reportOfEnables,
  withContextsNamedIn,
  withSource,
} from './planned-enables.ts';
import { valuesOfRun } from './values-of-run.ts';

/** `meshctl clustermesh enable`: all named clusters in parallel; what fails in one does not keep the others from it. */
export async function run(context: CommandContext, flags: EnableFlags): Promise<CommandResult> {
  const options = enableOptionsOf(flags);
  dryRunOf(flags);
  return withWritableClusters(context, flags, async (targets, silent) => {
    const givenAuthority = await broughtAuthority(context, flags, targets);
    const isOnly = targets.length + silent.length === 1;
    // What is to be done about one of several clusters is not to be done to the others.
    const again = (name: string, ...words: readonly string[]) =>
      isOnly
        ? context.again(...words)
        : context.againWithout(['--context', '--all'], '--context', contextList([name]), ...words);
    const forcing = (name: string) => again(name, '--force-conflicts');
    const withoutReplacing = (name: string) =>
      isOnly
        ? context.againWithout(['--replace-ca'])
        : context.againWithout(['--replace-ca', '--context', '--all'], '--context', contextList([name]));
    const naming = (warnings: readonly string[]) => namingContexts(context, flags, warnings);
    const viaHelm = canHelm({ ...options, givenAuthority });
    const complete = { ...options, naming, viaHelm, forcing, again, withoutReplacing, givenAuthority };
    if (flags.viaHelm) checkHelmOptions(complete, flags);
    const { done: first, failures: refusals } = await inEachCluster(targets, isOnly, async (target) => ({
      target,
      draft: await draftEnableCluster(context, target, complete),
    }));
    const unplanned = await allInFull(context, targets, refusals);
    const unread: EnableFailure[] = [
      ...silent.map((one) => ({ ...one, isUnread: true })),
      ...unplanned.map((one) => ({ ...one, isUnread: isInaccessible(one.error) })),
    ];
    const finish = (planned: readonly PlannedEnable[], final: EnableOptions, refused: readonly EnableFailure[] = []) =>
      carryOut(context, flags, final, { planned, failures: [...unread, ...refused] });
    if (!first.some(({ draft }) => concernsOthers(draft))) return finish(first, complete);
    const own = first.map(({ draft }) => draft.snapshot);
    return withOtherClusters(context, flags, targets, async (read) => {
      const final = { ...complete, others: [...own, ...read.map(({ snapshot }) => snapshot)] };
      const { done: planned, failures: refused } = await inEachCluster(first, isOnly, async ({ target, draft }) => ({
        target,
        draft: await draftWithOthers(context, draft, final),
      }));
      return finish(planned, final, refused);
    });
  });
}

async function carryOut(
  context: CommandContext,
  flags: EnableFlags,
  options: EnableOptions,
  found: { planned: readonly PlannedEnable[]; failures: readonly EnableFailure[] },
): Promise<CommandResult> {
  const { done, failures } = withSource(options, { done: found.planned, failures: found.failures });
  const planned = await withContextsNamedIn(context, flags, { planned: done, failures });
  const dryRun = dryRunOf(flags);
  const report = reportOfEnables(planned);
  const { again, viaHelm } = options;
  const byHelm = again && viaHelm ? (name: string) => again(name, '--via-helm') : undefined;
  const warnings = [
    ...validityWarnings(flags.certValidity),
    ...planned.flatMap(({ target: { client }, draft: { doubts, warnings: own } }) =>
      [...doubts, ...own].map((words) => `${client.context}: ${words}`),
    ),
    ...(flags.viaHelm
      ? unforcedWarnings(planned, options, flags.helmRelease)
      : foreignObjectNotes(report.steps, valuesOfRun(context), byHelm)),
  ];
  for (const warning of alikeWarnings(warnings)) context.progress.warn(warning);
  const { flow, noted } = noting(context);
  const startable = async (isOnly: boolean) => {
    const judged = await inEachCluster(planned, isOnly, async (one) => {
      await requireStartable(context, one.target, one.draft, options);
      await requireNoRotation(context, [one.target], one.draft.plan.steps, {
        onUnseen: (words) => flow.progress.warn(words),
      });
      return one;
    });
    return withSource(options, judged);
  };
  if (dryRun && !flags.viaHelm) {
    const refused = flags.output === 'manifests' ? [] : (await startable(false)).failures;
    return dryRunResult(context, flags, options, { planned, report: { ...report, warnings }, failures, refused });
  }
  const [failure] = failures;
  if (flags.viaHelm && failure) throw firstFailure(context, failures);
  // What is refused anyway is not worth a question.
  const { done: ready, failures: refused } = flags.viaHelm
    ? { done: planned, failures: [] }
    : await startable(planned.length + failures.length === 1);
  if (!dryRun) {
    const agreementOn = (of: readonly PlannedEnable[]): Agreement => ({
      yes: flags.yes,
      // Of the others each has been looked at, and those that are held are left out.
      targets: flags.viaHelm ? of.map(({ target }) => target) : [],
      planned: of.map(({ target, draft }) => ({ target, snapshot: draft.snapshot })),
      hazardsNow: () => hazardsOfEnables(context, of, options),
      shown: flags.viaHelm
        ? helmPlanText(of, options, helmOptionsOf(context, flags, options), context.theme)
        : undefined,
    });
    const replacing = ready.filter(({ draft }) => draft.authority.replaces);
    const replaced = reportOfEnables(replacing);
    await confirmPlan(context, replaced, { ...agreementOn(replacing), question: replacementQuestion(replaced) });
    const asked = ready.filter(({ draft }) => !draft.authority.replaces);
    const doubtful = asked.some(({ draft }) => draft.doubts.length > 0);
    // Helm writes its files also where nothing of the plan would be written.
    // Of clusters that are enabled, what is agreed to is in the document by all of them together.
    await confirmCuts(flags.viaHelm ? flow : context, reportOfEnables(asked), {
      ...agreementOn(asked),
      doubtful,
      besides: flags.viaHelm,
    });
  }
  return withWayOn(context, () =>
    flags.viaHelm
      ? runViaHelm(flow, flags, options, { planned: ready, warnings, noted }, dryRun)
      : enableAll(flow, options, ready, { earlier: [...failures, ...refused], warnings, noted }),
  );
}

function replacementQuestion({ steps, effects = [] }: PlanReport): string {
  const contexts = [...new Set(steps.map(({ cluster }) => cluster))].join(', ');
  const cut = printable([...new Set(cutEffects(effects).map(({ peer }) => peer))]);
  return `Replace the CA of ${contexts}${cut.length > 0 ? `, which cuts off ${cut.join(', ')}` : ''}?`;
}

async function dryRunResult(
  context: CommandContext,
  flags: EnableFlags,
  options: EnableOptions,
  {
    planned,
    report,
    failures: unread,
    refused,
  }: {
    planned: readonly PlannedEnable[];
    report: PlanReport;
    failures: readonly EnableFailure[];
    /** Clusters of the plan in which a run would begin nothing. */
    refused: readonly EnableFailure[];
  },
): Promise<CommandResult> {
  const dryRun = dryRunOf(flags) ?? 'client';
  const failures = [...unread, ...refused];
  const [failure] = failures;
  if (failure && planned.length === 0) throw firstFailure(context, failures);
  sayOthers(
    context,
    failures.map(({ error }) => error),
  );
  const targets = planned.map(({ target }) => target);
  const given = givenAuthorities(options);
  const verdicts =
    dryRun === 'server'
      ? { verdicts: await tryOnServer(context, targets, report.steps, { force: options.force, given }) }
      : {};
  // The other clusters are enabled all the same.
  const whole = refused.length === planned.length ? refused[0]?.error : undefined;
  const result = planResult({ ...report, ...verdicts }, dryRun, flags.output, whole);
  if (!failure) return result;
  return {
    ...result,
    data: { ...result.data, failures: failures.map(failureData) },
    exitCode: exitOfAll(failures.map(({ error }) => error)),
  };
}

async function enableAll(
  context: CommandContext,
  options: EnableOptions,
  planned: readonly PlannedEnable[],
  {
    earlier,
    warnings,
    noted,
  }: { earlier: readonly EnableFailure[]; warnings: readonly string[]; noted: () => readonly string[] },
): Promise<CommandResult> {
  const inTurn = afterSource(context, options.givenAuthority);
  const { done, failures: later } = await inEachCluster(
    planned,
    planned.length + earlier.length === 1,
    ({ target, draft }): Promise<EnableOutcome> =>
      inTurn(target.client.context, (onAuthority) =>
        enableCluster(context, target, options, draft, undefined, onAuthority),
      ),
  );
  const failures = [...earlier, ...later];
  if (context.signal.aborted && failures.length > 0) {
    sayOthers(
      context,
      failures.map(({ error }) => error),
    );
    throw interruptedEnable(context, done, failures);
  }
  const [failure] = failures;
  const outcomes = done.map(shownOutcome);
  return {
    kind: 'EnableResult',
    data: {
      clusters: outcomes.map(outcomeData),
      ...(failure ? { failures: failures.map(failureData) } : {}),
      warnings: printable([
        ...new Set([
          ...warnings,
          ...agreedWords(reportOfEnables(planned)),
          ...done.flatMap((outcome) => outcome.warnings),
          ...noted(),
        ]),
      ]),
    },
    text: (theme) => enableText(outcomes, failures, theme),
    exitCode: done.some(({ unserved }) => unserved)
      ? exitOf({ failed: true })
      : exitOfAll(failures.map(({ error }) => error)),
  };
}
