import { capital } from '../../mesh/counted.ts';
import type { MeshctlError } from '../../mesh/errors.ts';
import { describeRef } from '../../mesh/objects/kube-object.ts';
import { groupBy } from '../../mesh/pairs.ts';
import { type Hazard, hazardWords } from '../../mesh/plan/agreement.ts';
import { endangeredEffects, type PeerEffect, type PeerOutcome } from '../../mesh/plan/peer-effects.ts';
import type { Change, Step, StepAction } from '../../mesh/plan/plan.ts';
import { numberOfPhase } from '../../mesh/rotation/phases.ts';
import { errorData } from '../error-data.ts';
import { hintLines } from '../hint-lines.ts';
import { printable } from '../printable.ts';
import type { Theme } from '../theme.ts';
import {
  countActions,
  objectsOf,
  type SecretDigest,
  type SecretKeyChange,
  type StepData,
  stepData,
} from './plan-data.ts';

/** What an API server said to a step that was sent as a dry run: `accepted`, or why not. */
export type Verdict = 'accepted' | MeshctlError;

/** A plan with what belongs to it, for `--dry-run` and for questions. */
export interface PlanReport {
  steps: readonly Step[];
  /** What led to the plan, by context, e.g. how the Service's type was found. */
  notes?: Readonly<Record<string, readonly string[]>>;
  /** What becomes of the connections with known peers. */
  effects?: readonly PeerEffect[];
  /** What else the operator has to agree to. */
  hazards?: readonly Hazard[];
  /** What is planned only once a part of this is done, for people; lines. */
  later?: readonly string[];
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
      ...hazardData(hazardsIn(context, report)),
      steps: steps
        .filter(({ cluster }) => cluster === context)
        .map((step) => ({ ...stepData(step), ...verdictData(verdicts?.get(step)) })),
    })),
    ...(warnings.length > 0 ? { warnings: printable(warnings) } : {}),
  };
}

function hazardsIn(context: string, { hazards = [] }: PlanReport): string[] {
  return printable(hazards.filter(({ cluster }) => cluster === context).map(({ says }) => says));
}

function hazardData(hazards: readonly string[]): { hazards?: readonly string[] } {
  return hazards.length > 0 ? { hazards } : {};
}

/** What becomes of one connection, as data. */
export function peerData({ peer, becomes, why, mend }: PeerEffect): Record<string, unknown> {
  return printable({ peer, becomes, why, ...(mend === undefined ? {} : { mend }) });
}

/** The plan for people: a block for each cluster, a line for each object, its changes below. */
export function planText(report: PlanReport, theme: Theme): string {
  return [...planBlocks(report, theme), ...(report.later ?? []), `Plan: ${planSummary(report.steps)}.`].join('\n');
}

