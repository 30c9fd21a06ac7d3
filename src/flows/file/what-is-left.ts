import { meshctlCommand } from '../../mesh/command-line.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { requireRemovable, turnAccount } from '../enable/leaving-turns.ts';
import type { Flow } from '../flow.ts';
import type { PreparedPrune } from './prune.ts';

type Leaving = Pick<PreparedPrune, 'leaving' | 'noted'>;

/**
 * Says, before clusters that leave are disconnected, what finishes with those of which nothing is written down: a run that is killed says
 * nothing any more, and once nobody knows them no later one finds them. It is a warning, so that the log of a pipeline has it whatever its output is.
 */
export function sayWhatMayBeLeft({ progress }: Flow, { leaving, noted }: Leaving): void {
  const lost = leaving.filter(({ draft }) => !noted.includes(draft.name));
  if (lost.length === 0) return;
  const [are, them] = lost.length === 1 ? ['is', 'it'] : ['are', 'them'];
  progress.warn(
    `${namesOf({ leaving: lost })} ${are} disconnected, then disabled; if this run is killed in between, a later apply may not find ${them}, and this finishes it → ${finishCommand(contextsOf({ leaving: lost }))}`,
  );
}

/**
 * Before anything is written: what was enabled in clusters that leave is taken away last, and is not put back.
 * @throws MeshctlError why it may not be taken away in one of them
 */
export async function requirePrunable(flow: Flow, { leaving }: Pick<Leaving, 'leaving'>): Promise<void> {
  const targets = leaving.map(({ target }) => target);
  const steps = leaving.flatMap(({ draft }) => draft.steps);
  if (leaving.length > 0) await requireRemovable(flow, targets, steps, contextsOf({ leaving }));
}

/**
 * Says what a run that has failed did not come to, once clusters that leave were disconnected.
 * @param disabled names of those that it came to
 * @param cause gets the account of them
 */
export function sayWhatIsLeft(
  { progress }: Flow,
  { leaving, noted }: Leaving,
  disabled: readonly string[],
  cause: unknown,
): void {
  const isLeft = ({ draft }: PreparedPrune['leaving'][number]) => !disabled.includes(draft.name);
  const left = { leaving: leaving.filter(isLeft) };
  if (left.leaving.length === 0) return;
  const gone = contextsOf({ leaving: leaving.filter((one) => !isLeft(one)) });
  if (cause instanceof MeshctlError) Object.assign(cause.details, turnAccount(gone, contextsOf(left)));
  const done = gone.length > 0 ? `Disabled before it stopped: ${gone.join(', ')}. ` : '';
  const isFound = left.leaving.every(({ draft }) => noted.includes(draft.name));
  const later = isFound ? 'the next apply --prune finishes that, and so does this' : 'no run of apply finds that again';
  progress.warn(
    `${done}${namesOf(left)}: disconnected, and not disabled in full; ${later} → ${meshctlCommand('clustermesh disable', { context: contextsOf(left) })}`,
  );
}

/**
 * What goes on with each cluster after a failure: the same run, but with one that leaves and is not put back, which its peers may have
 * forgotten already, so that no run finds it.
 */
export function mendAfterFailure(
  { leaving }: Pick<Leaving, 'leaving'>,
  { rollback, goOn }: { rollback: boolean; goOn: string | undefined },
): (context: string) => string | undefined {
  const own = rollback ? [] : contextsOf({ leaving });
  return (context) => (own.includes(context) ? finishCommand([context]) : goOn);
}

/** Finishes with clusters that leave, at whichever point a run has ended. */
function finishCommand(contexts: readonly string[]): string {
  return meshctlCommand('clustermesh disable', { context: contexts }, ['--disconnect']);
}

const namesOf = ({ leaving }: Pick<Leaving, 'leaving'>) => leaving.map(({ draft }) => draft.name).join(', ');
const contextsOf = ({ leaving }: Pick<Leaving, 'leaving'>) => leaving.map(({ target }) => target.client.context);
