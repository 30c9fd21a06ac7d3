import { describe, expect, it } from 'vitest';
import { renewAuthorityFirst, rotateAuthority } from '../../src/mesh/certificates/authority-time.ts';
import { COMPATIBILITY_CHECKS } from '../../src/mesh/checks/compatibility.ts';
import { PEER_CHECKS } from '../../src/mesh/checks/peers.ts';
import { runChecksByMesh } from '../../src/mesh/checks/shared/by-mesh.ts';
import { besideOthers, type Check, type CheckInput, runChecks } from '../../src/mesh/checks/shared/check.ts';
import { STANDING_CHECKS } from '../../src/mesh/checks/standing.ts';
import { TRUST_CHECKS } from '../../src/mesh/checks/tls/authority.ts';
import { clusterNameOf, requireIdentity } from '../../src/mesh/cilium/identity.ts';
import type { ClusterSnapshot } from '../../src/mesh/cluster-snapshot.ts';
import type { Direction } from '../../src/mesh/connect/direction.ts';
import { nameOfDead, namesAtPeer } from '../../src/mesh/connect/disconnect/dead-cluster.ts';
import {
  isOfNotPeers,
  notPeersAmong,
  notPeersNotes,
  requirePeers,
} from '../../src/mesh/connect/disconnect/not-peers.ts';
import type { Member } from '../../src/mesh/connect/member.ts';
import { unprovedAddresses } from '../../src/mesh/connect/unproved.ts';
import { faultsOf } from '../../src/mesh/faults/faults-of.ts';
import { extraPeers } from '../../src/mesh/file/extra.ts';
import { meshSpecOf } from '../../src/mesh/file/mesh-spec.ts';
import { keyOf } from '../../src/mesh/objects/kube-object.ts';
import { secretRef } from '../../src/mesh/objects/names.ts';
import { secretTexts } from '../../src/mesh/objects/secret-data.ts';
import { pairsOf } from '../../src/mesh/pairs.ts';
import { type ForeignFile, leadsElsewhere } from '../../src/mesh/peers/file/foreign-file.ts';
import { peerCertificateKeys, remotePeerFile } from '../../src/mesh/peers/file/peer-config.ts';
import { meantTogether } from '../../src/mesh/peers/meshes.ts';
import { dialsAnother, isDialledAt, tellApart, withoutNamesakes } from '../../src/mesh/peers/namesakes.ts';
import { peersOutside } from '../../src/mesh/peers/peers-outside.ts';
import { unpairedClusters } from '../../src/mesh/peers/unpaired-clusters.ts';
import { requireOneMesh } from '../../src/mesh/rotation/one-mesh.ts';
import { graphOfStatus } from '../../src/mesh/status/mesh-graph.ts';
import { evaluateMesh } from '../../src/mesh/status/mesh-status.ts';
import { judgeStanding } from '../../src/mesh/status/standing-status.ts';
import { reasonsOf } from '../../src/mesh/status/status-reasons.ts';
import { createTally } from '../../src/mesh/status/status-tally.ts';
import { meshStatusText } from '../../src/views/status/matrix-view.ts';
import { PLAIN } from '../support/plain-theme.ts';
import {
  apiserverDeployment,
  caFacts,
  certificateFacts,
  loadBalancerService,
  NOW,
  secretObject,
  serviceObject,
  snapshotOf,
  tlsFacts,
} from '../support/snapshots.ts';

type Mesh = 'prod' | 'stag';

const SERVER = 'clustermesh-apiserver-server-cert';
const PEERS = secretRef('kube-system', 'cilium-kvstoremesh');
const addressOf = (mesh: Mesh, id: number) => `172.18.${mesh === 'prod' ? 1 : 2}.${id}`;

/**
 * `mesh-ID`, one of a mesh, with a CA and an address of its own.
 * @param ca the one that it has; its peers trust that of before
 * @param address the one that it has; its peers dial that of before
 */
