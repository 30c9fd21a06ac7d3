import { afterAll, beforeAll, expect, it } from 'vitest';
import type { ConnectClusters } from '../support/connect-clusters.ts';
import { meshText } from '../support/mesh-files.ts';
import { plainWords, startRebuiltMesh } from '../support/rebuilt-mesh.ts';
import { found } from '../support/sandbox-mesh.ts';

/**
 * A mesh of three, healthy, of which mesh-2 is being replaced: context `mesh-2` leads to a new cluster of its name already, in which
 * nothing is enabled, and only `former` to the one that is connected.
 */
let clusters: ConnectClusters;
let withoutFormer: string[];

const mesh = (...argv: string[]) => ['clustermesh', ...argv];

beforeAll(async () => {
  ({ clusters, withoutFormer } = await startRebuiltMesh());
});
afterAll(() => clusters?.close());

it('nothing is disconnected from a peer by the context of a cluster that has nothing but its name', async () => {
  const before = clusters.objects();
  const doubt = (knowers: string) =>
    `nothing but the name tells that context "mesh-2" leads to the "mesh-2" that context ${knowers} dials or lets in`;
  const forgotten = (context: string) => `meshctl clustermesh disconnect --context ${context} --peer mesh-2`;
  for (const [argv, knowers, hint] of [
    [mesh('disable', '--context', 'mesh-2', '--disconnect'), '"mesh-1", "mesh-3"', forgotten('mesh-1,mesh-3')],
    [mesh('disconnect', '--context', 'mesh-1', '--destination-context', 'mesh-2'), '"mesh-1"', forgotten('mesh-1')],
    [mesh('disconnect', '--context', 'mesh-2', '--destination-context', 'mesh-1'), '"mesh-1"', forgotten('mesh-1')],
  ] as const) {
    const { exitCode, stderr } = await clusters.meshctl([...argv, ...withoutFormer, '--yes']);
    expect([exitCode, plainWords(stderr)]).toEqual([2, expect.stringContaining(doubt(knowers))]);
    expect(plainWords(stderr)).toContain(`forget it: ${hint}`);
  }
  // The peer that goes on dialling is none that was told, or that needs not be.
  for (const choice of [[], ['--disconnect']]) {
    const argv = [...mesh('disable', '--context', 'mesh-1'), ...choice, '--yes', ...withoutFormer];
    const { exitCode, stderr } = await clusters.meshctl(argv);
    expect([exitCode, plainWords(stderr)]).toEqual([2, expect.stringContaining('no context leads to mesh-2')]);
    expect(plainWords(stderr)).toContain(doubt('"mesh-1"'));
  }
  const { stdout, stderr } = await clusters.meshctl([
    ...mesh('disconnect', '--context', 'mesh-1', '--all'),
    ...withoutFormer,
    '--dry-run',
  ]);
  expect(plainWords(stderr)).toContain(`nothing is disconnected between them → ${forgotten('mesh-1')}`);
  expect(stdout).toContain('does not dial mesh-3');
  expect(stdout).not.toContain('mesh-2');
  expect(clusters.objects()).toEqual(before);
});

