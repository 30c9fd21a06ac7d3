import { describe, expect, it } from 'vitest';
import type { ClusterSnapshot } from '../../src/mesh/cluster-snapshot.ts';
import { formerAnswers, untoldDials } from '../../src/mesh/connect/former-answers.ts';
import { remotePeerFile } from '../../src/mesh/peers/file/peer-config.ts';
import { apiserverDeployment, loadBalancerService, secretObject, snapshotOf, tlsFacts } from '../support/snapshots.ts';

/** `mesh-1`, or what has its name, at an address. */
const named = (context: string, address: string, nodes: ClusterSnapshot['nodes'] = []): ClusterSnapshot => ({
  ...snapshotOf({
    context,
    ciliumConfig: { 'cluster-name': 'mesh-1', 'cluster-id': '1' },
    live: [apiserverDeployment(), loadBalancerService(address)],
    tlsSecrets: new Map([['clustermesh-apiserver-server-cert', tlsFacts('ca', { commonName: 'server' })]]),
  }),
  nodes,
});

/** `mesh-2`, which dials `mesh-1` by a file. */
const client = (file: string) =>
  snapshotOf({
    context: 'mesh-2',
    ciliumConfig: { 'cluster-name': 'mesh-2', 'cluster-id': '2' },
    live: [
      apiserverDeployment(),
      loadBalancerService('172.18.2.1'),
      secretObject('cilium-kvstoremesh', { 'mesh-1': file }),
    ],
    peerCertificates: new Map([['mesh-1', tlsFacts('ca', { commonName: 'remote-mesh-2' })]]),
  });

const FILE = remotePeerFile('mesh-1', { addresses: ['172.18.1.1:2379'] }, 'mesh-1.');
const living = named('mesh-1', '172.18.1.1');
const node = {
  name: 'n',
  ready: true,
  labels: {},
  podCidrs: [],
  addresses: [{ type: 'InternalIP', address: '172.18.1.1' }],
};

/** A cluster whose Service has this in its spec. */
function inCluster(cluster: ClusterSnapshot, spec: Record<string, unknown>): ClusterSnapshot {
  const service = [...cluster.objects.values()].find(({ kind }) => kind === 'Service');
  if (service) service.spec = { ...(service.spec as object), ...spec };
  return cluster;
}

const dial = (file: string, server: ClusterSnapshot) => ({
  client: { snapshot: client(file) },
  server: { snapshot: server, identity: { name: 'mesh-1', id: 1, maxConnectedClusters: 255 } },
});

describe('whether a cluster is the one that was dialled so far', () => {
  it.each<[what: string, file: string, server: ClusterSnapshot, others: ClusterSnapshot[], isUntold: boolean]>([
    ['nothing tells of one at another address', FILE, named('restored', '172.18.3.1'), [], true],
    ['its address tells', FILE, living, [], false],
    ['the cluster tells that has the address', FILE, named('restored', '172.18.3.1'), [living], false],
    [
      'an address of its node tells, from before its Service was of another type',
      FILE,
      named('moved', '172.18.3.1', [node]),
      [],
      false,
    ],
    [
      'the address of its Service within the cluster tells, from before it was balanced',
      remotePeerFile('mesh-1', { addresses: ['10.96.0.11:2379'] }, 'mesh-1.'),
      inCluster(named('moved', '172.18.3.1'), { clusterIP: '10.96.0.11', clusterIPs: ['10.96.0.11'] }),
      [],
      false,
    ],
    [
      'an external address of its Service tells',
      FILE,
      inCluster(named('moved', '172.18.3.1'), { externalIPs: ['172.18.1.1'] }),
      [],
      false,
    ],
    [
      'a name tells nothing',
      remotePeerFile('mesh-1', { addresses: ['mesh-1.example.com:2379'] }, 'mesh-1.'),
      named('one', '172.18.1.1'),
      [],
      false,
    ],
    [
      'a file that cannot be read tells nothing, and nobody answers by it',
      '{',
      named('restored', '172.18.3.1'),
      [],
      false,
    ],
  ])('%s', (_what, file, server, others, isUntold) => {
    const one = dial(file, server);
    expect(untoldDials([one], [one.client.snapshot, server, ...others])).toEqual(isUntold ? [one] : []);
  });

  it('is not in doubt where a tool has the address from a source of its own', () => {
    const byHelm = dial(FILE, named('behind-nat', '172.18.3.1'));
    const [secret] = [...byHelm.client.snapshot.objects.values()].filter(({ kind }) => kind === 'Secret');
    Object.assign(secret?.metadata ?? {}, {
      annotations: { 'meta.helm.sh/release-name': 'cilium' },
      managedFields: [{ manager: 'helm', operation: 'Update', fieldsV1: { 'f:data': { 'f:mesh-1': {} } } }],
    });
    expect(untoldDials([byHelm], [byHelm.client.snapshot, byHelm.server.snapshot])).toEqual([]);
  });

  it('is to be agreed to only where somebody answers there', () => {
    const one = dial(FILE, named('restored', '172.18.3.1'));
    expect(formerAnswers([one], new Map())).toEqual([]);
    expect(formerAnswers([one], new Map([['mesh-2', ['mesh-9']]]))).toEqual([]);
    expect(formerAnswers([one], new Map([['mesh-2', ['mesh-1']]]))).toEqual([
      {
        ...{ cluster: 'mesh-2', peer: 'mesh-1', becomes: 'unknown', replacedBy: 'restored' },
        why: 'one of its name and certificate answers at 172.18.1.1:2379, which is no address of context "restored"',
      },
    ]);
  });
});
