/** What `--wait` says of what no time mends, and that nothing is ticked off which did not come. */
import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { runCli } from '../support/cli.ts';
import { freePort } from '../support/free-port.ts';
import { startTestSandbox, type TestSandbox } from '../support/sandbox-mesh.ts';

let sandbox: TestSandbox;
let kubeconfig: string;

interface Config {
  contexts: { name: string; context: { cluster: string; user: string } }[];
  clusters: { name: string; cluster: Record<string, string> }[];
}

beforeAll(async () => {
  sandbox = await startTestSandbox({ clusters: 2, nodes: 1, proxied: false });
  const config = parse(await readFile(sandbox.kubeconfigPath, 'utf8')) as Config;
  const [one, two] = config.clusters;
  const [context] = config.contexts;
  if (!one || !two || !context) throw new Error('two clusters are wanted');
  const add = (name: string, cluster: Record<string, string>) => {
    config.clusters.push({ name, cluster });
    config.contexts.push({ name, context: { ...context.context, cluster: name } });
  };
  const CA = 'certificate-authority-data';
  add('other-ca', { ...one.cluster, [CA]: two.cluster[CA] ?? '' });
  add('down', { ...one.cluster, server: `https://127.0.0.1:${await freePort()}` });
  kubeconfig = join(dirname(sandbox.kubeconfigPath), 'wrong.yaml');
  await writeFile(kubeconfig, stringify(config));
});

afterAll(() => sandbox?.close());

const wait = (context: string) =>
  runCli(['clustermesh', 'status', '--context', context, '--wait', '--wait-duration', '20s'], {
    env: { KUBECONFIG: kubeconfig },
  });

it('nobody waits for a cluster whose CA is not the one of the kubeconfig', async () => {
  const { exitCode, stderr } = await wait('other-ca');
  expect(exitCode).toBe(3);
  expect(stderr).toContain('its certificate is from an unknown CA');
  expect(stderr).not.toContain('Waiting for');
});

it('a cluster that may come up is waited for in one line, with why it did not answer, and is not ticked off', async () => {
  const { exitCode, stderr } = await wait('down');
  expect(exitCode).toBe(3);
  const lines = stderr.split('\n');
  expect(lines.filter((line) => line.includes('Waiting for down to answer: cannot reach the API server'))).toHaveLength(
    1,
  );
  expect(lines.filter((line) => line.includes('No answer'))).toEqual(['✖ No answer from down']);
});

it('and beside one that no waiting brings, of which it is said at once', async () => {
  const { exitCode, stderr } = await wait('down,other-ca');
  expect(exitCode).toBe(3);
  const [before = '', after] = stderr.split('Waiting for down to answer');
  expect(before).toContain('⚠ context "other-ca": cannot reach the API server');
  expect(after).not.toContain('other-ca to answer');
});