/** The blocks of a plan. */
export function planBlocks(report: PlanReport, theme: Theme): string[] {
  const { steps, notes = {}, effects = [] } = report;
  return contextsOf(report).map((context) =>
    [
      `Context ${theme.bold(context)}:`,
      ...printable(notes[context] ?? []).map((note) => `  ${theme.dim(`# ${note}`)}`),
      ...phasedLines(
        steps.filter(({ cluster }) => cluster === context),
        report,
        theme,
      ),
      ...effects.filter(({ cluster }) => cluster === context).flatMap((effect) => peerLines(effect, theme)),
      ...hazardsIn(context, report).map((says) => `  ${theme.warn('!')} ${says}`),
    ].join('\n'),
  );
}

/** The steps of one cluster; those of a plan in phases below the name of each phase. */
function phasedLines(steps: readonly Step[], report: PlanReport, theme: Theme): string[] {
  const planned = phasesOf(report.steps);
  return [...groupBy(steps, ({ phase }) => phase)].flatMap(([phase, own]) => [
    ...(phase === undefined ? [] : [`  ${phaseTitle(phase, planned, theme)}`]),
    ...own.flatMap((step) => stepLines(step, report, theme)),
  ]);
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

const PEER_MARKS: Readonly<Record<PeerOutcome, (theme: Theme) => string>> = {
  kept: (theme) => theme.dim('='),
  restored: (theme) => theme.ok('+'),
  moved: (theme) => theme.warn('~'),
  lost: (theme) => theme.fail('✗'),
  cut: (theme) => theme.fail('✗'),
  unknown: (theme) => theme.warn('?'),
};

const PEER_WORDS: Readonly<Record<PeerOutcome, string>> = {
  kept: 'stays connected',
  restored: 'can connect again',
  moved: 'reconnects',
  lost: 'may stay cut off',
  cut: 'is cut off until it is connected again',
  unknown: 'may be cut off',
};

/** What becomes of one connection, as a sentence: `peer mesh-2 may be cut off: why`. */
export function peerSentence(effect: PeerEffect): string {
  const { peer, becomes, why } = printable(effect);
  return `peer ${peer} ${PEER_WORDS[becomes]}${why ? `: ${why}` : ''}`;
}

/** Which peers are cut off, or may be, with what brings each back: a line each, for whoever is not shown the plan. */
export function cutSentences(effects: readonly PeerEffect[]): string[] {
  return endangeredEffects(effects).map((effect) => {
    const { cluster, mend } = effect;
    return `${cluster}: ${peerSentence(effect)}${mend === undefined ? '' : ` → ${mend}`}`;
  });
}

/** All that whoever carries a plan out agrees to by that, as sentences: for a run that nobody is asked about, and for its result. */
export function agreedWords({ effects = [], hazards = [] }: Pick<PlanReport, 'effects' | 'hazards'>): string[] {
  return [...cutSentences(effects), ...hazardWords(hazards)];
}

/** What has become of connections by a run, as data; nothing where it changes nothing about any. */
export function peersData(effects: readonly PeerEffect[]): { peers?: Record<string, unknown>[] } {
  return effects.length > 0 ? { peers: effects.map((one) => ({ cluster: one.cluster, ...peerData(one) })) } : {};
}

/** What becomes of one connection, for people. */
export function peerLines(effect: PeerEffect, theme: Theme): string[] {
  const { becomes, mend } = printable(effect);
  const line = peerSentence(effect);
  return [
    `  ${PEER_MARKS[becomes](theme)} ${becomes === 'kept' ? theme.dim(line) : line}`,
    ...(mend === undefined ? [] : hintLines(mend, theme, 6, Infinity)),
  ];
}

/** `3 to create, 1 to update, 8 to keep`; `60 writes to 18 objects` where some are written several times. */
function planSummary(steps: readonly Step[]): string {
  const writes = steps.filter(({ action }) => action !== 'keep');
  const objects = objectsOf(writes);
  if (objects.size < writes.length) {
    return `${writes.length} writes to ${objects.size} ${objects.size === 1 ? 'object' : 'objects'}`;
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

function stepLines(step: Step, { verdicts }: PlanReport, theme: Theme): string[] {
  const data = stepData(step);
  const line = `${data.action} ${describeRef(data.object)}${data.why ? ` ${theme.dim(`(${data.why})`)}` : ''}`;
  return [
    `  ${MARKS[data.action](theme)} ${data.action === 'keep' ? theme.dim(line) : line}`,
    ...changeLines(data).map((text) => `      ${text}`),
    ...(data.conflicts ?? []).map(
      ({ path, manager }) => `      ${theme.fail('!')} ${path} is owned by ${manager}: only with --force-conflicts`,
    ),
    ...(data.takenFrom ?? []).map(
      ({ path, manager }) => `      ${theme.warn('~')} ${path} is taken over from ${manager}`,
    ),
    ...verdictLines(verdicts?.get(step), theme).map((text) => `      ${text}`),
  ];
}

const MARKS: Readonly<Record<StepAction, (theme: Theme) => string>> = {
  create: (theme) => theme.ok('+'),
  update: (theme) => theme.warn('~'),
  delete: (theme) => theme.fail('-'),
  keep: (theme) => theme.dim('='),
};

function changeLines({ action, changes, secretKeys = [] }: StepData): string[] {
  if (action === 'delete') {
    // What is not read, as the key of a CA, the planner names.
    const named = changes.flatMap(({ path }) => (path.startsWith(DATA) ? [path.slice(DATA.length)] : []));
    const keys = [...new Set([...secretKeys.map(({ key }) => key), ...named])];
    return keys.length > 0 ? [`keys ${keys.join(', ')}`] : [];
  }
  const later = secretKeys.filter(({ to }) => typeof to === 'string');
  const now = secretKeys.filter(({ to }) => typeof to !== 'string');
  const words = later.map(({ to }) => to)[0];
  return [
    ...changes.map((change) => {
      const digests = now.find(({ key }) => change.path === `${DATA}${key}`);
      return digests ? describedKeyLine(change, digests) : changeLine(change);
    }),
    ...(words === undefined ? [] : [`keys ${later.map(({ key }) => key).join(', ')}: ${words}`]),
    ...now.filter(({ key }) => !changes.some(({ path }) => path === `${DATA}${key}`)).map(secretKeyLine),
  ];
}

const DATA = 'data.';

/** A key of which the planner says in words what it gets, with its digest, on one line. */
function describedKeyLine(change: Change, digests: SecretKeyChange): string {
  if (change.to === undefined || digests.to === undefined) return secretKeyLine(digests);
  const { from, to } = digests;
  return `${changeLine(change)} (${from === undefined ? '' : `${secretWords(from)} → `}${secretWords(to)})`;
}

/** An added field shows what it gets, a removed one that it goes. */
function changeLine({ path, from, to }: Change): string {
  if (to === undefined) return from === undefined ? path : `${path}: ${shown(from)} → (removed)`;
  return from === undefined ? `${path}: ${shown(to)}` : `${path}: ${shown(from)} → ${shown(to)}`;
}

function secretKeyLine({ key, from, to }: SecretKeyChange): string {
  if (to === undefined) return `key ${key}: ${from ? secretWords(from) : ''} → (removed)`;
  return from === undefined
    ? `key ${key}: ${secretWords(to)}`
    : `key ${key}: ${secretWords(from)} → ${secretWords(to)}`;
}

function secretWords(value: SecretDigest | string): string {
  return typeof value === 'string' ? value : `${value.bytes} bytes, sha256:${value.sha256}`;
}

const MOST_CHARACTERS = 160;

function shown(value: unknown): string {
  const text = typeof value === 'string' ? value.trimEnd() : JSON.stringify(value);
  // As characters: half of a surrogate pair is nothing to print.
  const line = [...text.replaceAll('\n', '⏎')];
  return line.length > MOST_CHARACTERS ? `${line.slice(0, MOST_CHARACTERS).join('')}…` : line.join('');
}

function verdictLines(verdict: Verdict | undefined, theme: Theme): string[] {
  if (!verdict || verdict === 'accepted') return [];
  const { message, hint } = errorData(verdict);
  return [theme.fail(message), ...(hint ? hintLines(hint, theme, 0, Infinity) : [])];
}

function contextsOf({ steps, effects = [], hazards = [] }: PlanReport): string[] {
  return [...new Set([...steps, ...effects, ...hazards].map(({ cluster }) => cluster))];
}
