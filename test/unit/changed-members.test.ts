import { describe, expect, it } from 'vitest';
import type { ClusterSnapshot } from '../../src/mesh/cluster-snapshot.ts';
import { type MemberNow, requireUnchanged } from '../../src/mesh/connect/changed-members.ts';
import {
  apiserverDeployment,
  caFacts,
  certificateFacts,
  loadBalancerService,
  snapshotOf,
  tlsFacts,
} from '../support/snapshots.ts';

const CONFIG = { 'cluster-name': 'mesh-2', 'cluster-id': '2' };
const [SERVER, REMOTE] = ['clustermesh-apiserver-server-cert', 'clustermesh-apiserver-remote-cert'];
const server = (more: Parameters<typeof tlsFacts>[1] = {}, ca = 'ca') => ({
  ...tlsFacts(ca, { ipAddresses: ['10.0.0.9'], dnsNames: ['a'], ...more }),
  ca: certificateFacts({ sha256: ca }),
});
const cluster = (overrides: Parameters<typeof snapshotOf>[0] = {}): ClusterSnapshot =>
  snapshotOf({
    context: 'two',
    ciliumConfig: CONFIG,
    live: [apiserverDeployment(), loadBalancerService('10.0.0.9')],
    tlsSecrets: new Map([
      [SERVER, server()],
      [REMOTE, tlsFacts('ca', { sha256: 'r1' })],
    ]),
    remoteUsers: [],
    ...overrides,
  });
const withTls = (secret: string, facts: ReturnType<typeof tlsFacts>) =>
  cluster({ tlsSecrets: new Map([...cluster().tlsSecrets, [secret, facts]]) });
const other = (...live: NonNullable<Parameters<typeof snapshotOf>[0]>['live'] & object) => cluster({ live });
const changedIn = (now: ClusterSnapshot, given?: MemberNow['before']['given']) => {
  try {
    requireUnchanged([{ before: { snapshot: cluster(), given }, now }]);
    return [];
  } catch (error) {
    const { details } = error as { details: { changed: { changed: string[] }[] } };
    return details.changed.flatMap(({ changed }) => changed);
  }
};

describe('what the plan of a connection rests on', () => {
  it.each<[string, ClusterSnapshot, string[]]>([
    ['all as it was', cluster(), []],
    ['another name', cluster({ ciliumConfig: { ...CONFIG, 'cluster-name': 'x' } }), ['its name']],
    ['another id', cluster({ ciliumConfig: { ...CONFIG, 'cluster-id': '5' } }), ['its id']],
    [
      'room for other ids',
      cluster({ ciliumConfig: { ...CONFIG, 'max-connected-clusters': '511' } }),
      ['its max-connected-clusters'],
    ],
    [
      'another CA',
      cluster({ ca: { ...caFacts('new'), certificate: certificateFacts({ sha256: 'new' }) } }),
      ['its CA'],
    ],
    ['a CA whose key has gone', cluster({ ca: { ...caFacts('ca-one'), hasKey: false } }), ['its CA']],
    ['no CA', cluster({ ca: undefined }), ['its CA']],
    ['a server certificate of another CA', withTls(SERVER, server({}, 'new')), ['the CA of its server certificate']],
    [
      'a server certificate for fewer names',
      withTls(SERVER, server({ ipAddresses: [] })),
      ['the names in its server certificate'],
    ],
    [
      'a new server certificate for more names',
      withTls(SERVER, server({ sha256: 'new', dnsNames: ['a', 'b'], ipAddresses: ['10.0.0.9'] })),
      [],
    ],
    ['another remote-cert', withTls(REMOTE, tlsFacts('ca', { sha256: 'r2' })), ['its remote-cert']],
    ['another address', other(apiserverDeployment(), loadBalancerService('10.0.0.10')), ['its addresses']],
    ['no address', other(apiserverDeployment()), ['its addresses']],
    [
      'KVStoreMesh switched off',
      other(apiserverDeployment({ kvstoremesh: false }), loadBalancerService('10.0.0.9')),
      ['whether it dials through KVStoreMesh'],
    ],
    [
      'no users for peers',
      other(apiserverDeployment({ users: false }), loadBalancerService('10.0.0.9')),
      ['how it lets peers in'],
    ],
  ])('%s', (_what, now, expected) => {
    expect(changedIn(now)).toEqual(expected);
  });

  it('are not the addresses of the Service where others were chosen', () => {
    expect(changedIn(other(apiserverDeployment(), loadBalancerService('10.0.0.10')), 'addresses')).toEqual([]);
  });

  it('are not what this run has issued itself', () => {
    const now = withTls(SERVER, server({ ipAddresses: [] }, 'new'));
    expect(() => requireUnchanged([{ before: { snapshot: cluster() }, now, isReissued: true }])).not.toThrow();
  });

  it('is named for each cluster', () => {
    const one = snapshotOf({ context: 'one' });
    const looks = [
      { before: { snapshot: one }, now: { ...one, ciliumConfig: { ...one.ciliumConfig, 'cluster-id': '9' } } },
      {
        before: { snapshot: cluster() },
        now: cluster({ ca: undefined, ciliumConfig: { ...CONFIG, 'cluster-id': '5' } }),
      },
    ];
    expect(() => requireUnchanged(looks)).toThrow(
      'context "one": its id changed meanwhile; context "two": its id, its CA changed meanwhile, and the plan rests on what was there before',
    );
  });
});
