import { expect, it } from 'vitest';
import { withinWait } from '../../src/commands/targets/several-clusters.ts';

it.each([
  ['a long wait leaves the time for one answer', 30_000, 600_000, 30_000],
  ['a short wait shortens it', 30_000, 8_000, 8_000],
  ['but to no less than an answer may take', 30_000, 1_000, 5_000],
  ['what was asked for is not made longer', 2_000, 600_000, 2_000],
  ['no limit becomes the wait', 0, 60_000, 60_000],
])('%s', (_what, requestTimeout, waitMs, expected) => {
  expect(withinWait({ requestTimeout }, waitMs)).toEqual({ requestTimeout: expected });
});
