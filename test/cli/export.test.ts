import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import type { MeshDocument } from '../../src/mesh/file/document.ts';
import type { ObjectRef } from '../../src/mesh/objects/kube-object.ts';
import { cachedPeerFile, remotePeerFile } from '../../src/mesh/peers/file/peer-config.ts';
import { jsonOf } from '../support/cli.ts';
import { connect, enable, type Meshctl, meshctlWith } from '../support/e2e-cli.ts';
import {
  enableByHand,
  peerByHand,
  refs,
  setSecret,
  setUsers,
  startTestSandbox,
  type TestSandbox,
} from '../support/sandbox-mesh.ts';

/** What a release has of a mesh. */
const releaseRefs = [
  refs.deployment('clustermesh-apiserver'),
  refs.service('clustermesh-apiserver'),
  refs.secret('cilium-kvstoremesh'),
  refs.secret('cilium-clustermesh'),
  refs.configMap('clustermesh-remote-users'),
];

let sandbox: TestSandbox;
let meshctl: Meshctl;
const KVSTOREMESH = { kvstoremesh: true };
const at = (index: number) => {
  const cluster = sandbox.clusters[index];
  if (!cluster) throw new Error('there is no such cluster');
  return cluster;
};
const exported = async (...words: string[]) => (await meshctl.ok(['export', ...words])).stdout;
const differs = async (text: string) => meshctl(['diff', '-f', '-'], { input: text });

beforeAll(async () => {
  sandbox = await startTestSandbox({ clusters: 5, nodes: 1 });
  meshctl = meshctlWith(sandbox.kubeconfigPath);
  for (const { store } of sandbox.clusters.slice(0, 2)) {
    store.create({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web', namespace: 'default' },
      spec: { ports: [{ port: 80 }], selector: { app: 'web' } },
    });
  }
});

afterAll(async () => {
  expect(sandbox?.errors).toEqual([]);
  await sandbox?.close();
});

