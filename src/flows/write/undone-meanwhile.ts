import { MeshctlError } from '../../mesh/errors.ts';
import { type Undone, undoneAdvice } from '../../mesh/objects/undone-advice.ts';
import { groupBy } from '../../mesh/pairs.ts';
import { type WorkingRun, whoElse } from '../../mesh/working-runs.ts';

interface Undoing {
  /** What somebody has done to it. */
  did: string;
  /** What the document calls it. */
  named: 'missing' | 'present' | 'undone';
  /** Who has, and what follows, where that is known. */
  who?: string | undefined;
  hint?: string | undefined;
}

/** @param afterwards what follows where it is a run that is at work */
export function byRun(by: WorkingRun | undefined, afterwards: string): Pick<Undoing, 'who' | 'hint'> {
  return by ? { who: whoElse(by), hint: afterwards } : {};
}

/** What a run does not find any more as it has left it. */
export function undoneMeanwhile(
  all: readonly Undone[],
  { did, named, who = whoElse(undefined), hint = undoneAdvice(all) }: Undoing,
): MeshctlError {
  const clauses = [...groupBy(all, ({ context }) => context)].map(
    ([context, alike]) => `context "${context}": ${alike.map(({ says }) => says).join(', ')}`,
  );
  return new MeshctlError('Conflict', `${clauses.join('; ')}: ${who} ${did} meanwhile`, {
    hint,
    details: { [named]: clauses },
  });
}
