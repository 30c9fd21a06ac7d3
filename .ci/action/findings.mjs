/** @typedef {import('./report.mjs').Finding} Finding */

/** A sign for a result: pass, warn, fail, skip. */
export function markOf(result) {
  return { pass: '✅', warn: '⚠️', fail: '❌', skip: '⏭️' }[result] ?? '';
}

/** A finding in a table. @param {Finding} finding */
export function rowOf({ level, where, says }) {
  return [markOf(level === 'error' ? 'fail' : 'warn'), where, says];
}

/** Of clusters that failed while others went on. @returns {Finding[]} */
export function failuresIn(failures = []) {
  return errorsIn(failures.map(({ context, error }) => ({ ...error, context })));
}

/** Certificates that are due, and that nothing can sign. */
export function unsignedIn(unsigned = []) {
  return unsigned.map(({ context, says, hint }) => ({ level: 'error', where: context, says, hint }));
}

/** Of clusters that could not be asked, or where something is left. @returns {Finding[]} */
export function errorsIn(unreachable = []) {
  return unreachable.map(({ context, message, hint }) => ({ level: 'error', where: context, says: message, hint }));
}

/** One that is a text has its next step in it. */
export function warningsIn(warnings = []) {
  return warnings.map((warning) => {
    if (typeof warning === 'string') return { level: 'warning', where: 'warning', says: warning };
    const { clusters, message, hint } = warning;
    return { level: 'warning', where: clusters.join(', '), says: message, hint };
  });
}

/** `Secret kube-system/cilium-ca`. */
export function objectName({ kind, namespace, name }) {
  return `${kind} ${namespace ? `${namespace}/` : ''}${name}`;
}

/** Two clusters, of which one dials the other, or each the other one. */
export function pairWords({ clusters: [from, to], oneWay }) {
  return `${from} ${oneWay ? 'to' : 'and'} ${to}`;
}