function cluster(
  mesh: Mesh,
  id: number,
  peers: readonly number[],
  ca = `${mesh}-${id}`,
  address = addressOf(mesh, id),
): ClusterSnapshot {
  const caOf = (peer: number) => certificateFacts({ publicKeySha256: `${mesh}-${peer}`, isCa: true });
  const files = peers.flatMap((peer) => {
    const keys = Object.values(peerCertificateKeys(`mesh-${peer}`)).map((key) => [key, 'PEM']);
    const endpoint = { addresses: [`${addressOf(mesh, peer)}:2379`] };
    return [[`mesh-${peer}`, remotePeerFile(`mesh-${peer}`, endpoint, `mesh-${peer}.`)], ...keys];
  });
  const held = peers.map((peer): [string, ReturnType<typeof tlsFacts>] => [
    `mesh-${peer}`,
    tlsFacts(`${mesh}-${peer}`, { commonName: `remote-mesh-${id}` }),
  ]);
  const own = certificateFacts({ publicKeySha256: ca, isCa: true });
  const leaf = { certificate: certificateFacts(), privateKey: 'ok', signedByCa: true } as const;
  return snapshotOf({
    context: `${mesh}-${id}`,
    ciliumConfig: { 'cluster-name': `mesh-${id}`, 'cluster-id': String(id) },
    live: [
      apiserverDeployment(),
      loadBalancerService(address),
      secretObject('cilium-kvstoremesh', Object.fromEntries(files)),
    ],
    ca: caFacts(ca),
    tlsSecrets: new Map([[SERVER, tlsFacts(ca, { commonName: 'server' })]]),
    remoteUsers: peers.map((peer) => ({ name: `remote-mesh-${peer}`, role: 'remote' })),
    peerCertificates: new Map(held),
    tlsFiles: new Map([
      [SERVER, { ...leaf, ca: own, authorities: [own] }],
      ...peers.map(
        (peer) => [`cilium-kvstoremesh/mesh-${peer}`, { ...leaf, ca: caOf(peer), authorities: [caOf(peer)] }] as const,
      ),
    ]) as never,
  });
}

const prod1 = cluster('prod', 1, [2, 3]);
const prod2 = cluster('prod', 2, [1, 3]);
const prod3 = cluster('prod', 3, [1, 2]);
const stag1 = cluster('stag', 1, [2]);
const stag2 = cluster('stag', 2, [1]);
const ALL = [prod1, prod2, prod3, stag1, stag2];

/** Of the name of a peer of prod-1, which it dials and which is another one for it. */
const dialler = { ...cluster('prod', 2, [1], 'dialler', '172.18.3.2'), context: 'dialler' };

/** Of the name and the address of a peer of prod-1, in a network apart. */
const elsewhere = { ...cluster('stag', 2, [1], 'stag-2', addressOf('prod', 2)), context: 'elsewhere' };

const contextsOf = (of: readonly ClusterSnapshot[]) => of.map(({ context }) => context);

describe('the clusters that may be the peers of one', () => {
  it.each<[string, ClusterSnapshot, readonly ClusterSnapshot[], string[]]>([
    ['are those of its mesh, of several of a name', prod1, ALL, ['prod-2', 'prod-3', 'stag-1']],
    ['are none that are the peers of another one of its name', stag1, ALL, ['prod-1', 'stag-2']],
    ['so also where the name is there once', stag2, [prod1, prod2, stag2], ['prod-2']],
    ['are all, with names of their own', prod3, [prod1, prod2], ['prod-1', 'prod-2']],
    ['are also one that was replaced', prod1, [cluster('stag', 2, [])], ['stag-2']],
    ['are also one that has another CA now', prod1, [stag1, cluster('prod', 2, [1], 'new')], ['stag-1', 'prod-2']],
    ['are those that are yet to be connected', cluster('prod', 9, []), ALL, contextsOf(ALL)],
    ['are none at the address of one in another network', prod1, [...ALL, elsewhere], ['prod-2', 'prod-3', 'stag-1']],
    ['are those of their own network', stag1, [prod1, prod2, elsewhere], ['prod-1', 'elsewhere']],
    ['are none of those that only have the name', prod3, [stag1, cluster('stag', 1, [])], []],
  ])('%s', (_what, one, others, expected) => {
    expect(contextsOf(withoutNamesakes(one, others))).toEqual(expected);
  });

  it('are those that a peer may be among', () => {
    expect(ALL.map((one) => peersOutside(one, ALL))).toEqual([[], [], [], [], []]);
    expect(peersOutside(stag2, [prod1, prod2, stag2])).toEqual(['mesh-1']);
  });
});

