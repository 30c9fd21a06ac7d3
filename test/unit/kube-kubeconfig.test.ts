import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { loadKubeconfig, selectContext } from '../../src/kube/access/kubeconfig.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meshctl-kubeconfig-'));
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function write(name: string, text: string): Promise<string> {
  const path = join(folder, name);
  await mkdir(join(path, '..'), { recursive: true });
  await writeFile(path, text);
  return path;
}

function config(contexts: readonly string[], { current = '', server = 'https://127.0.0.1:6443' } = {}): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': current,
    clusters: contexts.map((name) => ({ name, cluster: { server } })),
    users: contexts.map((name) => ({ name, user: { token: `token-of-${name}` } })),
    contexts: contexts.map((name) => ({ name, context: { cluster: name, user: name } })),
  });
}

const load = (options: { path?: string; env?: Record<string, string> }) =>
  loadKubeconfig({ env: {}, cwd: folder, ...options });

describe('which files', () => {
  test('--kubeconfig, relative to the working directory', async () => {
    const path = await write('my.yaml', config(['a'], { current: 'a' }));
    expect(await load({ path: 'my.yaml', env: { KUBECONFIG: '/nowhere' } })).toMatchObject({
      files: [path],
      currentContext: 'a',
    });
  });

  test('~/.kube/config', async () => {
    const path = await write('.kube/config', config(['a']));
    expect((await load({ env: { HOME: folder } })).files).toEqual([path]);
  });

  test('KUBECONFIG lists several; missing ones are passed over', async () => {
    const [one, two] = [await write('1', config(['a'])), await write('2', config(['b']))];
    const env = { KUBECONFIG: [one, join(folder, 'missing'), '', two].join(delimiter) };
    const kubeconfig = await load({ env });
    expect(kubeconfig.files).toEqual([one, two]);
    expect(kubeconfig.contexts.map(({ name }) => name)).toEqual(['a', 'b']);
  });

  test('as in kubectl, the first file that names something keeps it', async () => {
    const one = await write('1', config(['same'], { server: 'https://first' }));
    const two = await write('2', config(['same', 'b'], { server: 'https://second', current: 'b' }));
    const kubeconfig = await load({ env: { KUBECONFIG: [one, two].join(delimiter) } });
    expect(selectContext(kubeconfig, 'same').cluster.server).toBe('https://first');
    expect(kubeconfig.currentContext).toBe('b');
  });
});

describe('what cannot be loaded', () => {
  test('no file', async () => {
    await expect(load({ path: '/nowhere/config' })).rejects.toMatchObject({
      code: 'KubeconfigMissing',
      message: 'no kubeconfig: /nowhere/config does not exist',
      hint: 'Give --kubeconfig FILE or set KUBECONFIG.',
    });
    await expect(load({ env: { HOME: folder } })).rejects.toMatchObject({ code: 'KubeconfigMissing' });
    await expect(load({})).rejects.toMatchObject({ code: 'KubeconfigMissing' });
  });

  test('broken YAML, without a word of what is in it', async () => {
    const path = await write('broken', 'users:\n- name: a\n  user: {token: s3cret\n');
    const error = await load({ path }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: 'KubeconfigInvalid',
      message: expect.stringMatching(/broken is not valid YAML at line \d/),
    });
    expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain('s3cret');
  });

  test('a directory, or a list', async () => {
    await expect(load({ path: folder })).rejects.toMatchObject({
      code: 'KubeconfigInvalid',
      message: expect.stringContaining('it is a directory'),
    });
    await expect(load({ path: await write('list', '- a\n') })).rejects.toMatchObject({ code: 'KubeconfigInvalid' });
  });

  test('an empty file is an empty kubeconfig', async () => {
    const kubeconfig = await load({ path: await write('empty', '') });
    expect(() => selectContext(kubeconfig)).toThrow('no context was given');
  });
});

