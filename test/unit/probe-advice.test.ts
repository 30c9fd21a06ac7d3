import { expect, it } from 'vitest';
import type { FirewallPlatform } from '../../src/mesh/network/firewall.ts';
import { adviceForLoss } from '../../src/mesh/probe/advice.ts';
import type { Loss } from '../../src/mesh/probe/failures.ts';

const loss = (isMutual: boolean): Loss => ({
  ...{ verdict: 'path-blocked', lostAt: 'way', from: 'mesh-1', to: 'mesh-2', isMutual, isEverything: false },
  ...{ packets: [], fromNodes: ['a'], toNodes: ['b'], pairs: 1, pairsTried: 1, required: true, losesAnswers: false },
  results: [],
});

/** The firewall commands that are printed for a loss between clusters on these platforms. */
function formats(isMutual: boolean, one: FirewallPlatform, two: FirewallPlatform): string[] {
  const clusters = [
    { name: 'mesh-1', platform: one },
    { name: 'mesh-2', platform: two },
  ];
  const around = {
    clusters: clusters.map(({ name }) => ({ name, snapshot: { context: name } })),
    rules: { clusters, rules: [] },
    silent: new Map(),
  } as unknown as Parameters<typeof adviceForLoss>[1];
  return adviceForLoss(loss(isMutual), around).hints.map((hint) => /-o (\w+)$/.exec(hint)?.[1] ?? 'table');
}

it.each([
  ['into one cluster: its own firewall', false, 'gcloud', 'aws', ['aws']],
  ['both ways between two clouds: the firewalls of both', true, 'gcloud', 'aws', ['aws', 'gcloud']],
  ['both ways in one cloud: its firewall once', true, 'aws', 'aws', ['aws']],
  ['both ways, one of them nobody knows', true, 'aws', 'unknown', ['aws']],
  ['between what nobody knows: a table', true, 'unknown', 'unknown', ['table']],
] as const)('what is blocked %s', (_what, isMutual, one, two, expected) => {
  expect(formats(isMutual, one, two)).toEqual(expected);
});

it('a cluster gets one MTU, that of its smallest path, by whichever of its losses', () => {
  const small = (to: string, pathMtu: number): Loss => ({ ...loss(true), verdict: 'mtu-too-small', to, pathMtu });
  const losses = [small('mesh-2', 1460), small('mesh-3', 1500)];
  const around = {
    clusters: [
      {
        name: 'mesh-1',
        places: [{ kind: 'node', ciliumMtu: 9000 }],
        snapshot: { context: 'one', namespace: 'kube-system' },
      },
    ],
    rules: { clusters: [], rules: [] },
    silent: new Map(),
    losses,
  } as unknown as Parameters<typeof adviceForLoss>[1];
  for (const one of losses) {
    expect(adviceForLoss(one, around).hints).toEqual([expect.stringContaining('Set the MTU of mesh-1 to 1460')]);
  }
});