describe('the address at which a cluster dials a peer', () => {
  const nodes: ClusterSnapshot['nodes'] = [true, false].map((ready, index) => ({
    ...{ name: `node-${index}`, ready, labels: {}, podCidrs: [] },
    addresses: [
      { type: 'InternalIP', address: `10.9.0.${index}` },
      { type: 'ExternalIP', address: `203.0.113.${index}` },
    ],
  }));
  const service = (type: string) =>
    serviceObject(
      { type, ports: [{ port: 2379, nodePort: 32379 }] },
      type === 'LoadBalancer' ? { loadBalancer: { ingress: [{ ip: '203.0.113.99' }] } } : {},
    );

  it.each<[string, string, string, boolean, boolean | undefined]>([
    ['the one that it has', 'LoadBalancer', '203.0.113.99:2379', true, true],
    ["a node's, at the node port of a load balancer", 'LoadBalancer', '10.9.0.0:32379', true, true],
    [
      "that of a node that is not ready, at a load balancer's node port",
      'LoadBalancer',
      '203.0.113.1:32379',
      true,
      true,
    ],
    ["a node's, at another port", 'LoadBalancer', '10.9.0.0:2379', true, false],
    ["nobody's, at the node port", 'LoadBalancer', '10.9.9.9:32379', true, false],
    ['of nodes that were not read', 'LoadBalancer', '10.9.0.0:32379', false, undefined],
    ['none of them, whatever nodes there are', 'LoadBalancer', '10.9.0.0:2379', false, false],
    ["a node's that a NodePort names", 'NodePort', '203.0.113.0:32379', true, true],
    ["a node's that a NodePort does not name", 'NodePort', '10.9.0.0:32379', true, true],
    ['that of a node that is not ready', 'NodePort', '10.9.0.1:32379', true, true],
    ["nobody's, at the port of a NodePort", 'NodePort', '10.9.9.9:32379', true, false],
    ["at a NodePort's nodes that were not read", 'NodePort', '10.9.0.0:32379', false, undefined],
  ])('is its peer by %s', (_what, type, address, areRead, expected) => {
    const server = snapshotOf({ live: [service(type)], nodes: areRead ? nodes : [] });
    const file = remotePeerFile('mesh-1', { addresses: [address] }, 'mesh-1.');
    const client = snapshotOf({ context: 'two', live: [secretObject('cilium-kvstoremesh', { 'mesh-1': file })] });
    expect(isDialledAt(client, 'mesh-1', server)).toBe(expected);
    const direction = { client: { snapshot: client }, server: { snapshot: server, identity: { name: 'mesh-1' } } };
    const leads = { ...direction, endpoint: { addresses: [address] } } as unknown as Direction;
    expect(unprovedAddresses(leads)).toEqual(expected ? [] : [address]);
    expect(leadsElsewhere({ leadsTo: [address] } as unknown as ForeignFile, server)).toBe(expected === false);
  });
});

