import { expect, it } from 'vitest';
import { caMark } from '../../src/mesh/apiserver/pod-marks.ts';
import type { ClusterSnapshot } from '../../src/mesh/cluster-snapshot.ts';
import { renewTrustCommand } from '../../src/mesh/connect/renew-trust.ts';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { apiserverDeployment, certificateFacts, secretObject, snapshotOf, tlsFacts } from '../support/snapshots.ts';

const SERVER = 'clustermesh-apiserver-server-cert';
const FORMER = caMark([certificateFacts({ sha256: 'f'.repeat(64), isCa: true })]);
const CONNECT = 'meshctl clustermesh connect --context mesh-2 --destination-context mesh-1';

/** @param mark of the CA that its etcd was started with */
function peer(mark: string | undefined, manager = 'meshctl'): ClusterSnapshot {
  const live = apiserverDeployment();
  const { template } = live.spec as { template: { metadata: { annotations?: Record<string, string> } } };
  if (mark !== undefined) template.metadata.annotations = { 'meshctl.io/ca': mark };
  const server = secretObject(SERVER, { 'tls.crt': 'a file' });
  const managedFields = [{ manager, operation: 'Apply' as const, fieldsV1: { 'f:data': { 'f:tls.crt': {} } } }];
  const secret: KubeObject = { ...server, metadata: { ...server.metadata, managedFields } };
  return snapshotOf({
    context: 'mesh-1',
    live: [live, secret],
    tlsSecrets: new Map([[SERVER, tlsFacts('ca-two', {})]]),
  });
}

it.each<[string, ClusterSnapshot, string]>([
  ['nothing tells what etcd was started with', peer(undefined), CONNECT],
  ['etcd was started with the former CA', peer(FORMER), `meshctl clustermesh enable --context mesh-1 && ${CONNECT}`],
  [
    'somebody has put its certificates there',
    peer(FORMER, 'kubectl-patch'),
    `meshctl clustermesh enable --context mesh-1 --force-conflicts && ${CONNECT}`,
  ],
])('the CA of a peer is taken up anew: %s', (_, snapshot, command) => {
  expect(renewTrustCommand('mesh-2', snapshot)).toBe(command);
});
