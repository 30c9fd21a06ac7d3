import { contextList } from '../command-line.ts';
import { MeshctlError } from '../errors.ts';

/** Where a run takes over what others have set: everywhere (true), nowhere, or in these contexts alone. */
export type Forcing = boolean | readonly string[];

/** Whether a run takes over what others have set in a context. */
export function isForcedIn(force: Forcing | undefined, context: string): boolean {
  return typeof force === 'object' ? force.includes(context) : force === true;
}

/**
 * The words by which a run of several clusters is forced in these, and in those in which it is already: they are named, unless they are
 * all that it has.
 * @param all contexts of the run
 */
export function forcingWords(contexts: readonly string[], all: readonly string[], already: Forcing = false): string[] {
  const forced = all.filter((context) => contexts.includes(context) || isForcedIn(already, context));
  return forced.length < all.length ? ['--force-conflicts', contextList(forced)] : ['--force-conflicts'];
}

/**
 * Sees that the contexts in which a run is to be forced are among its own.
 * @throws MeshctlError `Usage`
 */
export function requireForcedAmong(force: Forcing | undefined, contexts: readonly string[]): void {
  const [stray] = typeof force === 'object' ? force.filter((context) => !contexts.includes(context)) : [];
  if (stray === undefined) return;
  throw new MeshctlError('Usage', `--force-conflicts "${stray}" is no context of this run`, {
    hint: `They are ${contexts.join(', ')}.`,
  });
}
