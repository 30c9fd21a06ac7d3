import { execFile } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runCli } from '../support/cli.ts';
import { startTestSandbox, type TestSandbox } from '../support/sandbox-mesh.ts';
import { startTcpServer } from '../support/tcp-server.ts';

/** What an operator, or whoever wrote the script or the kubeconfig, may hand in. */
let folder: string;
let sandbox: TestSandbox;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meshctl-input-'));
  sandbox = await startTestSandbox({ nodes: 1 });
});

afterAll(async () => {
  await sandbox?.close();
  await rm(folder, { recursive: true, force: true });
});

const onSandbox = (argv: readonly string[]) => runCli(argv, { env: { KUBECONFIG: sandbox.kubeconfigPath } });

describe('names that are none', () => {
  test.each([
    ['service', 'global', 'default/..', '--context', 'mesh-1'],
    ['service', 'global', '../x', '--context', 'mesh-1'],
    ['service', 'describe', 'default/..', '--context', 'mesh-1'],
    ['service', 'describe', './x', '--context', 'mesh-1'],
    ['service', 'describe', 'default/Web', '--context', 'mesh-1'],
    ['service', 'list', '-n', '', '--context', 'mesh-1'],
    ['clustermesh', 'status', '-n', '', '--context', 'mesh-1'],
    ['clustermesh', 'status', '-n', '..', '--context', 'mesh-1'],
    ['clustermesh', 'enable', '-n', 'a/b', '--context', 'mesh-1'],
    ['connectivity', 'test', '-n', '..', '--context', 'mesh-1,mesh-2'],
    ['clustermesh', 'enable', '--set', 'Service/clustermesh-apiserver:metadata=null', '--context', 'mesh-1'],
  ])('meshctl %s %s %s %s is a usage error, and nothing is asked', async (...argv) => {
    const before = sandbox.clusters.map(({ store }) => store.list({ apiVersion: 'v1', kind: 'Namespace' }));
    const { exitCode, stderr } = await onSandbox(argv);
    expect({ exitCode, stderr }).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('✖ ') });
    expect(sandbox.clusters.map(({ store }) => store.list({ apiVersion: 'v1', kind: 'Namespace' }))).toEqual(before);
  });
});

describe('times', () => {
  test('of a month are as long as a timer takes, and 0 is no limit', async () => {
    const long = ['--wait-duration', '720h', '--request-timeout', '9999h'];
    const waiting = await onSandbox(['clustermesh', 'enable', '--context', 'mesh-1', ...long]);
    expect(waiting).toMatchObject({ exitCode: 0, stderr: expect.not.stringContaining('Timeout') });
    expect(
      await onSandbox(['clustermesh', 'certs', 'list', '--context', 'mesh-1', '--request-timeout', '0']),
    ).toMatchObject({ exitCode: 0 });
  });

  test('of a fraction of a millisecond are no bug', async () => {
    const { exitCode, stderr } = await onSandbox([
      'clustermesh',
      'status',
      '--context',
      'mesh-1',
      '--node-timeout',
      '9000.5ms',
    ]);
    expect(exitCode, stderr).toBe(1);
    const argv = ['clustermesh', 'enable', '--context', 'mesh-1', '--wait-duration', '20000.5ms', '--replicas', '2'];
    expect(await onSandbox(argv)).toMatchObject({ exitCode: 0 });
  });
});

describe('a kubeconfig', () => {
  const kubeconfig = async (cluster: object, user: object = { token: 't' }) => {
    const path = join(folder, 'config');
    const content = {
      'current-context': 'a',
      clusters: [{ name: 'a', cluster }],
      users: [{ name: 'a', user }],
      contexts: [{ name: 'a', context: { cluster: 'a', user: 'a' } }],
    };
    await writeFile(path, JSON.stringify(content));
    return path;
  };

  const statusBy = (path: string) =>
    runCli(['clustermesh', 'status', '--kubeconfig', path, '--request-timeout', '200ms']);

  test('whose proxy is silent: named, within the time limit', async () => {
    const silent = await startTcpServer();
    const { port } = silent;
    const path = await kubeconfig({
      server: 'https://10.0.0.1:6443',
      'proxy-url': `http://u:s3cret@127.0.0.1:${port}`,
    });
    const { exitCode, stderr } = await statusBy(path);
    expect(exitCode).toBe(3);
    expect(stderr).toContain(`through the proxy http://127.0.0.1:${port} (proxy-url in the kubeconfig)`);
    expect(stderr).not.toContain('s3cret');
    await silent.close();
  });

  test('whose plugin does not end: the plugin is blamed, not the API server', async () => {
    const plugin = join(folder, 'plugin');
    await writeFile(plugin, '#!/bin/sh\nexec sleep 30\n');
    await chmod(plugin, 0o755);
    const path = await kubeconfig({ server: 'https://127.0.0.1:1' }, { exec: { command: plugin } });
    const { exitCode, stderr } = await statusBy(path);
    expect(exitCode).toBe(3);
    expect(stderr).toContain(`credential plugin "${plugin}" failed: it did not end within 0.2 s`);
  });

  test('that is a pipe, as of <(command), is read once whatever the command', async () => {
    const pipe = join(folder, 'pipe');
    await promisify(execFile)('mkfifo', [pipe]);
    const text = await readFile(sandbox.kubeconfigPath, 'utf8');
    const line = ['clustermesh', 'certs', 'list', '--all', '--kubeconfig', pipe, '--request-timeout', '20s'];
    const [result] = await Promise.all([runCli(line), writeFile(pipe, text)]);
    expect(result).toMatchObject({ exitCode: 0 });
  });

  test('with a line break in a name forges no line', async () => {
    const path = await kubeconfig({ server: 'https://127.0.0.1:1' });
    const { exitCode, stderr } = await runCli([
      'clustermesh',
      'status',
      '--kubeconfig',
      path,
      '--context',
      'x\n✔ all is well',
    ]);
    expect(exitCode).toBe(2);
    expect(stderr).toContain('x ✔ all is well');
    expect(stderr.split('\n').filter((line) => line.startsWith('✔'))).toEqual([]);
  });
});