describe('clusters that are to part', () => {
  const dialsOf = (one: ClusterSnapshot, other: ClusterSnapshot) => {
    const [a, b] = [one, other].map((snapshot) => ({ name: snapshot.ciliumConfig?.['cluster-name'] ?? '', snapshot }));
    return a && b
      ? ([
          [a, b],
          [b, a],
        ] as const)
      : [];
  };
  const withSameCa = cluster('stag', 2, [], 'prod-2');
  it.each<[string, ClusterSnapshot, ClusterSnapshot, readonly ClusterSnapshot[], string[]]>([
    ['are peers', prod1, prod2, ALL, []],
    ['each have another peer of that name', prod1, stag2, [], ['prod-1 stag-2', 'stag-2 prod-1']],
    ['are peers, one with another CA by now', prod1, cluster('prod', 2, [1], 'new'), [stag2], []],
    ['are one and what was rebuilt under the name of its peer', prod1, cluster('stag', 2, []), [], ['prod-1 stag-2']],
    ['are told apart by the peer alone', prod1, withSameCa, [prod2], ['prod-1 stag-2']],
    ['may be peers as long as nothing tells', prod1, withSameCa, [], []],
    ['know nothing of each other, and one has another peer', stag1, prod3, ALL, ['prod-3 stag-1']],
    ['have the same name', prod1, stag1, ALL, []],
    ['are one and who dials it, which has another peer', prod1, dialler, ALL, ['prod-1 dialler']],
  ])('%s', (_what, one, other, others, expected) => {
    const dials = dialsOf(one, other);
    const found = notPeersAmong(dials, others);
    expect(found.map((pair) => `${pair.knower.context} ${pair.other.context}`)).toEqual(expected);
    expect(dials.every((dial) => isOfNotPeers(dial, found))).toBe(expected.length > 0);
  });

  it.each<[string, ClusterSnapshot, readonly ClusterSnapshot[], string]>([
    ['is the one to name', stag2, ALL, '--context prod-1 --destination-context prod-2'],
    ['may be gone', stag2, [], '--context prod-1 --peer mesh-2'],
    ['stays, of who is dialled by the other one', dialler, ALL, '--context dialler --peer mesh-1'],
    ['stays so also where it was not read', dialler, [], '--context dialler --peer mesh-1'],
  ])('are refused with the way out: the peer %s', (_what, other, others, way) => {
    const hint = expect.stringContaining(`meshctl clustermesh disconnect ${way}`);
    const found = notPeersAmong(dialsOf(prod1, other), others);
    expect(() => requirePeers(found, others)).toThrow(expect.objectContaining({ code: 'Usage', hint }));
  });

  it('are told nothing by a namesake of the one that is forgotten', () => {
    expect(namesAtPeer('mesh-2', prod1, [prod2, stag2])).toEqual(['mesh-1']);
    expect(namesAtPeer('mesh-2', prod1, [cluster('prod', 2, [])])).toEqual([]);
    expect(namesAtPeer('mesh-2', prod1, [cluster('stag', 2, [3])])).toBeUndefined();
    expect(namesAtPeer('mesh-1', dialler, [prod1])).toEqual([]);
  });

  it('leave a dead cluster its name, which only the peer itself takes away', () => {
    const dead =
      (...read: ClusterSnapshot[]) =>
      () =>
        nameOfDead('gone', { source: prod1.context, mode: 'bidirectional', alive: [prod1], others: read });
    for (const read of [[], [stag2], [stag2, prod3]]) expect(dead(...read)).toThrow(/not known which peer it is/);
    expect(dead(prod3)).toThrow(expect.objectContaining({ hint: expect.stringMatching(/--peer mesh-2$/) }));
    expect(dead(prod2, prod3)()).toBe('gone');
  });

  it('are no clusters of a file that has one of each mesh', () => {
    const documents = ['mesh-1', 'mesh-2'].map((name) => ({
      ...{ file: 'x', line: 1 },
      document: {
        ...{ apiVersion: 'meshctl.io/v1alpha1', kind: 'Mesh', metadata: { name } },
        spec: { clusters: [{ name }], topology: { type: 'mesh' } },
      },
    }));
    const { spec } = meshSpecOf(documents as Parameters<typeof meshSpecOf>[0]);
    const foundIn = (...read: ClusterSnapshot[]) => {
      const { dials, notPeers } = extraPeers(read, spec);
      return [dials.map(({ from, to }) => `${from} ${to}`), notPeersNotes(notPeers).length];
    };
    expect(foundIn(prod1, stag2)).toEqual([[], 2]);
    expect(foundIn(prod1, prod2)).toEqual([['mesh-1 mesh-2', 'mesh-2 mesh-1'], 0]);
    expect([foundIn(prod1, dialler), foundIn(dialler, prod1)]).toEqual([
      [[], 1],
      [[], 1],
    ]);
  });
});

const PEER_FAULTS = ['peer-ca', 'peer-certificate-issuer', 'peer-user-missing'];
const trust = (clusters: readonly ClusterSnapshot[]) =>
  runChecks(
    TRUST_CHECKS.filter(({ id }) => id === 'tls-ca-trust'),
    { clusters, now: NOW, observed: new Map() },
  ).filter(({ severity }) => severity === 'fail');

