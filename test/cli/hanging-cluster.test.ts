import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { patienceWith } from '../../src/commands/targets/cluster-flags.ts';
import { briskClock } from '../support/brisk-clock.ts';
import { runCli } from '../support/cli.ts';
import { type ConnectClusters, startConnectClusters } from '../support/connect-clusters.ts';
import { connect } from '../support/e2e-cli.ts';
import { untilHealthy } from '../support/open-look.ts';
import { startTcpServer, type TcpServer } from '../support/tcp-server.ts';

/** One API server takes every connection and never answers: the others are not kept waiting more than once. */
let clusters: ConnectClusters;
let hanging: TcpServer;
let kubeconfig: string;

beforeAll(async () => {
  clusters = await startConnectClusters(2);
  expect((await clusters.meshctl(connect('mesh-1', 'mesh-2'))).exitCode).toBe(0);
  await untilHealthy(clusters, ['mesh-1', 'mesh-2']);
  hanging = await startTcpServer();
  const config = parse(await readFile(clusters.kubeconfigPath, 'utf8')) as {
    contexts: object[];
    clusters: object[];
    users: { name: string }[];
  };
  config.clusters.push({ name: 'hanging', cluster: { server: `http://127.0.0.1:${hanging.port}` } });
  config.contexts.push({ name: 'hanging', context: { cluster: 'hanging', user: config.users[0]?.name } });
  kubeconfig = join(dirname(clusters.kubeconfigPath), 'hanging.yaml');
  await writeFile(kubeconfig, stringify(config));
});

afterAll(async () => {
  await clusters?.close();
  await hanging?.close();
});

it('status --watch shows the others at once', async () => {
  const abort = new AbortController();
  const clock = briskClock();
  const begun = clock.ms();
  const frames: number[] = [];
  const { stdout } = await runCli(['clustermesh', 'status', '--all', '--watch', '--request-timeout', '10m'], {
    env: { KUBECONFIG: kubeconfig },
    clock,
    signal: abort.signal,
    onOutput(text, stream) {
      if (stream !== 'stdout' || !text.includes('Cluster Connections')) return;
      frames.push(clock.ms() - begun);
      abort.abort();
    },
  });
  expect(stdout).toMatch(/mesh-1 +· +✓ 1\/1/);
  expect(stdout).toContain('context "hanging": no answer yet; it is still being asked');
  expect(frames[0]).toBeLessThan(60_000);
});

it('several that hang cost one wait together, however many are looked at at a time', async () => {
  const config = parse(await readFile(kubeconfig, 'utf8')) as { contexts: { name: string; context: object }[] };
  const { context } = config.contexts.find(({ name }) => name === 'hanging') ?? {};
  for (const name of ['hanging-2', 'hanging-3']) config.contexts.unshift({ name, context: context ?? {} });
  const several = join(dirname(kubeconfig), 'several.yaml');
  await writeFile(several, stringify(config));
  hanging.most = 0;
  const argv = ['clustermesh', 'check', '--all', '--category', 'config', '--request-timeout', '5s'];
  const { stdout } = await runCli([...argv, '--parallel', '1'], { env: { KUBECONFIG: several } });
  for (const name of ['hanging', 'hanging-2', 'hanging-3']) expect(stdout).toContain(`context "${name}": `);
  // Each sends two requests, and none of them has ended before the last one is asked.
  expect(hanging.most).toBe(6);
});

it.each([
  ['not silent', 30_000, 'https://other', 30_000],
  ['silent', 30_000, 'https://one', 3000],
  ['silent, and nobody was to wait as long', 1000, 'https://one', 1000],
  ['silent, and it was to be waited for without end', 0, 'https://one', 3000],
])(
  'is asked with less patience once it has given no answer in a run: %s',
  (_what, requestTimeout, server, patience) => {
    expect(patienceWith({ silentServers: new Set(['https://one']) }, { requestTimeout }, server)).toBe(patience);
  },
);
