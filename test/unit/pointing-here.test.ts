import { expect, it } from 'vitest';
import { requireChoiceFor } from '../../src/mesh/enable/pointing-here.ts';

it.each<[what: string, dialling: string[], beyond: string[], says: RegExp, hint: string]>([
  ['it dials', ['b'], [], /^b still dials a, and keeps sending/, 'Disconnect first: YES; or leave it as it is: NO'],
  [
    'nobody has seen whether it does',
    [],
    ['b'],
    /^no context leads to b, which keeps .*, if it still dials it$/,
    'Give a kubeconfig that leads to it too, or leave it as it is: NO',
  ],
  [
    'some dial, and some may',
    ['b'],
    ['c', 'd'],
    /^b still dials .*; no context leads to c, d, which keep .*, if they still dial it$/,
    'Disconnect first: YES; or leave them as they are: NO',
  ],
])('what becomes of a peer is to be said before a cluster is gone where %s', (_what, dialling, beyond, says, hint) => {
  const choices = { disconnect: 'YES', leave: 'NO' };
  expect(() => requireChoiceFor('a', { dialling, beyond }, choices)).toThrow(
    expect.objectContaining({ code: 'Usage', message: expect.stringMatching(says), hint }),
  );
});
