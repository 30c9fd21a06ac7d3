import { meshctlCommand } from '../../mesh/command-line.ts';
import type { Flow } from '../flow.ts';
import type { PreparedPrune } from './prune.ts';

type Leaving = Pick<PreparedPrune, 'leaving'>;

/**
 * Says, before clusters that leave are disconnected, what finishes with them: a run that is killed says nothing any more, and once
 * nobody knows them no later one finds them. It is a warning, so that the log of a pipeline has it whatever its output is.
 */
export function sayWhatMayBeLeft({ progress }: Flow, { leaving }: Leaving): void {
  if (leaving.length === 0) return;
  const [are, them] = leaving.length === 1 ? ['is', 'it'] : ['are', 'them'];
  progress.warn(
    `${namesOf({ leaving })} ${are} disconnected, then disabled; if this run is killed in between, a later apply may not find ${them}, and this finishes it → ${finishCommand(contextsOf({ leaving }))}`,
  );
}

/** Says what a run that has failed did not come to, once clusters that leave were disconnected. @param disabled names of those that it came to */
export function sayWhatIsLeft({ progress }: Flow, { leaving }: Leaving, disabled: readonly string[]): void {
  const left = { leaving: leaving.filter(({ draft }) => !disabled.includes(draft.name)) };
  if (left.leaving.length === 0) return;
  progress.warn(
    `${namesOf(left)}: disconnected, and not disabled in full; no run of apply finds that again → ${meshctlCommand('clustermesh disable', { context: contextsOf(left) })}`,
  );
}

/**
 * What goes on with each cluster after a failure: the same run, but with one that leaves and is not put back, which its peers may have
 * forgotten already, so that no run finds it.
 */
export function mendAfterFailure(
  { leaving }: Leaving,
  { rollback, goOn }: { rollback: boolean; goOn: string | undefined },
): (context: string) => string | undefined {
  const own = rollback ? [] : contextsOf({ leaving });
  return (context) => (own.includes(context) ? finishCommand([context]) : goOn);
}

/** Finishes with clusters that leave, at whichever point a run has ended. */
function finishCommand(contexts: readonly string[]): string {
  return meshctlCommand('clustermesh disable', { context: contexts }, ['--disconnect']);
}

const namesOf = ({ leaving }: Leaving) => leaving.map(({ draft }) => draft.name).join(', ');
const contextsOf = ({ leaving }: Leaving) => leaving.map(({ target }) => target.client.context);
