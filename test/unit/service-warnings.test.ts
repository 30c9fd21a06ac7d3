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
const APART = 'so that each cluster uses its own backends only';
const ALIKE = 'new connections go to the backends of all alike';
const OWN_FIRST = 'each one uses its own backends first';

it.each<[string, State[], words: string, Affinity]>([
  ['one against one is no majority', ['alone none', 'shared none'], TO_ALL, 'none'],
  ['each another one', ['alone none', 'no', 'shared none'], TO_ALL, 'none'],
  ['a majority that shares', ['shared none', 'no', 'shared none'], `As in most of them, so that ${ALIKE}`, 'none'],
  ['a majority that shares with nobody', ['alone none', 'alone none', 'shared none'], TO_ALL, 'none'],
  [
    'where it is global, all have one affinity',
    ['no', 'no', 'shared remote'],
    'So that all of them use and share it, and each one uses the backends of the others first',
    'remote',
  ],
  [
    'one of two is not global',
    ['shared local', 'no'],
    `So that all of them use and share it, and ${OWN_FIRST}`,
    'local',
  ],
  ['affinities of what nobody shares', ['alone local', 'alone none'], TO_ALL, 'none'],
])('what makes clusters agree takes the service from nobody unasked: %s', (_what, states, words, affinity) => {
  expectWays(states, [
    [words, `--affinity ${affinity} --shared=true`],
    [APART, '--remove'],
  ]);
});

it.each<[string, State[], [words: string, flags: string][]]>([
  [
    'a majority',
    ['shared local', 'shared none', 'shared local'],
    [
      [`As in most of them, so that ${OWN_FIRST}`, '--affinity local'],
      [`so that ${ALIKE}`, '--affinity none'],
    ],
  ],
  [
    'one against one',
    ['shared local', 'shared none'],
    [
      [`So that ${ALIKE}`, '--affinity none'],
      [`so that ${OWN_FIRST}`, '--affinity local'],
    ],
  ],
  [
    'one against one, and none of them is none',
    ['shared remote', 'shared local'],
    [
      [`So that ${OWN_FIRST}`, '--affinity local'],
      ['so that each one uses the backends of the others first', '--affinity remote'],
    ],
  ],
])('where only affinities differ, each of them is a way out: %s', (_what, states, ways) => {
  expectWays(states, ways);
});

function expectWays(states: readonly State[], ways: readonly [words: string, flags: string][]): void {
  const { hint = '' } = warningData({ id: 'annotations-differ', clusters: [], values: {} }, serviceOf(states));
  const contexts = states.map((_state, index) => `c${index + 1}`).join();
  const lines = ways.map(
    ([words, flags]) => `${words}: meshctl service global --context ${contexts} default/web ${flags}`,
  );
  expect(hint).toBe(lines.join('; or '));
}

type Written = Partial<Record<'global' | 'shared' | 'affinity' | 'type' | 'legacy', string>>;

/** A Service with these annotations, by cluster, and its warnings. */
function warned(written: readonly Written[]): MeshService {
  const annotations = new Map(
    written.map(({ type: _type, legacy, ...of }, index) => {
      const named = Object.entries(of).map(([kind, value]) => [`service.cilium.io/${kind}`, value]);
      if (legacy !== undefined) named.push(['io.cilium/global-service', legacy]);
      return [`mesh-${index + 1}`, Object.fromEntries(named) as Record<string, string>];
    }),
  );
  const clusters = [...annotations].map(([cluster, own], index) => {
    const backends = { ready: 1, backends: [], uses: [{}] };
    const { type = 'ClusterIP' } = written[index] ?? {};
    const kind = { type, headless: type === 'ExternalName', ports: [], selector: {} };
    const definition = { ...readSharing(own), ...backends, ...kind, namespaceGlobal: true };
    return { cluster, context: `c${index + 1}`, namespaceExists: true, definition };
  }) as unknown as MeshService['clusters'];
  const service = { namespace: 'shop', name: 'web', clusters };
  // All of them were read.
  const unread = new Map(clusters.map(({ cluster }) => [cluster, []]));
  return { ...service, warnings: warningsOf(service, clusters, annotations, unread) };
}

/** Of which kind its warnings are, with their hints. */
function hintsFor(...written: readonly Written[]): (string | undefined)[][] {
  const service = warned(written);
  return service.warnings.map((warning) => [warning.id, warningData(warning, service).hint]);
}

const LOCAL: Written = { global: 'true', affinity: 'local' };
const mend = (contexts: string, ...flags: string[]) =>
  ['meshctl service global --context', contexts, 'shop/web', ...flags].join(' ');
/** Which of both is meant only the operator knows: what keeps the effect comes first. */
const either = (kept: string, what: string, meant: string) =>
  `To keep what Cilium takes them for: ${kept}; or to have it ${what}: ${meant}`;