describe('two sound meshes of the same names', () => {
  it.each([ALL, [...ALL].reverse(), [prod1, prod2, stag2]])('have no fault with each other', (...all) => {
    const faults = all.flatMap((one) => faultsOf(one, { now: NOW, others: all }));
    expect(faults.filter(({ id }) => PEER_FAULTS.includes(id))).toEqual([]);
    expect(trust(all)).toEqual([]);
  });

  it('have no part in who of a mesh is to have no connection', () => {
    const apart = cluster('prod', 1, [2]);
    const pairsOf = (...all: ClusterSnapshot[]) => {
      const pairs = unpairedClusters(all).filter(([from, to]) => from !== to);
      return [...new Set(pairs.map((pair) => pair.join(' ')))];
    };
    expect(pairsOf(...ALL)).toEqual([]);
    const halves = [apart, prod2, cluster('prod', 3, [2]), stag1, stag2];
    expect(pairsOf(...halves)).toEqual(['mesh-1 mesh-3', 'mesh-3 mesh-1']);
  });

  it('hide no CA that was replaced', () => {
    const all = [prod1, stag1, cluster('prod', 2, [1, 3], 'new'), stag2];
    const faults = faultsOf(prod1, { now: NOW, others: all });
    expect(faults.filter(({ id }) => id === 'peer-ca').map(({ hint }) => hint)).toEqual([
      'meshctl clustermesh connect --context prod-1 --destination-context prod-2',
    ]);
    expect(trust(all).map(({ cluster: context, args }) => [context, args.peer])).toEqual([['prod-1', 'mesh-2']]);
  });
});

describe.each([
  ['as they are', ALL],
  ['the other way round', [...ALL].reverse()],
])('what is printed of two meshes of the same names, %s, names the contexts of one', (_order, all) => {
  it('to replace a CA that ends soon', () => {
    expect(rotateAuthority(prod1, all)).toContain('certs rotate --context prod-1,prod-2,prod-3 --ca');
    expect(rotateAuthority(stag1, all)).toContain('certs rotate --context stag-1,stag-2 --ca');
  });

  it('for a peering file that is lost', () => {
    const files = secretTexts(prod1.objects.get(keyOf(PEERS)));
    const rest = Object.entries(files).filter(([key]) => key !== 'mesh-2');
    const objects = new Map([...prod1.objects, [keyOf(PEERS), secretObject(PEERS.name, Object.fromEntries(rest))]]);
    const broken = { ...prod1, objects };
    const clusters = all.map((one) => (one === prod1 ? broken : one));
    const checks = STANDING_CHECKS.filter(({ id }) => id === 'peering-file-missing');
    const found = runChecks(checks, { clusters, now: NOW, observed: new Map() });
    expect(found.filter(({ severity }) => severity === 'fail').map(({ hint }) => hint)).toEqual([
      'meshctl clustermesh connect --context prod-1 --destination-context prod-2',
    ]);
  });
});

it('a certificate that ends by itself is renewed by itself, whenever its CA ends', () => {
  const ends = new Date(NOW.getTime() + 1000);
  const ca = certificateFacts({ publicKeySha256: 'prod-1', isCa: true, notAfter: ends });
  const ending = { ...prod1, ca: { ...caFacts('prod-1'), certificate: ca } };
  const certificate = certificateFacts({ notAfter: NOW });
  expect(renewAuthorityFirst(ending, { ca, certificate }, NOW)).toBeUndefined();
  expect(renewAuthorityFirst(ending, { ca, certificate: { ...certificate, endsWith: 'CA' } }, NOW)).toContain('--ca');
});

it('one cluster of each mesh is not rotated with the other, also where each name is there once', () => {
  const membersOf = (...clusters: ClusterSnapshot[]) =>
    clusters.map(
      (snapshot): Member => ({ snapshot, identity: requireIdentity(snapshot), endpoints: [], given: undefined }),
    );
  const rotate = (...clusters: ClusterSnapshot[]) => requireOneMesh(membersOf(...clusters), { ca: true, force: false });
  expect(() => rotate(prod1, stag2)).toThrow('another cluster than that of context "stag-2"');
  expect(() => rotate(prod1, prod2, prod3)).not.toThrow();
  // One whose CA alone was replaced is still the one that is dialled.
  expect(() => rotate(prod1, cluster('prod', 2, [1], 'new'))).not.toThrow();
});