describe('selectContext', () => {
  test('takes the current context by default', async () => {
    const kubeconfig = await load({ path: await write('c', config(['a', 'b'], { current: 'b' })) });
    expect(selectContext(kubeconfig)).toMatchObject({ name: 'b', user: { token: 'token-of-b' } });
  });

  test('an unknown context: near names first, at most ten', async () => {
    const names = Array.from({ length: 14 }, (_, index) => `staging-${index}`);
    const path = await write('c', config([...names, 'Prod-East', 'prod-west']));
    const kubeconfig = await load({ path });
    expect(() => selectContext(kubeconfig, 'prod-east')).toThrow(
      expect.objectContaining({
        code: 'ContextUnknown',
        message: `context "prod-east" is not in kubeconfig ${path}`,
        hint: expect.stringMatching(/^contexts: Prod-East, prod-west, staging-.* and 6 more$/),
      }),
    );
  });

  test('several contexts where one is meant', async () => {
    const kubeconfig = await load({ path: await write('c', config(['gke', 'eks'])) });
    expect(() => selectContext(kubeconfig, 'gke,eks')).toThrow(
      expect.objectContaining({ code: 'ContextUnknown', hint: 'This takes one context: gke or eks.' }),
    );
  });

  test('a part of a name that has a comma', async () => {
    const kubeconfig = await load({ path: await write('c', config(['team,gke', 'eks'])) });
    expect(() => selectContext(kubeconfig, 'team')).toThrow(
      expect.objectContaining({
        hint: String.raw`A comma within the name of a context is written \,: --context 'team\,gke'`,
      }),
    );
  });

  test('a context whose cluster or user is missing', async () => {
    const text = JSON.stringify({
      clusters: [{ name: 'c', cluster: { server: 'https://c' } }],
      contexts: [
        { name: 'no-user', context: { cluster: 'c', user: 'gone' } },
        { name: 'no-cluster', context: { cluster: 'gone', user: 'u' } },
        { name: 'anonymous', context: { cluster: 'c' } },
      ],
    });
    const kubeconfig = await load({ path: await write('c', text) });
    expect(() => selectContext(kubeconfig, 'no-user')).toThrow('context "no-user" names user "gone", which is not in');
    expect(() => selectContext(kubeconfig, 'no-cluster')).toThrow('context "no-cluster" names cluster "gone"');
    expect(selectContext(kubeconfig, 'anonymous').cluster.server).toBe('https://c');
  });

  test('a broken entry does not spoil the others', async () => {
    const text = JSON.stringify({
      clusters: [{ name: 'broken' }, { name: 'c', cluster: { server: 'https://c/' } }],
      users: [{ user: {} }, { name: 'u', user: {} }],
      contexts: [{ name: 'broken' }, { name: 'ok', context: { cluster: 'c', user: 'u' } }],
    });
    const kubeconfig = await load({ path: await write('c', text) });
    expect(selectContext(kubeconfig, 'ok').cluster.server).toBe('https://c');
  });

  test('files named in a kubeconfig are relative to it, in its own spelling of the fields', async () => {
    const extensions = [
      { name: 'other', extension: 1 },
      { name: 'client.authentication.k8s.io/exec', extension: { audience: 'x' } },
    ];
    const text = JSON.stringify({
      clusters: [{ name: 'c', cluster: { server: 'https://c', 'certificate-authority': 'ca.crt', extensions } }],
      users: [
        { name: 'files', user: { 'client-certificate': 'u.crt', 'client-key': '/keys/u.key', tokenFile: 'token' } },
        { name: 'plugin', user: { exec: { command: './bin/login' }, as: 'jane', 'as-groups': ['ops'], 'as-uid': '7' } },
        { name: 'installed', user: { exec: { command: 'aws' } } },
      ],
      contexts: ['files', 'plugin', 'installed'].map((user) => ({ name: user, context: { cluster: 'c', user } })),
    });
    const kubeconfig = await load({ path: await write('sub/config', text) });
    const { cluster, user } = selectContext(kubeconfig, 'files');
    expect(cluster).toMatchObject({ caFile: join(folder, 'sub/ca.crt'), execConfig: { audience: 'x' } });
    expect(user).toMatchObject({
      certFile: join(folder, 'sub/u.crt'),
      keyFile: '/keys/u.key',
      tokenFile: join(folder, 'sub/token'),
    });
    expect(selectContext(kubeconfig, 'plugin').user).toMatchObject({
      plugin: { command: join(folder, 'sub/bin/login'), env: [] },
      impersonateUser: 'jane',
      impersonateGroups: ['ops'],
      impersonateUid: '7',
    });
    expect(selectContext(kubeconfig, 'installed').user.plugin?.command).toBe('aws');
  });
});
