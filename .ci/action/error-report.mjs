import { stripVTControlCharacters } from 'node:util';

/** @typedef {import('./report.mjs').Report} Report */

/**
 * The error with which a command ended that printed no document: the last thing on its stderr.
 * @param {string} said its stderr
 * @param {string[]} words the command line
 * @returns {Report | undefined} undefined where it says none
 */
export function errorOf(said, words) {
  const lines = stripVTControlCharacters(said).trimEnd().split('\n');
  const from = lines.findLastIndex((line) => line.startsWith('✖ '));
  if (from < 0) return undefined;
  const block = lines.slice(from);
  const at = block.findIndex((line) => line.startsWith('  → '));
  const says = block
    .slice(0, at < 0 ? undefined : at)
    .join('\n')
    .slice('✖ '.length);
  const hint =
    at < 0
      ? undefined
      : block
          .slice(at)
          .map((line) => line.slice('  → '.length))
          .join('\n');
  const flags = words.findIndex((word) => word.startsWith('-'));
  const where = words.slice(0, flags < 0 ? undefined : flags).join(' ');
  return { headline: says, findings: [{ level: 'error', where, says, hint }] };
}

/**
 * A document of kind `Error`: of a file with faults each of them, and after a rollback what became of each cluster.
 * @returns {Report}
 */
export function ofError({ error: { code, message, hint, details = {} } }) {
  const { faults = [], rollback = [] } = details;
  if (faults.length > 0) {
    const found = faults.map(findingOfFault);
    return {
      headline: message,
      head: ['', 'where', ''],
      rows: found.map(({ where, says }) => ['❌', where, says]),
      findings: found,
    };
  }
  return {
    headline: message,
    ...(rollback.length > 0 ? { head: ['', 'cluster', ''], rows: rollback.map(rowOfRollback) } : {}),
    findings: [{ level: 'error', where: code, says: message, hint }, ...rollback.flatMap(findingsOfRollback)],
  };
}

/** With its place, GitHub shows it beside the very line of a pull request. */
function findingOfFault({ file, line, column, path, message, hint }) {
  const isFile = file !== '-';
  return {
    level: 'error',
    where: `${isFile ? file : 'standard input'}:${line}:${column}`,
    says: `${path === '' ? '' : `${path}: `}${message}${hint ? `; ${hint}` : ''}`,
    ...(isFile ? { place: { file, line, col: column } } : {}),
  };
}

const OUTCOMES = {
  'as-before': ['✅', 'is as before'],
  'may-change': ['⚠️', 'is as before, but a write that was never answered may still arrive'],
  incomplete: ['❌', 'is not as before'],
  left: ['⚠️', 'has what was written'],
  untouched: ['✅', 'nothing was written there'],
};
/** Of one object, where it is as before. */
const UNDONE = ['restored', 'unchanged'];

function rowOfRollback({ context, outcome, objects }) {
  const [mark, says] = OUTCOMES[outcome] ?? ['', outcome];
  const others = objects.filter((one) => !UNDONE.includes(one.outcome)).map(({ object }) => object);
  return [mark, context, others.length > 0 ? `${says}: ${[...new Set(others)].join(', ')}` : says];
}

function findingsOfRollback(cluster) {
  const [mark, where, says] = rowOfRollback(cluster);
  if (mark === '✅') return [];
  return [{ level: mark === '❌' ? 'error' : 'warning', where, says, hint: cluster.mend }];
}
