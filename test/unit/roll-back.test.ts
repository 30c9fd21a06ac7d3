import { expect, it } from 'vitest';
import type { Flow, Target } from '../../src/flows/flow.ts';
import { rollBackClusters } from '../../src/flows/write/roll-back.ts';

it.each([
  ['all of a run', true, ['nothing was written: all is as before']],
  // What the phases before it have written stands.
  ['one phase of several', false, []],
])('an interrupted run that has written nothing in %s', async (_what, isAll, says) => {
  const said: string[] = [];
  const flow = { signal: AbortSignal.abort(), progress: { info: (text: string) => said.push(text) } };
  const targets = [{ client: { context: 'one' } }] as unknown as Target[];
  await rollBackClusters(flow as unknown as Flow, targets, [], new Error('interrupted'), { isAll });
  expect(said).toEqual(says);
});
