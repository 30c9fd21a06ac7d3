import { afterAll, beforeAll, expect, it } from 'vitest';
import { dataOf } from '../../src/mesh/objects/secret-data.ts';
import { type ConnectClusters, startConnectClusters } from '../support/connect-clusters.ts';
import { connect } from '../support/e2e-cli.ts';
import { kubeconfigWithout } from '../support/e2e-kubeconfig.ts';
import { plainWords } from '../support/rebuilt-mesh.ts';
import { clusterAt, refs } from '../support/sandbox-mesh.ts';

/** Clusters in a full mesh, of which some are among those that forget peers, and have themselves a name that is to be forgotten. */
let clusters: ConnectClusters;
let kubeconfig: string;

const ALL = ['mesh-1', 'mesh-2', 'mesh-3', 'mesh-4'];

beforeAll(async () => {
  clusters = await startConnectClusters(ALL.length);
  await clusters.meshctl.ok(connect('mesh-1', 'mesh-2,mesh-3,mesh-4', '--connection-mode', 'mesh'));
  kubeconfig = await kubeconfigWithout(clusters.kubeconfigPath, 'mesh-4');
});

afterAll(() => clusters.close());

const forget = (...words: string[]) =>
  clusters.meshctl(['clustermesh', 'disconnect', '--yes', ...words, '--kubeconfig', kubeconfig]);
/** The peers that a cluster dials. */
const dialled = (context: string) =>
  Object.keys(dataOf(clusterAt(clusters, context).store.get(refs.secret('cilium-clustermesh')))).filter((key) =>
    ALL.includes(key),
  );

it('two clusters that forget each other part: neither is called untold, or cut', async () => {
  const { exitCode, stdout, stderr } = await forget('--context', 'mesh-1,mesh-2', '--peer', 'mesh-1,mesh-2');
  expect(exitCode, stdout + stderr).toBe(0);
  expect(stdout + stderr).not.toMatch(/not told|is cut|keeps receiving/);
  expect(['mesh-1', 'mesh-2'].map(dialled)).toEqual([
    ['mesh-3', 'mesh-4'],
    ['mesh-3', 'mesh-4'],
  ]);
});

it('one that has a name itself forgets the others, and is told of as one that is there', async () => {
  const line = ['--context', 'mesh-1,mesh-2,mesh-3', '--peer', 'mesh-3,mesh-4'];
  const plan = plainWords((await forget(...line, '--dry-run')).stderr);
  const untold = '"mesh-3" is there, in context "mesh-3", is not told, and goes on dialling "mesh-1" and "mesh-2" →';
  expect(plan).toContain(`${untold} meshctl clustermesh disconnect --context mesh-3 --peer mesh-1,mesh-2`);
  const { exitCode, stdout, stderr } = await forget(...line, '-o', 'json');
  expect(exitCode, stdout + stderr).toBe(0);
  const { disconnected, shutOut } = JSON.parse(stdout);
  expect(disconnected).toContainEqual({ from: 'mesh-3', to: 'mesh-4' });
  expect(shutOut).toContainEqual({ from: 'mesh-3', to: 'mesh-1' });
  expect(disconnected).not.toContainEqual({ from: 'mesh-3', to: 'mesh-1' });
  expect(ALL.map(dialled)).toEqual([[], [], ['mesh-1', 'mesh-2'], ['mesh-1', 'mesh-2', 'mesh-3']]);
});

it('one that has the only name forgets no one, which is said', async () => {
  const { exitCode, stderr } = await forget('--all', '--peer', 'mesh-3', '--ignore-not-found');
  expect(exitCode, stderr).toBe(0);
  expect(stderr).toContain('context "mesh-3": is mesh-3 itself, and forgets no one');
});