describe('export', () => {
  it('says a mesh of meshctl as a file that shows no difference: options, endpoints, services', async () => {
    await meshctl.ok(enable('mesh-1', '--replicas', '2', '--service-annotation', 'example.net/team=mesh'));
    await meshctl.ok(enable('mesh-2', '--service-type', 'NodePort', '--set', 'Deployment:spec.minReadySeconds=1'));
    await meshctl.ok(connect('mesh-1', 'mesh-2', '--credentials', 'per-peer', '--source-endpoint', '203.0.113.9:2379'));
    await meshctl.ok(['service', 'global', 'default/web', '--context', 'mesh-1,mesh-2', '--affinity', 'local']);
    // Cilium passes over it, and there is no such peer.
    setSecret(at(0), 'cilium-kvstoremesh', { foo: 'bar' });
    const text = await exported('--context', 'mesh-1,mesh-2', '--name', 'prod');
    expect(text).toMatch(
      /^# yaml-language-server: \$schema=https:\/\/\S+\/v[\d.]+\/templates\/schemas\/mesh.schema.json\n/,
    );
    expect(parse(text)).toEqual({
      apiVersion: 'meshctl.io/v1alpha1',
      kind: 'Mesh',
      metadata: { name: 'prod' },
      spec: {
        clusters: [
          { name: 'mesh-1', enable: { serviceAnnotations: { 'example.net/team': 'mesh' }, replicas: 2 } },
          {
            name: 'mesh-2',
            enable: {
              serviceType: 'NodePort',
              set: { 'Deployment/clustermesh-apiserver:spec.minReadySeconds': 1 },
            },
          },
        ],
        topology: { type: 'mesh' },
        credentials: 'per-peer',
        endpoints: [{ to: 'mesh-1', addresses: ['203.0.113.9:2379'] }],
        services: [{ namespace: 'default', name: 'web', affinity: 'local' }],
      },
    });
    const diff = await differs(text);
    expect(diff.stdout).toBe('✅ mesh-1 and mesh-2 are as standard input says\n');
    expect(jsonOf(await meshctl(['export', '--context', 'mesh-1,mesh-2', '-o', 'json']))).toMatchObject({
      kind: 'Mesh',
      metadata: { name: 'mesh' },
    });
  });

  it('leaves out what was set by hand, tells how it is kept, and that mends it', async () => {
    const scale = (replicas: number) =>
      at(0).store.update(releaseRefs[0] as ObjectRef, ({ spec }) => Object.assign(spec as object, { replicas }));
    scale(0);
    expect(await exported('--context', 'mesh-1,mesh-2')).toContain(
      '# replicas 0 was set by hand, and apply makes it 2 again\n',
    );
    scale(3);
    at(1).store.update(releaseRefs[1] as ObjectRef, ({ spec }) =>
      Object.assign(spec as object, { externalTrafficPolicy: 'Local' }),
    );
    const words = ['export', '--context', 'mesh-1,mesh-2', '-o', 'json'];
    const { stderr, stdout } = await meshctl.ok(words);
    expect((JSON.parse(stdout) as MeshDocument).spec.clusters.map(({ enable: own }) => own)).toEqual([
      expect.objectContaining({ replicas: 2 }),
      expect.not.objectContaining({ externalTrafficPolicy: 'Local' }),
    ]);
    const told = await differs(stdout);
    expect({ exitCode: told.exitCode, stdout: told.stdout }).toEqual({
      exitCode: 1,
      stdout: expect.stringMatching(/replicas: 3 → 2[\s\S]*externalTrafficPolicy: Local → Cluster/),
    });
    expect(stderr).toContain('mesh-1: replicas 3 was set by hand, and apply makes it 2 again\n');
    expect(stderr).toContain('mesh-2: externalTrafficPolicy Local was set by hand, and apply makes it Cluster again\n');
    const hints = [...stderr.matchAll(/→ .*: meshctl (.*)/g)].map(([, hint = '']) => hint.split(' '));
    expect(hints).toHaveLength(2);
    for (const hint of hints) await meshctl.ok(hint);
    const kept = await meshctl.ok(words);
    expect(kept.stderr).toBe('');
    expect((JSON.parse(kept.stdout) as MeshDocument).spec.clusters.map(({ enable: own }) => own)).toEqual([
      expect.objectContaining({ replicas: 3 }),
      expect.objectContaining({ externalTrafficPolicy: 'Local' }),
    ]);
    expect((await differs(kept.stdout)).stdout).toBe('✅ mesh-1 and mesh-2 are as standard input says\n');
  });

  it('says a mesh that others made, whose objects are theirs, and one-way connections', async () => {
    const addresses = await Promise.all([2, 3].map((index) => enableByHand(at(index), KVSTOREMESH)));
    await peerByHand(at(2), at(3), addresses[1] ?? { host: '', port: 0 }, KVSTOREMESH);
    const text = await exported('--context', 'mesh-3,mesh-4');
    const { spec } = parse(text) as MeshDocument;
    expect(spec).toEqual({
      clusters: [
        { name: 'mesh-3', connectOnly: true },
        { name: 'mesh-4', connectOnly: true },
      ],
      topology: { type: 'pairs', pairs: [{ from: 'mesh-3', to: 'mesh-4' }] },
    });
    expect(text).toContain('# its clustermesh-apiserver is made by');
    expect(text).toContain('# mesh-3 dials mesh-4 and not the other way round, which no one chose');
    // JSON has no comments.
    const { stderr } = await meshctl.ok(['export', '--context', 'mesh-3,mesh-4', '-o', 'json']);
    expect(stderr).toContain('mesh-3 dials mesh-4 and not the other way round, which no one chose');
    expect(stderr).toContain('mesh-3, mesh-4: its clustermesh-apiserver is made by');
    const diff = await differs(text);
    expect({ exitCode: diff.exitCode, stdout: diff.stdout }, diff.stderr).toEqual({
      exitCode: 0,
      stdout: '✅ mesh-3 and mesh-4 are as standard input says\n',
    });
  });

  it("says a mesh of Cilium's chart, which apply then leaves as it is: no restart, and no write", async () => {
    const chart = await startTestSandbox({ clusters: 2, nodes: 1, sharedCa: true });
    try {
      const run = meshctlWith(chart.kubeconfigPath);
      const made = await Promise.all(chart.clusters.map((cluster) => enableByHand(cluster, KVSTOREMESH)));
      chart.clusters.forEach((cluster, index) => {
        const other = chart.clusters[1 - index]?.name ?? '';
        const { host = '', port = 0 } = made[1 - index] ?? {};
        const alias = { ips: [host], ports: [port], in: 'file' as const };
        setUsers(cluster, [`remote-${other}`]);
        setSecret(cluster, 'cilium-kvstoremesh', {
          [other]: remotePeerFile(other, { addresses: [], alias }, 'common-'),
        });
        setSecret(cluster, 'cilium-clustermesh', { [other]: cachedPeerFile('kube-system') });
        for (const ref of releaseRefs) {
          cluster.store.update(
            ref,
            (object) => {
              object.metadata.annotations = { ...object.metadata.annotations, 'meta.helm.sh/release-name': 'cilium' };
            },
            'helm',
          );
        }
      });
      const text = (await run.ok(['export', '--all'])).stdout;
      expect(text).toContain('# its clustermesh-apiserver is made by Helm release cilium');
      expect((parse(text) as MeshDocument).spec).toEqual({
        clusters: [
          { name: 'mesh-1', connectOnly: true },
          { name: 'mesh-2', connectOnly: true },
        ],
        topology: { type: 'mesh' },
      });
      const diff = await run(['diff', '-f', '-'], { input: text });
      expect({ exitCode: diff.exitCode, stdout: diff.stdout }, diff.stderr).toEqual({
        exitCode: 0,
        stdout: '✅ mesh-1 and mesh-2 are as standard input says\n',
      });
      expect((await run(['apply', '-f', '-'], { input: text })).stdout).toContain('Nothing to change');
    } finally {
      await chart.close();
    }
  });

  it('names peers that it has not read, and leaves out what is of no mesh', async () => {
    const text = await exported('--context', 'mesh-1');
    expect((parse(text) as MeshDocument).spec.external).toEqual(['mesh-2']);
    expect(text).toContain('# mesh-2: peers that this export has not read');
    expect((await differs(text)).exitCode).toBe(0);
    const all = await meshctl.ok(['export', '--all']);
    expect(all.stderr).toContain('context "mesh-5" is left out: Cluster Mesh is not enabled there');
    expect((parse(all.stdout) as MeshDocument).spec.clusters).toHaveLength(4);
    expect((await differs(all.stdout)).exitCode).toBe(0);
    expect(all.stdout).not.toContain('mesh-5');
    const named = await meshctl(['export', '--context', 'mesh-1,mesh-5']);
    expect(named.exitCode).toBe(1);
    expect(named.stdout).toContain('# Missing here: context "mesh-5" is left out: Cluster Mesh is not enabled there');
    const none = await meshctl(['export', '--context', 'mesh-5']);
    expect(none.exitCode).toBe(1);
  });
});
