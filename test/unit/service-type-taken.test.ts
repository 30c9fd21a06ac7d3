import { expect, it } from 'vitest';
import { restoreTypeCommand } from '../../src/mesh/apiserver/service-type-taken.ts';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { apiserverDeployment, serviceObject, snapshotOf } from '../support/snapshots.ts';

const GKE = { name: 'n', ready: true, providerId: 'gce://p/z/n', labels: {}, addresses: [], podCidrs: [] };
const NOBODYS = { ...GKE, providerId: undefined };
/** As the API server keeps whose fields are, of a port that it has taken the node port from. */
const owning = (...fields: string[]) => ({
  'f:ports': { 'k:{"port":2379,"protocol":"TCP"}': Object.fromEntries(['.', ...fields].map((name) => [name, {}])) },
});

function madeInternal(own: object): KubeObject {
  const service = serviceObject({
    type: 'ClusterIP',
    clusterIP: '10.96.0.9',
    ports: [{ port: 2379, protocol: 'TCP' }],
  });
  const managedFields = [
    { manager: 'meshctl', operation: 'Apply', fieldsV1: { 'f:spec': own } },
    { manager: 'kubectl-patch', operation: 'Update', fieldsV1: { 'f:spec': { 'f:type': {} } } },
  ];
  return { ...service, metadata: { ...service.metadata, managedFields } } as KubeObject;
}

it.each([
  ['had a node port, and the nodes were not read', owning('f:port', 'f:nodePort'), [], undefined, 'NodePort'],
  ['had a node port where there is a load balancer', owning('f:port', 'f:nodePort'), [GKE], undefined, 'NodePort'],
  ['was chosen as a load balancer', owning('f:port'), [NOBODYS], '{"serviceType":"LoadBalancer"}', 'LoadBalancer'],
  ['was chosen as a NodePort', owning('f:port'), [GKE], '{"serviceType":"NodePort"}', 'NodePort'],
  ['was chosen as what peers do not reach', owning('f:port'), [GKE], '{"serviceType":"ClusterIP"}', 'LoadBalancer'],
  ['was chosen, which cannot be read', owning('f:port'), [NOBODYS], '{"serviceType":"Ingress"}', 'NodePort'],
  ['came of itself', owning('f:port'), [GKE], undefined, 'LoadBalancer'],
  ['came of itself on nodes of no cloud', owning('f:port'), [NOBODYS], undefined, 'NodePort'],
  ['is not known', owning('f:port'), [], undefined, 'LoadBalancer'],
])('a Service that was made a ClusterIP by hand gets back the type that %s', (_what, own, nodes, note, type) => {
  const deployment = apiserverDeployment();
  if (note !== undefined) deployment.metadata.annotations = { 'meshctl.io/service': note };
  const snapshot = snapshotOf({ context: 'c', nodes, live: [deployment, madeInternal(own)] });
  expect(restoreTypeCommand(snapshot)).toBe(
    `meshctl clustermesh enable --context c --service-type ${type} --force-conflicts`,
  );
});

it('a ClusterIP that is of meshctl itself stays one', () => {
  const live = [apiserverDeployment(), madeInternal({ 'f:type': {} })];
  expect(restoreTypeCommand(snapshotOf({ live }))).toBeUndefined();
});
