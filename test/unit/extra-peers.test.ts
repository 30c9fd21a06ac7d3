import { describe, expect, it } from 'vitest';
import type { WrittenSpec } from '../../src/mesh/file/document.ts';
import { type ExtraPeers, extraPeers, leavingClusters } from '../../src/mesh/file/extra.ts';
import { meshSpecOf } from '../../src/mesh/file/mesh-spec.ts';
import { MANAGED_BY } from '../../src/mesh/objects/ownership.ts';
import { FIELD_MANAGER } from '../../src/mesh/plan/plan.ts';
import { apiserverDeployment, secretObject, snapshotOf } from '../support/snapshots.ts';

/** A cluster that dials its peers and lets them in, which meshctl has enabled. */
const cluster = (name: string, ...peers: string[]) => {
  const files = Object.fromEntries(peers.map((peer) => [peer, 'endpoints:\n- https://203.0.113.7:2379\n']));
  const deployment = apiserverDeployment();
  const managedFields = [{ manager: FIELD_MANAGER, operation: 'Apply' as const, fieldsV1: { 'f:spec': {} } }];
  return snapshotOf({
    context: name,
    ciliumConfig: { 'cluster-name': name, 'cluster-id': '1' },
    live: [
      { ...deployment, metadata: { ...deployment.metadata, labels: { [MANAGED_BY]: FIELD_MANAGER }, managedFields } },
      secretObject('cilium-kvstoremesh', files),
    ],
    remoteUsers: peers.map((peer) => ({ name: `remote-${peer}`, role: 'remote' })),
  });
};

type Part = readonly [clusters: readonly string[], external: readonly string[]];

/** Documents of one `-f`, each with clusters that are connected with each other. */
const specOf = (parts: readonly Part[]) =>
  meshSpecOf(
    parts.map(([names, external], index) => {
      const spec: WrittenSpec = { clusters: names.map((name) => ({ name })), topology: { type: 'mesh' }, external };
      const metadata = { name: `mesh-${index}` };
      return { file: 'x', line: 1, document: { apiVersion: 'meshctl.io/v1alpha1', kind: 'Mesh', metadata, spec } };
    }),
  ).spec;

describe('what clusters have and no document of theirs', () => {
  const all = [cluster('a', 'b', 'c', 'z'), cluster('b', 'a', 'c', 'z'), cluster('c', 'a', 'b', 'z')];

  it.each<[what: string, documents: readonly Part[], dials: string[], strangers: ExtraPeers['strangers']]>([
    [
      'is a cluster that was taken out of the file, which may leave the mesh',
      [[['a', 'b'], ['z']]],
      [],
      [{ peer: 'c', knownBy: ['a', 'b'], mayLeave: true }],
    ],
    ['is nothing of what one leaves to others', [[['a', 'b', 'c'], ['z']]], [], []],
    [
      'is no connection that either of two documents leaves to others',
      [
        [
          ['a', 'b'],
          ['c', 'z'],
        ],
        [['c'], ['z']],
      ],
      [],
      [],
    ],
    [
      'is the same whichever of them names the other one',
      [
        [['a', 'b'], ['z']],
        [['c'], ['a', 'b', 'z']],
      ],
      [],
      [],
    ],
    [
      'is what clusters of two documents have that name each other not',
      [
        [['a', 'b'], ['z']],
        [['c'], ['a', 'z']],
      ],
      ['bc', 'cb'],
      [],
    ],
    [
      'is a stranger of those whose own document does not leave it to others',
      [
        [
          ['a', 'b'],
          ['c', 'z'],
        ],
        [['c'], []],
      ],
      [],
      [{ peer: 'z', knownBy: ['c'], mayLeave: false }],
    ],
  ])('%s', (_what, documents, dials, strangers) => {
    const read = documents.flatMap(([names]) => all.filter(({ context }) => names.includes(context)));
    const extra = extraPeers(read, specOf(documents));
    expect(extra.dials.map(({ from, to }) => from + to).sort()).toEqual(dials);
    expect(extra.strangers).toEqual(strangers);
  });

  it.each<[string, readonly Part[], string[]]>([
    ['leaves the mesh where no document has it', [[['a', 'b', 'c'], []]], ['z']],
    [
      'stays where one of them leaves it to others, whoever else is to part with it',
      [
        [
          ['a', 'b'],
          ['c', 'z'],
        ],
        [['c'], []],
      ],
      [],
    ],
  ])('a stranger %s', (_what, documents, leaving) => {
    const outside = [cluster('z', 'a', 'b', 'c')];
    expect(leavingClusters(outside, specOf(documents), all).map(({ context }) => context)).toEqual(leaving);
  });
});
