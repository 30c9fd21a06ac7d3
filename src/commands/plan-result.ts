import { stringify } from 'yaml';
import type { Target } from '../flows/flow.ts';
import { requireNoRotation } from '../flows/rotation/rotation-hold.ts';
import { type PlannedCluster, requireNoneJoinedSince } from '../flows/write/require-none-joined.ts';
import { enumerated } from '../mesh/counted.ts';
import { exitCodeOf, isUnjudged, MeshctlError, warningOf } from '../mesh/errors.ts';
import { agreementClauses, type Hazard, requireForeseen } from '../mesh/plan/agreement.ts';
import { isChange, type Step } from '../mesh/plan/plan.ts';
import { errorData } from '../views/error-data.ts';
import { planManifests } from '../views/plan/plan-manifests.ts';
import { agreedWords, type PlanReport, planData, planText } from '../views/plan/plan-view.ts';
import { printable, printableLines } from '../views/printable.ts';
import type { CommandContext, CommandResult } from './command.ts';
import type { FlagsIn } from './options/flags-of.ts';
import type { DRY_RUN, PLAN_FORMAT } from './options/shared-options.ts';

export type DryRun = 'client' | 'server';

/** What a dry run has no part in: credentials are proved against etcds once those let them in. */
export const PROOF = 'the proof of the credentials';

/** The flags of commands that write, as parsed. */
export type PlanFlags = FlagsIn<readonly [typeof DRY_RUN, typeof PLAN_FORMAT]>;

/**
 * Whether only the plan is wanted, and whether the API server shall judge it. A bare `--dry-run` is `client`.
 * @throws MeshctlError `Usage` for `-o manifests` without it: manifests are not what a run did
 */
export function dryRunOf({ dryRun, output }: PlanFlags): DryRun | undefined {
  if (output === 'manifests' && !dryRun) {
    throw new MeshctlError('Usage', '-o manifests requires --dry-run', { hint: 'Add --dry-run.' });
  }
  return dryRun === true ? 'client' : dryRun;
}

/** What a run is refused for before it writes anything, of a plan that is shown all the same; undefined where it is not. */
export async function refusalBy(judge: () => void | Promise<void>): Promise<MeshctlError | undefined> {
  try {
    await judge();
    return undefined;
  } catch (error) {
    if (error instanceof MeshctlError && error.code !== 'Interrupted') return error;
    throw error;
  }
}

/**
 * What a run with this plan ends with at once where a rotation of certificates is at work in a cluster that it writes to; says it. For a dry
 * run, whose plan is shown all the same. A rotation may be through by the time of the run, and its plan is another one then.
 * @param refused what the run is refused for before it looks at that
 */
export async function refusalByRotation(
  context: CommandContext,
  { steps, ...agreement }: Pick<PlanReport, 'steps'> & Pick<Agreement, 'targets' | 'besides' | 'parallel'>,
  refused?: MeshctlError,
): Promise<MeshctlError | undefined> {
  if (refused) return refused;
  const held = await refusalBy(() => requireUnheld(context, { steps }, agreement));
  if (held) context.progress.warn(warningOf(held));
  return held;
}

/**
 * What a command with `--dry-run` gives back: the plan in the format that was asked for.
 * @param refused what the run would end with at once, as it does; absent where it would begin
 */
export function planResult(
  report: PlanReport,
  dryRun: DryRun,
  output: PlanFlags['output'],
  refused?: MeshctlError,
): CommandResult {
  const errors = [...(report.verdicts ?? [])].flatMap(([{ cluster }, verdict]) =>
    verdict === 'accepted' ? [] : [{ cluster, error: verdict }],
  );
  // Manifests are for somebody else to apply, who may well own what this run would not change.
  const refusal = errors[0]?.error ?? (output === 'manifests' ? undefined : refused);
  const untried = dryRun === 'client' ? [] : untriedOf(report);
  const asked = dryRun === 'client' ? '(--dry-run)' : `(--dry-run=server): ${serverWords(errors, untried)}`;
  const closing = `Nothing was changed ${asked}${refused ? '; a run is refused' : ''}.`;
  return {
    kind: 'Plan',
    data: {
      dryRun,
      ...planData(report),
      ...(untried.length > 0 ? { untried } : {}),
      ...(refused ? { refused: errorData(refused) } : {}),
    },
    text: (theme) => `${planText(report, theme)}\n${closing}`,
    exitCode: refusal ? exitCodeOf(refusal.code) : 0,
    ...(output === 'manifests' ? manifestsOf(report.steps) : {}),
  };
}

/** What of a plan the API servers could not be asked about, as nouns. */
function untriedOf({ steps, verdicts, onlyInRun = [] }: PlanReport): string[] {
  const untried = steps.filter((step) => isChange(step) && step.write && !verdicts?.has(step)).length;
  return [...(untried > 0 ? [`${untried} of the steps`] : []), ...onlyInRun];
}

/**
 * What the API servers say to a plan.
 * @param errors of the steps that they do not accept
 * @param untried what they could not be asked about
 */
