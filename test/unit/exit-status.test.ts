import { describe, expect, it } from 'vitest';
import { type ErrorCode, exitOf, exitOfAll } from '../../src/mesh/errors.ts';

describe('the exit status of what was found', () => {
  it.each([
    [{}, 0],
    [{ unseen: true }, 3],
    [{ failed: true }, 1],
    [{ failed: true, unseen: true }, 1],
    [{ unproved: true }, 1],
    [{ unproved: true, unseen: true }, 3],
  ])('of %j is %d: what is proved comes before what was not seen', (found, status) => {
    expect(exitOf(found)).toBe(status);
  });
});

describe('the exit status of several failures', () => {
  it.each<[codes: ErrorCode[], status: number]>([
    [[], 0],
    [['ClusterUnreachable', 'Forbidden'], 3],
    [['ClusterUnreachable', 'Conflict'], 1],
    [['Conflict', 'ClusterUnreachable'], 1],
    [['ClusterUnreachable', 'KubeconfigInvalid'], 3],
  ])('%j is %d: a cluster that cannot be asked does not hide what has failed in another one', (codes, status) => {
    expect(exitOfAll(codes.map((code) => ({ code })))).toBe(status);
  });
});
