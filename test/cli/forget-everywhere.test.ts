import { afterAll, beforeAll, expect, it } from 'vitest';
import { dataOf } from '../../src/mesh/objects/secret-data.ts';
import { ApiError } from '../../src/sandbox/apiserver/errors.ts';
import { type ConnectClusters, startConnectClusters } from '../support/connect-clusters.ts';
import { kubeconfigWithout } from '../support/e2e-kubeconfig.ts';
import { plainWords } from '../support/rebuilt-mesh.ts';
import { refs } from '../support/sandbox-mesh.ts';

/** mesh-4 is gone: no context leads to it. mesh-1 and mesh-2 know it, mesh-3 does not. */
let clusters: ConnectClusters;
let kubeconfig: string;

beforeAll(async () => {
  clusters = await startConnectClusters(4);
  await clusters.meshctl.ok([
    ...['clustermesh', 'connect', '--context', 'mesh-4', '--destination-context', 'mesh-1,mesh-2'],
  ]);
  await clusters.meshctl.ok(['clustermesh', 'status', '--context', 'mesh-1,mesh-2', '--wait']);
  kubeconfig = await kubeconfigWithout(clusters.kubeconfigPath, 'mesh-4');
});

afterAll(() => clusters.close());

const forget = (...words: string[]) =>
  clusters.meshctl(['clustermesh', 'disconnect', ...words, '--kubeconfig', kubeconfig]);
const files = () =>
  clusters.clusters.map(({ store }) => Object.keys(dataOf(store.get(refs.secret('cilium-kvstoremesh')))));

it('--peer plans for several contexts at once, and changes nothing in a dry run', async () => {
  const before = files();
  const { exitCode, stdout, stderr } = await forget('--context', 'mesh-1,mesh-2', '--peer', 'mesh-4', '--dry-run');
  expect(exitCode, stderr).toBe(0);
  expect(stdout).toMatch(/Context mesh-1:\n(.*\n)*Context mesh-2:\n(.*\n)*Plan: 6 to update\./);
  expect(files()).toEqual(before);
});

it('--peer refuses a context that is not there, a name that no cluster knows, and destinations', async () => {
  const unknown = await forget('--context', 'mesh-1,elsewhere', '--peer', 'mesh-4', '--yes');
  expect(unknown.exitCode).toBe(2);
  const mistyped = await forget('--all', '--peer', 'mesh-44', '--yes');
  expect(mistyped.exitCode).toBe(1);
  expect(mistyped.stderr).toContain('none of the clusters of mesh-1, mesh-2 and mesh-3 knows a cluster "mesh-44"');
  const both = await forget('--all', '--peer', 'mesh-4', '--destination-context', 'mesh-2');
  expect(both.exitCode).toBe(2);
});

it('--force, past a cluster that does not answer and is there, says both, and what goes on', async () => {
  clusters.fault = async ({ context }) => {
    if (context === 'mesh-4') throw new ApiError(401, 'Unauthorized', 'Unauthorized');
    return undefined;
  };
  const parted = ['disconnect', '--context', 'mesh-1', '--destination-context', 'mesh-4', '--force', '--dry-run'];
  const { stderr } = await clusters.meshctl.ok(['clustermesh', ...parted]);
  clusters.fault = undefined;
  const words = plainWords(stderr);
  expect(words).toContain('context "mesh-4" was not reached, so it goes on dialling mesh-1 and still lets mesh-1 in (');
  expect(words).toContain('); it is there: mesh-1 was connected to it when this was planned → when it is back:');
});

it('--all has each cluster that knows the peer forget it, and says of the others that they know none', async () => {
  const { exitCode, stdout, stderr } = await forget('--all', '--peer', 'mesh-4', '--yes');
  expect(exitCode, stderr).toBe(0);
  expect(stderr).toContain('context "mesh-3": knows no mesh-4');
  expect(stdout).toMatch(/mesh-1 neither dials mesh-4 any more nor lets it in/);
  // What the peer is not told is said once, with one line for it; that no context leads to it does not mean that it is gone.
  const untold =
    '"mesh-4" is there: mesh-1 and mesh-2 were connected to it when this was planned. It is not told, and goes on dialling';
  expect(plainWords(stdout).split(untold)).toHaveLength(2);
  expect(stdout).toContain('--peer mesh-1,mesh-2');
  expect(files().slice(0, 3).flat()).not.toContain('mesh-4');
  const again = await forget('--all', '--peer', 'mesh-4', '--yes');
  expect(again.exitCode).toBe(1);
  const tolerant = await forget('--all', '--peer', 'mesh-4', '--yes', '--ignore-not-found');
  expect(tolerant.exitCode, tolerant.stderr).toBe(0);
  expect(tolerant.stdout).toContain('✅ Nothing to do');
});
