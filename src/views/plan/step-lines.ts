import type { MeshctlError } from '../../mesh/errors.ts';
import { describeRef } from '../../mesh/objects/kube-object.ts';
import { groupBy } from '../../mesh/pairs.ts';
import type { Change, Step, StepAction } from '../../mesh/plan/plan.ts';
import { errorData } from '../error-data.ts';
import { hintLines } from '../hint-lines.ts';
import type { Theme } from '../theme.ts';
import { type SecretDigest, type SecretKeyChange, type StepData, stepData } from './plan-data.ts';

/** What an API server said to a step that was sent as a dry run: `accepted`, or why not. */
export type Verdict = 'accepted' | MeshctlError;

/** How much of a plan is shown. */
export interface StepsShown {
  /** What an API server said to steps. */
  verdicts?: ReadonlyMap<Step, Verdict> | undefined;
  /** Sizes and digests of keys, which differ in each cluster. */
  digests: boolean;
  /** How the steps of many clusters are told. */
  folded?: StepWords | undefined;
}

/** What changes in a step, in words that several clusters have alike. */
export interface StepWords {
  changeLines(step: Step, data: StepData): string[];
}

/** One step for people: what is done to which object and why, and its changes below. */
export function stepLines(step: Step, { verdicts, digests, folded }: StepsShown, theme: Theme): string[] {
  const data = stepData(step);
  const why = (folded && step.whyOfMany) ?? data.why;
  const line = `${data.action} ${describeRef(data.object)}${why ? ` ${theme.dim(`(${why})`)}` : ''}`;
  return [
    `  ${MARKS[data.action](theme)} ${data.action === 'keep' ? theme.dim(line) : line}`,
    ...(folded ? folded.changeLines(step, data) : changeLines(data, digests)).map((text) => `      ${text}`),
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

function changeLines({ action, changes, secretKeys = [] }: StepData, withDigests: boolean): string[] {
  if (action === 'delete') {
    // What is not read, as the key of a CA, the planner names.
    const named = changes.flatMap(({ path }) => (path.startsWith(DATA) ? [path.slice(DATA.length)] : []));
    const keys = [...new Set([...secretKeys.map(({ key }) => key), ...named])];
    return keys.length > 0 ? [`keys ${keys.join(', ')}`] : [];
  }
  const later = secretKeys.filter(({ to }) => typeof to === 'string');
  const now = secretKeys.filter(({ to }) => typeof to !== 'string');
  const words = later.map(({ to }) => to)[0];
  const others = now.filter(({ key }) => !changes.some(({ path }) => path === `${DATA}${key}`));
  return [
    ...changes.map((change) => {
      const digests = now.find(({ key }) => change.path === `${DATA}${key}`);
      return digests && withDigests ? describedKeyLine(change, digests) : changeLine(change);
    }),
    ...(words === undefined ? [] : [`keys ${later.map(({ key }) => key).join(', ')}: ${words}`]),
    ...(withDigests ? others.map(secretKeyLine) : keysLine(others)),
  ];
}

/** What becomes of a key, without what is in it: in words where that is made later. */
export function keyOutcome({ from, to }: SecretKeyChange): string {
  if (typeof to === 'string') return to;
  return to === undefined ? 'removed' : from === undefined ? 'added' : 'replaced';
}

function keysLine(keys: readonly SecretKeyChange[]): string[] {
  return [...groupBy(keys, keyOutcome)].map(
    ([what, of]) => `key${of.length === 1 ? '' : 's'} ${what}: ${of.map(({ key }) => key).join(', ')}`,
  );
}

const DATA = 'data.';

/** A key of which the planner says in words what it gets, with its digest, on one line. */
function describedKeyLine(change: Change, digests: SecretKeyChange): string {
  if (change.to === undefined || digests.to === undefined) return secretKeyLine(digests);
  const { from, to } = digests;
  return `${changeLine(change)} (${from === undefined ? '' : `${secretWords(from)} → `}${secretWords(to)})`;
}

/** An added field shows what it gets, a removed one that it goes. */
export function changeLine({ path, from, to }: Change): string {
  if (to === undefined) return from === undefined ? path : `${path}: ${shown(from)} → (removed)`;
  if (from === undefined) return `${path}: ${shown(to)}`;
  const alike = alikeFirst(from, to);
  return `${path}: ${shown(from, alike)} → ${shown(to, alike)}`;
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
/** Of what two long values have alike before they differ, so much is shown. */
const BEFORE_DIFFERENCE = 40;

/** A value on one line, cut at its end where it is long. @param skipped characters that are left out at its beginning */
function shown(value: unknown, skipped = 0): string {
  const line = charactersOf(value);
  const end = skipped + MOST_CHARACTERS;
  return [skipped > 0 ? '…' : '', ...line.slice(skipped, end), line.length > end ? '…' : ''].join('');
}

/** How many characters of two values can be left out: those that both begin with, where a cut would leave nothing else to see. */
function alikeFirst(from: unknown, to: unknown): number {
  const [former, next] = [charactersOf(from), charactersOf(to)];
  const differs = former.findIndex((character, index) => character !== next[index]);
  const first = differs === -1 ? former.length : differs;
  return first < MOST_CHARACTERS - BEFORE_DIFFERENCE ? 0 : first - BEFORE_DIFFERENCE;
}

/** As characters: half of a surrogate pair is nothing to print. */
function charactersOf(value: unknown): string[] {
  const text = typeof value === 'string' ? value.trimEnd() : JSON.stringify(value);
  return [...text.replaceAll('\n', '⏎')];
}

function verdictLines(verdict: Verdict | undefined, theme: Theme): string[] {
  if (!verdict || verdict === 'accepted') return [];
  const { message, hint } = errorData(verdict);
  return [theme.fail(message), ...(hint ? hintLines(hint, theme, 0, Infinity) : [])];
}
