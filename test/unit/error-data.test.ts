import { expect, it } from 'vitest';
import { type ErrorCode, MeshctlError } from '../../src/mesh/errors.ts';
import { errorData } from '../../src/views/error-data.ts';

const undone = [{ context: 'one', outcome: 'as-before' }];

it.each<[string, Record<string, unknown>, string | undefined]>([
  ['all of it was taken back', { rollback: undone }, 'all is as before'],
  ['phases before it stand', { rollback: undone, renewed: ['one: admin-mesh-1'] }, 'what was renewed before stays'],
  ['a cluster is not as before', { rollback: [{ context: 'one', outcome: 'incomplete' }] }, undefined],
  ['nothing was written', {}, undefined],
])('an interruption says what is left: %s', (_what, details, says) => {
  const { hint } = errorData(new MeshctlError('Interrupted', 'interrupted', { details }));
  if (says === undefined) expect(hint).toBeUndefined();
  else expect(hint).toContain(says);
});

it.each<[ErrorCode, string]>([
  ['ClusterUnreachable', 'Everything that was written has been rolled back: all is as before. Is the cluster up?'],
  ['ApiFailure', 'Everything that was written has been rolled back: all is as before. Is the cluster up?'],
  ['Conflict', 'Is the cluster up?'],
])('a run that an API server ended by going away says so too, beside what mends it: %s', (code, says) => {
  const { hint } = errorData(
    new MeshctlError(code, 'away', { hint: 'Is the cluster up?', details: { rollback: undone } }),
  );
  expect(hint).toBe(says);
});