/** A backup of prod-1 that was restored beside it: of the same CA, at an address of its own. */
const restored = { ...cluster('prod', 1, [2, 3], 'prod-1', '172.18.9.1'), context: 'restored' };

describe('a restored backup', () => {
  it('is not the one that its peers dial, and dials them', () => {
    for (const peer of [prod2, prod3]) {
      const all = [prod1, prod2, prod3, restored];
      expect([dialsAnother(peer, 'mesh-1', restored, all), dialsAnother(peer, 'mesh-1', prod1, all)]).toEqual([
        true,
        false,
      ]);
      expect(contextsOf(withoutNamesakes(peer, all))).not.toContain('restored');
      expect(contextsOf(withoutNamesakes(restored, all))).toContain(peer.context);
      expect(
        tellApart(
          all.filter((one) => one !== peer).map((snapshot) => ({ snapshot })),
          [peer],
        ).peer?.snapshot,
      ).not.toBe(restored);
    }
  });

  it('is not told from one whose Service has another address, where nobody else has the former', () => {
    for (const all of [[], [prod2, restored], ALL.filter((one) => one !== prod1)])
      expect(dialsAnother(prod2, 'mesh-1', restored, all)).toBe(false);
  });
});

const POOL = [
  ...[
    ...ALL,
    restored,
    dialler,
    elsewhere,
    cluster('stag', 2, [1], 'new'),
    cluster('prod', 3, [1, 2], 'prod-3', '172.18.9.3'),
  ],
  ...[cluster('prod', 2, [1], 'new', '172.18.9.2'), { ...restored, context: 'restored-too', ...twiceAt('172.18.9.4') }],
];

/** What a copy has at another address. */
function twiceAt(address: string): Pick<ClusterSnapshot, 'objects'> {
  return cluster('prod', 1, [2, 3], 'prod-1', address);
}

describe('status of a pair', () => {
  const pairs = pairsOf(POOL).map((pair) => [contextsOf(pair).join(' and '), pair] as const);
  const ids = ['cluster-name-unique', 'peers-endpoint'];
  const checks = [...COMPATIBILITY_CHECKS, ...PEER_CHECKS].filter(({ id }) => ids.includes(id)) as Check<CheckInput>[];
  const failing = (pair: readonly ClusterSnapshot[]) =>
    runChecksByMesh(checks, { clusters: pair, now: NOW, observed: new Map() })
      .filter(({ severity }) => severity === 'fail')
      .map(({ id }) => id);
  /** As if all that is dialled were connected. */
  const told = (pair: readonly ClusterSnapshot[]) => {
    const polled = pair.map((snapshot) => {
      const peers = [...snapshot.peerCertificates.keys()];
      const { context, namespace } = snapshot;
      const tally = createTally({
        ...{ context, namespace, clusterName: clusterNameOf(snapshot), clusterId: 1, peers, enabled: true },
        kvstoremesh: true,
      });
      const clusters = peers.map((name) => ({ name, ready: true, connected: true }));
      tally.add('agent', { name: 'node-1', pod: 'cilium-1', clusters });
      tally.add('kvstoremesh', { name: 'pod-1', clusters });
      return { report: tally.report(), snapshot };
    });
    return judgeStanding(polled, NOW).flatMap(({ faults }) =>
      faults.flatMap(({ id }) => (['cluster-name-unique', 'peer-address-gone'].includes(id) ? [id] : [])),
    );
  };

  it.each(pairs)(
    'is not well where check says that a name is there twice, or that an address is stale: %s',
    (_of, pair) => {
      expect(told(pair).length > 0).toBe(failing(pair).length > 0);
    },
  );

  it('is of pairs in which each of them fails, and of some in which none does', () => {
    const found = pairs.map(([, pair]) => failing(pair));
    for (const id of ids) expect(found.filter((of) => of.includes(id as never)).length).toBeGreaterThan(1);
    expect(found.filter(({ length }) => length === 0).length).toBeGreaterThan(1);
  });
});

