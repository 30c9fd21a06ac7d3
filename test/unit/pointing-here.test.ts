import { expect, it } from 'vitest';
import { requireChoiceFor, requireContextsFor } from '../../src/mesh/enable/pointing-here.ts';

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
    'Disconnect first, and forget c and d if gone: meshctl clustermesh disconnect --context x --peer c,d --yes && YES; or leave them as they are: NO',
  ],
])('what becomes of a peer is to be said before a cluster is gone where %s', (_what, dialling, beyond, says, hint) => {
  const choices = { disconnect: 'YES', leave: 'NO' };
  expect(() => requireChoiceFor([{ context: 'x', name: 'a', dialling, beyond }], choices)).toThrow(
    expect.objectContaining({ code: 'Usage', message: expect.stringMatching(says), hint }),
  );
});

it.each<[what: string, beyond: string[], leave: string | undefined, hint: string]>([
  [
    'nobody is within reach',
    ['b'],
    'NO',
    'or if gone, forget it first: meshctl clustermesh disconnect --context x --peer b --yes && YES; or leave it as it is: NO',
  ],
  [
    'others are',
    ['b', 'c'],
    undefined,
    'or if gone, forget them first: meshctl clustermesh disconnect --context x --peer b,c --yes && YES',
  ],
])('--disconnect is not agreed to where no context leads to a peer, and %s', (_what, beyond, leave, hint) => {
  const leaving = [{ context: 'x', name: 'a', dialling: [], beyond }];
  expect(() => requireContextsFor(leaving, { disconnect: 'YES', leave })).toThrow(
    expect.objectContaining({ code: 'Usage', hint: expect.stringMatching(new RegExp(`; ${hint}$`)) }),
  );
  expect(() =>
    requireContextsFor([{ ...leaving[0], beyond: [] } as never], { disconnect: 'YES', leave }),
  ).not.toThrow();
});
