import { describe, expect, it } from 'vitest';
import { IDENTITY_CHECKS } from '../../src/mesh/checks/identity.ts';
import { runChecks } from '../../src/mesh/checks/shared/check.ts';
import { keyOf, refOf } from '../../src/mesh/objects/kube-object.ts';
import { encodeText } from '../../src/mesh/objects/secret-data.ts';
import { renamedPeers, takeUpCommand } from '../../src/mesh/peers/renamed-peers.ts';
import { judgeStanding } from '../../src/mesh/status/standing-status.ts';
import { reasonsOf } from '../../src/mesh/status/status-reasons.ts';
import { createTally } from '../../src/mesh/status/status-tally.ts';
import { apiserverDeployment, caFacts, loadBalancerService, NOW, snapshotOf, tlsFacts } from '../support/snapshots.ts';

interface Shape {
  name?: string;
  /** By its certificates. */
  serves?: string;
  ca?: string;
  /** By peer, the CA that is trusted for it. */
  trusts?: Record<string, string>;
}

function cluster(id: number, { name = `mesh-${id}`, serves = name, ca = `ca-${id}`, trusts = {} }: Shape = {}) {
  const files = Object.keys(trusts).map((peer) => [peer, encodeText('endpoints:\n- https://10.0.0.9:2379\n')]);
  const metadata = { name: 'cilium-kvstoremesh', namespace: 'kube-system' };
  const live = [
    apiserverDeployment({ users: false }),
    loadBalancerService('10.0.0.9'),
    { apiVersion: 'v1', kind: 'Secret', metadata, data: Object.fromEntries(files) },
  ];
  return snapshotOf({
    context: `c${id}`,
    ciliumConfig: { 'cluster-name': name, 'cluster-id': String(id) },
    ca: caFacts(ca),
    tlsSecrets: new Map([['clustermesh-apiserver-admin-cert', tlsFacts(ca, { commonName: `admin-${serves}` })]]),
    objects: new Map(live.map((object) => [keyOf(refOf(object)), object])),
    peerCertificates: new Map(
      Object.entries(trusts).map(([peer, key]) => [peer, tlsFacts(key, { commonName: `remote-mesh-${id}` })]),
    ),
  });
}

const FORGET = 'meshctl clustermesh disconnect --context c1 --peer mesh-2';
const CONNECT = 'meshctl clustermesh connect --context c1 --destination-context c2';

describe('a peer under a former name', () => {
  it.each<[string, Shape, ReturnType<typeof cluster>[], string | undefined]>([
    [
      'is the cluster whose CA is trusted',
      { trusts: { 'mesh-2': 'ca-2' } },
      [cluster(2, { name: 'prod' })],
      `${FORGET} && ${CONNECT}`,
    ],
    [
      'is only forgotten where it is known by both',
      { trusts: { 'mesh-2': 'ca-2', prod: 'ca-2' } },
      [cluster(2, { name: 'prod' })],
      FORGET,
    ],
    [
      'is none while it serves under that name',
      { trusts: { 'mesh-2': 'ca-2' } },
      [cluster(2, { name: 'prod', serves: 'mesh-2' })],
      undefined,
    ],
    ['is none where its name is what it was', { trusts: { 'mesh-2': 'ca-2' } }, [cluster(2)], undefined],
    [
      'is another cluster that was not read',
      { trusts: { 'mesh-3': 'ca-3' } },
      [cluster(2, { name: 'prod' })],
      undefined,
    ],
    [
      'is not told by a CA that several have',
      { trusts: { 'mesh-2': 'ca' } },
      [cluster(2, { name: 'prod', ca: 'ca' }), cluster(3, { ca: 'ca' })],
      undefined,
    ],
    [
      'is not told by the CA of its own',
      { ca: 'ca', trusts: { 'mesh-2': 'ca' } },
      [cluster(2, { name: 'prod', ca: 'ca' })],
      undefined,
    ],
  ])('%s', (_what, shape, others, command) => {
    const one = cluster(1, shape);
    const [found] = renamedPeers(one, others);
    expect(found && takeUpCommand(one, found)).toBe(command);
  });

  const one = cluster(1, { trusts: { 'mesh-2': 'ca-2' } });
  const two = cluster(2, { name: 'prod' });

  it('is no other cluster with the same id', () => {
    const peerIds = new Map([['c1', new Map([['mesh-2', 2]])]]);
    const findings = runChecks(IDENTITY_CHECKS, { clusters: [one, two], now: NOW, peerIds });
    expect(findings.filter(({ severity }) => severity === 'fail').map(({ id, hint }) => [id, hint])).toEqual([
      ['peer-renamed', `${FORGET} && ${CONNECT}`],
    ]);
  });

  it('is why it is not connected', () => {
    const tally = createTally({
      ...{ context: 'c1', namespace: 'kube-system', clusterName: 'mesh-1', clusterId: 1 },
      ...{ peers: ['mesh-2'], enabled: true, kvstoremesh: true },
    });
    tally.add('agent', { name: 'node-1', clusters: [{ name: 'mesh-2', ready: true, connected: true }] });
    tally.add('kvstoremesh', {
      name: 'pod-1',
      clusters: [{ name: 'mesh-2', status: 'etcdserver: permission denied' }],
    });
    const other = createTally({
      ...{ context: 'c2', namespace: 'kube-system', clusterName: 'prod', clusterId: 2 },
      ...{ peers: [], enabled: true, kvstoremesh: true },
    });
    const [report] = judgeStanding(
      [
        { report: tally.report(), snapshot: one },
        { report: other.report(), snapshot: two },
      ],
      NOW,
    );
    const reasons = reasonsOf({ clusters: report ? [report] : [] }).filter(({ places }) => places.length > 0);
    expect(reasons.map(({ says, hint }) => [says, hint])).toEqual([
      ['that is the former name of prod (Secret cilium-kvstoremesh, key mesh-2)', `${FORGET} && ${CONNECT}`],
    ]);
  });
});
