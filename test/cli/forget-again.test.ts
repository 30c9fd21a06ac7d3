import { afterAll, beforeAll, expect, it } from 'vitest';
import { type ConnectClusters, startConnectClusters } from '../support/connect-clusters.ts';
import { kubeconfigWithout } from '../support/e2e-kubeconfig.ts';

/** To mesh-3 no context leads, and the others forget it by its name. */
let clusters: ConnectClusters;
let kubeconfig: string;

beforeAll(async () => {
  clusters = await startConnectClusters(3);
  await clusters.meshctl.ok(['clustermesh', 'connect', '--all', '--connection-mode', 'mesh']);
  await clusters.meshctl.ok(['clustermesh', 'status', '--all', '--wait']);
  kubeconfig = await kubeconfigWithout(clusters.kubeconfigPath, 'mesh-3');
});

afterAll(() => clusters.close());

const forget = (context: string, peer: string, ...more: string[]) =>
  clusters.meshctl([
    ...['clustermesh', 'disconnect', '--context', context, '--peer', peer, '--yes'],
    ...['--kubeconfig', kubeconfig, ...more],
  ]);

it('a second run has nothing to do as long as another cluster knows the name', async () => {
  const first = await forget('mesh-1', 'mesh-3');
  expect(first.exitCode, first.stderr).toBe(0);
  expect(`${first.stdout}${first.stderr}`.match(/"mesh-3" is there: mesh-1 was connected to it/g)).toHaveLength(1);
  for (const more of [[], ['--ignore-not-found']]) {
    const second = await forget('mesh-1', 'mesh-3', ...more);
    expect(second.exitCode, second.stderr).toBe(0);
    expect(second.stdout).toContain('✅ Nothing to do');
    // That the others know it is a sign that it may be there.
    expect(second.stdout + second.stderr).toContain('"mesh-3" is not told, and unless it is gone it goes on dialling');
  }
});

it('a name that is nowhere is refused as mistyped, also the own one, which all others know', async () => {
  for (const name of ['mesh-33', 'mesh-1', 'mesh-2,mesh-33']) {
    const refused = await forget('mesh-1', name);
    expect(refused.exitCode, refused.stderr).toBe(1);
    expect(refused.stderr).toContain('context "mesh-1" knows no cluster');
  }
});

it('once all have forgotten it, only --ignore-not-found has nothing to do: a loop over all contexts can run again', async () => {
  const loop = async (...more: string[]) => [
    await forget('mesh-1', 'mesh-3', ...more),
    await forget('mesh-2', 'mesh-3', ...more),
  ];
  expect((await loop()).map(({ exitCode }) => exitCode)).toEqual([0, 0]);
  const again = await loop();
  expect(again.map(({ exitCode }) => exitCode)).toEqual([1, 1]);
  expect(again[0]?.stderr).toContain('--ignore-not-found');
  const tolerant = await loop('--ignore-not-found');
  expect(tolerant.map(({ exitCode }) => exitCode)).toEqual([0, 0]);
  for (const { stdout } of tolerant) expect(stdout).toContain('✅ Nothing to do');
  const nowhere = await forget('mesh-1', 'mesh-33', '--ignore-not-found');
  expect([nowhere.exitCode, nowhere.stdout]).toEqual([0, expect.stringContaining('✅ Nothing to do')]);
  expect(nowhere.stdout + nowhere.stderr).not.toMatch(/<context of|is not told/);
});

it('--ignore-not-found is for names: a context that is not there is an error', async () => {
  const argv = ['clustermesh', 'disconnect', '--context', 'mesh-1', '--destination-context', 'mesh-2'];
  const refused = await clusters.meshctl([...argv, '--ignore-not-found']);
  expect(refused.exitCode).toBe(2);
});
