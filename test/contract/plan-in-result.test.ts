import { afterAll, beforeAll, expect, it } from 'vitest';
import { jsonOf } from '../support/cli.ts';
import { type ConnectClusters, startConnectClusters } from '../support/connect-clusters.ts';

/** What a plan warns of, the result of its run tells too: with --yes nobody has been shown the plan. */
let clusters: ConnectClusters;
const PAIR = ['--context', 'mesh-1', '--destination-context', 'mesh-2'];

beforeAll(async () => {
  clusters = await startConnectClusters(2);
});

afterAll(async () => {
  expect(clusters?.errors).toEqual([]);
  await clusters?.close();
});

interface Plan {
  warnings?: string[];
  clusters: { hazards?: string[]; peers?: { peer: string; becomes: string; why: string; mend?: string }[] }[];
}

const concernsOf = ({ warnings = [], clusters: planned }: Plan): string[] => [
  ...warnings,
  ...planned.flatMap(({ hazards = [], peers = [] }) => [
    ...hazards,
    ...peers.flatMap(({ peer, becomes, why, mend = '' }) => [peer, becomes, why, mend]),
  ]),
];

const quoted = (text: string) => JSON.stringify(text).slice(1, -1);

it.each<[what: string, argv: string[], isSaid: boolean]>([
  ['connect', ['clustermesh', 'connect', ...PAIR], false],
  [
    'enable that lets fewer clients in',
    ['clustermesh', 'enable', '--context', 'mesh-1', '--load-balancer-source-ranges', '10.0.0.0/8', '--yes'],
    false,
  ],
  [
    'enable that lets everybody in',
    ['clustermesh', 'enable', '--context', 'mesh-1', '--load-balancer-source-ranges', '10.0.0.0/8,0.0.0.0/0', '--yes'],
    true,
  ],
  ['enable that cuts a peer off', ['clustermesh', 'enable', '--context', 'mesh-1', '--replace-ca', '--yes'], true],
  ['certs rotate', ['clustermesh', 'certs', 'rotate', '--context', 'mesh-1', '--yes'], false],
  ['disconnect', ['clustermesh', 'disconnect', ...PAIR, '--yes'], false],
])('what a plan warns of stands in the result of its run: %s', async (_what, argv, isSaid) => {
  const planned = await clusters.meshctl([...argv, '--dry-run', '-o', 'json']);
  expect(planned.exitCode, planned.stderr).toBe(0);
  const concerns = concernsOf(jsonOf(planned) as unknown as Plan).filter((words) => words !== '');
  if (isSaid) expect(concerns.length).toBeGreaterThan(0);
  const run = await clusters.meshctl([...argv, '-o', 'json']);
  expect(run.exitCode, run.stderr).toBe(0);
  const text = JSON.stringify(jsonOf(run));
  for (const words of concerns) expect(text).toContain(quoted(words));
  if (isSaid) expect(run.stderr).toMatch(/^⚠ .*(cut off|0\.0\.0\.0\/0|may dial|let in)/m);
});

it('a rotation of CAs says where it has come to its end', async () => {
  const rotate = ['clustermesh', 'certs', 'rotate', '--context', 'mesh-1,mesh-2', '--ca', '--yes', '-o', 'json'];
  expect(jsonOf(await clusters.meshctl(rotate))).toMatchObject({ replaced: ['mesh-1', 'mesh-2'] });
});

it.each([
  ['disconnect', 'clustermesh disconnect --context mesh-1 --destination-context mesh-2 --yes'],
  ['disable', 'clustermesh disable --context mesh-1,mesh-2 --disconnect --yes'],
])('%s --no-wait says that nobody has looked', async (_what, line) => {
  const run = await clusters.meshctl([...line.split(' '), '--no-wait', '-o', 'json']);
  expect(run.exitCode, run.stderr).toBe(0);
  const document = jsonOf(run);
  expect(document).toMatchObject({
    looked: false,
    warnings: expect.arrayContaining([
      expect.stringMatching(/not known whether it has taken effect → meshctl clustermesh status --context /),
    ]),
  });
  expect(document).not.toHaveProperty('verified');
});
