import { expect, it } from 'vitest';
import type { Flow, Target } from '../../src/flows/flow.ts';
import { rollBackClusters } from '../../src/flows/write/roll-back.ts';
import { MeshctlError } from '../../src/mesh/errors.ts';

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

it('what stays, since what it waited for has not come, is named beside what could not be put back', async () => {
  const said: string[] = [];
  const task = { done: (text: string) => said.push(text), fail: (text: string) => said.push(text) };
  const progress = { start: () => task, warn() {} };
  const client = { context: 'one', get: () => Promise.reject(new MeshctlError('Forbidden', 'no')) };
  const entry = (name: string) => {
    const ref = { apiVersion: 'v1', kind: 'Secret', namespace: 'kube-system', name };
    return { ref, before: undefined, after: undefined, certain: true };
  };
  const awaitBefore = () => Promise.reject(new MeshctlError('Timeout', 'they do not dial'));
  const entries = [{ ...entry('cache'), awaitBefore }, entry('agents')];
  const target = { client } as unknown as Target;
  const flow = { signal: new AbortController().signal, progress } as unknown as Flow;
  await rollBackClusters(flow, [target], [{ cluster: 'one', entries }], new Error('why'));
  expect(said).toEqual([
    'one: could not roll back Secret kube-system/agents; Secret kube-system/cache stays as written',
  ]);
});
