import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readKey, readUsers } from '../../src/etcd/read.ts';
import { EtcdReadError } from '../../src/etcd/read-error.ts';
import { type Authority, createAuthority } from '../../src/pki/authority.ts';
import { type IssuedCertificate, issueCertificate } from '../../src/pki/issue.ts';
import { openEtcdSession } from '../../src/sandbox/cilium/etcd-session.ts';
import { freePort } from '../support/free-port.ts';

const present = !spawnSync('etcd', ['--version']).error && !spawnSync('etcdctl', ['version']).error;
if (!present) console.warn('skipped: etcd and etcdctl are not on PATH (Debian: etcd-server, etcd-client)');

const KEY = 'cilium/cluster-config/mesh-2';
const VALUE = '{"id":2}';

/** As clustermesh-apiserver sets its etcd up: users by common name, a role that may read a few prefixes. */
describe.skipIf(!present)('a real etcd with client certificates and users', () => {
  let folder: string;
  let etcd: ChildProcess;
  let port: number;
  let ca: Authority;
  let otherCa: Authority;
  const people = new Map<string, IssuedCertificate>();

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'meshctl-etcd-'));
    [ca, otherCa] = await Promise.all([createAuthority(), createAuthority()]);
    const server = await issueCertificate(ca, {
      commonName: 'clustermesh-apiserver.kube-system.svc',
      usages: ['server', 'client'],
      dnsNames: ['clustermesh-apiserver.kube-system.svc'],
      ipAddresses: ['127.0.0.1'],
    });
    for (const [name, authority] of [
      ['root', ca],
      ['remote-mesh-1', ca],
      ['remote-mesh-2', ca],
      ['nobody', ca],
      ['stranger', otherCa],
    ] as const) {
      const spec = { commonName: name, usages: ['client' as const], dnsNames: [], ipAddresses: [] };
      people.set(name, await issueCertificate(authority, spec));
    }
    const root = certificateOf('root');
    for (const [file, content] of Object.entries({
      'ca.crt': ca.certificate,
      'server.crt': server.certificate,
      'server.key': server.privateKey,
      'root.crt': root.certificate,
      'root.key': root.privateKey,
    })) {
      await writeFile(join(folder, file), content, { mode: 0o600 });
    }
    port = await freePort();
    const peerPort = await freePort();
    etcd = spawn(
      'etcd',
      [
        `--data-dir=${join(folder, 'data')}`,
        `--listen-client-urls=https://127.0.0.1:${port}`,
        `--advertise-client-urls=https://127.0.0.1:${port}`,
        `--listen-peer-urls=http://127.0.0.1:${peerPort}`,
        `--initial-advertise-peer-urls=http://127.0.0.1:${peerPort}`,
        `--initial-cluster=default=http://127.0.0.1:${peerPort}`,
        '--client-cert-auth',
        `--trusted-ca-file=${join(folder, 'ca.crt')}`,
        `--cert-file=${join(folder, 'server.crt')}`,
        `--key-file=${join(folder, 'server.key')}`,
      ],
      { stdio: 'ignore' },
    );
    await etcdctl('put', KEY, VALUE);
    await etcdctl('user', 'add', 'root', '--no-password');
    await etcdctl('user', 'grant-role', 'root', 'root');
    await etcdctl('role', 'add', 'remote');
    await etcdctl('role', 'grant-permission', '--prefix=true', 'remote', 'read', 'cilium/cluster-config/');
    for (const user of ['remote-mesh-1', 'remote-mesh-2']) {
      await etcdctl('user', 'add', user, '--no-password');
      await etcdctl('user', 'grant-role', user, 'remote');
    }
    await etcdctl('auth', 'enable');
  });

  afterAll(async () => {
    if (etcd && etcd.exitCode === null) {
      etcd.kill('SIGKILL');
      await once(etcd, 'exit');
    }
    if (folder) await rm(folder, { recursive: true, force: true });
  });

  function etcdctl(...args: string[]) {
    const file = (name: string) => join(folder, name);
    const flags = [
      `--endpoints=https://127.0.0.1:${port}`,
      `--cacert=${file('ca.crt')}`,
      `--cert=${file('root.crt')}`,
      `--key=${file('root.key')}`,
      // The first call finds etcd still starting.
      '--dial-timeout=20s',
      '--command-timeout=20s',
    ];
    return promisify(execFile)('etcdctl', [...flags, ...args], { env: { ...process.env, ETCDCTL_API: '3' } });
  }

  /** A watch of the key, open until it is ended. */
  async function watchAs(person: string) {
    const { certificate, privateKey } = certificateOf(person);
    await writeFile(join(folder, `${person}.crt`), certificate, { mode: 0o600 });
    await writeFile(join(folder, `${person}.key`), privateKey, { mode: 0o600 });
    const flags = [
      `--endpoints=https://127.0.0.1:${port}`,
      `--cacert=${join(folder, 'ca.crt')}`,
      `--cert=${join(folder, `${person}.crt`)}`,
      `--key=${join(folder, `${person}.key`)}`,
    ];
    const child = spawn('etcdctl', [...flags, 'watch', '--rev=1', KEY], {
      env: { ...process.env, ETCDCTL_API: '3' },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let heard = '';
    let news = () => {};
    child.stdout.on('data', (chunk: Buffer) => {
      heard += chunk.toString();
      news();
    });
    return {
      /** Resolves once so many changes have been heard of since the watch began; those before it count too. */
      async until(count: number) {
        while (heard.split('PUT\n').length - 1 < count) {
          await new Promise<void>((done) => {
            news = done;
          });
        }
      },
      async end() {
        child.kill('SIGKILL');
        await once(child, 'exit');
      },
    };
  }

  function certificateOf(person: string): IssuedCertificate {
    const certificate = people.get(person);
    if (!certificate) throw new Error(`no certificate for ${person}`);
    return certificate;
  }

  function connectionOf(person: string, trust = ca) {
    return {
      socket: net.connect(port, '127.0.0.1'),
      ca: trust.certificate,
      ...certificateOf(person),
      serverName: 'clustermesh-apiserver.kube-system.svc',
      timeoutMs: 10_000,
    };
  }

  const readAs = (person: string, key = KEY, trust = ca) => readKey({ ...connectionOf(person, trust), key });
  const usersAs = (person: string) => readUsers(connectionOf(person));

  async function reasonOf(reading: Promise<unknown>): Promise<string> {
    const error = await reading.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    if (error instanceof EtcdReadError) return error.reason;
    throw error ?? new Error('it was read');
  }

  test('lets the user read', async () => {
    expect(await readAs('remote-mesh-1')).toBe(VALUE);
  });

  test('tells its users to an administrator, and to nobody else', async () => {
    expect((await usersAs('root')).sort()).toEqual(['remote-mesh-1', 'remote-mesh-2', 'root']);
    expect(await reasonOf(usersAs('remote-mesh-1'))).toBe('permission-denied');
  });

  test('has no such key', async () => {
    expect(await readAs('remote-mesh-1', 'cilium/cluster-config/nowhere')).toBeUndefined();
  });

  test('refuses a key outside of the role', async () => {
    expect(await reasonOf(readAs('remote-mesh-1', 'cilium/other'))).toBe('permission-denied');
  });

  test('refuses a good certificate whose user does not exist', async () => {
    expect(await reasonOf(readAs('nobody'))).toBe('permission-denied');
  });

  test('refuses a client certificate of a different CA', async () => {
    // By its alert it is known from a connection that only ended.
    const seen = { alert: expect.stringMatching(/certificate|unknown ca/) as string };
    await expect(readAs('stranger')).rejects.toMatchObject({ reason: 'tls-client-rejected', seen });
  });

  test('is not trusted with a different CA', async () => {
    expect(await reasonOf(readAs('remote-mesh-1', KEY, otherCa))).toBe('tls-unknown-ca');
  });

  // What deleting a user cuts off, and what not: the sandbox's etcd does the same.
  test('after a user is deleted refuses reads on open connections too, but goes on with watches that are open', async () => {
    const { certificate, privateKey } = certificateOf('remote-mesh-2');
    const socket = net.connect(port, '127.0.0.1');
    await once(socket, 'connect');
    const session = await openEtcdSession(socket, {
      files: { ca: ca.certificate, certificate, privateKey },
      host: '127.0.0.1',
      now: new Date(),
      takeAlert: () => undefined,
    });
    const watch = await watchAs('remote-mesh-2');
    try {
      expect(await session.get(KEY)).toBe(VALUE);
      await etcdctl('put', KEY, VALUE);
      await watch.until(2);

      await etcdctl('user', 'delete', 'remote-mesh-2');
      await expect(session.get(KEY)).rejects.toThrow('etcdserver: permission denied');
      expect(await reasonOf(readAs('remote-mesh-2'))).toBe('permission-denied');
      await etcdctl('put', KEY, VALUE);
      await watch.until(3);
    } finally {
      session.close();
      await watch.end();
    }
  });
});
