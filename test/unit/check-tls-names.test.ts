import { expect, it } from 'vitest';
import { uncoveredHosts } from '../../src/mesh/certificates/cluster-certificates.ts';
import { runChecks } from '../../src/mesh/checks/shared/check.ts';
import { TLS_CHECKS } from '../../src/mesh/checks/tls/tls.ts';
import type { ClusterSnapshot } from '../../src/mesh/cluster-snapshot.ts';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { type PeerEndpoint, remotePeerFile } from '../../src/mesh/peers/file/peer-config.ts';
import {
  apiserverDeployment,
  loadBalancerService,
  NOW,
  secretObject,
  snapshotOf,
  tlsFacts,
} from '../support/snapshots.ts';

const SECRET = 'clustermesh-apiserver-server-cert';
const NAMES = ['clustermesh-apiserver.kube-system.svc', '*.mesh.cilium.io'];
const madeBy = (manager: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: {
    name: SECRET,
    namespace: 'kube-system',
    managedFields: [{ manager, operation: 'Update', fieldsV1: { 'f:data': { 'f:tls.crt': {} } } }],
  },
});

type Severity = 'pass' | 'warn' | 'fail' | 'skip';

/** mesh-1, whose certificate is judged, at 10.0.0.9. */
function server({ ips = [] as string[], names = NAMES, by = 'meshctl', kvstoremesh = true, helm = false } = {}) {
  const secret = madeBy(by);
  if (helm) secret.metadata.annotations = { 'meta.helm.sh/release-name': 'cilium' };
  const certificate = { commonName: NAMES[0] ?? '', dnsNames: names, ipAddresses: ips };
  return snapshotOf({
    live: [apiserverDeployment({ kvstoremesh }), loadBalancerService('10.0.0.9'), secret],
    tlsSecrets: new Map([[SECRET, tlsFacts('ca-one', certificate)]]),
    remoteUsers: [{ name: 'remote-mesh-2', role: 'remote' }],
  });
}

/** mesh-2, which dials mesh-1; with `alias` by its name in the mesh. */
function client(addresses: string[], alias: PeerEndpoint['alias'] = undefined) {
  const file = remotePeerFile('mesh-1', { addresses, alias }, 'mesh-1.');
  return snapshotOf({
    context: 'two',
    ciliumConfig: { 'cluster-name': 'mesh-2', 'cluster-id': '2' },
    live: [secretObject('cilium-clustermesh', { 'mesh-1': file })],
  });
}

const BY_NAME = client([], { ips: ['10.0.0.9'], ports: [2379], in: 'file' });
const BY_ADDRESS = client(['10.0.0.9:2379']);
const LACKS = 'it does not cover 10.0.0.9';
const DIALLED = `${LACKS}, which mesh-2 dials`;
const OWN = 'it does not cover clustermesh-apiserver.kube-system.svc';
const ENABLE = 'reissue it: meshctl clustermesh enable --context one';

it.each<[string, ReturnType<typeof server>, ClusterSnapshot[], Severity, string | undefined, string | undefined]>([
  ['whatever peers may dial', server({ ips: ['10.0.0.9'] }), [BY_ADDRESS], 'pass', undefined, undefined],
  [
    'an address in another spelling',
    server({ ips: ['10.0.0.9', '0:0::1'] }),
    [BY_ADDRESS],
    'pass',
    undefined,
    undefined,
  ],
  ['the name that all peers dial', server(), [BY_NAME], 'pass', undefined, undefined],
  ['not the address that one dials', server(), [BY_ADDRESS], 'fail', DIALLED, ENABLE],
  [
    'not the address of a peer by whom it was made',
    server({ by: 'vault-sync' }),
    [BY_ADDRESS],
    'fail',
    DIALLED,
    'vault-sync made it: have it reissued there, with 10.0.0.9 among its names',
  ],
  [
    'not that address, and Helm makes it: its name is covered',
    server({ by: 'helm', helm: true }),
    [BY_ADDRESS],
    'fail',
    DIALLED,
    'Helm release cilium made it, and it covers the name of the cluster in the mesh: dial that instead: ' +
      'meshctl clustermesh connect --context one --destination-context two',
  ],
  [
    'one of two addresses that one dials',
    server({ ips: ['10.0.0.8'] }),
    [client(['10.0.0.8:2379', '10.0.0.9:2379'])],
    'warn',
    DIALLED,
    ENABLE,
  ],
  [
    'not the name that one dials',
    server({ names: NAMES.slice(0, 1), ips: ['10.0.0.9'] }),
    [BY_NAME],
    'fail',
    'it does not cover mesh-1.mesh.cilium.io, which mesh-2 dials',
    ENABLE,
  ],
  [
    'no address, and who may dial one was not read',
    server(),
    [],
    'skip',
    `${LACKS}, and what mesh-2 dials is not known`,
    undefined,
  ],
  [
    'no address, and no cluster dials it',
    { ...server(), remoteUsers: [] },
    [],
    'skip',
    `${LACKS}, and no cluster dials it`,
    undefined,
  ],
  [
    'not the name of the Service, which agents dial',
    server({ names: NAMES.slice(1) }),
    [BY_NAME],
    'fail',
    `${OWN}, which its own agents dial`,
    ENABLE,
  ],
  [
    'not the name of the Service, without KVStoreMesh',
    server({ names: NAMES.slice(1), kvstoremesh: false }),
    [BY_NAME],
    'warn',
    `${OWN}, by which connect proves`,
    ENABLE,
  ],
])('a server certificate covers %s', (_what, cluster, others, severity, reason, hint) => {
  const check = TLS_CHECKS.filter(({ id }) => id === 'tls-names').map((one) => ({ ...one, needs: [] }));
  const found = runChecks(check, { clusters: [cluster, ...others], now: NOW, observed: new Map() });
  const finding = found.find(({ cluster: of, severity }) => of === 'one' || severity === 'pass');
  expect([finding?.severity, finding?.args.reason, finding?.hint]).toEqual([severity, reason, hint]);
});

it.each([
  ['*.elb.example.com', []],
  ['*.example.com', ['A.elb.example.com']],
  ['a.ELB.example.com', []],
])('a certificate for %s lacks %j of the names that are dialled', (name, lacking) => {
  const { certificate } = tlsFacts('ca-one', { commonName: 'x', dnsNames: [name], ipAddresses: ['::1'] });
  const spec = { commonName: 'x', usages: [], dnsNames: ['A.elb.example.com'], ipAddresses: ['0:0::1'] };
  expect(uncoveredHosts(certificate, spec)).toEqual(lacking);
});
