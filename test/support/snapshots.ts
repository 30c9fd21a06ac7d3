import type { CertificateFacts, TlsSecretFacts } from '../../src/mesh/certificates/certificate.ts';
import type { ClusterSnapshot } from '../../src/mesh/cluster-snapshot.ts';
import { type KubeObject, keyOf, refOf } from '../../src/mesh/objects/kube-object.ts';
import { encodeText } from '../../src/mesh/objects/secret-data.ts';

export const NOW = new Date('2026-06-01T00:00:00Z');

/** A cluster with Cilium and without Cluster Mesh. */
export function snapshotOf(overrides: Partial<ClusterSnapshot> & { live?: KubeObject[] } = {}): ClusterSnapshot {
  const { live = [], ...rest } = overrides;
  return {
    context: 'one',
    server: 'https://127.0.0.1:6443',
    namespace: 'kube-system',
    ciliumConfig: { 'cluster-name': 'mesh-1', 'cluster-id': '1' },
    agent: { image: 'quay.io/cilium/cilium:v1.20.0', desired: 2, ready: 2 },
    nodes: [1, 2].map((number) => ({
      name: `node-${number}`,
      ready: true,
      labels: {},
      addresses: [{ type: 'InternalIP', address: `10.0.0.${number}` }],
      podCidrs: [],
    })),
    apiGroups: [],
    objects: new Map(live.map((object) => [keyOf(refOf(object)), object])),
    tlsSecrets: new Map(),
    ca: caFacts('ca-one'),
    peerCertificates: new Map(),
    ...rest,
  };
}

export function caFacts(key: string): NonNullable<ClusterSnapshot['ca']> {
  return {
    certificate: certificateFacts({ publicKeySha256: key, isCa: true }),
    certificatePem: '',
    hasKey: true,
    keyMatches: true,
  };
}

export function certificateFacts(overrides: Partial<CertificateFacts> = {}): CertificateFacts {
  return {
    commonName: 'Cilium CA',
    issuerCommonName: 'Cilium CA',
    serial: '01',
    dnsNames: [],
    ipAddresses: [],
    usages: ['server', 'client'],
    isCa: false,
    notBefore: new Date('2026-01-01T00:00:00Z'),
    notAfter: new Date('2029-01-01T00:00:00Z'),
    sha256: 'aa',
    publicKeySha256: 'key',
    ...overrides,
  };
}

/** A leaf in its Secret, signed by the CA with the given key. */
export function tlsFacts(caKey: string, certificate: Partial<CertificateFacts>): TlsSecretFacts {
  return {
    certificate: certificateFacts(certificate),
    ca: certificateFacts({ publicKeySha256: caKey, isCa: true }),
    keyMatches: true,
    signedByCa: true,
  };
}

export function serviceObject(spec: Record<string, unknown>, status: Record<string, unknown> = {}): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'clustermesh-apiserver', namespace: 'kube-system' },
    spec: { selector: { 'k8s-app': 'clustermesh-apiserver' }, ...spec },
    status,
  };
}

/** A Secret with texts. */
export function secretObject(name: string, texts: Readonly<Record<string, string>>): KubeObject {
  const data = Object.fromEntries(Object.entries(texts).map(([key, text]) => [key, encodeText(text)]));
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace: 'kube-system' }, data };
}

/** A load balancer with an address. */
export function loadBalancerService(...ips: string[]): KubeObject {
  return serviceObject(
    { type: 'LoadBalancer', ports: [{ port: 2379 }] },
    { loadBalancer: { ingress: ips.map((ip) => ({ ip })) } },
  );
}

/** The apiserver's Deployment, with users for peers and KVStoreMesh unless said otherwise. */
export function apiserverDeployment({ kvstoremesh = true, users = true } = {}): KubeObject {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'clustermesh-apiserver', namespace: 'kube-system', generation: 1 },
    spec: {
      replicas: 1,
      template: {
        metadata: { labels: { 'k8s-app': 'clustermesh-apiserver' } },
        spec: {
          containers: [
            { name: 'etcd' },
            {
              name: 'apiserver',
              args: ['--max-connected-clusters=255', ...(users ? ['--cluster-users-enabled'] : [])],
            },
            ...(kvstoremesh ? [{ name: 'kvstoremesh' }] : []),
          ],
        },
      },
    },
    status: { observedGeneration: 1, replicas: 1, updatedReplicas: 1, availableReplicas: 1 },
  };
}
