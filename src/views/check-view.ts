import type { CheckEntry } from '../mesh/checks/catalogue.ts';
import type { Severity } from '../mesh/checks/check.ts';
import { type JunitCase, junitXml } from './junit.ts';
import type { Theme } from './theme.ts';

const MARKS: Readonly<Record<Severity, string>> = { pass: '√', warn: '‼', fail: '×', skip: '–' };

/** All checks by category; `short` leaves out what passed. */
export function checkText(entries: readonly CheckEntry[], short: boolean, theme: Theme): string {
  const lines: string[] = [];
  for (const category of new Set(entries.map((entry) => entry.category))) {
    const all = entries.filter((entry) => entry.category === category);
    const shown = together(short ? all.filter(({ severity }) => severity !== 'pass') : all);
    if (shown.length === 0) continue;
    lines.push(theme.bold(category), '-'.repeat(category.length));
    lines.push(...shown.flatMap((entry) => entryLines(entry, theme)), '');
  }
  lines.push(summary(together(entries), theme));
  return lines.join('\n');
}

/** Clusters in which there was nothing to look at for the same reason, as one entry. */
function together(entries: readonly CheckEntry[]): CheckEntry[] {
  const same = (one: CheckEntry, other: CheckEntry) =>
    one.severity === 'skip' &&
    other.severity === 'skip' &&
    one.id === other.id &&
    one.args.needs === other.args.needs &&
    one.args.reason === other.args.reason;
  return entries.flatMap((entry, index) => {
    if (entries.slice(0, index).some((earlier) => same(earlier, entry))) return [];
    const alike = entries.filter((other) => other.cluster !== undefined && same(other, entry));
    if (alike.length < 2 || entry.cluster === undefined) return [entry];
    const reason = entry.message?.slice(`context "${entry.cluster}": `.length);
    return [{ ...entry, message: `contexts ${alike.map(({ cluster }) => cluster).join(', ')}: ${reason}` }];
  });
}

function entryLines({ severity, title, message, id, hint, args }: CheckEntry, theme: Theme): string[] {
  const paint = { pass: theme.ok, warn: theme.warn, fail: theme.fail, skip: theme.dim }[severity];
  const where = severity === 'pass' && Array.isArray(args.contexts) ? ` (${args.contexts.join(', ')})` : '';
  return [
    `${paint(MARKS[severity])} ${title}${where}`,
    ...(message ? [`    ${message} ${theme.dim(`(${id})`)}`] : []),
    ...(hint && severity !== 'skip' ? [`    ${theme.dim('→')} ${hint}`] : []),
  ];
}

function summary(entries: readonly CheckEntry[], theme: Theme): string {
  const count = (severity: Severity) => entries.filter((entry) => entry.severity === severity).length;
  const [failed, warned, skipped] = [count('fail'), count('warn'), count('skip')];
  const parts = [
    ...(failed > 0 ? [theme.fail(`${failed} failed`)] : []),
    ...(warned > 0 ? [theme.warn(`${warned} ${warned === 1 ? 'warning' : 'warnings'}`)] : []),
    ...(skipped > 0 ? [`${skipped} not looked at`] : []),
    `${count('pass')} passed`,
  ];
  return `${failed > 0 ? '❌' : warned > 0 ? '⚠️ ' : '✅'} Checks: ${parts.join(', ')}`;
}

/** A suite for each category, a case for each finding. */
export function checkJunit(entries: readonly CheckEntry[]): string {
  const categories = [...new Set(entries.map(({ category }) => category))];
  return junitXml(
    categories.map((category) => ({
      name: category,
      cases: entries.filter((entry) => entry.category === category).map(caseOf),
    })),
  );
}

function caseOf({ id, category, cluster, severity, title, message = '', hint = '' }: CheckEntry): JunitCase {
  const name = cluster ? `${title} (${cluster})` : title;
  const className = `${category}.${id}`;
  if (severity === 'fail') return { name, className, failure: { type: id, message, text: `${message}\n→ ${hint}` } };
  return { name, className, ...(severity === 'skip' ? { skipped: message } : {}) };
}
