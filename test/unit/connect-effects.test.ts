import { describe, expect, it } from 'vitest';
import type { Direction } from '../../src/mesh/connect/direction.ts';
import { connectEffects } from '../../src/mesh/connect/effects.ts';
import { type KubeObject, keyOf, refOf } from '../../src/mesh/objects/kube-object.ts';
import { apiserverDeploymentRef, secretRef } from '../../src/mesh/objects/names.ts';
import { dialledAddresses } from '../../src/mesh/peers/file/dialled-addresses.ts';
import { cachedPeerFile, remotePeerFile } from '../../src/mesh/peers/file/peer-config.ts';
import type { Step } from '../../src/mesh/plan/plan.ts';
import {
  apiserverDeployment,
  caFacts,
  loadBalancerService,
  secretObject,
  serviceObject,
  snapshotOf,
  tlsFacts,
} from '../support/snapshots.ts';

const NO_USERS: KubeObject = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'clustermesh-remote-users', namespace: 'kube-system' },
  data: { 'users.yaml': 'users: []' },
};
const SERVER = 'clustermesh-apiserver-server-cert';

function cluster(id: number, peers: readonly string[], ca = 'ca') {
  const files = peers.map((peer) => [peer, remotePeerFile(peer, { addresses: ['h:1'] }, `${peer}.`)]);
  return snapshotOf({
    context: `context-${id}`,
    ciliumConfig: { 'cluster-name': `mesh-${id}`, 'cluster-id': String(id) },
    live: [
      apiserverDeployment(),
      secretObject('cilium-kvstoremesh', Object.fromEntries(files)),
      secretObject(
        'cilium-clustermesh',
        Object.fromEntries(peers.map((peer) => [peer, cachedPeerFile('kube-system')])),
      ),
    ],
    ca: caFacts(ca),
    tlsSecrets: new Map([[SERVER, tlsFacts(ca, { commonName: 'server' })]]),
    // What it holds for its peers is from before their CAs were replaced.
    peerCertificates: new Map(peers.map((peer) => [peer, tlsFacts('former', { commonName: `remote-mesh-${id}` })])),
  });
}

const serving = (ip: string) => {
  const service = loadBalancerService(ip);
  return [[keyOf(refOf(service)), service] as const];
};

const step = (context: string, name: string, more: Partial<Step> = {}): Step => ({
  cluster: context,
  object: secretRef('kube-system', name),
  action: 'update',
  changes: [],
  why: '',
  ...more,
});

