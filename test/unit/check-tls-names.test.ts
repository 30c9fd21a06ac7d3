import { expect, it } from 'vitest';
import { uncoveredHosts } from '../../src/mesh/certificates/cluster-certificates.ts';
import { runChecks } from '../../src/mesh/checks/shared/check.ts';
import { TLS_CHECKS } from '../../src/mesh/checks/tls.ts';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { apiserverDeployment, loadBalancerService, NOW, snapshotOf, tlsFacts } from '../support/snapshots.ts';

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

it.each([
  ['loopback addresses are dialled by no peer', 'meshctl', ['10.0.0.9'], undefined, undefined],
  ['an IPv6 address in another spelling is covered', 'meshctl', ['10.0.0.9', '0:0::1'], undefined, undefined],
  [
    'an address of the Service is',
    'meshctl',
    ['127.0.0.1', '::1'],
    'it does not cover 10.0.0.9',
    'reissue it: meshctl clustermesh enable --context one',
  ],
  [
    'who made it makes it anew: enable leaves that to them',
    'vault-sync',
    ['127.0.0.1'],
    'it does not cover 10.0.0.9',
    'vault-sync made it: have it reissued there, with 10.0.0.9 among its names',
  ],
])('what a server certificate covers: %s', (_what, manager, ipAddresses, reason, hint) => {
  const certificate = { commonName: NAMES[0] ?? '', dnsNames: NAMES, ipAddresses };
  const cluster = snapshotOf({
    live: [apiserverDeployment(), loadBalancerService('10.0.0.9'), madeBy(manager)],
    tlsSecrets: new Map([[SECRET, tlsFacts('ca-one', certificate)]]),
  });
  const check = TLS_CHECKS.filter(({ id }) => id === 'tls-names').map((one) => ({ ...one, needs: [] }));
  const [finding] = runChecks(check, { clusters: [cluster], now: NOW, observed: new Map() });
  expect([finding?.args.reason, finding?.hint]).toEqual([reason, hint]);
  expect(finding?.severity).toBe(reason ? 'warn' : 'pass');
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
