import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { jsonOf } from '../support/cli.ts';
import { type ConnectClusters, isMeshWrite, startConnectClusters } from '../support/connect-clusters.ts';
import { clusterAt, refs } from '../support/sandbox-mesh.ts';

/** Of several clusters one cannot be reached, and in another one somebody owns a field: of each only what is so is said. */
let clusters: ConnectClusters;
let kubeconfig: string;

beforeAll(async () => {
  clusters = await startConnectClusters(3);
  const text = await readFile(clusters.kubeconfigPath, 'utf8');
  kubeconfig = join(dirname(clusters.kubeconfigPath), 'silent.yaml');
  await writeFile(kubeconfig, text.replace(clusterAt(clusters, 'mesh-2').url, 'http://127.0.0.1:9'));
  clusterAt(clusters, 'mesh-3').store.update(refs.deployment('clustermesh-apiserver'), ({ spec }) => {
    const { template } = spec as { template: { spec: { containers: { image: string }[] } } };
    for (const container of template.spec.containers) container.image = 'registry.example/other:v1';
  });
});

afterAll(() => clusters?.close());

const enable = (...words: string[]) =>
  clusters.meshctl(['clustermesh', 'enable', ...words], { env: { KUBECONFIG: kubeconfig } });

it.each([['--all'], ['--context', 'mesh-1,mesh-2,mesh-3']])('enable %s says how each came out', async (...chosen) => {
  clusters.requests.length = 0;
  const result = await enable(...chosen);
  expect(result.exitCode, result.stderr).toBe(1);
  expect(result.stdout).toContain('✅ Cluster Mesh is enabled in mesh-1 ');
  expect(result.stdout).toContain(
    '❌ Context mesh-2 was left out: whether Cluster Mesh is enabled there is not known\n  • context "mesh-2": cannot reach',
  );
  expect(result.stdout).toContain('❌ enable has failed in context mesh-3\n');
  expect(result.stdout).not.toContain('not enabled');
  expect(result.stdout).toContain('meshctl clustermesh enable --context mesh-3 --force-conflicts\n');
  for (const words of [[], ['--dry-run']]) {
    const { failures } = jsonOf(await enable(...chosen, ...words, '-o', 'json')) as {
      failures: { context: string; error: { hint: string } }[];
    };
    const hint = failures.find(({ context }) => context === 'mesh-3')?.error.hint ?? '';
    expect(hint.match(/meshctl clustermesh enable .*/g)).toEqual([
      ['meshctl clustermesh enable', ...words, '--context mesh-3 --force-conflicts'].join(' '),
    ]);
  }
});

it('the hint, as printed, takes the fields over in that cluster alone', async () => {
  clusters.requests.length = 0;
  const forced = await enable('--context', 'mesh-3', '--force-conflicts', '--yes');
  expect(forced.exitCode, forced.stderr).toBe(0);
  const written = clusters.requests.filter((one) => isMeshWrite(one) && !one.dryRun).map(({ context }) => context);
  expect([...new Set(written)]).toEqual(['mesh-3']);
});