describe('the status of two meshes of the same names', () => {
  const statusOf = (broken?: ClusterSnapshot) => {
    const polled = ALL.map((snapshot) => {
      const peers = snapshot === stag1 || snapshot === stag2 ? [snapshot === stag1 ? 2 : 1] : [1, 2, 3];
      const names = peers.map((id) => `mesh-${id}`).filter((name) => name !== snapshot.ciliumConfig?.['cluster-name']);
      const tally = createTally({
        context: snapshot.context,
        namespace: 'kube-system',
        clusterName: snapshot.ciliumConfig?.['cluster-name'] ?? '',
        clusterId: 1,
        peers: names,
        enabled: true,
        kvstoremesh: true,
      });
      const clusters = names.map((name) => ({ name, ready: snapshot !== broken, connected: snapshot !== broken }));
      tally.add('agent', { name: 'node-1', pod: 'cilium-1', clusters });
      tally.add('kvstoremesh', { name: 'pod-1', clusters });
      return { report: tally.report(), snapshot };
    });
    const reports = judgeStanding(polled, NOW).map((report) => ({
      ...report,
      faults: report.faults.filter(({ id }) => PEER_FAULTS.includes(id)),
    }));
    return evaluateMesh(reports, []);
  };

  it('has a row for each cluster, a column for each name, and arrows within each mesh', () => {
    const mesh = statusOf();
    const rows = meshStatusText(mesh, PLAIN)
      .split('\n')
      .filter((line) => /^ +mesh/.test(line));
    expect(rows.map((row) => row.trim().split(/ {2,}/))).toEqual([
      ['mesh-1 (prod-1)', '·', '✓ 1/1', '✓ 1/1'],
      ['mesh-2 (prod-2)', '✓ 1/1', '·', '✓ 1/1'],
      ['mesh-3 (prod-3)', '✓ 1/1', '✓ 1/1', '·'],
      ['mesh-1 (stag-1)', '·', '✓ 1/1', '–'],
      ['mesh-2 (stag-2)', '✓ 1/1', '·', '–'],
    ]);
    const { nodes, edges } = graphOfStatus(mesh);
    expect(new Set(nodes.map(({ id }) => id)).size).toBe(5);
    const contextOf = (id: string) => nodes.find((node) => node.id === id)?.detail.split(' ')[0];
    const arrows = edges.map(({ from, to }) => `${contextOf(from)} ${contextOf(to)}`);
    expect(arrows.filter((arrow) => /stag/.test(arrow))).toEqual(['stag-1 stag-2', 'stag-2 stag-1']);
    expect(arrows).toHaveLength(8);
  });

  it('names the contexts of its own mesh in hints', () => {
    const hints = reasonsOf(statusOf(stag1)).map(({ hint }) => hint);
    expect(hints.length).toBeGreaterThan(0);
    expect(hints.join()).not.toContain('prod');
    expect(
      reasonsOf(statusOf(prod1))
        .map(({ hint }) => hint)
        .join(),
    ).not.toContain('stag');
  });
});

