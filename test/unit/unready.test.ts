import { expect, it } from 'vitest';
import { awaitsEndpoints, requireEndpoints } from '../../src/mesh/apiserver/endpoints.ts';
import type { TlsFiles } from '../../src/mesh/certificates/certificate.ts';
import { certificateFaults } from '../../src/mesh/certificates/inventory.ts';
import { STANDING_CHECKS } from '../../src/mesh/checks/standing.ts';
import { requireIdentity } from '../../src/mesh/cilium/identity.ts';
import type { ClusterSnapshot } from '../../src/mesh/cluster-snapshot.ts';
import { requireEnabled, requireListOfUsers } from '../../src/mesh/connect/direction.ts';
import type { Member } from '../../src/mesh/connect/member.ts';
import { faultsOf } from '../../src/mesh/faults/faults-of.ts';
import { halfEnabledAmong, unreadyAmong, unreadyIn } from '../../src/mesh/faults/unready.ts';
import { type KubeObject, keyOf, refOf } from '../../src/mesh/objects/kube-object.ts';
import { cachedPeerFile, remoteUsersFile } from '../../src/mesh/peers/file/peer-config.ts';
import { scopeRotation } from '../../src/mesh/rotation/scope.ts';
import {
  apiserverDeployment,
  certificateFacts,
  loadBalancerService,
  NOW,
  secretObject,
  serviceObject,
  snapshotOf,
  tlsFacts,
} from '../support/snapshots.ts';

const SERVER = 'clustermesh-apiserver-server-cert';
const CLUSTER_IP = serviceObject({ clusterIP: '10.9.0.1', clusterIPs: ['10.9.0.1'], ports: [{ port: 2379 }] });

const usersOf = (data: Record<string, string>): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'clustermesh-remote-users', namespace: 'kube-system' },
  data,
});
const NO_USERS = usersOf({ 'users.yaml': remoteUsersFile([]) });
const NO_LIST = keyOf(refOf(NO_USERS));

const FILES = {
  certificate: certificateFacts(),
  privateKey: 'matches',
  ca: certificateFacts({ publicKeySha256: 'ca-one', isCa: true }),
  signedByCa: true,
  authorities: [certificateFacts({ publicKeySha256: 'ca-one', isCa: true })],
} as const;

interface Parts {
  deployment?: KubeObject | undefined;
  service?: KubeObject | undefined;
  users?: KubeObject | undefined;
  server?: KubeObject | undefined;
  snapshot?: Partial<ClusterSnapshot>;
}

/** Enabled, and connected with nobody, but for what is said otherwise. */
function clusterOf(parts: Parts, id = 1): ClusterSnapshot {
  const whole = { deployment: apiserverDeployment(), service: CLUSTER_IP, users: NO_USERS, ...parts };
  const server = 'server' in parts ? parts.server : secretObject(SERVER, { 'tls.crt': 'a file' });
  return snapshotOf({
    context: `context-${id}`,
    ciliumConfig: { 'cluster-name': `mesh-${id}`, 'cluster-id': String(id) },
    live: [whole.deployment, whole.service, whole.users, server].flatMap((one) => one ?? []),
    tlsSecrets: new Map([[SERVER, tlsFacts('ca-one', {})]]),
    tlsFiles: new Map([[SERVER, FILES]]),
    ...parts.snapshot,
  });
}

const filesOf = (more: Partial<TlsFiles>) => ({
  snapshot: { tlsFiles: new Map([[SERVER, { ...FILES, ...more }]]) },
});

