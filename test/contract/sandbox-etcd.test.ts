import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readKey } from '../../src/etcd/read.ts';
import { EtcdReadError } from '../../src/etcd/read-error.ts';
import { type Authority, createAuthority } from '../../src/pki/authority.ts';
import { issueCertificate } from '../../src/pki/issue.ts';
import {
  type ClientFiles,
  ConnectionFailure,
  type EtcdSession,
  openEtcdSession,
  REFUSED,
  type SessionOptions,
} from '../../src/sandbox/cilium/etcd-session.ts';
import { type EtcdStandIn, startEtcd } from '../../src/sandbox/cilium/etcd-stand-in.ts';
import { dialInProcess, isInProcess, noteForwarded } from '../support/in-process-etcd.ts';

/** The same as test/unit/etcd-real.test.ts finds of a real etcd. */
const USER = 'remote-mesh-1';
const KEY = 'cilium/cluster-config/mesh-2';
const STATE = 'cilium/state/nodes/v1/mesh-2/';

const DAY_MS = 24 * 3_600_000;

let authority: Authority;
let stranger: Authority;
const alerts = new Map<number, string>();

beforeAll(async () => {
  [authority, stranger] = await Promise.all([createAuthority(), createAuthority()]);
});

async function start(issuer = authority, issuedAt = new Date()): Promise<EtcdStandIn> {
  const server = {
    commonName: 'etcd',
    usages: ['server' as const],
    dnsNames: ['mesh-2.mesh'],
    ipAddresses: ['127.0.0.1'],
  };
  const etcd = startEtcd({
    clusterName: 'mesh-2',
    ca: authority.certificate,
    ...(await issueCertificate(issuer, server, { now: issuedAt, validityMs: 30 * DAY_MS })),
    now: () => new Date(),
    onRefused: (port, alert) => alerts.set(port, alert),
    log: () => undefined,
  });
  etcd.put(KEY, '{"id":2}');
  etcd.setUsers(new Map([[USER, 'remote']]));
  return etcd;
}

async function clientFiles(
  issuer = authority,
  { commonName = USER, usage = 'client' as 'client' | 'server', issuedAt = new Date() } = {},
) {
  const spec = { commonName, usages: [usage], dnsNames: [], ipAddresses: [] };
  const { certificate, privateKey } = await issueCertificate(issuer, spec, { now: issuedAt, validityMs: 30 * DAY_MS });
  return { ca: authority.certificate, certificate, privateKey };
}

/** How the sandbox's own programs connect, and how they do in all other tests. */
const WAYS = {
  'over TLS': async (port: number) => {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    return socket;
  },
  'in this process': dialInProcess,
};

type Way = keyof typeof WAYS;

async function open(way: Way, etcd: EtcdStandIn, options: Partial<SessionOptions> = {}): Promise<EtcdSession> {
  const socket = await WAYS[way](await etcd.listening);
  if (!socket || isInProcess(socket) !== (way === 'in this process')) throw new Error('it is dialled another way');
  return openEtcdSession(socket, {
    files: await clientFiles(),
    host: '127.0.0.1',
    now: new Date(),
    takeAlert: (port) => alerts.get(port),
    ...options,
  });
}

describe.each(Object.keys(WAYS) as Way[])('asked %s', (way) => {
  let etcd: EtcdStandIn;
  let session: EtcdSession;

  beforeAll(async () => {
    etcd = await start();
    session = await open(way, etcd);
  });

  afterAll(() => {
    session?.close();
    etcd?.close();
  });

  it('tells clients where something has changed, so that they read nothing else again', async () => {
    const services = 'cilium/state/services/v1/mesh-2/';
    const heardOf = async (change: () => void) => {
      const client = await open(way, etcd);
      // From the first answer on it is known there.
      await client.get(KEY);
      const heard = new Promise<string[]>((done) => {
        client.onChange((concerns) => done([STATE, services].filter(concerns)));
      });
      change();
      const prefixes = await heard;
      client.close();
      return prefixes;
    };
    const shop = new Map([[`${services}default/shop`, '{}']]);
    expect(await heardOf(() => etcd.replacePrefix(services, shop))).toEqual([services]);
    expect(await heardOf(() => etcd.put('cilium/synced/mesh-2/cilium/state/nodes/v1', 'now'))).toEqual([
      STATE,
      services,
    ]);
    expect(await heardOf(() => etcd.replacePrefix(services, new Map()))).toEqual([services]);
  });

  it('refuses a user that is deleted, but goes on with what its open connections watch', async () => {
    expect(await session.get(KEY)).toBe('{"id":2}');
    expect(await session.list(STATE)).toEqual(new Map());
    const told = new Promise<void>((done) => session.onChange(() => done()));

    etcd.setUsers(new Map());
    await expect(session.get(KEY)).rejects.toThrow(REFUSED);
    await expect(session.list('cilium/state/services/v1/mesh-2/')).rejects.toThrow(REFUSED);
    etcd.replacePrefix(STATE, new Map([[`${STATE}node-1`, '{}']]));
    await told;
    expect([...(await session.list(STATE)).keys()]).toEqual([`${STATE}node-1`]);

    const another = await open(way, etcd);
    await expect(another.list(STATE)).rejects.toThrow(REFUSED);
    another.close();
  });

  it('ends its connections with itself, and takes none from then on', async () => {
    const ending = await start();
    const client = await open(way, ending);
    await client.get(KEY);
    ending.close();
    await client.closed;
    await expect(client.get(KEY)).rejects.toThrow('rpc error: code = Unavailable');
    await expect(open(way, ending)).rejects.toThrow();
  });
});