it('who is forgotten by name is not told by the context of a cluster that has nothing but the name', async () => {
  const own = [...mesh('disconnect', '--context', 'mesh-1', '--peer', 'mesh-2'), '--dry-run', ...withoutFormer];
  const file = meshText({
    clusters: [
      { name: 'mesh-1', context: 'mesh-1' },
      { name: 'mesh-3', context: 'mesh-3' },
    ],
    topology: { type: 'mesh' },
  } as never);
  const pruned = ['apply', '-f', '-', '--prune', '--dry-run', ...withoutFormer];
  for (const [argv, input, peers] of [
    [own, undefined, 'mesh-1'],
    [pruned, file, 'mesh-1,mesh-3'],
  ] as const) {
    const { exitCode, stderr } = await clusters.meshctl(argv, input === undefined ? {} : { input });
    expect(exitCode, stderr).toBe(0);
    // No context leads to the one that is meant: there is no line to type.
    const words = `Run "clustermesh disconnect --peer ${peers}" with a context that leads to mesh-2.`;
    expect(plainWords(stderr)).toContain(words);
    expect(stderr).not.toContain('<context of');
  }
  const told = async () => plainWords((await clusters.meshctl(own)).stderr);
  expect(await told()).toContain('"mesh-2" is there: mesh-1 was connected to it when this was planned.');
  const [one, former] = clusters.clusters.map(({ context }) => context);
  clusters.network.cutLink(found(one, 'mesh-1'), found(former, 'the former'));
  expect(await told()).toContain('unless it is gone or has left the mesh it goes on dialling "mesh-1"');
  clusters.network.mendLink(found(one, 'mesh-1'), found(former, 'the former'));
});
it('apply foresees that a cluster which is yet to be enabled takes the place of a live peer', async () => {
  const file = meshText({
    clusters: ['mesh-1', 'mesh-2', 'mesh-3'].map((name) => ({ name, context: name })),
    topology: { type: 'mesh' },
  } as never);
  const before = clusters.objects();
  const taken = (context: string) =>
    `the mesh-2 that context "${context}" dials is cut off, another cluster than that of context "mesh-2"`;
  const apply = (...more: string[]) => clusters.meshctl(['apply', '-f', '-', ...more], { input: file });
  const dry = await apply('--dry-run');
  expect([dry.exitCode, plainWords(dry.stdout)]).toEqual([0, expect.stringContaining('✗ peer mesh-2 is cut off')]);
  expect(dry.stdout).not.toContain('--destination-context mesh-2');
  const refused = await apply();
  const diff = await clusters.meshctl(['diff', '-f', '-'], { input: file });
  for (const context of ['mesh-1', 'mesh-3']) {
    expect([refused.exitCode, plainWords(refused.stderr)]).toEqual([2, expect.stringContaining(taken(context))]);
    expect(plainWords(diff.stdout)).toContain(taken(context));
  }
  expect(refused.stderr).not.toContain('rolled back');
  expect(clusters.objects()).toEqual(before);
});

it('status says of a peer that works what is so, also by the context of a cluster that has only its name', async () => {
  const says = async (next: string) => {
    for (const wait of [[], ['--wait', '--wait-duration', '8s']]) {
      const { exitCode, stdout } = await clusters.meshctl([
        ...mesh('status', '--context', 'mesh-1,mesh-2,mesh-3'),
        ...wait,
        ...withoutFormer,
      ]);
      expect(exitCode).toBe(1);
      expect(plainWords(stdout)).toContain('mesh-1 · ✓ 1/1 ✓ 1/1');
      expect(plainWords(stdout)).toContain(
        `context "mesh-2" leads to another cluster than the mesh-2 that mesh-1, mesh-3 dial → ${next}`,
      );
      expect(stdout).not.toMatch(/would not come back|not after a restart|disconnect/);
    }
  };
  await says('meshctl clustermesh enable --context mesh-2');
  const enabled = await clusters.meshctl([...mesh('enable', '--context', 'mesh-2'), ...withoutFormer]);
  expect(enabled.exitCode, enabled.stderr).toBe(0);
  await says('Name the context of the cluster that it is to be connected to');
  const connect = mesh('connect', '--context', 'mesh-2', '--destination-context', 'mesh-1', '--dry-run');
  const planned = await clusters.meshctl([...connect, ...withoutFormer]);
  expect(plainWords(planned.stderr)).toContain(
    'context "mesh-1" goes on letting in whoever has the certificate of the mesh-2 that it dials so far, as the user of that name: only a new CA there ends that',
  );
  const { stdout } = await clusters.meshctl(mesh('disable', '--context', 'mesh-2', '--yes'));
  expect(stdout).toContain('deleted');
});
