import { expect, it } from 'vitest';
import {
  type LeftBehind,
  requireChoiceFor,
  requireContextsFor,
  standingWords,
} from '../../src/mesh/enable/pointing-here.ts';

const unanswered = (contexts: readonly string[]) =>
  contexts.map((context) => ({ context, code: 'ClusterUnreachable' as const }));
const NONE = { ofOthers: [], silent: [] };

it.each<[what: string, dialling: string[], beyond: string[], says: RegExp, hint: string]>([
  ['it dials', ['b'], [], /^b still dials a, and keeps sending/, 'Disconnect first: YES; or leave it as it is: NO'],
  [
    'nobody has seen whether it does',
    [],
    ['b'],
    /^no context leads to b: if it still dials a, it keeps sending requests to pods there after a disable$/,
    'Give a kubeconfig that leads to it too, or leave it as it is: NO',
  ],
  [
    'some dial, and some may',
    ['b'],
    ['c', 'd'],
    /^b still dials .*; no context leads to c, d: if they still dial a, they keep sending .*$/,
    'Disconnect first, and forget c and d if gone: meshctl clustermesh disconnect --context x --peer c,d --yes && YES; or leave them as they are: NO',
  ],
])('what becomes of a peer is to be said before a cluster is gone where %s', (_what, dialling, beyond, says, hint) => {
  const choices = { disconnect: 'YES', leave: 'NO' };
  expect(() => requireChoiceFor([{ context: 'x', name: 'a', dialling, beyond, ...NONE }], choices)).toThrow(
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
  const leaving = [{ context: 'x', name: 'a', dialling: [], beyond, ...NONE }];
  expect(() => requireContextsFor(leaving, { disconnect: 'YES', leave })).toThrow(
    expect.objectContaining({ code: 'Usage', hint: expect.stringMatching(new RegExp(`; ${hint}$`)) }),
  );
  expect(() =>
    requireContextsFor([{ ...leaving[0], beyond: [] } as never], { disconnect: 'YES', leave }),
  ).not.toThrow();
});

it.each<[what: string, beyond: string[], silent: string[], hint: string]>([
  [
    'another owner has',
    ['b'],
    [],
    'Have the owner of "b" run "clustermesh disconnect --peer a" in their cluster, or leave it as it is: NO',
  ],
  [
    'one of which another owner has',
    ['b', 'c'],
    ['x'],
    'Give a kubeconfig that leads to c too, have the owner of "b" run "clustermesh disconnect --peer a" in their cluster, or leave them as they are: NO',
  ],
])('no kubeconfig is asked for that is not to be had: peers that %s', (_what, beyond, silent, hint) => {
  const choices = { disconnect: 'YES', leave: 'NO' };
  const leaving = { context: 'x', name: 'a', dialling: [], beyond, ofOthers: ['b'], silent: unanswered(silent) };
  const message = expect.stringMatching(
    silent.length > 0 ? /^no context that answers leads to/ : /^no context leads to/,
  );
  expect(() => requireChoiceFor([leaving], choices)).toThrow(expect.objectContaining({ message, hint }));
  const [ways] = hint.split(', or leave');
  expect(() => requireContextsFor([leaving], choices)).toThrow(
    expect.objectContaining({ message, hint: expect.stringContaining(`${ways}; or if gone, forget `) }),
  );
});

const left = (name: string, ...standing: LeftBehind['standing']): LeftBehind => ({
  context: `c-${name}`,
  name,
  standing,
  ofOthers: [],
});
const dials = (name: string) => ({ name, dials: true, context: `c-${name}` });

it.each<[what: string, left: LeftBehind[], says: string[]]>([
  [
    'one peer',
    [left('a', dials('x'))],
    ['"x" still dials "a" and will report it as failing → meshctl clustermesh disconnect --context c-x --peer a'],
  ],
  [
    'many peers of clusters that leave together',
    [left('a', dials('x'), dials('y')), left('b', dials('x'), dials('y'))],
    [
      '2 clusters still dial "a" and "b" and will report them as failing (x, y) → ' +
        'meshctl clustermesh disconnect --context c-x,c-y --peer a,b',
    ],
  ],
  [
    'peers of which different things are to be said',
    [left('a', dials('x'), { ...dials('y'), dials: false }, { name: 'z', dials: true })],
    [
      '"x" still dials "a" and will report it as failing → meshctl clustermesh disconnect --context c-x --peer a',
      '"y" still lets "a" in: anyone with its certificate → meshctl clustermesh disconnect --context c-y --peer a',
      `"z" still dials "a", unless it is gone, and will report it as failing → meshctl clustermesh disconnect --context '<context of z>' --peer a`,
    ],
  ],
])('of peers that are not told, each thing is said once: %s', (_what, leaving, says) => {
  expect(standingWords(leaving)).toEqual(says);
});
