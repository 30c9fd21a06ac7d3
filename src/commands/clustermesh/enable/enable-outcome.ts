import type { EnableOutcome } from '../../../flows/enable/enable.ts';
import { errorOfAbort, type MeshctlError } from '../../../mesh/errors.ts';
import { type EnableFailure, failureData } from '../../../views/enable/enable-view.ts';
import { stepData } from '../../../views/plan/plan-data.ts';
import { peerData } from '../../../views/plan/plan-view.ts';
import { printable } from '../../../views/printable.ts';
import type { CommandContext } from '../../command.ts';

/** What Ctrl-C leaves in each cluster: those that are enabled by then, and what was written in the others. */
export function interruptedEnable(
  { signal, progress }: CommandContext,
  done: readonly EnableOutcome[],
  failures: readonly EnableFailure[],
): MeshctlError {
  const error = errorOfAbort(signal);
  const rollback = failures.flatMap(({ error: { details } }) =>
    Array.isArray(details.rollback) ? details.rollback : [],
  );
  const awaited = failures.flatMap(({ error: { details } }) => (Array.isArray(details.awaited) ? details.awaited : []));
  const others = failures.filter((failure) => failure.error.code !== 'Interrupted');
  if (done.length > 0) {
    const contexts = printable(done.map(({ context }) => `context "${context}"`));
    progress.warn(`Cluster Mesh is enabled by then, and stays so, in ${contexts.join(', ')}`);
    error.details.enabled = done.map(shownOutcome).map(outcomeData);
  }
  if (rollback.length > 0) error.details.rollback = rollback;
  if (awaited.length > 0) error.details.awaited = awaited;
  if (others.length > 0) error.details.failures = others.map(failureData);
  return error;
}

/** A cluster that is enabled, as it is shown. */
export function shownOutcome({ steps, peers, warnings: _said, ...outcome }: EnableOutcome) {
  return { ...printable(outcome), peers, steps };
}

/** The same as data. */
export function outcomeData({ steps, peers, ...outcome }: ReturnType<typeof shownOutcome>) {
  return { ...outcome, peers: peers.map(peerData), steps: steps.map(stepData) };
}
