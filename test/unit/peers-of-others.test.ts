import { describe, expect, it } from 'vitest';
import { forOtherOwners, inWordsWhereUnled } from '../../src/mesh/peers/peers-of-others.ts';

const THEIRS = "'<context of mesh-2>'";

describe('a next step about a peer of another owner', () => {
  it.each<[what: string, hint: string, says: string]>([
    [
      'connects by an invitation',
      `meshctl clustermesh connect --context one --destination-context ${THEIRS}`,
      'meshctl clustermesh invite --context one --peer mesh-2',
    ],
    [
      'connects the others as ever',
      "meshctl clustermesh connect --context one --destination-context 'two,<context of mesh-2>'",
      'meshctl clustermesh connect --context one --destination-context two && meshctl clustermesh invite --context one --peer mesh-2',
    ],
    [
      'connects from either side',
      `meshctl clustermesh connect --context ${THEIRS} --destination-context one,two`,
      'meshctl clustermesh invite --context one --peer mesh-2 && meshctl clustermesh invite --context two --peer mesh-2',
    ],
    [
      'goes by what they offer where an address was chosen',
      `dial its Service: meshctl clustermesh connect --context one --destination-context ${THEIRS} --destination-endpoint service`,
      'dial its Service: meshctl clustermesh invite --context one --peer mesh-2',
    ],
    [
      'asks them to part',
      `forget it: meshctl clustermesh disconnect --context ${THEIRS} --peer mesh-1; or join it again: meshctl clustermesh enable --context one && meshctl clustermesh connect --context one --destination-context ${THEIRS}`,
      'forget it: have the owner of "mesh-2" run "clustermesh disconnect --peer mesh-1" in their cluster; or join it again: meshctl clustermesh enable --context one && meshctl clustermesh invite --context one --peer mesh-2',
    ],
    [
      'asks them to look, and looks here',
      "meshctl clustermesh status --context 'one,<context of mesh-2>'",
      'have the owner of "mesh-2" run "clustermesh status" in their cluster, and here: meshctl clustermesh status --context one',
    ],
    [
      'goes on in words behind what they are asked for, and by a shell behind what is typed',
      `meshctl clustermesh enable --context ${THEIRS} && meshctl clustermesh enable --context one && meshctl clustermesh connect --context one --destination-context ${THEIRS}`,
      'have the owner of "mesh-2" run "clustermesh enable" in their cluster; then: meshctl clustermesh enable --context one && meshctl clustermesh invite --context one --peer mesh-2',
    ],
    [
      'has their own check for what kubectl would show',
      `kubectl --context ${THEIRS} -n kube-system describe deployment/clustermesh-apiserver`,
      'have the owner of "mesh-2" run "clustermesh check" in their cluster',
    ],
    [
      'rotates without them',
      "meshctl clustermesh certs rotate --context 'one,<context of mesh-2>' --ca",
      'meshctl clustermesh certs rotate --context one --ca',
    ],
    ['is as ever where the context is known', 'meshctl clustermesh status --context one,two', ''],
    ['is as ever about another peer', "meshctl clustermesh status --context 'one,<context of mesh-3>'", ''],
  ])('%s', (_what, hint, says) => {
    expect(forOtherOwners(hint, 'one', ['mesh-2'])).toBe(says || hint);
  });

  it('is as ever where no peer is another owner’s', () => {
    const hint = `meshctl clustermesh connect --context one --destination-context ${THEIRS}`;
    expect(forOtherOwners(hint, 'one')).toBe(hint);
  });
});

it.each<[hint: string, says: string]>([
  [
    `meshctl clustermesh connect --context one --destination-context ${THEIRS}`,
    'Run "clustermesh connect --context one" with a --destination-context that leads to mesh-2.',
  ],
  [
    "it goes on dialling → meshctl clustermesh disconnect --context '<context of mesh-2>' --peer mesh-1",
    'it goes on dialling → Run "clustermesh disconnect --peer mesh-1" with a context that leads to mesh-2.',
  ],
  [
    "Name its context too: meshctl clustermesh certs rotate --context 'c1,<context of mesh-2>,<context of mesh-3>' --ca",
    'Name its context too: run "clustermesh certs rotate --context c1 --ca" with contexts that lead to mesh-2 and mesh-3 too.',
  ],
  [
    `forget it: meshctl clustermesh disconnect --context ${THEIRS} --peer a; or join it again: meshctl clustermesh enable --context a && meshctl clustermesh enable --context b && meshctl clustermesh connect --context a --destination-context ${THEIRS}`,
    'forget it: run "clustermesh disconnect --peer a" with a context that leads to mesh-2; or join it again: meshctl clustermesh enable --context a && meshctl clustermesh enable --context b; then run "clustermesh connect --context a" with a --destination-context that leads to mesh-2.',
  ],
  [
    `meshctl clustermesh disconnect --context ${THEIRS} --peer a && meshctl clustermesh enable --context a && meshctl clustermesh enable --context b`,
    'Run "clustermesh disconnect --peer a" with a context that leads to mesh-2; then: meshctl clustermesh enable --context a && meshctl clustermesh enable --context b',
  ],
  [
    `kubectl --context ${THEIRS} -n kube-system describe deployment/clustermesh-apiserver`,
    'Run "clustermesh check" with a context that leads to mesh-2.',
  ],
  [
    `meshctl clustermesh status --context 'one,<context of mesh-2>'; or if it is gone, forget it: meshctl clustermesh disconnect --context one --peer mesh-2`,
    'Run "clustermesh status --context one" with a context that leads to mesh-2 too; or if it is gone, forget it: meshctl clustermesh disconnect --context one --peer mesh-2',
  ],
  ['meshctl clustermesh status --context one,two', 'meshctl clustermesh status --context one,two'],
])('of a peer to which no context leads, what cannot be typed is said in words: %s', (hint, says) => {
  expect(inWordsWhereUnled(hint)).toBe(says);
});
