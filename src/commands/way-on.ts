import { MeshctlError } from '../mesh/errors.ts';
import type { CommandContext } from './command.ts';

/**
 * Does the work of a command that puts nothing back, because its next run goes on from there. Where it is interrupted, the error says
 * how: whoever reads only a document sees no warnings.
 */
export async function withWayOn<T>({ again }: Pick<CommandContext, 'again'>, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof MeshctlError && error.code === 'Interrupted' && hasLeft(error.details))
      error.hint ??= `To continue: ${again()}`;
    throw error;
  }
}

/** Whether a run has written something, or only waited for what an earlier one has. */
function hasLeft({ rollback, enabled, changed, awaited }: MeshctlError['details']): boolean {
  const clusters = Array.isArray(rollback) ? (rollback as readonly { outcome?: unknown }[]) : [];
  return [enabled, changed, awaited].some(Array.isArray) || clusters.some(({ outcome }) => outcome === 'left');
}
