import { capital, counted, enumerated } from '../../mesh/counted.ts';
import { foldAlike, groupBy } from '../../mesh/pairs.ts';
import { alikeHazards, type Hazard, hazardWords } from '../../mesh/plan/agreement.ts';
import type { PeerEffect } from '../../mesh/plan/peer-effects.ts';
import type { Step, StepAction } from '../../mesh/plan/plan.ts';
import { numberOfPhase } from '../../mesh/rotation/phases.ts';
import { errorData } from '../error-data.ts';
import { printable } from '../printable.ts';
import type { Theme } from '../theme.ts';
import { allOthers, type FoldedPeers, foldPeers, type PlanNames } from './fold-peers.ts';
import { hazardLine, lossLines } from './loss-lines.ts';
import { cutSentences, peerLines } from './peer-lines.ts';
import { countActions, objectsOf, stepData } from './plan-data.ts';
import { type StepsShown, stepLines, type Verdict } from './step-lines.ts';

/** A plan with what belongs to it, for `--dry-run` and for questions. */
export interface PlanReport {
  steps: readonly Step[];
  /** Names in the mesh of the clusters, by context: where many do the same with their peers, it is told once. */
  names?: PlanNames | undefined;
  /** What led to the plan, by context, e.g. how the Service's type was found. */
  notes?: Readonly<Record<string, readonly string[]>>;
  /** What becomes of the connections with known peers. */
  effects?: readonly PeerEffect[];
  /** What else the operator has to agree to. */
  hazards?: readonly Hazard[];
  /** What is planned only once a part of this is done, for people; lines. */
  later?: readonly string[];
  /** Of that, what is known to be written then. */
  laterSteps?: readonly Step[];
  /** What is to be known before it is carried out. For people it is said as the plan is made. */
  warnings?: readonly string[];
  /** What else than the steps without a verdict only the run tries, as nouns. */
  onlyInRun?: readonly string[];
  /** Only with `--dry-run=server`. */
  verdicts?: ReadonlyMap<Step, Verdict>;
}

/** The plan as the data of a document. */
export function planData(report: PlanReport): Record<string, unknown> {
  const { steps, notes = {}, effects, warnings = [], verdicts } = report;
  return {
    summary: countActions(steps),
    clusters: contextsOf(report).map((context) => ({
      context,
      ...(notes[context] ? { notes: printable(notes[context]) } : {}),
      ...(effects ? { peers: effects.filter(({ cluster }) => cluster === context).map(peerData) } : {}),
      ...hazardData(hazardsIn([context], report)),
      steps: steps
        .filter(({ cluster }) => cluster === context)
        .map((step) => ({ ...stepData(step), ...verdictData(verdicts?.get(step)) })),
    })),
    ...(warnings.length > 0 ? { warnings: printable(warnings) } : {}),
  };
}

function hazardsIn(contexts: readonly string[], { hazards = [] }: PlanReport): Hazard[] {
  return hazards.filter(({ cluster }) => contexts.includes(cluster));
}

function hazardData(hazards: readonly Hazard[]): { hazards?: readonly string[] } {
  return hazards.length > 0 ? { hazards: printable(hazards.map(({ says }) => says)) } : {};
}

/** What becomes of one connection, as data. */
export function peerData({ peer, becomes, why, mend }: PeerEffect): Record<string, unknown> {
  return printable({ peer, becomes, why, ...(mend === undefined ? {} : { mend }) });
}

/** The plan for people: a block for each cluster, a line for each object, its changes below. */
export function planText(report: PlanReport, theme: Theme): string {
  const blocks = [...planBlocks(report, theme), ...(report.later ?? [])].flatMap((block) => block.split('\n'));
  const names = isOfMany(report) ? report.names : undefined;
  return [...blocks, ...lossLines(blocks, { ...report, names }, theme), `Plan: ${planSummary(report)}.`].join('\n');
}

