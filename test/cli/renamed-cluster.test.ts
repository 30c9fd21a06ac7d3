import { afterAll, beforeAll, expect, it } from 'vitest';
import { CILIUM_CONFIG, configMapRef } from '../../src/mesh/objects/names.ts';
import { type ConnectedMesh, startConnectedMesh } from '../support/connected-mesh.ts';

/** cilium-config calls mesh-2 west by now; its pods run, and its peer knows it, as mesh-2. */
let mesh: ConnectedMesh;

beforeAll(async () => {
  mesh = await startConnectedMesh({ nodes: 1, clusters: 2 });
  mesh.two.store.update(configMapRef('kube-system', CILIUM_CONFIG), (object) => {
    object.data = { ...(object.data as Record<string, string>), 'cluster-name': 'west' };
  });
});

afterAll(async () => {
  expect(mesh?.sandbox.errors).toEqual([]);
  await mesh?.sandbox.close();
});

const BOTH = ['--context', 'mesh-1,mesh-2'];

it.each([
  ['status', ['clustermesh', 'status', ...BOTH]],
  ['check', ['clustermesh', 'check', ...BOTH]],
  ['certs list', ['clustermesh', 'certs', 'list', ...BOTH]],
  ['routes', ['clustermesh', 'routes', ...BOTH]],
  ['enable', ['clustermesh', 'enable', '--context', 'mesh-2', '--dry-run']],
  ['disable', ['clustermesh', 'disable', '--context', 'mesh-2', '--dry-run']],
  ['disconnect of the peer', ['clustermesh', 'disconnect', '--context', 'mesh-1', '--peer', 'mesh-2', '--dry-run']],
])('%s: hints have its context, and call it at its peer by the name that it has there', async (_, argv) => {
  const { stdout, stderr } = await mesh.meshctl(argv);
  const said = `${stdout}${stderr}`;
  expect(said).not.toMatch(/<context/);
  expect(said).not.toMatch(/--peer west|peer west|remote-west"/);
});

it('whoever is forgotten by its former name is told so in its own context, and its connection is cut by that name', async () => {
  const argv = ['clustermesh', 'disconnect', '--context', 'mesh-1', '--peer', 'mesh-2', '--dry-run'];
  const { stdout, stderr, exitCode } = await mesh.meshctl(argv);
  expect(exitCode).toBe(0);
  expect(stdout).toContain('peer mesh-2 is cut off until it is connected again: it logs in as remote-mesh-2');
  expect(stderr).toContain('meshctl clustermesh disconnect --context mesh-2 --peer mesh-1');
});

it.each(['mesh-2', 'mesh-2,west'])('also once it runs by a name that nobody knows yet: --peer %s', async (peers) => {
  await mesh.meshctl.ok(['clustermesh', 'enable', '--context', 'mesh-2', '--yes']);
  const argv = ['clustermesh', 'disconnect', '--context', 'mesh-1', '--peer', peers, '--dry-run'];
  const { stdout, stderr } = await mesh.meshctl.ok(argv);
  expect(stdout + stderr).not.toMatch(/<context/);
  expect(stderr).toContain(
    '"mesh-2", which is called "west" by now, is not told, and goes on dialling "mesh-1"\n  → meshctl clustermesh disconnect --context mesh-2 --peer mesh-1',
  );
  // What has two names is told once.
  expect(stderr.split('is not told')).toHaveLength(2);
});
