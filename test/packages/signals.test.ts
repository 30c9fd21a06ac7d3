import { once } from 'node:events';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { type EmptyFolder, emptyFolder, runIn } from '../support/packed.ts';
import { PACKAGE_ROOT } from '../support/schemas.ts';
import { startTcpServer, type TcpServer } from '../support/tcp-server.ts';

/**
 * Whatever starts meshctl that is shipped: a signal to the process that was started reaches meshctl, which takes back what it wrote.
 * In its place, where it is only started, a stand-in that works until it gets one.
 */
const SIGNALS = ['SIGINT', 'SIGTERM'] as const;
const AT_WORK = 'at work';
const STAND_IN = `#!/usr/bin/env node
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.once(signal, () => {
    const error = { code: 'Interrupted', message: 'interrupted by ' + signal, details: {} };
    process.stdout.write(JSON.stringify({ apiVersion: 'meshctl.io/v1alpha1', kind: 'Error', error }));
    process.exit(130);
  });
}
// So long at most, where nothing reaches it.
setTimeout(() => {}, 20_000);
process.stderr.write('${AT_WORK}');
`;
const PATH = process.env.PATH ?? '';

let folder: EmptyFolder;
let silent: TcpServer;
let onConnected = () => {};

async function program(...path: string[]): Promise<void> {
  const file = join(folder.path, ...path);
  await mkdir(join(file, '..'), { recursive: true });
  await writeFile(file, STAND_IN);
  await chmod(file, 0o755);
}

beforeAll(async () => {
  folder = await emptyFolder();
  silent = await startTcpServer((socket) => {
    socket.resume();
    onConnected();
  });
});
afterAll(async () => {
  await silent.close();
  await folder.remove();
});

/** Signals a process as soon as what it has started is at work. */
async function signalled(process: ReturnType<typeof runIn>, signal: NodeJS.Signals) {
  let seen = '';
  for (const stream of [process.stdout, process.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      const wasAtWork = seen.includes(AT_WORK);
      seen += chunk.toString();
      if (!wasAtWork && seen.includes(AT_WORK)) process.kill(signal);
    });
  }
  return process;
}

describe.skipIf(process.platform === 'win32').each(SIGNALS)('%s', (signal) => {
  it('of a cancelled job reaches the meshctl of the action, which shows what became of it', async () => {
    const action = parse(await readFile(new URL('action.yml', PACKAGE_ROOT), 'utf8'));
    const { run } = action.runs.steps.find(({ id }: { id?: string }) => id === 'run');
    await program('meshctl/node_modules/meshctl/bin/meshctl.js');
    const at = (name: string) => join(folder.path, `${name}-${signal}`);
    await writeFile(at('step.sh'), run);
    // As a runner starts it (`shell: bash`).
    const step = runIn(folder.path, 'bash', ['--noprofile', '--norc', '-eo', 'pipefail', at('step.sh')], {
      PATH,
      RUNNER_TEMP: folder.path,
      GITHUB_OUTPUT: at('output'),
      GITHUB_STEP_SUMMARY: at('summary'),
      MESHCTL_ACTION: fileURLToPath(PACKAGE_ROOT),
      MESHCTL_COMMAND: 'clustermesh enable --context a -o json',
      MESHCTL_SUMMARY: 'true',
      MESHCTL_PICTURE: 'true',
    });
    const { exitCode, stdout } = await signalled(step, signal);
    expect(exitCode).toBe(130);
    expect(stdout).toContain(`::error title=meshctl%3A Interrupted::interrupted by ${signal}`);
    expect(await readFile(at('output'), 'utf8')).toMatch(/^exit-code<<(\S+)\n130\n\1\n/);
    expect(await readFile(at('summary'), 'utf8')).toContain(`interrupted by ${signal}`);
  });

  it('that ends a pod reaches the meshctl of each job in a cluster', async () => {
    // What npm installs, where it is told to.
    await program('installs');
    const npm = `#!/bin/sh\ncd "$HOME" && mkdir -p meshctl/node_modules/.bin && cp installs meshctl/node_modules/.bin/meshctl\n`;
    await mkdir(join(folder.path, 'bin'), { recursive: true });
    await writeFile(join(folder.path, 'bin/npm'), npm);
    await chmod(join(folder.path, 'bin/npm'), 0o755);
    const text = await readFile(new URL('templates/in-cluster/3-jobs.yaml', PACKAGE_ROOT), 'utf8');
    const jobs = parseAllDocuments(text).map((document) => document.toJS());
    expect(jobs.length).toBeGreaterThan(1);
    for (const { spec } of jobs) {
      const [{ command, args }] = spec.jobTemplate.spec.template.spec.containers;
      const [first, ...rest] = command as string[];
      const started = runIn(folder.path, first ?? '', [...rest, ...args], {
        PATH: `${join(folder.path, 'bin')}:${PATH}`,
      });
      const { exitCode, stdout } = await signalled(started, signal);
      expect({ exitCode, stdout }).toEqual({ exitCode: 130, stdout: expect.stringContaining(`by ${signal}`) });
    }
  });

  it('reaches each program of the package', async () => {
    const { bin } = JSON.parse(await readFile(new URL('package.json', PACKAGE_ROOT), 'utf8'));
    const config = join(folder.path, 'kubeconfig');
    await writeFile(
      config,
      JSON.stringify({
        clusters: [{ name: 'a', cluster: { server: `http://127.0.0.1:${silent.port}` } }],
        contexts: [{ name: 'a', context: { cluster: 'a' } }],
      }),
    );
    for (const file of Object.values<string>(bin)) {
      const connected = new Promise<void>((resolve) => {
        onConnected = resolve;
      });
      const argv = [fileURLToPath(new URL(file, PACKAGE_ROOT)), 'clustermesh', 'status', '--context', 'a'];
      const running = execa(process.execPath, [...argv, '--kubeconfig', config, '-o', 'json'], { reject: false });
      await Promise.race([connected, once(running, 'exit')]);
      running.kill(signal);
      const { exitCode, stdout } = await running;
      expect(exitCode, file).toBe(130);
      expect(JSON.parse(stdout)).toMatchObject({ kind: 'Error', error: { code: 'Interrupted' } });
    }
  });
});
