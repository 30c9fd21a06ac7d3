/** Contexts of a kubeconfig by name or glob: `*` stands for any text, `?` for one character. */
import type { Forcing } from '../../mesh/plan/forcing.ts';

/** Whether a word stands for several contexts. */
export function isGlob(text: string): boolean {
  return /[*?]/.test(text);
}

/** Whether a name is one of these, or fits one of the globs among them. */
export function matchesAny(name: string, patterns: readonly string[]): boolean {
  return patterns.some((pattern) => pattern === name || (isGlob(pattern) && globToRegExp(pattern).test(name)));
}

/**
 * Where a run is to be forced, with the contexts of the run in the place of globs. One that fits none stays, to be refused.
 * @param contexts of the run
 */
export function forcingAmong(force: Forcing | undefined, contexts: readonly string[]): Forcing | undefined {
  if (typeof force !== 'object') return force;
  const named = force.flatMap((one) => {
    const fitting = contexts.filter((context) => matchesAny(context, [one]));
    return fitting.length > 0 ? fitting : [one];
  });
  return [...new Set(named)];
}

function globToRegExp(pattern: string): RegExp {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${source}$`, 's');
}
