import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { failureOf, jsonOf, runCli } from '../support/cli.ts';
import { type KubeconfigVariants, kubeconfigVariants } from '../support/e2e-kubeconfig.ts';
import { type MeshFolder, meshFolder, meshText } from '../support/mesh-files.ts';
import { startTestSandbox, type TestSandbox } from '../support/sandbox-mesh.ts';
import { addService } from '../support/service-clusters.ts';

/** Files of several kubeconfigs, in folders: nothing but these files says where clusters are. */
let sandbox: TestSandbox;
let kubeconfigs: KubeconfigVariants;
let folder: MeshFolder;
const paths: string[] = [];

const meshctl = (...words: string[]) => runCli(words, { env: {}, cwd: folder.path });

beforeAll(async () => {
  sandbox = await startTestSandbox({ clusters: 3, nodes: 1 });
  kubeconfigs = await kubeconfigVariants(sandbox.kubeconfigPath);
  folder = await meshFolder();
  for (const name of ['mesh-1', 'mesh-2', 'mesh-3']) {
    paths.push(
      await kubeconfigs.write(name, (file) => {
        file.contexts = file.contexts.filter((context) => context.name === name);
        file['current-context'] = name;
      }),
    );
  }
});

afterAll(async () => {
  expect(sandbox?.errors).toEqual([]);
  await folder?.remove();
  await kubeconfigs?.remove();
  await sandbox?.close();
});

it('gives clusters without a CA that of another one, which may be as new, from one to the next', async () => {
  const bare = await startTestSandbox({ clusters: 3, nodes: 1, withoutCa: true });
  try {
    const input = meshText({
      defaults: { enable: { caFrom: 'mesh-1' } },
      clusters: [{ name: 'mesh-1' }, { name: 'mesh-2' }, { name: 'mesh-3', enable: { caFrom: 'mesh-2' } }],
      topology: { type: 'hub', hubs: ['mesh-1'] },
    });
    const run = (...words: string[]) => runCli(words, { env: { KUBECONFIG: bare.kubeconfigPath }, input });
    expect((await run('apply', '-f', '-', '--dry-run=server')).exitCode).toBe(0);
    const applied = await run('apply', '-f', '-', '-o', 'json');
    expect(jsonOf(applied).connections).toEqual([
      expect.objectContaining({ from: 'mesh-1', to: 'mesh-2', credential: 'shared-ca' }),
      expect.objectContaining({ from: 'mesh-2', to: 'mesh-1', credential: 'shared-ca' }),
      expect.objectContaining({ from: 'mesh-1', to: 'mesh-3', credential: 'shared-ca' }),
      expect.objectContaining({ from: 'mesh-3', to: 'mesh-1', credential: 'shared-ca' }),
    ]);
    expect((await run('diff', '-f', '-')).exitCode).toBe(0);
  } finally {
    await bare.close();
  }
});

