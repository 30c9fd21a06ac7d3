import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SHELLS } from '../../src/commands/completion-spec.ts';
import { invitationSecret } from '../../src/mesh/invitation/record.ts';
import { runCli } from '../support/cli.ts';
import { PACKAGE_ROOT } from '../support/schemas.ts';
import {
  addService,
  namespaceObject,
  type ServiceClusters,
  startServiceClusters,
} from '../support/service-clusters.ts';

let clusters: ServiceClusters;
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'meshctl-completion-'));
  clusters = await startServiceClusters();
  const { one, two, three } = clusters.stores;
  one?.create(namespaceObject('shop'));
  addService(one, 'web');
  addService(one, 'cart', { namespace: 'shop', mesh: {} });
  addService(two, 'web');
  addService(two, 'other', { mesh: {} });
  three?.create(namespaceObject('cilium'));
  one?.create({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'clustermesh-remote-users', namespace: 'kube-system' },
    data: { 'users.yaml': 'users:\n- name: remote\n  role: remote\n- name: remote-mesh-9\n  role: remote\n' },
  });
});

afterAll(async () => {
  await clusters.close();
  await rm(directory, { recursive: true, force: true });
});

/** What is printed at TAB. Machines that run tests are slow: the answer may take its time unless the test says otherwise. */
async function completed(line: string, env: Record<string, string> = {}): Promise<string[]> {
  const { exitCode, stdout, stderr } = await runCli(['__complete', '--', ...line.split(' ')], {
    env: { KUBECONFIG: clusters.kubeconfigPath, MESHCTL_COMPLETION_TIMEOUT: '60s', ...env },
  });
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  return stdout.trimEnd().split('\n');
}

describe('what only the clusters know', () => {
  it.each([
    ['clustermesh status --context t', ['two', 'three', ':4']],
    ['clustermesh status --context ', ['one\tcurrent', 'two', 'three', ':4']],
    ['clustermesh disconnect --context one --peer ', ['mesh-2', 'mesh-3', 'mesh-9', ':4']],
    ['clustermesh disconnect --context two --peer mesh-1,', ['mesh-1,mesh-3', ':4']],
    ['clustermesh certs rotate --peer mesh-', ['mesh-2', 'mesh-3', 'mesh-9', ':4']],
    ['clustermesh certs rotate --context three -n nowhere --peer ', [':4']],
    ['service describe ', ['default/web\tglobal', 'shop/cart', ':4']],
    ['service describe shop/', ['shop/cart', ':4']],
    ['service describe -n shop ', ['cart', ':4']],
    ['service global --context one,t* ', ['default/web\tglobal', 'shop/cart', 'default/other', ':4']],
    ['service global --all default/', ['default/web\tglobal', 'default/other', ':4']],
    ['service global --context none ', [':4']],
    ['service list -n s', ['shop', ':4']],
    ['service list --context three --cilium-namespace c', ['cilium', ':4']],
  ])('meshctl %s', async (line, expected) => {
    expect((await completed(line)).sort()).toEqual(expected.sort());
  });

  it('invitations are known by id, with how far they have come', async () => {
    const [now, later] = [new Date('2026-06-01T12:00:00Z'), new Date('2026-06-02T12:00:00Z')];
    const about = { issued: now, expires: later, sent: {}, sentDigest: 'd', endpoints: [] };
    const id = '5f1c2a9e0b7d4c3f8a61e2d0';
    const { one } = clusters.stores;
    one?.create(invitationSecret('kube-system', { ...about, id, role: 'inviter', state: 'invited' }));
    expect(await completed('clustermesh invitations revoke --context one 5f')).toEqual([`${id}\tinvited`, ':4']);
    expect(await completed('clustermesh invitations revoke --context two ')).toEqual([':4']);
  });

  it('sandboxes are known by name', async () => {
    const folder = join(directory, 'state', 'meshctl', 'sandboxes', 'sandbox-a1');
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'up.json'), JSON.stringify({ contexts: ['mesh-1', 'mesh-2'], pid: 1 }));
    const env = { XDG_STATE_HOME: join(directory, 'state') };
    expect(await completed('sandbox down s', env)).toEqual(['sandbox-a1\tmesh-1, mesh-2', ':4']);
  });

  it('is asked as whom the line says', async () => {
    expect(await completed('service describe --as nobody ')).toEqual([':4']);
    expect(await completed('service describe --as nobody --as-group system:masters ')).not.toEqual([':4']);
  });

  it('checks are known by id and category', async () => {
    const checks = await completed('clustermesh check --suppress cluster-id-unique,cluster-name-u');
    expect(checks).toEqual(['cluster-id-unique,cluster-name-unique\tcluster names are unique', ':4']);
    expect(await completed('clustermesh check --category tl')).toEqual(['tls', ':4']);
    expect(await completed('clustermesh check --pre --category pee')).toEqual([':4']);
    expect(await completed('clustermesh connect --skip-checks version-')).toHaveLength(2);
  });
});