describe('what a connect does to the connections that there are', () => {
  const one = cluster(1, ['mesh-2', 'mesh-3']);
  const two = cluster(2, ['mesh-1']);
  const effects = (...steps: Step[]) =>
    connectEffects([one, two], [], steps).map(({ cluster: of, peer, becomes, why }) => [of, peer, becomes, why]);

  it('is nothing where nothing is written', () => {
    expect(effects(step('context-1', SERVER, { action: 'keep' }))).toEqual([]);
  });

  it('leaves alone what it does not touch, also peers that are no part of it', () => {
    expect(effects(step('context-1', 'clustermesh-remote-users'))).toEqual([
      ['context-1', 'mesh-2', 'kept', ''],
      ['context-1', 'mesh-3', 'kept', ''],
    ]);
  });

  it('cuts a peer off that does not trust the CA of a new server certificate', () => {
    expect(effects(step('context-1', SERVER))).toEqual([
      ['context-1', 'mesh-2', 'cut', 'it trusts the former CA, "Cilium CA", sha256:aa'],
      ['context-1', 'mesh-3', 'kept', ''],
    ]);
  });

  it('moves a peer that is dialled elsewhere, and all where pods restart', () => {
    const changes = [{ path: 'data.mesh-3', from: 'dials a:1', to: 'dials b:1' }];
    const moved = step('context-1', 'cilium-kvstoremesh', { changes });
    expect(effects(moved)).toContainEqual(['context-1', 'mesh-3', 'moved', 'dials a:1 → dials b:1']);
    const restarted = apiserverDeploymentRef('kube-system');
    const aliases = [{ path: 'spec.template.spec.hostAliases[mesh-9.mesh.cilium.io]', to: '10.0.0.9' }];
    expect(effects(step('context-2', '', { object: restarted, changes: aliases }))).toEqual([
      [
        'context-2',
        'mesh-1',
        'moved',
        'the only pod of Deployment clustermesh-apiserver is replaced: changes in the clusters arrive a few seconds late',
      ],
    ]);
    // Agents only dial: who dials this cluster does not notice.
    const agents = { ...restarted, kind: 'DaemonSet', name: 'cilium' };
    const dialled = { ...two, remoteUsers: [{ name: 'remote-mesh-8', role: 'remote' }] };
    const becomes = connectEffects([dialled], [], [step('context-2', '', { object: agents, changes: aliases })]);
    expect(becomes.map((effect) => [effect.peer, effect.becomes])).toEqual([
      ['mesh-1', 'moved'],
      ['mesh-8', 'kept'],
    ]);
  });

  it('is the same where only pods know what a name means, as before Cilium 1.20', () => {
    const named = (ip: string) => {
      const deployment = apiserverDeployment();
      const { template } = deployment.spec as { template: { spec: object } };
      const hostAliases = [{ ip, hostnames: ['mesh-3.mesh.cilium.io'] }];
      return {
        ...deployment,
        spec: { ...(deployment.spec as object), template: { ...template, spec: { ...template.spec, hostAliases } } },
      };
    };
    const file = remotePeerFile(
      'mesh-3',
      { addresses: [], alias: { ips: ['10.9.9.1'], ports: [2379], in: 'pods' } },
      'mesh-3.',
    );
    const secret = secretObject('cilium-kvstoremesh', { 'mesh-3': file });
    const client = { ...cluster(1, []), objects: snapshotOf({ live: [named('10.9.9.1'), secret] }).objects };
    const three = cluster(3, []);
    const server = { ...three, objects: new Map([...three.objects, ...serving('172.18.3.100')]) };
    const becomes = (to: string) => {
      const direction = {
        client: { snapshot: client, identity: { name: 'mesh-1' } },
        server: { snapshot: server, identity: { name: 'mesh-3' } },
        endpoint: { addresses: [`${to}:2379`] },
      } as unknown as Direction;
      const changes = [{ path: 'spec.template.spec.hostAliases[mesh-3.mesh.cilium.io]', from: '10.9.9.1', to }];
      const object = apiserverDeploymentRef('kube-system');
      const [effect] = connectEffects([client, server], [direction], [step('context-1', '', { object, changes })]);
      return [effect?.becomes, effect?.why];
    };
    expect(dialledAddresses(client, 'mesh-3')).toEqual(['10.9.9.1:2379']);
    expect(becomes('172.18.3.100')).toEqual([
      'moved',
      '10.9.9.1 → 172.18.3.100; the only pod of Deployment clustermesh-apiserver is replaced: changes in the clusters arrive a few seconds late',
    ]);
    expect(becomes('10.9.9.2')).toEqual([
      'unknown',
      expect.stringContaining('10.9.9.2:2379 has not been tried from there'),
    ]);
  });

  it.each([
    ['what was never dialled', ['10.9.9.9:2379'], 'unknown', 'former'],
    ['what the Service has', ['172.18.3.100:2379'], 'moved', 'former'],
    ['what the Service has, too', ['lb.example:2379', '172.18.3.100:2379'], 'moved', 'former'],
    ['what it dials now', ['h:1'], 'moved', 'former'],
    ['another cluster of the name, by address and CA', ['172.18.3.100:2379'], 'cut', 'ca'],
  ])('is said of %s', (_what, addresses, becomes, ca) => {
    const three = cluster(3, [], ca);
    const server = { ...three, objects: new Map([...three.objects, ...serving('172.18.3.100')]) };
    const member = (snapshot: typeof one, id: number) => ({
      snapshot,
      identity: { name: `mesh-${id}`, id, maxConnectedClusters: 255 },
      endpoints: [],
    });
    const direction = {
      client: member(one, 1),
      server: member(server, 3),
      endpoint: { addresses },
    } as unknown as Direction;
    const changes = [{ path: 'data.mesh-3', from: 'dials h:1', to: 'dials elsewhere' }];
    const [effect] = connectEffects(
      [one, server],
      [direction],
      [step('context-1', 'cilium-kvstoremesh', { changes })],
    ).filter(({ peer }) => peer === 'mesh-3');
    expect(effect?.becomes).toBe(becomes);
    const join = 'meshctl clustermesh connect --context context-1 --destination-context';
    const mends = {
      unknown: `${join} context-3 --destination-endpoint mesh-3=service`,
      cut: `${join} '<context of mesh-3>'`,
    };
    expect(effect?.mend).toBe(mends[becomes as keyof typeof mends]);
    expect(effect?.replacedBy).toBe(becomes === 'cut' ? 'context-3' : undefined);
    if (becomes === 'unknown') expect(effect?.why).toContain('10.9.9.9:2379 has not been tried from there');
  });

  it.each<[what: string, lost: Partial<ReturnType<typeof cluster>>, why: string]>([
    [
      'whose agents have lost their file',
      { objects: new Map([...one.objects].filter(([key]) => !key.endsWith('/cilium-clustermesh'))) },
      'until now the peering files are missing (Secret cilium-clustermesh)',
    ],
    [
      'that is not let in any more',
      {
        objects: new Map([...one.objects, [keyOf(refOf(NO_USERS)), NO_USERS]]),
        remoteUsers: [],
      },
      'until now mesh-2 logs in as remote-mesh-2, and there is no such user',
    ],
  ])('lets a peer connect again %s', (_what, lost, why) => {
    const broken = { ...one, ...lost };
    const member = (snapshot: typeof one, id: number) => ({ snapshot, identity: { name: `mesh-${id}` } });
    const [own, other] = [member(broken, 1), member(two, 2)];
    const endpoint = { addresses: ['h:1'] };
    const directions = [
      { client: own, server: other, endpoint },
      { client: other, server: own, endpoint },
    ] as unknown as Direction[];
    const found = connectEffects([broken, two], directions, [step('context-1', 'clustermesh-remote-users')]);
    expect(found.filter(({ peer }) => peer === 'mesh-2')).toEqual([
      { cluster: 'context-1', peer: 'mesh-2', becomes: 'restored', why },
    ]);
  });

  it('is said of the peer that is meant, not of one whose name goes on', () => {
    const many = cluster(1, ['mesh-3', 'mesh-30']);
    const changes = [{ path: 'data.mesh-30', from: 'dials a:1', to: 'dials b:1' }];
    const found = connectEffects([many], [], [step('context-1', 'cilium-kvstoremesh', { changes })]);
    expect(found.map(({ peer, becomes }) => [peer, becomes])).toEqual([
      ['mesh-3', 'kept'],
      ['mesh-30', 'moved'],
    ]);
  });

  describe('where it replaces pods of which only the nodes answer', () => {
    const NODE_PORT = 32379;
    const [HERE, ELSEWHERE] = [`10.0.0.1:${NODE_PORT}`, `10.0.0.2:${NODE_PORT}`];
    const member = (snapshot: typeof one, id: number) => ({ snapshot, identity: { name: `mesh-${id}` } });
    const aliases = [{ path: 'spec.template.spec.hostAliases[mesh-2.mesh.cilium.io]', to: '10.9.0.2' }];
    const found = (peers: readonly string[], addresses: readonly string[], policy = 'Local', restarts = true) => {
      const own = cluster(1, peers);
      const service = serviceObject({
        ...{ type: 'NodePort', externalTrafficPolicy: policy },
        ports: [{ port: 2379, nodePort: NODE_PORT }],
      });
      const served = { ...own, objects: new Map([...own.objects, [keyOf(refOf(service)), service]]) };
      const client = cluster(2, []);
      const direction = { client: member(client, 2), server: member(served, 1), endpoint: { addresses } };
      const restart = step('context-1', '', { object: apiserverDeploymentRef('kube-system'), changes: aliases });
      const users = step('context-1', 'clustermesh-remote-users');
      const steps = restarts ? [users, restart] : [users];
      return connectEffects([served, client], [direction] as unknown as Direction[], steps);
    };
    const MEND = 'meshctl clustermesh connect --context context-1 --destination-context context-2';

    it('says that who dials them for the first time may miss the new ones', () => {
      const why = expect.stringContaining(`perhaps on other nodes: it dials ${HERE}, and only nodes with a pod answer`);
      const movedPods = { dials: [HERE], why, mend: MEND };
      expect(found([], [HERE])).toEqual([
        { cluster: 'context-1', peer: 'mesh-2', becomes: 'lost', why, mend: MEND, movedPods },
      ]);
    });

    it.each<[string, Parameters<typeof found>]>([
      ['every node answers', [[], [HERE], 'Cluster']],
      ['each node is dialled that may get a pod', [[], [HERE, ELSEWHERE]]],
      ['an address is dialled that is no node', [[], ['192.0.2.1:2379']]],
      ['no pod is replaced', [[], [HERE], 'Local', false]],
    ])('says nothing of that where %s', (_what, of) => {
      expect(found(...of)).toEqual([]);
    });

    it('goes by what a peer is to dial, not by what it has dialled so far', () => {
      expect(found(['mesh-2'], [HERE])).toMatchObject([
        { peer: 'mesh-2', becomes: 'unknown', movedPods: { dials: [HERE] } },
      ]);
    });
  });
});
