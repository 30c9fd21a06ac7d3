import { describe, expect, it } from 'vitest';
import type { ClusterSnapshot } from '../../src/mesh/cluster-snapshot.ts';
import { disconnectEffects, partingsOf, planDisconnect } from '../../src/mesh/connect/disconnect/disconnect-plan.ts';
import { doubtAboutUsers, usersToRestore } from '../../src/mesh/enable/effects/lost-users.ts';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { apiserverDeploymentRef } from '../../src/mesh/objects/names.ts';
import { encodeText } from '../../src/mesh/objects/secret-data.ts';
import { marksFor } from '../../src/mesh/peers/peer-choices.ts';
import { knownPeers, sharesLogin } from '../../src/mesh/peers/peers.ts';
import type { Step } from '../../src/mesh/plan/plan.ts';
import { apiserverDeployment, secretObject, serviceObject, snapshotOf, tlsFacts } from '../support/snapshots.ts';

const peersSecret = (annotations: Record<string, string>, ...peers: string[]): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 'cilium-clustermesh', namespace: 'kube-system', annotations },
  data: Object.fromEntries(peers.map((peer) => [peer, encodeText('endpoints:\n- https://10.0.0.1:2379\n')])),
});
const list = (text: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'clustermesh-remote-users', namespace: 'kube-system' },
  data: { 'users.yaml': text },
});
const served = (peer: string) => marksFor(peer, { mode: 'served' }) as Record<string, string>;
const other = (context: string, name: string, user: string): ClusterSnapshot =>
  snapshotOf({
    context,
    ciliumConfig: { 'cluster-name': name, 'cluster-id': '2' },
    peerCertificates: new Map([['mesh-1', tlsFacts('ca-one', { commonName: user })]]),
  });

describe('users whose list is lost', () => {
  it.each<[what: string, live: KubeObject[], others: ClusterSnapshot[], users: string[]]>([
    ['of peers that are dialled', [peersSecret({}, 'mesh-2')], [], ['remote-mesh-2']],
    ['of one that only dials in, as it was written down', [peersSecret(served('mesh-3'))], [], ['remote-mesh-3']],
    [
      'of one that goes on dialling after this cluster has ceased to',
      [peersSecret({ 'meshctl.io/access.mesh-4': 'let-in' })],
      [],
      ['remote-mesh-4'],
    ],
    [
      'of none that was shut out and is dialled one-way, as it was written down',
      [peersSecret(marksFor('mesh-2', { mode: 'unicast' }) as Record<string, string>, 'mesh-2')],
      [],
      [],
    ],
    [
      'of one that dials in all the same, whatever is written down',
      [peersSecret(marksFor('mesh-2', { mode: 'unicast' }) as Record<string, string>, 'mesh-2')],
      [other('c2', 'mesh-2', 'remote-mesh-2')],
      ['remote-mesh-2'],
    ],
    ['of one that only dials in and was read', [], [other('c2', 'mesh-2', 'remote-mesh-2')], ['remote-mesh-2']],
    ['of none that logs in as all do', [], [other('c2', 'mesh-2', 'remote')], []],
  ])('are known: those %s', (_what, live, others, users) => {
    const snapshot = snapshotOf({ live: [apiserverDeployment(), ...live] });
    expect(usersToRestore(snapshot, others)).toEqual(users);
  });

  it.each<[what: string, seen: Partial<ClusterSnapshot>, live: KubeObject[], users: string[]]>([
    [
      'etcd has still, whatever is written down',
      { servedUsers: ['remote-mesh-2', 'remote-mesh-3'] },
      [peersSecret(marksFor('mesh-2', { mode: 'unicast' }) as Record<string, string>, 'mesh-2')],
      ['remote-mesh-2', 'remote-mesh-3'],
    ],
    ['agents have mounted', { mountedPeers: ['mesh-2', 'mesh-3'] }, [], ['remote-mesh-2', 'remote-mesh-3']],
    [
      'agents have mounted, but for one that was shut out',
      { mountedPeers: ['mesh-2', 'mesh-3'] },
      [peersSecret(marksFor('mesh-2', { mode: 'unicast' }) as Record<string, string>)],
      ['remote-mesh-3'],
    ],
    ['are in the text', { remoteUsers: [] }, [list('users: [\n- name: remote-mesh-4\n')], ['remote-mesh-4']],
    [
      'are in the text, but for one that was shut out',
      { remoteUsers: [] },
      [
        list('users: [\n- name: remote-mesh-4\n'),
        peersSecret(marksFor('mesh-4', { mode: 'unicast' }) as Record<string, string>),
      ],
      [],
    ],
    [
      'are dialled, beside a text that cannot be read',
      { remoteUsers: [] },
      [list('users: ['), peersSecret({}, 'mesh-2')],
      ['remote-mesh-2'],
    ],
    [
      'are dialled, where the list can be read: none',
      { remoteUsers: [] },
      [list('users: []'), peersSecret({}, 'mesh-2')],
      [],
    ],
    ['are not the own one', { servedUsers: ['remote-mesh-1', 'remote-mesh-2'] }, [], ['remote-mesh-2']],
  ])('are those that %s', (_what, seen, live, users) => {
    const snapshot = snapshotOf({ live: [apiserverDeployment(), ...live], ...seen });
    expect(usersToRestore(snapshot, [])).toEqual(users);
  });

  it('are those that etcd has, where it has any, whoever holds a certificate besides', () => {
    const parted = other('c2', 'mesh-2', 'remote-mesh-2');
    const lost = (servedUsers: string[]) => snapshotOf({ live: [apiserverDeployment()], servedUsers });
    expect(usersToRestore(lost(['admin-mesh-1', 'remote-mesh-3']), [parted])).toEqual(['remote-mesh-3']);
    // It has begun anew since the list was lost.
    expect(usersToRestore(lost(['admin-mesh-1']), [parted])).toEqual(['remote-mesh-2']);
  });

  it('leave a doubt that the plan says, but where nothing has run yet', () => {
    const deployment = apiserverDeployment();
    expect(doubtAboutUsers(snapshotOf({ live: [deployment] }))).toContain('only dials in');
    expect(doubtAboutUsers(snapshotOf({ live: [{ ...deployment, status: {} }] }))).toBeUndefined();
    expect(doubtAboutUsers(snapshotOf({ live: [] }))).toBeUndefined();
    expect(doubtAboutUsers(snapshotOf({ live: [deployment], remoteUsers: [] }))).toBeUndefined();
    // The Deployment is lost with them: what it served by is still there.
    const connected = [serviceObject({}), peersSecret({}, 'mesh-2')];
    expect(doubtAboutUsers(snapshotOf({ live: connected }))).toContain('only dials in');
    const unreadable = snapshotOf({
      live: [deployment, list('users: [')],
      remoteUsers: [],
      servedUsers: ['remote-mesh-2'],
    });
    expect(doubtAboutUsers(unreadable)).toMatch(
      /^the list of users cannot be read: it is not valid YAML .*: it is rebuilt from the users that etcd still has, the names that can be read in it, .*only dials in/,
    );
    // An enable that did not come so far.
    expect(doubtAboutUsers(snapshotOf({ live: [serviceObject({})] }))).toBeUndefined();
  });
});