/** In a plan of so many clusters, those that have the same done to them are shown as one. */
export const MANY_CLUSTERS = 6;

function isOfMany(report: PlanReport): boolean {
  return contextsOf(report).length >= MANY_CLUSTERS;
}

/**
 * The blocks of a plan: one for each cluster, with the sizes and digests of keys. Where there are many clusters, those that have the same
 * done to them are shown as one, and keys by their names only; `-o json` has all of it.
 */
export function planBlocks(report: PlanReport, theme: Theme): string[] {
  const contexts = contextsOf(report);
  const isMany = isOfMany(report);
  const phases = phasesOf(report.steps);
  const folded = isMany && report.names ? foldPeers(report.steps, report.names) : undefined;
  const shown = { phases, digests: !isMany, folded };
  const lines = new Map(contexts.map((one) => [one, stepsAndPeers(one, report, shown, theme)]));
  const linesOf = (context: string) => lines.get(context) ?? [];
  const doneTo = (context: string) =>
    JSON.stringify([
      linesOf(context),
      hazardsIn([context], report).map(({ says, befalls }) => befalls?.several ?? says),
    ]);
  const blocks = isMany ? foldAlike(contexts, doneTo) : contexts.map((context) => [context]);
  const below = folded?.below ?? [];
  return [
    ...blocks.map((same) => block(same, same.slice(0, 1).flatMap(linesOf), report, theme)),
    ...(below.length > 0
      ? [['Of each peer, the same in all of them:', ...below.map((line) => `  ${line}`)].join('\n')]
      : []),
  ];
}

function block(contexts: readonly string[], lines: readonly string[], report: PlanReport, theme: Theme): string {
  const named = enumerated(contexts.map((context) => theme.bold(context)));
  return [
    contexts.length === 1 ? `Context ${named}:` : `Contexts ${named}, each:`,
    ...lines,
    ...alikeHazards(hazardsIn(contexts, report)).map(({ says }) => hazardLine(says, theme)),
  ].join('\n');
}

