import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Authority, createAuthority } from '../../src/pki/authority.ts';
import { issueCertificate } from '../../src/pki/issue.ts';
import { type EtcdSession, openEtcdSession } from '../../src/sandbox/cilium/etcd-session.ts';
import { type EtcdStandIn, startEtcd } from '../../src/sandbox/cilium/etcd-stand-in.ts';

/** The same as test/unit/etcd-real.test.ts finds of a real etcd. */
const USER = 'remote-mesh-1';
const KEY = 'cilium/cluster-config/mesh-2';
const STATE = 'cilium/state/nodes/v1/mesh-2/';
const REFUSED = 'etcdserver: permission denied';

let authority: Authority;
let etcd: EtcdStandIn;
let session: EtcdSession;

beforeAll(async () => {
  authority = await createAuthority();
  const server = { commonName: 'etcd', usages: ['server' as const], dnsNames: [], ipAddresses: ['127.0.0.1'] };
  etcd = startEtcd({
    clusterName: 'mesh-2',
    ca: authority.certificate,
    ...(await issueCertificate(authority, server)),
    now: () => new Date(),
    onRefused: () => undefined,
    log: () => undefined,
  });
  etcd.put(KEY, '{"id":2}');
  etcd.setUsers(new Map([[USER, 'remote']]));
  session = await open();
});

afterAll(() => {
  session?.close();
  etcd?.close();
});

async function open(): Promise<EtcdSession> {
  const spec = { commonName: USER, usages: ['client' as const], dnsNames: [], ipAddresses: [] };
  const { certificate, privateKey } = await issueCertificate(authority, spec);
  const socket = connect(await etcd.listening, '127.0.0.1');
  await once(socket, 'connect');
  return openEtcdSession(socket, {
    files: { ca: authority.certificate, certificate, privateKey },
    host: '127.0.0.1',
    now: new Date(),
    takeAlert: () => undefined,
  });
}

it('tells clients where something has changed, so that they read nothing else again', async () => {
  const services = 'cilium/state/services/v1/mesh-2/';
  const heardOf = async (change: () => void) => {
    const client = await open();
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
  expect(await heardOf(() => etcd.put('cilium/synced/mesh-2/cilium/state/nodes/v1', 'now'))).toEqual([STATE, services]);
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

  const another = await open();
  await expect(another.list(STATE)).rejects.toThrow(REFUSED);
  another.close();
});
