import { type CheckEntry, RUN_AT_WORK } from '../../mesh/checks/catalogue.ts';
import type { Severity } from '../../mesh/checks/shared/check.ts';
import { inOrderOfHints } from '../../mesh/faults/hint-order.ts';
import { groupBy } from '../../mesh/pairs.ts';
import { explainLines } from '../explain-view.ts';
import { hintLines } from '../hint-lines.ts';
import { type JunitCase, junitXml, withNextStep } from '../junit.ts';
import type { LackingRights } from '../lacking-view.ts';
import type { Theme } from '../theme.ts';

const MARKS: Readonly<Record<Severity, string>> = { pass: '√', warn: '‼', fail: '×', skip: '–' };

/** Of what the user may not read, or that gave no answer. */
const UNSEEN_MARK = '?';
const LACKING =
  "Rights are lacking to look at all of it. What looking takes is in templates/rbac/viewer of meshctl's package, for the group meshctl-viewers.";

/** What an operator has something to do about. */
const SHORT: readonly Severity[] = ['fail', 'warn'];

function isForShort(entry: CheckEntry): boolean {
  return SHORT.includes(entry.severity) || entry.blind === true || isLiveRun(entry);
}

/** What could not be looked at, by whatever: nobody is to take it for well, nor for broken. */
function isUnseen({ blind, unseen }: CheckEntry): boolean {
  return blind === true || unseen === true;
}

/** A run that is at work: no fault, and what explains others. */
function isLiveRun({ id, severity, blind }: CheckEntry): boolean {
  return id === RUN_AT_WORK && severity === 'skip' && !blind;
}

/** What of the network was only read, and the command that sends packets. */
export interface Untried {
  /** Ids of checks. */
  checks: readonly string[];
  hint: string;
}

/** Peers whose own clusters were not read: of a connection with them only one side was judged. */
export interface OneSided {
  /** By name. */
  peers: readonly string[];
  /** The command that reads those to which a context leads; absent where none does. */
  hint?: string | undefined;
}

/** What is told beside the checks. */
export interface Beside {
  /** Of clusters of which some could not be looked at. */
  lacking?: readonly LackingRights[] | undefined;
  untried?: Untried | undefined;
  oneSided?: OneSided | undefined;
}

/**
 * All checks by category; `short` leaves out what passed, and what there was not to look at. What can be mended only after something
 * further down comes at the end, once more under its category.
 */
export function checkText(
  entries: readonly CheckEntry[],
  { short, lacking = [], untried, oneSided }: { short: boolean } & Beside,
  theme: Theme,
): string {
  const lines: string[] = [];
  const byCategory = [...groupBy(entries, ({ category }) => category).values()].flat();
  for (const all of runsOf(inOrderOfHints(byCategory, hintToType))) {
    const shown = together(short ? all.filter(isForShort) : all);
    if (shown.length === 0) continue;
    const { category } = all[0];
    lines.push(theme.bold(category), '-'.repeat(category.length));
    lines.push(...shown.flatMap((entry) => entryLines(entry, theme)), '');
  }
  lines.push(summary(together(entries), theme));
  if (entries.some(({ blind }) => blind) && lacking.length === 0) lines.push(...hintLines(LACKING, theme));
  for (const { says, hint } of besideParts({ lacking, untried, oneSided }))
    lines.push(`   ${says}`, ...hintLines(hint, theme));
  lines.push(
    ...explainLines(
      entries.filter(({ severity }) => SHORT.includes(severity)),
      theme,
    ),
  );
  return lines.join('\n');
}

/** What is said beside the entries. */
function besideParts({ lacking = [], untried, oneSided }: Beside): { says: string; hint: string }[] {
  return [
    ...lacking.map(({ context, says, hint }) => ({ says: `${context}: ${says}`, hint })),
    ...(untried
      ? [{ says: `Network checks that read, but sent no packet: ${untried.checks.join(', ')}`, hint: untried.hint }]
      : []),
    ...(oneSided
      ? [
          {
            says: `Connections to these peers were read on one side only: ${oneSided.peers.join(', ')}`,
            hint: oneSided.hint ?? '',
          },
        ]
      : []),
  ];
}

function hintToType({ severity, hint }: CheckEntry): string | undefined {
  return SHORT.includes(severity) ? hint : undefined;
}

/** Entries of one category that stand behind each other. */
function runsOf(entries: readonly CheckEntry[]): [CheckEntry, ...CheckEntry[]][] {
  const runs: [CheckEntry, ...CheckEntry[]][] = [];
  for (const entry of entries) {
    const last = runs.at(-1);
    if (last?.[0].category === entry.category) last.push(entry);
    else runs.push([entry]);
  }
  return runs;
}

/** An entry as it is shown, with what is said of it: a line for each reason. */
interface Shown {
  entry: CheckEntry;
  messages: readonly string[];
}