describe('mesh files in a folder', () => {
  it('reach each cluster by its own kubeconfig, and pass over documents of other kinds', async () => {
    const [one = '', two = '', three = ''] = paths;
    const clusters = [
      { name: 'mesh-1', kubeconfig: one, namespace: 'kube-system' },
      { name: 'mesh-2', kubeconfig: two },
    ];
    await folder.write('a.yaml', meshText({ clusters, topology: { type: 'mesh' } }, 'a'));
    await folder.write(
      'b.yml',
      `apiVersion: v1\nkind: ConfigMap\n---\n${meshText({ defaults: { kubeconfig: three }, clusters: [{ name: 'mesh-3' }], topology: { type: 'mesh' } }, 'b')}`,
    );
    await folder.write('notes.txt', 'no YAML: {');
    await mkdir(join(folder.path, 'below.yaml'));
    await folder.write('chart.yaml', 'kind: Server\nmetadata:\n  name: {{ .Release.Name }}-a\n');
    const applied = await meshctl('apply', '-f', '.');
    expect(applied.exitCode, applied.stderr).toBe(0);
    expect(applied.stdout).toContain('✅ mesh-1, mesh-2 and mesh-3 are as . says');
    expect(applied.stdout).toContain('Connections: 1 pair of clusters');
    expect(applied.stderr).toContain(
      'passed over, as no mesh: ConfigMap, invalid YAML in chart.yaml, the folder below.yaml\n',
    );
    expect((await meshctl('diff', '-f', '.')).exitCode).toBe(0);
    await folder.write('c.yaml', meshText({ clusters, topology: { type: 'mesh' } }, 'c').replace('Mesh', 'mesh'));
    const misspelt = failureOf(await meshctl('diff', '-f', '.'));
    expect(misspelt).toEqual({
      exitCode: 2,
      says: expect.stringContaining('c.yaml:2:7: kind: is "mesh", and must be Mesh'),
    });
    await folder.write('c.yaml', '');
  });

  it('are told of as far as clusters answer, and written to all or none of them', async () => {
    const dead = await kubeconfigs.write('dead', (file) => {
      for (const { cluster } of file.clusters) cluster.server = 'https://127.0.0.1:1';
      file.contexts = [{ name: 'gone', context: file.contexts[0]?.context ?? {} }];
    });
    const clusters = [
      { name: 'mesh-1', kubeconfig: paths[0] ?? '' },
      { name: 'mesh-9', context: 'gone', kubeconfig: dead },
    ];
    // Whether the one that does not answer has it, nobody knows.
    const services = [{ namespace: 'default', name: 'elsewhere' }];
    const path = await folder.write('dead.yaml', meshText({ clusters, topology: { type: 'mesh' }, services }, 'dead'));
    const diff = await meshctl('diff', '-f', path, '-o', 'json');
    expect(diff.exitCode, diff.stdout).toBe(3);
    expect(jsonOf(diff)).toMatchObject({
      clusters: [{ name: 'mesh-1' }],
      missingServices: [],
      unreachable: [{ context: 'gone', code: 'ClusterUnreachable' }],
    });
    const junit = await meshctl('diff', '-f', path, '-o', 'junit');
    expect(junit.stdout).toContain('<testcase classname="cluster" name="gone">');
    expect(junit.stdout).toMatch(
      /name="what the file has is there">\s*<skipped message="Not all clusters could be read"/,
    );
    const applied = failureOf(await meshctl('apply', '-f', path));
    expect(applied).toMatchObject({ exitCode: 3, says: expect.stringContaining('context "gone"') });
    await folder.write('dead.yaml', '');
  });

  it('are planned without the clusters of a kubeconfig that is not there, as no run needs one', async () => {
    const [one = '', two = ''] = paths;
    for (const { store } of sandbox.clusters.slice(0, 2)) addService(store, 'base');
    const clusters = [
      { name: 'mesh-1', kubeconfig: one, enable: { serviceType: 'NodePort' as const } },
      { name: 'mesh-2', kubeconfig: two },
    ];
    const services = [{ namespace: 'default', name: 'base', shared: false }];
    const path = await folder.write('own.yaml', meshText({ clusters, services, topology: { type: 'mesh' } }, 'own'));
    const told = await meshctl('diff', '-f', path);
    expect(told.stdout, told.stderr).toContain('other clusters lose the backends of default/base (mesh-1, mesh-2)');
    await folder.write('own.yaml', '');
  });

  it('say which of them names a kubeconfig that is not there', async () => {
    const clusters = [
      { name: 'mesh-1', kubeconfig: paths[0] ?? '' },
      { name: 'mesh-9', kubeconfig: './lost' },
    ];
    const path = await folder.write('lost.yaml', meshText({ clusters, topology: { type: 'mesh' } }, 'lost'));
    const { exitCode, stderr } = await meshctl('diff', '-f', path);
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/→ \S*lost\.yaml names it as the kubeconfig of mesh-9: put it there, or name another one\./);
    await folder.write('lost.yaml', '');
  });

  it('come with command lines that reach the clusters, too', async () => {
    const { stdout } = await meshctl('apply', '-f', '.', '--dry-run');
    expect(stdout).toContain('Nothing was changed');
    sandbox.clusters[1]?.store.update(
      { apiVersion: 'v1', kind: 'ConfigMap', namespace: 'kube-system', name: 'cilium-config' },
      (config) => {
        config.data = { ...(config.data as object), 'cluster-id': '1' };
      },
    );
    const { says } = failureOf(await meshctl('apply', '-f', 'a.yaml'));
    expect(says).toContain(
      `kubectl --kubeconfig ${paths[1]} --context mesh-2 -n kube-system patch configmap cilium-config --type merge ` +
        `--patch '{"data":{"cluster-id":"2"}}'`,
    );
  });

  it.each([
    ['a file that is not there', 'no.yaml', 'mesh file no.yaml does not exist'],
    ['a folder without files', 'empty', 'mesh file empty does not exist'],
    // A variable of a script that is not set: there are mesh files in the current folder.
    ['a name that is empty', '', '"" names no mesh file'],
  ])('refuse %s', async (_what, path, words) => {
    const { exitCode, says } = failureOf(await meshctl('apply', '-f', path));
    expect({ exitCode, says }).toEqual({ exitCode: 2, says: expect.stringContaining(words) });
  });
});