describe('the kubeconfig', () => {
  const contextsIn = (...names: string[]) =>
    JSON.stringify({ contexts: names.map((name) => ({ name, context: { cluster: 'c', user: 'u' } })) });

  it('is that of the line, else that of the environment, else the usual one', async () => {
    await writeFile(join(directory, 'a.yaml'), contextsIn('from-a'));
    await writeFile(join(directory, 'b.yaml'), contextsIn('from-b'));
    const env = { HOME: directory, KUBECONFIG: join(directory, 'b.yaml') };
    expect(await completed('clustermesh status --context ', env)).toEqual(['from-b', ':4']);
    for (const typed of ['--kubeconfig ~/a.yaml', '--kubeconfig=$HOME/a.yaml', `--kubeconfig ${directory}/a.yaml`]) {
      expect(await completed(`clustermesh status ${typed} --context `, env)).toEqual(['from-a', ':4']);
    }
    const other = 'clustermesh connect --destination-kubeconfig ~/a.yaml';
    expect(await completed(`${other} --destination-context `, env)).toEqual(['from-a', ':4']);
    expect(await completed(`${other} --context `, env)).toEqual(['from-b', ':4']);
  });

  it('may be broken or missing, without a word', async () => {
    await writeFile(join(directory, 'broken.yaml'), 'contexts: [');
    for (const file of ['broken.yaml', 'none.yaml', '.']) {
      expect(await completed(`clustermesh status --kubeconfig ${directory}/${file} --context `)).toEqual([':4']);
      expect(await completed(`service describe --kubeconfig ${directory}/${file} `)).toEqual([':4']);
    }
  });

  it('is not taken from a pipe, which gives its text but once', async () => {
    const pipe = join(directory, 'pipe');
    await promisify(execFile)('mkfifo', [pipe]);
    expect(await completed(`clustermesh status --kubeconfig ${pipe} --context `)).toEqual([':4']);
  });
});

describe('a cluster that does not answer', () => {
  let silent: Server;

  beforeAll(async () => {
    silent = createServer((socket) => socket.resume());
    await new Promise<void>((done) => silent.listen(0, '127.0.0.1', done));
    const { port } = silent.address() as { port: number };
    const kubeconfig = JSON.parse(await readFile(clusters.kubeconfigPath, 'utf8')) as {
      clusters: { cluster: { server: string } }[];
    };
    const [, second] = kubeconfig.clusters;
    if (second) second.cluster.server = `https://127.0.0.1:${port}`;
    await writeFile(join(directory, 'one-silent.yaml'), JSON.stringify(kubeconfig));
    for (const { cluster } of kubeconfig.clusters) cluster.server = `https://127.0.0.1:${port}`;
    await writeFile(join(directory, 'silent.yaml'), JSON.stringify(kubeconfig));
  });

  afterAll(() => new Promise((done) => silent.close(done)));

  it.each(['', '1ms', 'soon'])('has nothing to say after a moment (MESHCTL_COMPLETION_TIMEOUT=%s)', async (timeout) => {
    const env = { KUBECONFIG: join(directory, 'silent.yaml'), MESHCTL_COMPLETION_TIMEOUT: timeout };
    const began = performance.now();
    for (const line of ['service describe ', 'clustermesh disconnect --peer ', 'clustermesh status -n ']) {
      expect(await completed(line, env)).toEqual([':4']);
    }
    // It would be 30 s for each request otherwise.
    expect(performance.now() - began).toBeLessThan(20_000);
  });

  it('keeps none of the others from saying what they know', async () => {
    const env = { KUBECONFIG: join(directory, 'one-silent.yaml'), MESHCTL_COMPLETION_TIMEOUT: '3s' };
    const known = await completed('service describe --context one,two ', env);
    expect(known.sort()).toEqual(['default/web\tglobal', 'shop/cart', ':4'].sort());
  });
});

it('nothing of a line is taken for a flag of meshctl itself', async () => {
  for (const line of [
    '--help',
    '--version',
    'clustermesh enable --help',
    '-o json clustermesh x',
    'a -- b',
    '__complete',
  ]) {
    expect((await completed(line)).at(-1)).toBe(':4');
  }
  const { stdout } = await runCli(['__complete', '--current=', '--', 'clustermesh', 'certs']);
  expect(stdout.split('\n').map((row) => row.split('\t')[0])).toEqual(['list', 'rotate', ':4', '']);
  expect((await runCli(['__complete'])).stdout.split('\n').at(-2)).toBe(':4');
});

describe('meshctl completion', () => {
  it.each(SHELLS)('prints the script for %s, which says nothing and asks for nothing', async (shell) => {
    const { exitCode, stdout, stderr } = await runCli(['completion', shell]);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toMatch(new RegExp(`^#.*completion of meshctl for ${shell}`, 'im'));
    const calls = stdout.split('\n').filter((line) => line.includes('meshctl __complete'));
    expect(calls).toHaveLength(1);
    expect(calls[0]).toContain('--');
    // Neither what the program says nor what a credential plugin asks may come between the operator and the line.
    expect(calls[0]).toMatch(shell === 'powershell' ? /\$null \| .* 2>\$null/ : / 2>\/dev\/null <\/dev\/null/);
    expect(stdout).not.toMatch(/\beval\b|Invoke-Expression/);
  });

  it('knows no other shell', async () => {
    const { exitCode, stderr } = await runCli(['completion', 'tcsh']);
    expect({ exitCode, stderr }).toEqual({
      exitCode: 2,
      stderr: '✖ "tcsh" is not one of bash, zsh, fish, powershell\n  → Add --help to see the options.\n',
    });
    expect((await runCli(['completion'])).exitCode).toBe(2);
  });

  it('has a script of balanced brackets for PowerShell', async () => {
    const script = await readFile(new URL('templates/completion/meshctl.ps1', PACKAGE_ROOT), 'utf8');
    const bare = script.replace(/#.*$/gm, '').replace(/'(?:[^']|'')*'|"[^"]*"/g, '');
    for (const [open, close] of ['{}', '()', '[]'].map((pair) => [...pair])) {
      expect(bare.split(open ?? '').length).toBe(bare.split(close ?? '').length);
    }
  });
});