/** A check that was not looked at in several clusters is one entry; clusters with the same reason are named together. */
function together(entries: readonly CheckEntry[]): Shown[] {
  return entries.flatMap((entry, index): Shown[] => {
    if (entry.severity !== 'skip' || isLiveRun(entry))
      return [{ entry, messages: entry.message === undefined ? [] : [entry.message] }];
    const isSame = (other: CheckEntry) =>
      other.severity === 'skip' && other.id === entry.id && other.blind === entry.blind;
    if (entries.slice(0, index).some(isSame)) return [];
    const reasons = groupBy(entries.filter(isSame), ({ args }) => JSON.stringify([args.needs, args.reason]));
    return [{ entry, messages: [...reasons.values()].flatMap(messageOf) }];
  });
}

function messageOf(alike: readonly CheckEntry[]): string[] {
  const [{ cluster, message = '' } = {} as Partial<CheckEntry>] = alike;
  if (alike.length < 2 || cluster === undefined) return [message];
  const reason = message.slice(`context "${cluster}": `.length);
  return [`each of ${alike.map((entry) => entry.cluster).join(', ')}: ${reason}`];
}

function entryLines({ entry, messages }: Shown, theme: Theme): string[] {
  const { severity, title, id, hint, args } = entry;
  const paint = isUnseen(entry)
    ? theme.warn
    : { pass: theme.ok, warn: theme.warn, fail: theme.fail, skip: theme.dim }[severity];
  const where = severity === 'pass' && Array.isArray(args.contexts) ? ` (${args.contexts.join(', ')})` : '';
  const samples = samplesOf(entry);
  return [
    `${paint(isUnseen(entry) ? UNSEEN_MARK : MARKS[severity])} ${title}${where}${samples === undefined ? '' : theme.dim(` (${samples})`)}`,
    ...messages.map((message) => `    ${message} ${theme.dim(`(${id})`)}`),
    ...(hint && (severity !== 'skip' || isLiveRun(entry)) ? hintLines(hint, theme, 4) : []),
  ];
}

/** Of how much of each cluster it is known that the check passes, where that is not all. */
function samplesOf({ severity, args: { samples } }: CheckEntry): string | undefined {
  return severity === 'pass' && Array.isArray(samples) ? samples.join('; ') : undefined;
}

function summary(entries: readonly Shown[], theme: Theme): string {
  const count = (severity: Severity) =>
    entries.filter(({ entry }) => entry.severity === severity && !isUnseen(entry)).length;
  const unseen = entries.filter(({ entry }) => isUnseen(entry)).length;
  const [failed, warned, skipped] = [count('fail'), count('warn'), count('skip')];
  const parts = [
    ...(failed > 0 ? [theme.fail(`${failed} failed`)] : []),
    ...(warned > 0 ? [theme.warn(`${warned} ${warned === 1 ? 'warning' : 'warnings'}`)] : []),
    ...(unseen > 0 ? [theme.warn(`${unseen} could not be looked at`)] : []),
    ...(skipped > 0 ? [`${skipped} skipped`] : []),
    `${count('pass')} passed`,
  ];
  return `${failed > 0 ? '❌' : warned + unseen > 0 ? '⚠️ ' : '✅'} Checks: ${parts.join(', ')}`;
}

/**
 * A suite for each category, a case for each finding. A warning that does not count is no failed case, and tells what it is
 * about all the same.
 * @param isBad whether a finding counts for the exit status: a report without failures stands for success
 */
export function checkJunit(
  entries: readonly CheckEntry[],
  isBad: (entry: CheckEntry) => boolean,
  { notes = [], ...beside }: Beside & { notes?: readonly string[] } = {},
): string {
  const categories = [...new Set(entries.map(({ category }) => category))];
  const warnings = [...notes, ...besideParts(beside).map(({ says, hint }) => withNextStep(says, hint))];
  return junitXml(
    categories.map((category, index) => ({
      name: category,
      ...(index === 0 ? { warnings } : {}),
      cases: entries
        .filter((entry) => entry.category === category)
        .map((entry) => ({ className: `${category}.${entry.id}`, ...caseOf(entry, isBad(entry)) })),
    })),
  );
}

function caseOf(entry: CheckEntry, isBad: boolean): Omit<JunitCase, 'className'> {
  const { id, cluster, severity, title, message = '', hint } = entry;
  const name = cluster ? `${title} (${cluster})` : title;
  const text = withNextStep(message, hint);
  if (isBad) return { name, failure: { type: id, message, text } };
  // The title is what is so when all is well.
  if (severity === 'warn') return { name: `warning: ${name}`, output: text };
  return { name, ...(severity === 'skip' ? { skipped: message } : { output: samplesOf(entry) }) };
}
