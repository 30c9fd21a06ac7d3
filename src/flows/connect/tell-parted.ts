import { meshctlCommand } from '../../mesh/command-line.ts';
import { type PutBack, saysWhatStands, whatStands, withoutPutBack } from '../../mesh/connect/disconnect/what-stands.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import type { Flow } from '../flow.ts';
import type { PreparedDisconnect } from './prepare-disconnect.ts';

/** What stands where the wait, or the last look, has ended a run: what was put back meanwhile does not. */
export function tellParted({ progress }: Flow, prepared: PreparedDisconnect, error: unknown): void {
  const done = whatStands(prepared);
  const known = error instanceof MeshctlError ? error : undefined;
  const stands = withoutPutBack(done, (known?.details.putBack ?? []) as readonly PutBack[]);
  for (const one of stands) progress.warn(saysWhatStands(one));
  if (done.length === 0) progress.warn('this run has written nothing: nothing was left to take out');
  if (known) known.details.stands = stands;
  // What has run into the time limit says itself where to look, and what was put back what to do.
  if (known?.code === 'Timeout' || known?.code === 'Conflict') return;
  const asked = stands.length > 0 ? stands : prepared.partings.map(({ snapshot }) => snapshot);
  const look = meshctlCommand('clustermesh status', { context: asked.map(({ context }) => context) });
  const wayOn = `See what is still reported: ${look}`;
  const isStopped = known?.code === 'Interrupted';
  if (isStopped) known.hint ??= wayOn;
  progress.warn(`could not verify that it has taken effect everywhere${isStopped ? '' : ` → ${wayOn}`}`);
}
