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
    provider: 'kind',
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
  // Pods of six dial it at the one, those of four at the other.
  await meshctl.ok(enable('hub', '--set', DUAL_STACK));
  await meshctl.ok(enable('four,six'));
});

afterAll(async () => {
  expect(sandbox?.errors).toEqual([]);
  await folder?.remove();
  await sandbox?.close();
});

const DUAL_STACK = 'Service/clustermesh-apiserver:spec.ipFamilyPolicy=PreferDualStack';
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

it('a peer that is dialled at an address of a family that its client has none of: status and check say so, connect refuses, and what they print mends', async () => {
  const pair = ['--context', 'four,hub'];
  await meshctl.ok(['clustermesh', 'status', ...pair, '--wait', '--wait-duration', '60s']);
  // As a cluster has it whose first family is IPv6, and as a former version of meshctl wrote it.
  const { store } = found(sandbox.clusters[0], 'hub');
  const service = { apiVersion: 'v1', kind: 'Service', namespace: 'kube-system', name: 'clustermesh-apiserver' };
  await meshctl.ok(enable('hub', '--unset', DUAL_STACK.split('=')[0] ?? ''));
  store.update(service, (object) => {
    Object.assign(object.spec as object, { ipFamilies: ['IPv6'], ipFamilyPolicy: 'SingleStack' });
  });
  const secret = { apiVersion: 'v1', kind: 'Secret', namespace: 'kube-system', name: 'cilium-kvstoremesh' };
  found(sandbox.clusters[1], 'four').store.update(secret, (object) => {
    const data = object.data as Record<string, string>;
    const file = Buffer.from(data['mesh-1'] ?? '', 'base64').toString();
    data['mesh-1'] = Buffer.from(file.replace(/https:\/\/172[\d.]+/, 'https://[fd00:18:1::11]')).toString('base64');
  });
  await untilProblem('peer-address-family');
  const status = await meshctl(['clustermesh', 'status', ...pair]);
  const hint = `meshctl clustermesh enable --context hub --set ${DUAL_STACK} && meshctl clustermesh connect --context four --destination-context hub`;
  expect(oneLine(status.stdout)).toContain(hint);
  expect(status.exitCode).toBe(1);
  const check = await meshctl(['clustermesh', 'check', ...pair, '--category', 'addresses,peers']);
  expect(oneLine(check.stdout)).toContain('have addresses of IPv4 only, and so cannot dial mesh-1 at fd00:18:1::11');
  expect(oneLine(check.stdout)).toContain(hint);
  expect(check.exitCode).toBe(1);
  const words = ['clustermesh', 'connect', '--context', 'four', '--destination-context', 'hub', '--yes'];
  const refused = await meshctl(words);
  expect(oneLine(refused.stderr)).toContain(hint);
  expect(refused.exitCode).toBe(1);
  await meshctl.ok(enable('hub', '--set', DUAL_STACK, '--yes'));
  await meshctl.ok(words);
  await meshctl.ok(['clustermesh', 'status', ...pair, '--wait', '--wait-duration', '60s']);
});

/** Without the breaks of a terminal's width. */
const oneLine = (text: string) => text.replaceAll(/\s+/g, ' ');

async function untilProblem(id: string): Promise<void> {
  await expect.poll(async () => JSON.stringify(await meshctl.status('four,hub'))).toContain(id);
}
