import { expect, it } from 'vitest';
import { saysWhatStands, whatStands } from '../../src/mesh/connect/what-stands.ts';
import type { StepAction } from '../../src/mesh/plan/plan.ts';
import { disconnectText } from '../../src/views/connect/disconnect-view.ts';
import { PLAIN } from '../support/plain-theme.ts';
import { snapshotOf } from '../support/snapshots.ts';

const step = (cluster: string, action: StepAction) => ({
  ...{ cluster, action, changes: [], why: '' },
  object: { apiVersion: 'v1', kind: 'Secret', name: 'cilium-clustermesh' },
});
const parting = (name: string) => ({
  snapshot: snapshotOf({ context: name, ciliumConfig: { 'cluster-name': name, 'cluster-id': '1' } }),
});
const BOTH = [
  { from: 'a', to: 'b' },
  { from: 'b', to: 'a' },
];

it.each<[what: string, StepAction[], parted: typeof BOTH, says: (string | RegExp)[]]>([
  ['of those that parted, and of no other', ['update', 'update', 'keep'], BOTH, [/dial b .* user for b /, /dial a /]],
  ['of one in which only a trace was left', ['keep', 'keep', 'update'], [], [/c": what was left of former peers/]],
  ['of none where nothing was written', ['keep', 'keep', 'keep'], [], []],
])('what stands of a disconnect is said %s', (_what, actions, parted, says) => {
  const names = ['a', 'b', 'c'];
  const steps = actions.map((action, index) => step(names[index] ?? '', action));
  const lines = whatStands({ partings: names.map(parting), parted, plan: { steps } }).map(saysWhatStands);
  expect(lines).toEqual(says.map((one) => expect.stringMatching(one)));
});

it.each([
  [{}, '✅ Nothing to do: they are not connected'],
  [{ looked: false }, '✅ Nothing to do: nothing is left to take out'],
  [{ verified: false }, '⚠️  Nothing left to take out, but this could not be verified everywhere'],
  [{ unreached: ['b'] }, '⚠️  Nothing left to take out, but nothing changed in context "b", which did not answer'],
])('a second disconnect calls nothing done that nobody has seen: %j', (seen, says) => {
  const none = { parted: [], steps: [step('a', 'keep')], verified: true, looked: true, unreached: [], untold: [] };
  expect(disconnectText({ ...none, ...seen }, PLAIN)).toBe(says);
});
