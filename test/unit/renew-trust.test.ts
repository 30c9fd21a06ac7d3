import { describe, expect, it } from 'vitest';
import { caMark } from '../../src/mesh/apiserver/pod-marks.ts';
import type { TlsFiles } from '../../src/mesh/certificates/certificate.ts';
import type { ClusterSnapshot } from '../../src/mesh/cluster-snapshot.ts';
import { mendsByConnecting, renewTrustCommand } from '../../src/mesh/connect/renew-trust.ts';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import {
  apiserverDeployment,
  caFacts,
  certificateFacts,
  secretObject,
  snapshotOf,
  tlsFacts,
} from '../support/snapshots.ts';

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

describe('two that go by bundles', () => {
  const ca = (key: string) => certificateFacts({ publicKeySha256: key, isCa: true });
  const filesOf = (issuer: string, bundle: readonly string[]): TlsFiles => ({
    certificate: certificateFacts(),
    privateKey: 'matches',
    ca: ca(issuer),
    signedByCa: true,
    authorities: bundle.map(ca),
    bundle: { object: 'ConfigMap kube-system/cas', authorities: bundle.map(ca), pem: '' },
  });
  const ofOne = (bundle: readonly string[]) => filesOf('a', bundle);
  it.each<[string, readonly string[], readonly string[], Partial<NonNullable<ClusterSnapshot['ca']>>, boolean]>([
    ['neither of which knows the other are connected', ['a'], ['b'], {}, true],
    ['of which the peer accepts the certificate lack a CA in one bundle', ['a'], ['a', 'b'], {}, false],
    ['of which the peer is known lack a CA in its bundle', ['a', 'b'], ['b'], {}, false],
    ['whose peer cannot issue a certificate need bundles', ['a'], ['b'], { hasKey: false }, false],
    ['whose peer has a CA of another key need bundles', ['a'], ['b'], { certificate: ca('c') }, false],
  ])('%s', (_which, here, there, authority, isMended) => {
    const server = {
      tlsFiles: new Map([['clustermesh-apiserver-server-cert', filesOf('b', there)]]),
      ca: { ...caFacts('b'), ...authority },
    };
    expect(mendsByConnecting(ofOne(here), ofOne(here), server)).toBe(isMended);
  });
});
