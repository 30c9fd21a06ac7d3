import { afterAll, beforeAll, expect, it } from 'vitest';
import type { WrittenSpec } from '../../src/mesh/file/document.ts';
import { CILIUM_CONFIG, configMapRef } from '../../src/mesh/objects/names.ts';
import { enable, type Meshctl, meshctlWith } from '../support/e2e-cli.ts';
import { type MeshFolder, meshFolder, meshText } from '../support/mesh-files.ts';
import { found, startTestSandbox, type TestSandbox } from '../support/sandbox-mesh.ts';

/** A hub of both families, and spokes of one each, which have none in common. */
let sandbox: TestSandbox;
let meshctl: Meshctl;
let folder: MeshFolder;

beforeAll(async () => {
  sandbox = await startTestSandbox({
    nodes: 1,
    clusters: [
      { context: 'hub', ipFamilies: [4, 6] },
      { context: 'four', ipFamilies: [4] },
      { context: 'six', ipFamilies: [4, 6] },
    ],
  });
  meshctl = meshctlWith(sandbox.kubeconfigPath);
  folder = await meshFolder();
  // Its nodes have addresses of both, its pods of one.
  found(sandbox.clusters[2], 'six').store.update(configMapRef('kube-system', CILIUM_CONFIG), (object) => {
    object.data = { ...(object.data as Record<string, string>), 'enable-ipv4': 'false' };
  });
  await meshctl.ok(enable('hub,four,six'));
});

afterAll(async () => {
  expect(sandbox?.errors).toEqual([]);
  await folder?.remove();
  await sandbox?.close();
});

const STAR = ['clustermesh', 'connect', '--context', 'hub', '--destination-context', 'four,six'];

it('spokes that are all to dial each other have no family in which to: refused', async () => {
  const { exitCode, stderr } = await meshctl([...STAR, '--connection-mode', 'mesh', '--dry-run']);
  expect(exitCode, stderr).toBe(1);
  expect(stderr).toContain('there is no IP family that all clusters have');
});

it('a file with a hub plans it, and one in which all are to be connected is refused', async () => {
  const apply = async (topology: WrittenSpec['topology']) => {
    const clusters = ['hub', 'four', 'six'].map((context, at) => ({ name: `mesh-${at + 1}`, context }));
    const file = await folder.write('mesh.yaml', meshText({ clusters, topology }));
    return meshctl(['apply', '-f', file, '--dry-run']);
  };
  const hub = await apply({ type: 'hub', hubs: ['mesh-1'] });
  expect(hub.stderr).not.toContain('there is no IP family');
  expect(hub.exitCode, hub.stderr).toBe(0);
  const all = await apply({ type: 'mesh' });
  expect(all.stderr).toContain('there is no IP family that all clusters have');
  expect(all.exitCode).toBe(1);
});

it('spokes of a hub do not dial each other: connected, and told that families differ', async () => {
  const { exitCode, stderr, stdout } = await meshctl([...STAR, '--yes']);
  expect(`${stderr}${stdout}`).toContain('the IP families differ (hub: IPv4+IPv6; four: IPv4; six: IPv6)');
  expect(exitCode).toBe(0);
  const check = await meshctl(['clustermesh', 'check', '--context', 'hub,four,six', '--category', 'config']);
  expect(check.stdout).not.toContain('there is no IP family');
});
