import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parse } from 'yaml';
import { secretTexts } from '../../src/mesh/objects/secret-data.ts';
import type { CliResult } from '../support/cli.ts';
import { connect, enable, meshctlWith, waitForStatus } from '../support/e2e-cli.ts';
import { startTestSandbox, type TestSandbox } from '../support/sandbox-mesh.ts';

let sandbox: TestSandbox;

beforeAll(async () => {
  sandbox = await startTestSandbox({ nodes: 1, proxied: false });
});

afterAll(async () => {
  await sandbox?.close();
});

/** All private keys that exist now: those in the Secrets of both clusters, and the operator's own. PEM. */
async function privateKeys(): Promise<string[]> {
  const secrets = sandbox.clusters.flatMap(({ store }) => store.list({ apiVersion: 'v1', kind: 'Secret' }));
  const { users } = parse(await readFile(sandbox.kubeconfigPath, 'utf8')) as {
    users: { user: { 'client-key-data': string } }[];
  };
  return [
    ...secrets.flatMap((secret) => Object.values(secretTexts(secret))).filter((text) => text.includes('PRIVATE KEY')),
    ...users.map(({ user }) => Buffer.from(user['client-key-data'], 'base64').toString()),
  ];
}

/** What would give a key away: each line of its PEM, and pieces of the base64 in which Secrets hold it. */
function tracesOf(pem: string): string[] {
  const lines = pem.split('\n').filter((line) => line.length > 20 && !line.startsWith('-----'));
  const encoded = Buffer.from(pem).toString('base64');
  return [...lines, ...(encoded.match(/.{60}/g) ?? [])];
}

it('prints no private key, neither with --debug nor as data nor in a plan', async () => {
  const meshctl = meshctlWith(sandbox.kubeconfigPath);
  const results: CliResult[] = [];
  const run = async (argv: readonly string[]) => {
    results.push(await meshctl.ok(argv));
  };
  await run(enable('mesh-1,mesh-2', '--debug'));
  await run(enable('mesh-1,mesh-2', '--debug', '-o', 'json'));
  await run(enable('mesh-1', '--dry-run', '--enable-kvstoremesh=false', '-o', 'json'));
  await run(enable('mesh-1', '--dry-run', '-o', 'manifests'));
  await run(connect('mesh-1', 'mesh-2', '--debug'));
  await run(connect('mesh-1', 'mesh-2', '--debug', '-o', 'yaml'));
  await run([...waitForStatus('mesh-1', '2m'), '--debug']);
  results.push(await meshctl(connect('mesh-1', 'mesh-2', '--debug', '--as', 'jane')));

  const keys = await privateKeys();
  // Of each cluster: the CA, four certificates, the certificate for its peer, the operator's.
  expect(keys).toHaveLength(14);
  const output = results.map(({ stdout, stderr }) => stdout + stderr).join('');
  expect(output.length).toBeGreaterThan(2000);
  expect(output).toContain('clustermesh-apiserver-server-cert');
  expect(output).not.toContain('PRIVATE KEY');
  const given = keys.flatMap(tracesOf).filter((trace) => output.includes(trace));
  expect(given).toEqual([]);
});
