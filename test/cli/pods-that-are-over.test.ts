import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { type ConnectedMesh, startConnectedMesh } from '../support/connected-mesh.ts';
import { untilHealthy } from '../support/open-look.ts';

/** Kubelet leaves a pod that it evicts, and those of a node that is shut down in good order, beside what replaces them. */
let mesh: ConnectedMesh;
const WORKLOADS = ['k8s-app=cilium', 'k8s-app=clustermesh-apiserver', 'io.cilium/app=operator'];

beforeAll(async () => {
  mesh = await startConnectedMesh({ nodes: 2 });
  await untilHealthy(mesh.sandbox, ['mesh-1', 'mesh-2']);
});

afterAll(() => mesh.sandbox.close());

/** One of a kind that has failed and one that has succeeded, beside each workload of both clusters. */
function leavePodsThatAreOver(): void {
  for (const { store } of [mesh.one, mesh.two])
    for (const workload of WORKLOADS) {
      const [key = '', value = ''] = workload.split('=');
      const [pod] = store.list({ apiVersion: 'v1', kind: 'Pod', namespace: 'kube-system', labels: { [key]: value } });
      expect(pod, workload).toBeDefined();
      for (const [phase, reason] of [
        ['Failed', 'Evicted'],
        ['Succeeded', 'Completed'],
      ]) {
        const { labels = {}, ownerReferences = [] } = pod?.metadata ?? {};
        const name = `${value}-${reason?.toLowerCase()}`;
        const metadata = { name, namespace: 'kube-system', labels, ownerReferences };
        const status = { ...(pod?.status as object), phase, reason, conditions: [], containerStatuses: [] };
        store.create({ apiVersion: 'v1', kind: 'Pod', metadata, spec: pod?.spec, status } as KubeObject, 'kubelet');
      }
    }
}

it('pods that are over change nothing of what is said of a mesh, nor keep a command that waits for pods', async () => {
  const commands = [
    ['clustermesh', 'status', '--context', 'mesh-1,mesh-2'],
    ['clustermesh', 'status', '--context', 'mesh-1,mesh-2', '-o', 'json'],
    ['clustermesh', 'check', '--context', 'mesh-1,mesh-2'],
    ['version', '--context', 'mesh-1,mesh-2'],
    ['connectivity', 'probe', '--context', 'mesh-1,mesh-2', '--dry-run'],
    ['certs', 'rotate', '--context', 'mesh-1,mesh-2', '--yes'],
    ['clustermesh', 'disconnect', '--context', 'mesh-1', '--destination-context', 'mesh-2', '--yes'],
    ['clustermesh', 'connect', '--context', 'mesh-1', '--destination-context', 'mesh-2', '--yes'],
  ];
  const run = async (words: string[]) => {
    const { exitCode, stdout } = await mesh.meshctl(words);
    return { words, exitCode, stdout: stdout.replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME') };
  };
  const before = [];
  for (const words of commands) before.push(await run(words));
  await mesh.meshctl(['clustermesh', 'status', '--context', 'mesh-1,mesh-2', '--wait']);
  leavePodsThatAreOver();
  for (const { words, exitCode, stdout } of before) {
    const now = await run(words);
    expect(now, words.join(' ')).toMatchObject({ exitCode });
    expect(now.stdout).not.toMatch(/-(evicted|completed)\b/);
    // What the others say of ages and of probes is of the moment.
    if (words.includes('status')) expect(now.stdout).toBe(stdout);
  }
});

it('and none that may be over is read: each list of pods by their labels is made in one place', () => {
  const folder = join(import.meta.dirname, '../../src');
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(
    (file) => file.endsWith('.ts') && !file.startsWith('sandbox'),
  );
  const listing = files.filter((file) => {
    const source = readFileSync(join(folder, file), 'utf8');
    return /kind: 'Pod', namespace, labelSelector/.test(source);
  });
  expect(listing).toEqual([join('mesh', 'objects', 'pods.ts')]);
});
