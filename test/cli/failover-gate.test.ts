import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { jsonOf } from '../support/cli.ts';
import { type ConnectClusters, startConnectClusters } from '../support/connect-clusters.ts';
import { addService } from '../support/service-clusters.ts';

/** Three clusters, each connected to each, with a Service that each serves by itself as long as it can. */
let clusters: ConnectClusters;
let directory: string;
/** A kubeconfig without a context for mesh-3. */
let lesser: string;

const SERVICE = { apiVersion: 'v1', kind: 'Service', namespace: 'default', name: 'web' };
const gate = (argv: readonly string[], kubeconfig?: string) =>
  clusters.meshctl(
    ['service', 'failover', '--require-survivable', ...argv],
    kubeconfig === undefined ? {} : { env: { KUBECONFIG: kubeconfig } },
  );

beforeAll(async () => {
  clusters = await startConnectClusters(3);
  const connecting = '--context mesh-1 --destination-context mesh-2,mesh-3 --connection-mode mesh'.split(' ');
  const connected = await clusters.meshctl(['clustermesh', 'connect', ...connecting]);
  expect(connected.exitCode, connected.stderr).toBe(0);
  const status = await clusters.meshctl(['clustermesh', 'status', '--all', '--wait']);
  expect(status.exitCode, status.stdout).toBe(0);
  for (const { store } of clusters.clusters) addService(store, 'web', { mesh: { global: 'true', affinity: 'local' } });
  directory = await mkdtemp(join(tmpdir(), 'meshctl-gate-'));
  lesser = join(directory, 'kubeconfig');
  const whole = parse(await readFile(clusters.kubeconfigPath, 'utf8')) as { contexts: { name: string }[] };
  const contexts = whole.contexts.filter(({ name }) => name !== 'mesh-3');
  await writeFile(lesser, stringify({ ...whole, contexts }), { mode: 0o600 });
});

afterAll(async () => {
  await clusters?.close();
  if (directory) await rm(directory, { recursive: true, force: true });
});

it('opens where each cluster serves by itself', async () => {
  const { exitCode, stdout, stderr } = await gate(['--all']);
  expect({ exitCode, stdout }, stderr).toMatchObject({
    exitCode: 0,
    stdout: expect.stringContaining('✅ 1 global service: none would fail'),
  });
});

it('stays shut with --all where no context leads to a peer: what is lost there was not seen', async () => {
  const { exitCode, stdout } = await gate(['--all'], lesser);
  expect(exitCode, stdout).toBe(3);
  expect(stdout).toContain(
    '❌ 1 global service: none would fail in mesh-1 and mesh-2 (mesh-3 was not read), if nothing is lost without mesh-3, or there, to which no context leads',
  );
  const data = jsonOf(await gate(['--all', '-o', 'json'], lesser));
  expect(data).toMatchObject({ survivable: false, assumed: [expect.stringContaining('mesh-3')] });
  // Clusters that are named are the whole question.
  expect((await gate(['--context', 'mesh-1,mesh-2'], lesser)).exitCode).toBe(0);
});

it('stays shut where the service is not global in one of the clusters that have it, and says what mends that', async () => {
  const store = clusters.clusters.find(({ context }) => context === 'mesh-2')?.store;
  store?.update(SERVICE, (live) => {
    live.metadata.annotations = {};
  });
  const { exitCode, stdout } = await gate(['--all']);
  expect(exitCode, stdout).toBe(1);
  expect(stdout).toContain('❌ default/web is not global in mesh-2: pods there are served by own backends only');
  expect(stdout).not.toContain('✅');
  expect(jsonOf(await gate(['--all', '-o', 'json']))).toMatchObject({
    survivable: false,
    services: [{ name: 'web', notGlobalIn: ['mesh-2'] }],
  });
  const line = /Make it global there too: (meshctl .*)/.exec(stdout)?.[1] ?? '';
  const mended = await clusters.meshctl(line.split(' ').slice(1));
  expect(mended.exitCode, mended.stderr).toBe(0);
  expect((await gate(['--all'])).stdout).not.toContain('is not global');
});