/** @param digests also of what is in keys, by which each cluster differs from all others */
function stepsAndPeers(
  context: string,
  report: PlanReport,
  { phases, digests, folded }: { phases: readonly string[]; digests: boolean; folded: FoldedPeers | undefined },
  theme: Theme,
): string[] {
  const { steps, notes = {}, effects = [], verdicts } = report;
  const own = steps.filter(({ cluster }) => cluster === context);
  return [
    ...printable(notes[context] ?? []).map((note) => `  ${theme.dim(`# ${note}`)}`),
    ...phasedLines(own, phases, { verdicts, digests, folded }, theme),
    ...peerLines(
      effects.filter(({ cluster }) => cluster === context),
      theme,
      (peers) => (folded && report.names ? allOthers(report.names, context, peers) : undefined),
    ),
  ];
}

/** The steps of one cluster; those of a plan in phases below the name of each phase. */
function phasedLines(steps: readonly Step[], planned: readonly string[], shown: StepsShown, theme: Theme): string[] {
  return [...groupBy(steps, ({ phase }) => phase)].flatMap(([phase, own]) => [
    ...(phase === undefined ? [] : [`  ${phaseTitle(phase, planned, theme)}`]),
    ...foldedLines(own, shown, theme),
  ]);
}

/** Of more objects than these that stay as they are only the number is told: a plan is read for what it changes. */
const MOST_KEPT = 3;

/** Steps in their order, and below them how many objects stay as they are; those that are spared for a reason are shown with it. */
function foldedLines(steps: readonly Step[], shown: StepsShown, theme: Theme): string[] {
  const asTheyAre = steps.filter(({ action, isSpared }) => action === 'keep' && !isSpared);
  if (asTheyAre.length <= (shown.folded ? 0 : MOST_KEPT)) return steps.flatMap((step) => stepLines(step, shown, theme));
  const told = steps.filter((step) => !asTheyAre.includes(step));
  // What one step finds as it should be another may change.
  const objects = objectsOf(told);
  const kept = [...objectsOf(asTheyAre)].filter((object) => !objects.has(object)).length;
  return [
    ...told.flatMap((step) => stepLines(step, shown, theme)),
    ...(kept > 0
      ? [
          `  ${theme.dim(`= keep ${counted(kept, 'object')} as ${kept === 1 ? 'it is' : 'they are'} (-o json names them)`)}`,
        ]
      : []),
  ];
}

function phaseTitle(phase: string, planned: readonly string[], theme: Theme): string {
  if (!planned.includes(phase)) return theme.dim(phase);
  const number = numberOfPhase(phase, planned);
  return number === undefined ? theme.bold(capital(phase)) : `${theme.bold(number)}: ${phase}`;
}

/** The names of the phases in which something is done, in their order. */
function phasesOf(steps: readonly Step[]): string[] {
  return [...new Set(steps.flatMap(({ phase, action }) => (phase === undefined || action === 'keep' ? [] : [phase])))];
}

/** All that whoever carries a plan out agrees to by that, as sentences: for a run that nobody is asked about, and for its result. */
export function agreedWords({ effects = [], hazards = [] }: Pick<PlanReport, 'effects' | 'hazards'>): string[] {
  return [...cutSentences(effects), ...hazardWords(hazards)];
}

/** What has become of connections by a run, as data; nothing where it changes nothing about any. */
export function peersData(effects: readonly PeerEffect[]): { peers?: Record<string, unknown>[] } {
  return effects.length > 0 ? { peers: effects.map((one) => ({ cluster: one.cluster, ...peerData(one) })) } : {};
}

/**
 * `3 to create, 1 to update, 8 to keep`; `60 writes to 18 objects` where some are written several times. What is planned only once a part of
 * that is done is counted for itself: `26 to create, 2 to keep; then 6 to update`.
 */
function planSummary({ steps, laterSteps = [] }: Pick<PlanReport, 'steps' | 'laterSteps'>): string {
  const later = laterSteps.length > 0 ? `; then ${countedActions(laterSteps)}` : '';
  return `${countedActions(steps)}${later}`;
}

function countedActions(steps: readonly Step[]): string {
  const writes = steps.filter(({ action }) => action !== 'keep');
  const objects = objectsOf(writes);
  if (objects.size < writes.length) {
    return `${counted(writes.length, 'write')} to ${counted(objects.size, 'object')}`;
  }
  const counts = countActions(steps);
  const parts = ACTIONS.filter((action) => counts[action] > 0).map((action) => `${counts[action]} to ${action}`);
  return parts.length > 0 ? parts.join(', ') : 'nothing to do';
}

const ACTIONS: readonly StepAction[] = ['create', 'update', 'delete', 'keep'];

const DONE: Readonly<Record<StepAction, string>> = {
  create: 'created',
  update: 'updated',
  delete: 'deleted',
  keep: 'kept',
};

/** `9 created, 3 kept`; `nothing to change` when all are kept. */
export function summariseActions(counts: Readonly<Record<StepAction, number>>, theme: Theme): string {
  const parts = ACTIONS.filter((action) => counts[action] > 0);
  if (parts.every((action) => action === 'keep')) return theme.dim('nothing to change');
  return parts.map((action) => `${counts[action]} ${DONE[action]}`).join(', ');
}

function verdictData(verdict: Verdict | undefined): Record<string, unknown> {
  if (!verdict) return {};
  if (verdict === 'accepted') return { server: { accepted: true } };
  const { code, message, hint } = errorData(verdict);
  return { server: { accepted: false, code, message, ...(hint ? { hint } : {}) } };
}

function contextsOf({ steps, effects = [], hazards = [] }: PlanReport): string[] {
  return [...new Set([...steps, ...effects, ...hazards].map(({ cluster }) => cluster))];
}
