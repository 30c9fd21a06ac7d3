import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { loadKubeconfig, selectContext } from '../../src/kube/access/kubeconfig.ts';
import { MeshctlError } from '../../src/mesh/errors.ts';
import { hostileText, hostileValue } from '../support/hostile.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meshctl-kubeconfig-'));
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

const path = (name: string) => join(folder, name);

async function write(text: string, name = 'config'): Promise<string> {
  await writeFile(path(name), text);
  return path(name);
}

function config(context: string, { server = 'https://127.0.0.1:6443', user = {}, name = context } = {}): string {
  return JSON.stringify({
    'current-context': context,
    clusters: [{ name, cluster: { server } }],
    users: [{ name, user }],
    contexts: [{ name: context, context: { cluster: name, user: name } }],
  });
}

const load = (file: string, options: object = {}) => loadKubeconfig({ path: file, env: {}, cwd: folder, ...options });

describe('a kubeconfig', () => {
  test('with an unresolved tag says nothing to the terminal', async () => {
    const warning = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    const file = await write(`${config('a').slice(0, -1)}, "x": !vault s3cret }`);
    expect((await load(file)).contexts).toHaveLength(1);
    expect(warning).not.toHaveBeenCalled();
    warning.mockRestore();
  });

  test('that is a pipe gives its text when it is written', async () => {
    await promisify(execFile)('mkfifo', [path('pipe')]);
    const loading = load(path('pipe'));
    await writeFile(path('pipe'), config('a'));
    expect((await loading).currentContext).toBe('a');
  });

  test('that is a pipe to which nobody writes ends by its time and by Ctrl-C', async () => {
    await promisify(execFile)('mkfifo', [path('pipe')]);
    await expect(load(path('pipe'), { timeoutMs: 50 })).rejects.toMatchObject({
      code: 'KubeconfigInvalid',
      message: `cannot read kubeconfig ${path('pipe')}: nothing could be read from it within 0.05 s`,
    });
    const controller = new AbortController();
    const loading = load(path('pipe'), { signal: controller.signal });
    controller.abort();
    await expect(loading).rejects.toMatchObject({ code: 'Interrupted' });
  });

  test('that is larger than any is not read', async () => {
    const file = await write('a');
    await truncate(file, 48 * 1024 * 1024);
    await expect(load(file)).rejects.toMatchObject({
      message: `cannot read kubeconfig ${file}: it has more than 16 MiB`,
    });
  });

  test.each([
    ['/dev/null', 'holds no contexts', 'ContextUnknown'],
    ['/dev/zero', 'it has more than 16 MiB', 'KubeconfigInvalid'],
  ])('that is %s', async (device, words, code) => {
    const using = load(device).then((kubeconfig) => selectContext(kubeconfig, 'a'));
    const error: MeshctlError = await using.then(
      () => {
        throw new Error('it was read');
      },
      (thrown: MeshctlError) => thrown,
    );
    expect(error.code).toBe(code);
    expect(`${error.message} ${error.hint}`).toContain(words);
  });

  test.each(['contexts', 'clusters', 'users'] as const)(
    'with two %s of one name is refused, as by kubectl',
    async (kind) => {
      const content = JSON.parse(config('a')) as Record<typeof kind, object[]>;
      content[kind] = [...content[kind], ...content[kind]];
      await expect(load(await write(JSON.stringify(content)))).rejects.toMatchObject({
        code: 'KubeconfigInvalid',
        message: `kubeconfig ${path('config')} has two ${kind} named "a"`,
      });
    },
  );

  test('that is a folder', async () => {
    await mkdir(path('folder'));
    await expect(load(path('folder'))).rejects.toMatchObject({ code: 'KubeconfigInvalid' });
  });

  test.each<[string, string, string]>([
    [
      'a server that is no URL',
      config('a', { server: 'nowhere' }),
      'cluster "a" has no server with an http or https URL',
    ],
    [
      'a plugin without a command',
      config('a', { user: { exec: { command: 5 } } }),
      'the exec entry of user "a" names no command',
    ],
    [
      'a context whose name is a mapping',
      config('a').replace('"name":"a","context"', '"name":{"a":1},"context"'),
      'context "a" is not in',
    ],
    [
      'a user whose name is a mapping',
      config('a').replace('"name":"a","user"', '"name":{"a":1},"user"'),
      'names user "a", which is not in',
    ],
  ])('with %s', async (_what, text, words) => {
    const kubeconfig = await load(await write(text));
    expect(() => selectContext(kubeconfig, 'a')).toThrow(
      expect.objectContaining({ message: expect.stringContaining(words) }) as Error,
    );
  });

  test('with anything for any value: a context or one error', async () => {
    const value = fc.oneof(hostileValue, hostileText);
    const entries = (field: string) =>
      fc.oneof(
        value,
        fc.array(fc.record({ name: fc.oneof(fc.constant('a'), value), [field]: value }, { requiredKeys: [] }), {
          maxLength: 3,
        }),
        fc.constant(JSON.parse(config('a'))[`${field}s`] as unknown),
      );
    const document = fc.record({
      'current-context': fc.oneof(fc.constant('a'), value),
      contexts: entries('context'),
      clusters: entries('cluster'),
      users: entries('user'),
    });
    await fc.assert(
      fc.asyncProperty(document, async (content) => {
        const file = await write(JSON.stringify(content));
        try {
          selectContext(await load(file));
        } catch (error) {
          expect(error).toBeInstanceOf(MeshctlError);
          expect(['KubeconfigInvalid', 'ContextUnknown']).toContain((error as MeshctlError).code);
        }
      }),
      { numRuns: 150 },
    );
  });
});

