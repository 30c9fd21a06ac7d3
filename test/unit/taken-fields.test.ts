/** The commands of hints that write a field which somebody else has set: without taking it over they fail. */
import { expect, it } from 'vitest';
import { addressLack } from '../../src/mesh/apiserver/endpoints.ts';
import { lackOfRoom } from '../../src/mesh/apiserver/room.ts';
import { MESH_CHECKS } from '../../src/mesh/checks/catalogue.ts';
import { runChecks } from '../../src/mesh/checks/shared/check.ts';
import type { ClusterSnapshot } from '../../src/mesh/cluster-snapshot.ts';
import { nodePortCommand } from '../../src/mesh/enable/exposure/node-port.ts';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { apiserverDeployment, NOW, serviceObject, snapshotOf } from '../support/snapshots.ts';

const PORTS = [{ port: 2379, nodePort: 32379 }];
const NODE_PORT = serviceObject({ type: 'NodePort', externalTrafficPolicy: 'Local', ports: PORTS });
const PUBLIC = serviceObject(
  { type: 'LoadBalancer', loadBalancerSourceRanges: ['203.0.113.0/24'], ports: PORTS },
  { loadBalancer: { ingress: [{ ip: '198.51.100.1' }] } },
);
const UNADDRESSED = serviceObject({ type: 'LoadBalancer', ports: PORTS });
const nodes = snapshotOf().nodes.map((node) => ({
  ...node,
  providerId: 'aws:///eu-west-1a/i-0123',
  taints: [{ key: 'own', effect: 'NoSchedule' }],
}));

/** The hint of a check about a cluster beside another one. */
const hintOf = (id: string) => (cluster: ClusterSnapshot) => {
  const other = snapshotOf({ context: 'two', ciliumConfig: { 'cluster-name': 'mesh-2', 'cluster-id': '2' } });
  const checks = MESH_CHECKS.filter((check) => check.id === id);
  const found = runChecks(checks, { clusters: [cluster, other], now: NOW, observed: new Map() });
  return found.find((finding) => finding.cluster === cluster.context)?.hint;
};

it.each<[string, KubeObject, (cluster: ClusterSnapshot) => string | undefined, fields: object]>([
  [
    '--load-balancer-source-ranges',
    PUBLIC,
    hintOf('source-ranges'),
    { 'f:spec': { 'f:loadBalancerSourceRanges': {} } },
  ],
  ['--external-traffic-policy', NODE_PORT, hintOf('node-port-local'), { 'f:spec': { 'f:externalTrafficPolicy': {} } }],
  [
    '--service-annotation',
    PUBLIC,
    hintOf('apiserver-private'),
    { 'f:metadata': { 'f:annotations': { 'f:service.beta.kubernetes.io/aws-load-balancer-scheme': {} } } },
  ],
  [
    '--node-port',
    NODE_PORT,
    (cluster) => nodePortCommand(cluster, new Set()),
    { 'f:spec': { 'f:ports': { 'k:{"port":2379,"protocol":"TCP"}': { 'f:nodePort': {} } } } },
  ],
  ['--service-type', UNADDRESSED, (cluster) => addressLack(cluster).hint, { 'f:spec': { 'f:type': {} } }],
  [
    '--toleration',
    apiserverDeployment(),
    (cluster) => lackOfRoom(cluster)?.hint,
    { 'f:spec': { 'f:template': { 'f:spec': { 'f:tolerations': {} } } } },
  ],
])('%s', (flag, object, hint, fieldsV1) => {
  const forced = (manager: string, annotations = {}) => {
    const managedFields = [{ manager, operation: 'Update' as const, fieldsV1: fieldsV1 as Record<string, unknown> }];
    const live = [{ ...object, metadata: { ...object.metadata, annotations, managedFields } }];
    const words = new RegExp(`meshctl clustermesh enable[^;]* ${flag}[^;]*`).exec(
      hint(snapshotOf({ nodes, live })) ?? '',
    );
    return [words?.[0].includes('--force-conflicts'), manager];
  };
  expect(forced('kubectl-edit')).toEqual([true, 'kubectl-edit']);
  expect(forced('meshctl')).toEqual([false, 'meshctl']);
  // It would set them again: enable refuses, and says where.
  expect(forced('helm', { 'meta.helm.sh/release-name': 'cilium' })).toEqual([false, 'helm']);
});