it.each<[string, Written[], [string, string][]]>([
  [
    'all else stays as it is, in the other clusters too',
    [LOCAL, { ...LOCAL, global: 'True ', shared: 'FALSE' }],
    [['unknown-value', either(mend('c2', '--remove'), 'global', mend('c2'))]],
  ],
  [
    'an affinity becomes that of the others',
    [LOCAL, { ...LOCAL, affinity: 'locl' }],
    [
      [
        'unknown-affinity',
        either(mend('c2', '--affinity', 'none'), 'with affinity local', mend('c2', '--affinity', 'local')),
      ],
    ],
  ],
  [
    'one on which the others differ is what Cilium takes it for',
    [LOCAL, { global: 'true', affinity: 'locl' }, { global: 'true', affinity: 'remote' }],
    [
      ['annotations-differ', expect.stringContaining(mend('c1,c2,c3', '--affinity', 'none'))],
      ['unknown-affinity', mend('c2', '--affinity', 'none')],
    ],
  ],
  [
    'what is not shared stays so, unless it is meant to be, whatever the others are',
    [LOCAL, { ...LOCAL, shared: 'no' }],
    [['unknown-value', either(mend('c2', '--shared=false'), 'shared', mend('c2', '--shared=true'))]],
  ],
  [
    'what is not global stays so, unless it is meant to be',
    [LOCAL, { global: 'no' }, { shared: 'no' }],
    [
      [
        'unknown-value',
        either(
          `${mend('c2', '--remove')} && ${mend('c3', '--remove')}`,
          'global and shared',
          `${mend('c2')} && ${mend('c3', '--shared=true')}`,
        ),
      ],
    ],
  ],
  [
    'what is shared, of which nothing else tells, is the choice of the operator',
    [
      { ...LOCAL, shared: 'yes' },
      { ...LOCAL, shared: 'ja' },
    ],
    [
      ['unknown-value', either(mend('c1,c2', '--shared=false'), 'shared', mend('c1,c2', '--shared=true'))],
      [
        'not-shared',
        `So that all of them share it: ${mend('c1,c2', '--shared=true')}; or ${APART}: ${mend('c1,c2', '--remove')}`,
      ],
    ],
  ],
  [
    'nothing can be read of one of them',
    [{ global: 'yes', affinity: 'x' }],
    [['unknown-value', either(mend('c1', '--remove'), 'global, with affinity none', mend('c1', '--affinity', 'none'))]],
  ],
])('of a value that Cilium does not know: %s', (_what, written, expected) => {
  expect(hintsFor(...written)).toEqual(expected);
});

const ALIAS: Written = { global: 'true', type: 'ExternalName' };
const OUT = 'An ExternalName has no backends to share, so take it out of the mesh: ';
const NOT_SHARED: Written = { global: 'true', shared: 'false' };

it.each<[string, Written[], [string, string][]]>([
  ['an ExternalName', [ALIAS], [['headless', OUT + mend('c1', '--remove')]]],
  [
    'an ExternalName, whatever else is written there',
    [{ ...ALIAS, shared: 'no', affinity: 'x' }, ALIAS],
    [['headless', OUT + mend('c1,c2', '--remove')]],
  ],
  ['an ExternalName beside a sound one', [{ global: 'true' }, ALIAS], [['headless', OUT + mend('c2', '--remove')]]],
  ['an ExternalName that was taken out', [{ global: 'true' }, { type: 'ExternalName' }], []],
  [
    'one that cannot agree with others',
    [LOCAL, { global: 'true' }, { ...ALIAS, affinity: 'remote' }],
    [
      ['annotations-differ', expect.stringMatching(/--context c1,c2 .*--context c1,c2 /)],
      ['headless', OUT + mend('c3', '--remove')],
    ],
  ],
  [
    'nobody who shares it, beside one that is apart',
    [NOT_SHARED, NOT_SHARED, {}],
    [
      ['annotations-differ', expect.stringContaining('So that all of them use and share it')],
      [
        'not-shared',
        `So that all of them share it: ${mend('c1,c2', '--shared=true')}; or ${APART}: ${mend('c1,c2,c3', '--remove')}`,
      ],
    ],
  ],
  [
    'a former name, which keeps one apart',
    [{ legacy: 'true' }, { global: 'true' }, { legacy: 'false' }],
    [
      ['annotations-differ', expect.stringContaining('As in most of them')],
      [
        'legacy-annotations',
        `Rename them: ${mend('c1')}; where it is not global, remove them: ${mend('c3', '--remove')}`,
      ],
    ],
  ],
])('makes a service global nowhere unasked: %s', (_what, written, expected) => {
  expect(hintsFor(...written)).toEqual(expected);
});

it('names in what clusters differ also one whose value Cilium takes for another, as it takes it', () => {
  const written = [LOCAL, { global: 'true' }, { global: 'true', shared: 'no' }, { global: 'true', affinity: 'x' }];
  const { warnings } = warned(written);
  expect(warnings.find(({ id }) => id === 'annotations-differ')?.values).toEqual({
    'mesh-1': 'global, shared, affinity local',
    'mesh-2': 'global, shared, affinity none',
    'mesh-3': 'global, not shared, affinity none',
    'mesh-4': 'global, shared, affinity none',
  });
});