/** What each is, and whether connect refuses it. */
const CLUSTERS: [string, Parts, boolean][] = [
  ['well', {}, false],
  ['without a clustermesh-apiserver', { deployment: undefined }, true],
  ['without a server certificate', { server: undefined }, true],
  ['with one that cannot be read', filesOf({ certificate: 'unreadable' }), true],
  ['with one that has expired', filesOf({ certificate: certificateFacts({ notAfter: new Date(0) }) }), false],
  ['with the key of another one', filesOf({ privateKey: 'other' }), true],
  ['without its list of users', { users: undefined }, true],
  ['with a list that is not in its place', { users: usersOf({}) }, true],
  ['with a list that cannot be read', { users: usersOf({ 'users.yaml': 'users: [' }) }, true],
  ['with a list that may not be read', { users: undefined, snapshot: { unread: new Set([NO_LIST]) } }, false],
  [
    'without a list, which it needs none of',
    { users: undefined, deployment: apiserverDeployment({ users: false }) },
    false,
  ],
  ['without a Service', { service: undefined }, true],
  ['with a headless Service', { service: serviceObject({ clusterIP: 'None', ports: [{ port: 2379 }] }) }, true],
  ['whose load balancer has no address yet', { service: loadBalancerService() }, true],
  [
    'with a NodePort of nodes that are not ready',
    {
      service: serviceObject({ type: 'NodePort', ports: [{ port: 2379, nodePort: 32379 }] }),
      snapshot: { nodes: [{ name: 'n', ready: false, labels: {}, addresses: [], podCidrs: [] }] },
    },
    true,
  ],
  [
    'with a Service that is a name',
    { service: serviceObject({ type: 'ExternalName', externalName: 'a.example' }) },
    true,
  ],
];

/** As connect asks, before it plans anything. */
function refuses(snapshot: ClusterSnapshot): boolean {
  try {
    requireEnabled([snapshot]);
    requireEndpoints(snapshot);
    return false;
  } catch {
    return true;
  }
}

it.each(CLUSTERS)(
  'a cluster %s: connect refuses it where hints take it for one that cannot be connected to',
  (_what, parts, refused) => {
    const snapshot = clusterOf(parts);
    expect(refuses(snapshot)).toBe(refused);
    expect([...unreadyAmong([snapshot])]).toEqual(refused ? ['mesh-1'] : []);
    // Without an address of its own it may be dialled at another one, and so a file with that is planned at once.
    expect(halfEnabledAmong([snapshot]).size > 0).toBe(refused && !awaitsEndpoints(snapshot));
    const report = {
      cluster: { name: 'mesh-1' },
      enabled: parts.deployment !== undefined || !('deployment' in parts),
      unaddressed: awaitsEndpoints(snapshot),
      faults: faultsOf(snapshot, { now: NOW }),
    };
    // Status has no other word for a Secret that is gone than that its files were not read.
    if (parts.server !== undefined || !('server' in parts)) expect(unreadyIn([report]).size > 0).toBe(refused);
  },
);

it('whom nobody can shut out is judged as who can let nobody in: what may not be read is not missing', () => {
  const lost = CLUSTERS.filter(([, parts]) => {
    try {
      requireListOfUsers([clusterOf(parts)]);
      return false;
    } catch {
      return true;
    }
  });
  expect(lost.map(([what]) => what)).toEqual(['without its list of users']);
});

const agents = (peers: readonly string[]) =>
  secretObject('cilium-clustermesh', Object.fromEntries(peers.map((peer) => [peer, cachedPeerFile('kube-system')])));

it.each(CLUSTERS.filter(([, , refused]) => refused))(
  'a peer %s: no hint of check, certs list or certs rotate sends connect to it, where there is another one',
  (_what, parts) => {
    const own = clusterOf({}, 1);
    const files = agents(['mesh-2', 'mesh-3']);
    const holder = { ...own, objects: new Map([...own.objects, [keyOf(refOf(files)), files]]) };
    const all = [holder, clusterOf(parts, 2), clusterOf({}, 3)];
    const check = STANDING_CHECKS.find(({ id }) => id === 'peering-secret-missing');
    const found = check?.run({ clusters: [holder], observed: new Map(), now: NOW }, all) ?? [];
    const contexts = new Map(all.map(({ context, ciliumConfig }) => [ciliumConfig?.['cluster-name'] ?? '', context]));
    const listed = certificateFaults(holder, { now: NOW, others: all.slice(1) }, contexts);
    const members = all.map((snapshot): Member => ({ snapshot, identity: requireIdentity(snapshot), endpoints: [] }));
    const { warnings } = scopeRotation(members, { ca: false, force: false }, NOW, contexts);
    const hints = [...found, ...listed].map(({ hint }) => hint).concat(warnings);
    const connect = 'meshctl clustermesh connect --context context-1 --destination-context context-3';
    expect(hints.filter((hint) => hint?.includes(' connect ')).map((hint) => hint?.replace(/^.*: /, ''))).toEqual([
      connect,
      connect,
      connect,
    ]);
  },
);
