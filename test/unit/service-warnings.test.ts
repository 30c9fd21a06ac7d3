import { expect, it } from 'vitest';
import type { Affinity } from '../../src/mesh/services/annotations.ts';
import type { MeshService } from '../../src/mesh/services/services.ts';
import { warningData } from '../../src/views/services/service-warnings-view.ts';

type State = 'no' | `${'shared' | 'alone'} ${Affinity}`;

function serviceOf(states: readonly State[]): MeshService {
  const clusters = states.map((state, index) => {
    const [sharing, affinity = 'none'] = state.split(' ');
    const definition = { global: state !== 'no', shared: sharing === 'shared', affinity };
    return { cluster: `mesh-${index + 1}`, context: `c${index + 1}`, namespaceExists: true, definition };
  });
  return { namespace: 'default', name: 'web', clusters, warnings: [] } as unknown as MeshService;
}

const TO_ALL = 'So that all of them use and share it, and new connections go to the backends of all alike';

it.each<[string, State[], string, Affinity]>([
  ['one against one is no majority', ['alone none', 'shared none'], TO_ALL, 'none'],
  ['each another one', ['alone none', 'no', 'shared none'], TO_ALL, 'none'],
  ['a majority that shares', ['shared none', 'no', 'shared none'], 'As in most of them, so that new', 'none'],
  [
    'a majority with an affinity',
    ['shared local', 'shared none', 'shared local'],
    'As in most of them, so that each',
    'local',
  ],
  ['a majority that shares with nobody', ['alone none', 'alone none', 'shared none'], TO_ALL, 'none'],
  ['a majority that is not global', ['no', 'no', 'shared remote'], TO_ALL, 'none'],
  ['half of them', ['shared local', 'shared local', 'shared none', 'shared none'], TO_ALL, 'none'],
])('what makes clusters agree takes the service from nobody: %s', (_what, states, words, affinity) => {
  const { hint = '' } = warningData({ id: 'annotations-differ', clusters: [], values: {} }, serviceOf(states));
  const contexts = states.map((_state, index) => `c${index + 1}`).join();
  expect(hint.startsWith(words), hint).toBe(true);
  expect(
    hint.endsWith(`: meshctl service global --context ${contexts} default/web --affinity ${affinity} --shared=true`),
    hint,
  ).toBe(true);
});