describe('two files with one name', () => {
  test('say which entry counts, for the context that gets another one than its own file has', async () => {
    const [one, two] = [
      await write(config('a', { name: 'admin', user: { token: '1' } }), 'one'),
      await write(config('b', { name: 'admin', user: { token: '2' } }), 'two'),
    ];
    const kubeconfig = await loadKubeconfig({ env: { KUBECONFIG: [one, two].join(delimiter) }, cwd: folder });
    expect(selectContext(kubeconfig, 'a').warnings).toEqual([]);
    const { warnings, user } = selectContext(kubeconfig, 'b');
    expect(user.token).toBe('1');
    expect(warnings).toEqual([
      `context "b" of ${two} uses the user "admin" of ${one}: of two with one name, the first in KUBECONFIG counts. ` +
        'Rename one of them, or use the file alone with --kubeconfig',
    ]);
  });

  test('say which context counts, and are silent where both are one', async () => {
    const other = config('a').replace('https://', 'https://other.');
    const files = await Promise.all(
      [config('a'), config('a'), other].map((text, index) => write(text, `kubeconfig-${index}`)),
    );
    const [one = '', same = '', two = ''] = files;
    const warningsOf = async (...listed: string[]) => {
      const env = { KUBECONFIG: listed.join(delimiter) };
      return selectContext(await loadKubeconfig({ env, cwd: folder }), 'a').warnings;
    };
    expect(await warningsOf(one, same)).toEqual([]);
    expect(await warningsOf(one, one)).toEqual([]);
    expect(await warningsOf(one, same, two)).toEqual([
      `context "a" of ${one} is used, and another one of ${two} is not: of two with one name, the first in KUBECONFIG counts. ` +
        'Rename one of them, or use the file alone with --kubeconfig',
    ]);
  });
});

describe('in a pod', () => {
  const env = { KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '443' };

  test('without a kubeconfig, the service account is used', async () => {
    await writeFile(path('token'), 'jwt');
    await writeFile(path('namespace'), 'ops');
    const kubeconfig = await loadKubeconfig({ env, cwd: folder, serviceAccount: folder });
    expect(kubeconfig.unnamed).toBe(true);
    expect(selectContext(kubeconfig)).toMatchObject({
      name: 'in-cluster',
      namespace: 'ops',
      cluster: { server: 'https://[fd00::1]:443', caFile: path('ca.crt') },
      user: { tokenFile: path('token') },
    });
  });

  test('a kubeconfig comes first, and a missing one that was named is an error', async () => {
    await writeFile(path('token'), 'jwt');
    const file = await write(config('a'));
    const own = { env: { ...env, KUBECONFIG: file }, cwd: folder, serviceAccount: folder };
    expect((await loadKubeconfig(own)).currentContext).toBe('a');
    await expect(loadKubeconfig({ ...own, path: path('none') })).rejects.toMatchObject({ code: 'KubeconfigMissing' });
  });
});