describe('checks of two meshes of the same names', () => {
  const alone = (id: number, name = `mesh-${id}`) => ({
    ...snapshotOf({ context: `alone-${id}`, ciliumConfig: { 'cluster-name': name, 'cluster-id': String(id) } }),
  });
  const meshes = (...clusters: ClusterSnapshot[]) => meantTogether(clusters).map(contextsOf);
  const [prod, stag] = [
    ['prod-1', 'prod-2', 'prod-3'],
    ['stag-1', 'stag-2'],
  ] as const;

  it.each<[string, readonly ClusterSnapshot[], readonly (readonly string[])[]]>([
    ['of two meshes, each by itself', ALL, [prod, stag]],
    [
      'one of which was rebuilt, together',
      [cluster('prod', 1, [2]), cluster('prod', 2, [9], 'new', '172.18.3.2')],
      [['prod-1', 'prod-2']],
    ],
    ['of one mesh, all', [prod1, prod2], [['prod-1', 'prod-2']]],
    ['that are connected to nobody, all', [alone(1), alone(2)], [['alone-1', 'alone-2']]],
    ['that may join one, with it', [alone(1), prod1, prod2], [['alone-1', 'prod-1', 'prod-2']]],
    ['that may join any, with each', [...ALL, alone(4)], [prod, stag].map((mesh) => [...mesh, 'alone-4'])],
    ['whose peers were not read, each by itself', [prod1, stag1], [['prod-1'], ['stag-1']]],
    ['that have a peer in common which was not read, together', [prod1, prod3], [['prod-1', 'prod-3']]],
    [
      'that only a peer which was not read connects',
      [cluster('prod', 1, [2]), cluster('prod', 3, [2])],
      [['prod-1', 'prod-3']],
    ],
  ])('hold clusters against each other %s', (_what, clusters, expected) => {
    expect(meshes(...clusters)).toEqual(expected);
  });

  const found = (run: typeof runChecks, ...clusters: ClusterSnapshot[]) =>
    run(COMPATIBILITY_CHECKS, { clusters, now: NOW })
      .filter(({ id }) => ['cluster-name-unique', 'cluster-id-unique'].includes(id))
      .map(({ id, severity, args }) => [id, severity, args.contexts ?? args.clusters]);

  it('find no name and no id twice, but where clusters are to be one mesh', () => {
    const well = [
      ['cluster-name-unique', 'pass', undefined],
      ['cluster-id-unique', 'pass', undefined],
    ];
    expect(found(runChecksByMesh, ...ALL)).toEqual(well);
    expect(found(runChecks, ...ALL).map(([, severity]) => severity)).toContain('fail');
    expect(found(runChecksByMesh, alone(1), { ...alone(2), ...alone(1), context: 'other' })).toContainEqual([
      'cluster-name-unique',
      'fail',
      ['alone-1', 'other'],
    ]);
    expect(found(runChecksByMesh, ...ALL, alone(3, 'mesh-9'))).toEqual([
      well[0],
      ['cluster-id-unique', 'fail', ['context "prod-3"', 'context "alone-3"']],
    ]);
  });

  it('name a cluster that may join either once, with how it differs from both', () => {
    const native = { ...alone(9), ciliumConfig: { ...alone(9).ciliumConfig, 'routing-mode': 'native' } };
    const input = { clusters: [...ALL, native], now: NOW };
    const modes = runChecksByMesh(COMPATIBILITY_CHECKS, input).filter(({ id }) => id === 'datapath-mode');
    expect(modes).toMatchObject([
      {
        severity: 'fail',
        args: { settings: [`${prod.join(', ')}: tunnel`, 'alone-9: native', `${stag.join(', ')}: tunnel`] },
      },
    ]);
    // What it is compared with in vain is another one in each mesh.
    const ports = runChecksByMesh(COMPATIBILITY_CHECKS, input).filter(
      ({ id, cluster: context }) => id === 'tunnel-port' && context === 'alone-9',
    );
    expect(ports).toHaveLength(1);
    const beside: Check = {
      ...{ id: 'x', category: 'config', title: '', run: () => [], says: () => '' },
      subject: besideOthers(({ context }) => ({
        things: context === 'alone-9' ? ['x'] : [],
        otherwise: 'it has none',
      })),
    };
    const skipped = runChecksByMesh([beside], input).filter(({ cluster: context }) => context === 'alone-9');
    expect(skipped.map(({ args }) => args.reason)).toEqual([
      `none of ${prod.join(', ')} has anything to compare it with; none of ${stag.join(', ')} has anything to compare it with`,
    ]);
  });

  it('say once what concerns clusters that may join either, and pass for those alone that were judged', () => {
    const bare = { ...alone(9), ciliumConfig: undefined };
    const skips = runChecksByMesh(COMPATIBILITY_CHECKS, { clusters: [...ALL, bare], now: NOW }).filter(
      ({ id }) => id === 'datapath-mode',
    );
    expect(skips.filter(({ severity }) => severity === 'skip').map(({ cluster: context }) => context)).toEqual([
      'alone-9',
    ]);
    expect(skips.find(({ severity }) => severity === 'pass')?.args.contexts).toEqual([...prod, ...stag]);
  });
});
