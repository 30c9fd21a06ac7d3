/** Why nothing was read of a context decides what is said of it, and what is to be done first. */
import { expect, it } from 'vitest';
import { connectCommand, unnamedContext } from '../../src/mesh/command-line.ts';
import type { ErrorCode } from '../../src/mesh/errors.ts';
import { forgetIfSilent, maybeSilent, mayLeadTo } from '../../src/mesh/peers/silent-peers.ts';
import { snapshotOf } from '../support/snapshots.ts';

const GRANT = 'To grant it, as a cluster administrator: kubectl create rolebinding x';

it.each<[ErrorCode, string]>([
  ['ClusterUnreachable', 'does not answer'],
  ['Timeout', 'does not answer'],
  ['ApiFailure', 'answers with an error'],
  ['Forbidden', 'may not be read by this user'],
  ['Unauthenticated', 'does not accept the login'],
  ['ContextUnknown', 'cannot be used'],
  ['CiliumMissing', 'could not be read'],
])('%s: it %s', (code, words) => {
  expect(maybeSilent(['b'], [{ context: 'two', code }])).toBe(
    `"b" may be the cluster of context "two", which ${words}`,
  );
  const hint = connectCommand('one', unnamedContext('b'));
  const forget = forgetIfSilent(hint, ['one'], [{ context: 'two', code, hint: GRANT }]);
  const isRefused = code === 'Forbidden' || code === 'Unauthenticated';
  expect(forget).toContain(
    isRefused ? `. ${GRANT}; or if it is gone for good, forget it: ` : '. If it is gone for good,',
  );
  expect(forget.includes(GRANT)).toBe(isRefused);
});

it('tells several apart', () => {
  const silent = (['ClusterUnreachable', 'Forbidden', 'Timeout'] as const).map((code, index) => ({
    context: `c${index}`,
    code,
  }));
  expect(maybeSilent(['b', 'c'], silent)).toBe(
    'One of "b", "c" may be the cluster of one of the contexts "c0", "c2", which do not answer, "c1", which may not be read by this user',
  );
});

it('leaves out a context that was read as another cluster, and answers no more', () => {
  const read = ['a', 'b'].map((name) =>
    snapshotOf({ context: name, ciliumConfig: { 'cluster-name': `mesh-${name}` } }),
  );
  const silent = ['a', 'b', 'c'].map((context) => ({ context }));
  expect(mayLeadTo(['mesh-b', 'mesh-x'], silent, read).map(({ context }) => context)).toEqual(['b', 'c']);
});