function serverWords(errors: readonly { cluster: string; error: MeshctlError }[], untried: readonly string[]): string {
  const silent = [...new Set(errors.filter(({ error }) => isUnjudged(error)).map(({ cluster }) => cluster))];
  const refused = errors.filter(({ error }) => !isUnjudged(error)).length;
  const clauses = [
    ...(refused > 0 ? [`the API server refuses ${refused} of the steps`] : []),
    ...(silent.length > 0 ? [`that of ${silent.join(', ')} could not be asked about all of them`] : []),
  ];
  const accepted =
    untried.length > 0 ? 'the API server accepts what can be tried' : 'the API server accepts everything';
  const rest = untried.length > 0 && silent.length === 0 ? `; only the run tries ${enumerated(untried)}` : '';
  return `${clauses.join('; ') || accepted}${rest}`;
}

/** The objects as YAML documents. A plan without any is a failure: whoever pipes it on would apply nothing. */
function manifestsOf(steps: readonly Step[]): { raw: string; exitCode?: number } {
  const { clusters } = planManifests(steps);
  const parts = clusters.map(({ context, objects, leftOut }) => ({
    head: [`# Context ${context}`, ...leftOut.map((words) => `# left out: ${words}`)].join('\n'),
    documents: printableLines(objects).map((object) =>
      stringify(object, { lineWidth: 0, aliasDuplicateObjects: false }),
    ),
  }));
  const empty = parts.every(({ documents }) => documents.length === 0);
  const raw = parts.map(({ head, documents }) => [`${head}\n`, ...documents].join('---\n')).join('');
  if (!empty) return { raw };
  return {
    raw: `# No objects for GitOps: this command writes nothing that belongs in a repository\n${raw}`,
    exitCode: 1,
  };
}

/** What an agreement to a plan hangs on. */
export interface Agreement {
  yes: boolean;
  /** Those of which it has steps that a rotation of certificates stands on: it is not to be at work in one that is written to. */
  targets: readonly Target[];
  /** How many clusters are asked at a time. */
  parallel?: number | undefined;
  /** The clusters whose peers the plan speaks of, as they were read for it; empty where it is about nobody's connections. */
  planned: readonly PlannedCluster[];
  /** What is shown before the question, where that is not the plan: who carries it out does it by other steps. */
  shown?: string | undefined;
  /** Whoever carries it out writes also where each step keeps what is there. */
  besides?: boolean | undefined;
  /** Reads once more what the plan does beside ending connections, by what is there now. */
  hazardsNow: () => Promise<readonly Hazard[]>;
  /** Something was written before: then a no leaves that to the rollback. */
  begun?: boolean | undefined;
}

/**
 * Shows a plan that takes something away and asks whether to carry it out; with `--yes` neither, but what it takes from whom is said.
 * An answer takes its time, so after it the clusters must have no peers that the plan does not know, and the plan must do nothing else
 * than what was agreed to.
 * @param question one sentence that ends with a question mark
 * @throws MeshctlError `Usage` where nobody can be asked, `Declined` when the answer is no, `Conflict` when peers have come, or
 * another hazard has, and before any question where a rotation is at work
 */
export async function confirmPlan(
  context: CommandContext,
  report: PlanReport,
  { question, ...agreement }: Agreement & { question: string },
): Promise<void> {
  const { yes, shown, besides = false, begun = false } = agreement;
  if (!besides && !report.steps.some(isChange)) return;
  await requireUnheld(context, report, agreement);
  if (yes) {
    for (const words of agreedWords(report)) context.progress.warn(words);
    return;
  }
  const agreed = await context.confirm(question, shown ?? planText(report, context.theme));
  if (!agreed) {
    throw new MeshctlError('Declined', `${begun ? 'stopped' : 'nothing was changed'}: the plan was not confirmed`);
  }
  await requireAsAgreed(report, agreement);
}

/**
 * Looks again, after an answer that took its time: at who the peers are, and at what the plan does beside ending connections.
 * @throws MeshctlError `Conflict` when peers have come, or another hazard has
 */
export async function requireAsAgreed(
  { hazards = [] }: Pick<PlanReport, 'hazards'>,
  { planned, hazardsNow, begun }: Pick<Agreement, 'planned' | 'hazardsNow' | 'begun'>,
): Promise<void> {
  await requireNoneJoinedSince(planned);
  requireForeseen(hazards, await hazardsNow(), begun);
}

/** What is refused anyway is not worth a question; whoever carries it out looks again, as an answer takes its time. */
function requireUnheld(
  context: CommandContext,
  { steps }: Pick<PlanReport, 'steps'>,
  { targets, besides, parallel }: Pick<Agreement, 'targets' | 'besides' | 'parallel'>,
): Promise<void> {
  const onUnseen = (words: string) => context.progress.warn(words);
  return requireNoRotation(context, targets, besides ? undefined : steps, { onUnseen, parallel });
}

/**
 * Asks before connections are cut, or may be, and before anything else that its operator has to agree to; with `--yes`, and
 * where there is nothing of that, nobody is asked.
 * @param doubtful others may be cut off too, of whom nobody knows
 * @throws MeshctlError as {@link confirmPlan}; `Usage` names the peers and --yes
 */
export async function confirmCuts(
  context: CommandContext,
  report: PlanReport,
  { doubtful = false, ...agreement }: Agreement & { doubtful?: boolean },
): Promise<void> {
  const clauses = printable(agreementClauses({ ...report, doubtful }));
  if (clauses.length === 0) return requireUnheld(context, report, agreement);
  await confirmPlan(context, report, { ...agreement, question: `Continue, although ${clauses.join(', and ')}?` });
}