describe('a user that is removed', () => {
  const dialling = (context: string, name: string, peer: string, user: string) => ({
    name,
    snapshot: snapshotOf({
      context,
      ciliumConfig: { 'cluster-name': name, 'cluster-id': '2' },
      live: [peersSecret({}, peer)],
      peerCertificates: new Map([[peer, tlsFacts('ca', { commonName: user })]]),
    }),
  });
  const one = dialling('c1', 'mesh-1', 'mesh-3', 'remote-mesh-1');
  const three = dialling('c3', 'mesh-3', 'mesh-1', 'remote-mesh-3');
  const two = (user: string) => dialling('c2', 'mesh-2', 'mesh-3', user);
  it('takes along another cluster that logs in as it, and none that parts too or logs in as itself', () => {
    const effects = (second: ReturnType<typeof two>, ...more: Parameters<typeof partingsOf>[0]) =>
      disconnectEffects(partingsOf([[one, second], [one, three], [three, one], ...more]), []);
    expect(effects(two('remote-mesh-1'))).toEqual([
      {
        cluster: 'c3',
        peer: 'mesh-2',
        becomes: 'cut',
        why: 'it logs in as remote-mesh-1, which is shut out',
        mend: 'meshctl clustermesh connect --context c2 --destination-context c3',
      },
    ]);
    expect(effects(two('remote-mesh-2'))).toEqual([]);
    const parting = two('remote-mesh-1');
    expect(effects(parting, [parting, three])).toEqual([]);
  });

  it('takes along one that is no part of it, as far as it was read', () => {
    const parted = partingsOf([
      [one, three],
      [three, one],
    ]);
    const cut = (...others: ClusterSnapshot[]) =>
      disconnectEffects(parted, [], others).map(({ cluster, peer, becomes }) => [cluster, peer, becomes]);
    expect(cut(two('remote-mesh-1').snapshot, two('remote').snapshot)).toEqual([['c3', 'mesh-2', 'cut']]);
    expect(cut(two('remote-mesh-2').snapshot)).toEqual([]);
    expect(cut()).toEqual([]);
  });

  it('is looked for in a large mesh as often as there are pairs, and not once more for each cluster', () => {
    const looks = (count: number) => {
      let made = 0;
      const clusters = Array.from({ length: count }, (_, index) => {
        const cluster = dialling(`c${index}`, `mesh-${index}`, `mesh-${(index + 1) % count}`, `remote-mesh-${index}`);
        const { ciliumConfig } = cluster.snapshot;
        const snapshot = {
          ...cluster.snapshot,
          get ciliumConfig() {
            made += 1;
            return ciliumConfig;
          },
        };
        return { name: cluster.name, snapshot };
      });
      const dials = clusters.flatMap((client) =>
        clusters.flatMap((server): Parameters<typeof partingsOf>[0] => (client === server ? [] : [[client, server]])),
      );
      const parted = partingsOf(dials);
      made = 0;
      disconnectEffects(parted, []);
      return made;
    };
    // Twice the clusters are four times the pairs.
    expect(looks(24) / looks(12)).toBeLessThan(5);
  });

  it('is not all: where pods lose a name, those that stay go on over new ones', () => {
    const object = apiserverDeploymentRef('kube-system');
    const changes = [{ path: 'spec.template.spec.hostAliases[mesh-3.mesh.cilium.io]', from: '10.0.0.9' }];
    const step: Step = { cluster: 'c1', object, action: 'update', changes, why: '' };
    const served = { ...one.snapshot, remoteUsers: [{ name: 'remote-mesh-4', role: 'remote' }] };
    const parted = partingsOf([[{ ...one, snapshot: served }, three]]);
    expect(disconnectEffects(parted, [step])).toEqual([
      {
        cluster: 'c1',
        peer: 'mesh-4',
        becomes: 'moved',
        why: 'the only pod of Deployment clustermesh-apiserver is replaced: changes in the clusters arrive a few seconds late',
      },
    ]);
  });
});

