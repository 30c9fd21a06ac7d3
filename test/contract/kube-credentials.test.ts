import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { issueCertificate } from '../../src/pki/issue.ts';
import { good, SECRET, secretNamed, useScriptedCluster } from '../support/kube-scripted.ts';
import { failure, sendJson } from '../support/kube-server.ts';

const { closeLater, identity, open, serve } = useScriptedCluster();

describe('credentials', () => {
  test('a client certificate', async () => {
    const jane = await issueCertificate(identity().authority, {
      commonName: 'jane',
      usages: ['client'],
      dnsNames: [],
      ipAddresses: [],
    });
    const server = await serve(good);
    const base64 = (text: string) => Buffer.from(text).toString('base64');
    await open(server.url, { user: { certData: base64(jane.certificate), keyData: base64(jane.privateKey) } }).get(
      SECRET,
    );
    expect(server.seen[0]?.clientName).toBe('jane');
  });

  test('token, password, impersonation', async () => {
    const server = await serve(good);
    const headersOf = async (...settings: Parameters<typeof open> extends [string, ...infer Rest] ? Rest : never) => {
      await open(server.url, ...settings).get(SECRET);
      const { authorization, 'impersonate-user': as, 'impersonate-group': groups } = server.seen.at(-1)?.headers ?? {};
      return { authorization, as, groups };
    };
    expect(await headersOf({ user: { token: 't0' } })).toEqual({ authorization: 'Bearer t0' });
    expect(await headersOf({ user: { username: 'u', password: 'p' } })).toEqual({
      authorization: `Basic ${btoa('u:p')}`,
    });
    const inConfig = { user: { token: 't0', impersonateUser: 'ann', impersonateGroups: ['g'] } };
    expect(await headersOf(inConfig)).toMatchObject({ as: 'ann', groups: 'g' });
    expect(await headersOf(inConfig, { as: 'bob', asGroup: ['a', 'b'] })).toMatchObject({ as: 'bob', groups: 'a, b' });
    expect(await headersOf(inConfig, { as: 'bob' })).toEqual({ authorization: 'Bearer t0', as: 'bob' });
  });

  test('a group without a user is a mistake', () => {
    expect(() => open('https://127.0.0.1:1', {}, { asGroup: ['g'] })).toThrow(
      expect.objectContaining({ code: 'Usage' }),
    );
  });

  test('a token file is read, and read again when its token is refused', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'meshctl-token-'));
    closeLater({ close: () => rm(folder, { recursive: true }) });
    const tokenFile = join(folder, 'token');
    await writeFile(tokenFile, 'old\n');
    const server = await serve(({ headers }, response) => {
      if (headers.authorization === 'Bearer new') return sendJson(response, 200, secretNamed('cilium-ca'));
      return writeFile(tokenFile, 'new\n').then(() =>
        sendJson(response, 401, failure(401, 'Unauthorized', 'Unauthorized')),
      );
    });
    await open(server.url, { user: { tokenFile } }).get(SECRET);
    expect(server.seen.map(({ headers }) => headers.authorization)).toEqual(['Bearer old', 'Bearer new']);
  });

  describe('credential plugins', () => {
    const plugin = (script: string, more: Record<string, unknown> = {}) => ({
      user: {
        plugin: {
          apiVersion: 'client.authentication.k8s.io/v1',
          command: process.execPath,
          args: ['-e', script],
          ...more,
        },
      },
    });

    test('one is run, told what it is for, and asked again when its token is refused', async () => {
      const server = await serve(({ headers }, response) => {
        const expected = server.seen.length > 1;
        sendJson(
          response,
          expected ? 200 : 401,
          expected ? secretNamed('cilium-ca') : failure(401, 'Unauthorized', String(headers.accept)),
        );
      });
      const script = `const {apiVersion, spec} = JSON.parse(process.env.KUBERNETES_EXEC_INFO);
        const token = [process.pid, spec.cluster.server, spec.interactive].join(' ');
        console.log(JSON.stringify({apiVersion, kind: 'ExecCredential', status: {token}}))`;
      const client = open(server.url, plugin(script, { provideClusterInfo: true }));
      await Promise.all([client.get(SECRET)]);
      const [first, second] = server.seen.map(({ headers }) => headers.authorization);
      expect(first).toMatch(new RegExp(`^Bearer \\d+ ${server.url} false$`));
      expect(second).toMatch(/^Bearer \d+ /);
      expect(second).not.toBe(first);
    });

    test('one that asks for the cluster gets the content of a CA file, and what the kubeconfig has for it', async () => {
      const folder = await mkdtemp(join(tmpdir(), 'meshctl-ca-'));
      closeLater({ close: () => rm(folder, { recursive: true }) });
      const caFile = join(folder, 'ca.crt');
      await writeFile(caFile, identity().authority.certificate);
      const server = await serve(good);
      const script = `const {spec} = JSON.parse(process.env.KUBERNETES_EXEC_INFO);
        console.log(JSON.stringify({status: {token: Buffer.from(JSON.stringify(spec.cluster)).toString('base64')}}))`;
      const cluster = { caData: undefined, caFile, execConfig: { audience: 'x' } };
      await open(server.url, { ...plugin(script, { provideClusterInfo: true }), cluster }).get(SECRET);
      const token = String(server.seen[0]?.headers.authorization).slice('Bearer '.length);
      const told = JSON.parse(Buffer.from(token, 'base64').toString()) as Record<string, unknown>;
      const data = Buffer.from(identity().authority.certificate).toString('base64');
      expect(told).toMatchObject({ 'certificate-authority-data': data, config: { audience: 'x' } });
    });

    test('one is run once for requests at the same time', async () => {
      const server = await serve(good);
      const client = open(server.url, plugin(`console.log(JSON.stringify({status: {token: String(process.pid)}}))`));
      await Promise.all([client.get(SECRET), client.get(SECRET), client.get(SECRET)]);
      expect(new Set(server.seen.map(({ headers }) => headers.authorization)).size).toBe(1);
    });

    test('one that is not installed', async () => {
      const user = { plugin: { command: 'no-such-plugin', installHint: 'install it from example.com' } };
      await expect(open('https://127.0.0.1:1', { user }).get(SECRET)).rejects.toMatchObject({
        code: 'Unauthenticated',
        message: 'context "c1": credential plugin "no-such-plugin" is not installed or not in PATH',
        hint: 'install it from example.com',
      });
    });

    test.each([
      ['one line', 'the SSO session has expired', 'the SSO session has expired'],
      [
        'the first lines that say something',
        'F1 cred.go:2] no token (err: ERROR: cannot refresh.\nPlease run:\n\n  $ gcloud auth login\n\nto go on.\n)\n',
        'F1 cred.go:2] no token (err: ERROR: cannot refresh. Please run: $ gcloud auth login',
      ],
      ['no colours', '\x1b[31mexpired\x1b[0m\r\n', 'expired'],
      [
        'what follows a Python trace',
        'Traceback (most recent call last):\n  File "a.py", line 1, in b\n    c()\nValueError: no profile\n',
        'ValueError: no profile',
      ],
      ['no more than a few', 'x'.repeat(5000), `${'x'.repeat(300)}…`],
      ['nothing', '\n)\n', 'it gave no reason'],
      ['no token', 'cannot renew eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJqYW5lIn0.c2ln', 'cannot renew <hidden>'],
    ])('one that fails: its own words: %s', async (_name, stderr, words) => {
      const script = `console.log('s3cret'); process.stderr.write(${JSON.stringify(stderr)}, () => process.exit(3))`;
      const error = await open('https://127.0.0.1:1', plugin(script))
        .get(SECRET)
        .catch((thrown: unknown) => thrown as Error);
      expect(error).toMatchObject({ code: 'Unauthenticated' });
      expect((error as Error).message).toBe(`context "c1": credential plugin "${process.execPath}" failed: ${words}`);
      expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain('s3cret');
    });

    test('one whose answer is no credential, which might yet be secret', async () => {
      const error = await open('https://127.0.0.1:1', plugin(`console.log('s3cret')`))
        .get(SECRET)
        .catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({
        code: 'Unauthenticated',
        message: expect.stringContaining('its answer is not an ExecCredential'),
      });
      expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain('s3cret');
    });

    describe('whose login has expired', () => {
      const unauthorised = failure(401, 'Unauthorized', 'Unauthorized');

      /** A plugin that counts its runs, the first of which succeeds; of the later ones, what they do. */
      async function countingPlugin(later: string) {
        const folder = await mkdtemp(join(tmpdir(), 'meshctl-plugin-'));
        closeLater({ close: () => rm(folder, { recursive: true }) });
        const runs = join(folder, 'runs');
        await writeFile(runs, '');
        const script = `const fs = require('fs'), runs = ${JSON.stringify(runs)};
          fs.appendFileSync(runs, 'x');
          const run = fs.readFileSync(runs, 'utf8').length;
          const give = () => console.log(JSON.stringify({ status: { token: 'token-' + run } }));
          const fail = () => { console.error('the session is over'); process.exit(1); };
          if (run === 1) give(); else { ${later} }`;
        return { user: plugin(script), runs: async () => (await readFile(runs, 'utf8')).length };
      }

      /** Refuses all logins but those that fit. */
      const only = (fits: RegExp) =>
        serve(({ headers }, response) =>
          fits.test(headers.authorization ?? '')
            ? sendJson(response, 200, secretNamed('cilium-ca'))
            : sendJson(response, 401, unauthorised),
        );

      test('is run again for what goes on after Ctrl-C', async () => {
        const ctrlC = new AbortController();
        const { user } = await countingPlugin('give()');
        const client = open((await only(/token-2/)).url, user, { signal: ctrlC.signal });
        ctrlC.abort();
        await expect(client.get(SECRET)).rejects.toMatchObject({ code: 'Interrupted' });
        await expect(client.get(SECRET, { signal: new AbortController().signal })).resolves.toMatchObject({});
      });

      test('and is running at Ctrl-C: what goes on after it runs it anew', async () => {
        const ctrlC = new AbortController();
        const { user, runs } = await countingPlugin('if (run === 2) setInterval(() => {}, 1000); else give()');
        const client = open((await only(/token-3/)).url, user, { signal: ctrlC.signal });
        const asked = client.get(SECRET).catch((error: unknown) => error);
        await expect.poll(runs).toBe(2);
        ctrlC.abort();
        expect(await asked).toMatchObject({ code: 'Interrupted' });
        await expect(client.get(SECRET, { signal: new AbortController().signal })).resolves.toBeDefined();
      });

      test.each([
        ['fails from then on', 'fail()', 2, /the session is over/],
        ['gives what is refused as well', 'give()', 2, /Unauthorized|refuse|not accept/i],
      ])(
        '%s: is not run for each request, and once more for each work under a signal of its own',
        async (_name, later, runsOfAll, words) => {
          const { user, runs } = await countingPlugin(later);
          const client = open((await only(/never/)).url, user);
          const ask = () => expect(client.get(SECRET)).rejects.toMatchObject({ code: 'Unauthenticated' });
          for (let request = 0; request < 3; request++) await ask();
          await expect(client.get(SECRET)).rejects.toThrow(words);
          expect(await runs()).toBe(runsOfAll);
          const place = { namespace: 'kube-system', pod: 'cilium-1', container: 'cilium-agent', command: ['true'] };
          for (const more of [1, 2]) {
            // A request, and what has a time of its own under the same signal.
            const { signal } = new AbortController();
            for (let count = 0; count < 2; count++) {
              await expect(client.get(SECRET, { signal })).rejects.toMatchObject({ code: 'Unauthenticated' });
              await expect(client.exec({ ...place, timeoutMs: 5000, signal })).rejects.toMatchObject({
                code: 'Unauthenticated',
              });
              await ask();
              await expect(client.exec({ ...place, timeoutMs: 5000 })).rejects.toMatchObject({
                code: 'Unauthenticated',
              });
            }
            expect(await runs()).toBe(runsOfAll + more);
          }
        },
      );

      test('fails, and is run again after a while', async () => {
        let ms = 0;
        const { user, runs } = await countingPlugin('if (run === 2) fail(); else give()');
        const clock = { sleep: async () => undefined, ms: () => ms };
        const client = open((await only(/token-3/)).url, user, { clock });
        await expect(client.get(SECRET)).rejects.toMatchObject({ code: 'Unauthenticated' });
        ms += 9_999;
        await expect(client.get(SECRET)).rejects.toMatchObject({ code: 'Unauthenticated' });
        expect(await runs()).toBe(2);
        ms += 1;
        await expect(client.get(SECRET)).resolves.toBeDefined();
      });

      test('is slow: the API server is not blamed for its time', async () => {
        const { user } = await countingPlugin('setTimeout(give, 700)');
        const client = open((await only(/token-2/)).url, user, { requestTimeoutMs: 600 });
        await expect(client.get(SECRET)).rejects.toThrow(/credential plugin .* did not end within 0.6 s/);
      });
    });

    test('one that hangs does not outlast Ctrl-C', async () => {
      const stop = new AbortController();
      const client = open('https://127.0.0.1:1', plugin('setTimeout(() => {}, 2000)'), { signal: stop.signal });
      const getting = client.get(SECRET);
      setImmediate(() => stop.abort());
      await expect(getting).rejects.toMatchObject({ code: 'Interrupted' });
    });
  });

  test('a file that the kubeconfig names but that is missing', async () => {
    const client = open('https://127.0.0.1:1', {
      user: { certFile: '/nowhere/jane.crt', keyFile: '/nowhere/jane.key' },
    });
    await expect(client.get(SECRET)).rejects.toMatchObject({
      code: 'KubeconfigInvalid',
      message: 'context "c1": file /nowhere/jane.crt of kubeconfig kubeconfig does not exist',
    });
  });
});
