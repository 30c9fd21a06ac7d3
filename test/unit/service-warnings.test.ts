import { expect, it } from 'vitest';
import { type Affinity, readSharing } from '../../src/mesh/services/annotations.ts';
import type { MeshService } from '../../src/mesh/services/services.ts';
import { warningsOf } from '../../src/mesh/services/services-warnings.ts';
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
  ['where it is global, all have one affinity', ['no', 'no', 'shared remote'], 'So that all of them use and', 'remote'],
  ['one of two is not global', ['shared local', 'no'], 'So that all of them use and share it, and each', 'local'],
  ['one against one, with another affinity each', ['shared local', 'shared none'], TO_ALL, 'none'],
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

type Written = Partial<Record<'global' | 'shared' | 'affinity', string>>;

/** The hints for a Service with these annotations, by cluster, and of which kind they are. */
function hintsFor(...written: readonly Written[]): (string | undefined)[][] {
  const annotations = new Map(
    written.map((of, index) => {
      const named = Object.entries(of).map(([kind, value]) => [`service.cilium.io/${kind}`, value]);
      return [`mesh-${index + 1}`, Object.fromEntries(named) as Record<string, string>];
    }),
  );
  const clusters = [...annotations].map(([cluster, own], index) => {
    const definition = { ...readSharing(own), ports: [], selector: {}, ready: 1, uses: [{}], namespaceGlobal: true };
    return { cluster, context: `c${index + 1}`, namespaceExists: true, definition };
  }) as unknown as MeshService['clusters'];
  const service = { namespace: 'shop', name: 'web', clusters };
  const warnings = warningsOf(service, clusters, annotations, new Map());
  return warnings.map((warning) => [warning.id, warningData(warning, { ...service, warnings }).hint]);
}

const LOCAL: Written = { global: 'true', affinity: 'local' };
const mend = (contexts: string, ...flags: string[]) =>
  ['meshctl service global --context', contexts, 'shop/web', ...flags].join(' ');

it.each<[string, Written[], [string, string][]]>([
  [
    'all else stays as it is, in the other clusters too',
    [LOCAL, { ...LOCAL, global: 'True ', shared: 'FALSE' }],
    [['unknown-value', mend('c2')]],
  ],
  [
    'an affinity becomes that of the others',
    [LOCAL, { ...LOCAL, affinity: 'locl' }],
    [['unknown-affinity', mend('c2', '--affinity', 'local')]],
  ],
  [
    'one on which the others differ is what Cilium takes it for',
    [LOCAL, { global: 'true', affinity: 'locl' }, { global: 'true', affinity: 'remote' }],
    [
      ['annotations-differ', expect.stringContaining('--affinity none --shared=true')],
      ['unknown-affinity', mend('c2', '--affinity', 'none')],
    ],
  ],
  [
    'what is shared becomes as in the others',
    [LOCAL, { ...LOCAL, shared: 'yes' }],
    [['unknown-value', mend('c2', '--shared=true')]],
  ],
  [
    'what is shared, of which nothing else tells, is the choice of the operator',
    [
      { ...LOCAL, shared: 'yes' },
      { ...LOCAL, shared: 'ja' },
    ],
    [
      [
        'unknown-value',
        `To share its backends: ${mend('c1,c2', '--shared=true')}; to keep them for its own cluster: ${mend('c1,c2', '--shared=false')}`,
      ],
      ['not-shared', mend('c1,c2', '--shared=true')],
    ],
  ],
  [
    'nothing can be read of one of them',
    [{ global: 'yes', affinity: 'x' }],
    [['unknown-value', mend('c1', '--affinity', 'none')]],
  ],
])('of a value that Cilium does not know: %s', (_what, written, expected) => {
  expect(hintsFor(...written)).toEqual(expected);
});
