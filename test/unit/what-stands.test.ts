import { expect, it } from 'vitest';
import { byWhoIsTold } from '../../src/mesh/connect/disconnect/disconnect-plan.ts';
import { saysWhatStands, whatStands } from '../../src/mesh/connect/disconnect/what-stands.ts';
import type { StepAction } from '../../src/mesh/plan/plan.ts';
import { disconnectText, partedLines } from '../../src/views/connect/disconnect-view.ts';
import { PLAIN } from '../support/plain-theme.ts';
import { snapshotOf } from '../support/snapshots.ts';

const step = (cluster: string, action: StepAction) => ({
  ...{ cluster, action, changes: [], why: '' },
  object: { apiVersion: 'v1', kind: 'Secret', name: 'cilium-clustermesh' },
});
const parting = (name: string) => ({
  snapshot: snapshotOf({ context: name, ciliumConfig: { 'cluster-name': name, 'cluster-id': '1' } }),
  undialled: [name === 'a' ? 'b' : 'a'],
  unserved: [name === 'a' ? 'b' : 'a'],
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
  const none = {
    ended: [],
    shutOut: [],
    standing: [],
    steps: [step('a', 'keep')],
    verified: true,
    looked: true,
    unreached: [],
  };
  expect(disconnectText({ ...none, ...seen }, PLAIN)).toBe(says);
});

it.each([
  { told: ['a', 'b'], says: ['a and b'] },
  { told: ['a'], says: ['a neither dials b any more nor lets it in'] },
  { told: ['b'], says: ['b neither dials a any more nor lets it in'] },
])('a cluster to which nothing was written has forgotten nobody: told are $told', ({ told, says }) => {
  const { ended, shutOut } = byWhoIsTold(BOTH, told.map(parting));
  expect(partedLines(ended, shutOut, PLAIN)).toEqual(says.map((words) => `  • ${words}`));
  const dials = BOTH.flatMap((dial) => {
    const alone = byWhoIsTold([dial], told.map(parting));
    return partedLines(alone.ended, alone.shutOut, PLAIN);
  });
  expect(dials).toHaveLength(2);
  for (const one of ['a', 'b'])
    expect(dials.some((line) => line.includes(`• ${one} does not dial`))).toBe(told.includes(one));
});

it('of a cluster that forgets one peer, and has a name that another cluster forgets, only what it does itself is said', () => {
  const a = { ...parting('a'), undialled: ['b', 'c'], unserved: ['b', 'c'] };
  const b = { ...parting('b'), undialled: ['c'], unserved: ['c'] };
  const parted = [...BOTH, { from: 'b', to: 'c' }];
  const steps = ['a', 'b'].map((name) => step(name, 'update'));
  const [, ofB] = whatStands({ partings: [a, b], parted, plan: { steps } });
  expect(ofB).toMatchObject({ undialled: ['c'], unserved: [] });
  const { ended, shutOut } = byWhoIsTold(parted, [a, b]);
  expect(shutOut).toEqual([{ from: 'b', to: 'a' }]);
  expect(ended).toHaveLength(2);
});
