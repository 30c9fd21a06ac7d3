import { stripVTControlCharacters } from 'node:util';
import { markOf, rowOf } from './findings.mjs';

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
 * A document of kind `Error`: of a file with faults each of them, of several clusters that failed each of them, and after a rollback what
 * became of each cluster.
 * @returns {Report}
 */
export function ofError({ error: { code, message, hint, details = {} } }) {
  const { faults = [], rollback = [], others = [] } = details;
  if (faults.length > 0) {
    const found = faults.map(findingOfFault);
    return {
      headline: message,
      head: ['', 'where', ''],
      rows: found.map(rowOf),
      findings: found,
    };
  }
  return {
    headline: message,
    ...(rollback.length > 0 ? { head: ['', 'cluster', ''], rows: rollback.map(rowOfRollback) } : {}),
    findings: [
      { level: 'error', where: code, says: message, hint },
      ...others.map((other) => ({
        level: 'error',
        where: other.context ?? other.code,
        says: other.message,
        hint: other.hint,
      })),
      ...rollback.flatMap(findingsOfRollback),
    ],
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
  'as-before': ['pass', 'is as before'],
  'may-change': ['warn', 'is as before, but a write that was never answered may still arrive'],
  incomplete: ['fail', 'is not as before'],
  left: ['warn', 'has what was written'],
  untouched: ['pass', 'nothing was written there'],
};
/** Of one object, where it is as before. */
const UNDONE = ['restored', 'unchanged'];

function fateOf({ outcome, objects }) {
  const [result, says] = OUTCOMES[outcome] ?? ['warn', outcome];
  const others = objects.filter((one) => !UNDONE.includes(one.outcome)).map(({ object }) => object);
  return { result, says: others.length > 0 ? `${says}: ${[...new Set(others)].join(', ')}` : says };
}

function rowOfRollback(cluster) {
  const { result, says } = fateOf(cluster);
  return [markOf(result), cluster.context, says];
}

function findingsOfRollback(cluster) {
  const { result, says } = fateOf(cluster);
  if (result === 'pass') return [];
  return [{ level: result === 'fail' ? 'error' : 'warning', where: cluster.context, says, hint: cluster.mend }];
}