describe('a peer that only dials in', () => {
  it('is known by what was written down', () => {
    expect(knownPeers(snapshotOf({ live: [peersSecret(served('mesh-3'), 'mesh-2')] }))).toEqual(['mesh-2', 'mesh-3']);
  });

  it('is written down where it goes on dialling after this cluster has ceased to', () => {
    const snapshot = snapshotOf({
      live: [peersSecret({}, 'mesh-2')],
      remoteUsers: [{ name: 'remote-mesh-2', role: 'remote' }],
    });
    const own = { context: 'one', name: 'mesh-1', snapshot };
    const peer = { context: 'c2', name: 'mesh-2' };
    const marksAfter = (dials: Parameters<typeof partingsOf>[0]) =>
      planDisconnect(partingsOf(dials)).steps.flatMap(({ write, before }) => {
        const edit = write?.method === 'edit' && before ? write.edit(before) : undefined;
        return edit && edit !== 'delete' && 'metadata' in edit.patch ? [edit.patch.metadata] : [];
      });
    expect(marksAfter([[own, peer]])).toEqual([
      { annotations: { 'meshctl.io/access.mesh-2': 'let-in', 'meshctl.io/mode.mesh-2': 'served' } },
    ]);
    expect(
      marksAfter([
        [own, peer],
        [peer, own],
      ]),
    ).toEqual([]);
  });
});

describe('whether a cluster logged in to a peer with a certificate that others have too', () => {
  const file = (certificate: string) =>
    `endpoints:\n- https://10.0.0.2:2379\ncert-file: /var/lib/cilium/clustermesh/${certificate}\n`;
  const cache =
    'endpoints:\n- https://clustermesh-apiserver.kube-system.svc:2379\ncert-file: /var/lib/cilium/clustermesh/local-etcd-client.crt\n';
  it.each<[what: string, files: Record<string, Record<string, string>>, user: string | undefined, shared: boolean]>([
    ['by its own', { 'cilium-kvstoremesh': { 'mesh-2': file('mesh-2.etcd-client.crt') } }, 'remote-mesh-1', false],
    ['by that of all', { 'cilium-kvstoremesh': { 'mesh-2': file('mesh-2.etcd-client.crt') } }, 'remote', true],
    [
      'by the file that names that of all',
      { 'cilium-kvstoremesh': { 'mesh-2': file('common-etcd-client.crt') } },
      undefined,
      true,
    ],
    ['the Secret with it is gone', { 'cilium-clustermesh': { 'mesh-2': cache } }, undefined, false],
    [
      'the key with it is gone',
      { 'cilium-kvstoremesh': { 'mesh-2': file('mesh-2.etcd-client.crt') } },
      undefined,
      false,
    ],
    ['the file is gone too', {}, undefined, false],
  ])('is known by what is there: %s', (_what, files, user, shared) => {
    const snapshot = snapshotOf({
      ciliumConfig: { 'cluster-name': 'mesh-1', 'cluster-id': '1' },
      live: Object.entries(files).map(([name, texts]) => secretObject(name, texts)),
      peerCertificates: new Map(user === undefined ? [] : [['mesh-2', tlsFacts('ca-2', { commonName: user })]]),
    });
    expect(sharesLogin(snapshot, 'mesh-2')).toBe(shared);
  });
});