describe('both ways', () => {
  type Given = () => Promise<{ etcd?: EtcdStandIn; options?: Partial<SessionOptions> }>;
  const withFiles =
    (files: () => Promise<ClientFiles>): Given =>
    async () => ({ options: { files: await files() } });
  const withServer =
    (etcd: () => Promise<EtcdStandIn>): Given =>
    async () => ({ etcd: await etcd() });
  const withOptions =
    (options: Partial<SessionOptions>): Given =>
    async () => ({ options });

  const LONG_AGO = new Date(Date.now() - 60 * DAY_MS);
  const LATER = new Date(Date.now() + 60 * DAY_MS);
  const CASES: [says: string, of: string, given: Given][] = [
    ['ok', 'all as it should be', withOptions({})],
    ['ok', 'a name of its certificate', withOptions({ host: 'mesh-2.mesh' })],
    ['tls', 'a name that its certificate lacks', withOptions({ host: 'mesh-3.mesh' })],
    ['tls', 'an address that its certificate lacks', withOptions({ host: '192.0.2.1' })],
    ['tls', 'a certificate from another CA', withServer(() => start(stranger))],
    ['tls', 'a certificate that has expired', withServer(() => start(authority, LONG_AGO))],
    ['tls', 'a certificate that is not valid yet', withServer(() => start(authority, LATER))],
    [
      'tls',
      'a client that trusts another CA',
      withFiles(async () => ({ ...(await clientFiles()), ca: stranger.certificate })),
    ],
    ['client-auth', 'a client from another CA', withFiles(() => clientFiles(stranger))],
    [
      'client-auth',
      'a client whose certificate has expired',
      withFiles(() => clientFiles(authority, { issuedAt: LONG_AGO })),
    ],
    [
      'client-auth',
      'a client with the certificate of a server',
      withFiles(() => clientFiles(authority, { usage: 'server' })),
    ],
    ['etcd', 'a client that is no user', withFiles(() => clientFiles(authority, { commonName: 'remote-mesh-9' }))],
    ['etcd', 'a client without TLS', withOptions({ plain: true })],
    ['config', 'a client without a key', withFiles(async () => ({ ...(await clientFiles()), privateKey: '' }))],
    [
      'config',
      'a client without a certificate',
      withFiles(async () => ({ ...(await clientFiles()), certificate: '' })),
    ],
    [
      'config',
      "a client with another one's key",
      withFiles(async () => ({ ...(await clientFiles()), privateKey: (await clientFiles()).privateKey })),
    ],
    [
      'config',
      'a client with a CA that is none',
      withFiles(async () => ({ ...(await clientFiles()), ca: brokenPem() })),
    ],
  ];

  it.each(CASES)('%s: %s', async (stage, _of, given) => {
    const { etcd: own, options } = await given();
    const etcd = own ?? (await start());
    const found = new Set<string>();
    for (const way of Object.keys(WAYS) as Way[]) found.add(await outcomeOf(way, etcd, options));
    etcd.close();
    expect([...found]).toEqual([expect.stringMatching(new RegExp(`^${stage}\\b`))]);
  });

  async function outcomeOf(way: Way, etcd: EtcdStandIn, options?: Partial<SessionOptions>): Promise<string> {
    try {
      const session = await open(way, etcd, options);
      const value = await session.get(KEY);
      const { etcdId } = session;
      session.close();
      await session.closed;
      return `ok ${value} ${etcdId}`;
    } catch (error) {
      if (!(error instanceof ConnectionFailure)) throw error;
      // The second at which it was asked.
      return `${error.stage} ${error.message.replace(/current time \S+/, 'current time')}`;
    }
  }

  /** What a handshake says to meshctl: the files are found wanting before, and users after it. */
  const OF_TLS = ['tls', 'client-auth'];

  it.each(CASES.filter(([, of]) => of !== 'a client without TLS'))('%s, for meshctl: %s', async (stage, _of, given) => {
    const { etcd: own, options } = await given();
    const etcd = own ?? (await start());
    const files = options?.files ?? (await clientFiles());
    const found = new Set<string>();
    for (const isForwarded of [false, true]) {
      const socket = await WAYS['over TLS'](await etcd.listening);
      if (isForwarded) noteForwarded(socket, Promise.resolve(socket));
      const read = { ...files, socket, serverName: options?.host ?? '127.0.0.1', key: KEY, timeoutMs: 60_000 };
      found.add(await readKey(read).then((value) => `ok ${value}`, reasonOf));
      if (isForwarded && stage !== 'config')
        expect(socket.bytesWritten > 0, 'whether it was TLS').toBe(OF_TLS.includes(stage));
    }
    etcd.close();
    expect(found.size, [...found].join('\n')).toBe(1);
    expect([...found][0]?.startsWith('ok')).toBe(stage === 'ok');
  });

  function reasonOf(error: unknown): string {
    if (!(error instanceof EtcdReadError)) throw error;
    return `${error.reason} ${error.message}`;
  }

  const brokenPem = () => '-----BEGIN CERTIFICATE-----\nbm9uZQ==\n-----END CERTIFICATE-----\n';
});
