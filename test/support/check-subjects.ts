/** A mesh of two clusters in which every check passes, and for each check how to take away what it looks at. */
import type { TlsFiles } from '../../src/mesh/certificates/certificate.ts';
import type { ClusterObservation, MeshCheckInput } from '../../src/mesh/checks/shared/mesh-input.ts';
import type { CiliumConfigKey } from '../../src/mesh/cilium/known-keys.ts';
import type { ClusterSnapshot } from '../../src/mesh/cluster-snapshot.ts';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import {
  cachedPeerFile,
  peerCertificateKeys,
  remotePeerFile,
  remoteUsersFile,
} from '../../src/mesh/peers/file/peer-config.ts';
import type { StatusReport } from '../../src/mesh/status/status.ts';
import { OWN_CERTIFICATES } from './mesh-names.ts';
import { apiserverDeployment, caFacts, NOW, serviceObject, snapshotOf, tlsFacts } from './snapshots.ts';

export type { ClusterSnapshot };
export type SubjectMesh = MeshCheckInput;

/** How to take away what a check looks at. */
export interface Removal {
  /** Settings under which there is something to look at, beside those of the mesh. */
  settings?: Record<string, string>;
  takeAway(mesh: SubjectMesh): SubjectMesh;
}

const NAMESPACE = 'kube-system';
const NATIVE = {
  'routing-mode': 'native',
  'enable-bgp-control-plane': 'true',
  'ipv4-native-routing-cidr': '10.0.0.0/8',
};

function secret(name: string, data: Record<string, string>): KubeObject {
  const encoded = Object.entries(data).map(([key, value]) => [key, Buffer.from(value).toString('base64')]);
  const metadata = {
    name,
    namespace: NAMESPACE,
    managedFields: [{ manager: 'meshctl', operation: 'Apply' as const }],
  };
  return { apiVersion: 'v1', kind: 'Secret', metadata, data: Object.fromEntries(encoded) };
}

/** Files with which nothing is wrong. */
function filesOf(ca: string): TlsFiles {
  const { certificate, ca: authority } = tlsFacts(ca, {});
  const authorities = authority ? [authority] : [];
  return { certificate, privateKey: 'matches', ca: authority ?? 'missing', signedByCa: true, authorities };
}

/** What a peering file names; what is in them is in `tlsFiles`. */
function filesBeside(peer: string): Record<string, string> {
  return Object.fromEntries(Object.values(peerCertificateKeys(peer)).map((key) => [key, 'PEM']));
}

function usersOf(peer: number): KubeObject {
  const metadata = { name: 'clustermesh-remote-users', namespace: NAMESPACE };
  const data = { 'users.yaml': remoteUsersFile([{ name: `remote-mesh-${peer}`, role: 'remote' }]) };
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata, data };
}

/** Cluster mesh-<id>, connected to mesh-<peer>. */
function wellCluster(id: number, peer: number, settings: Record<string, string>): ClusterSnapshot {
  const [context, ca, peerCa] = [id === 1 ? 'one' : 'two', `ca-${id}`, `ca-${peer}`];
  const file = remotePeerFile(`mesh-${peer}`, { addresses: [`172.18.${peer}.11:3000${peer}`] }, `mesh-${peer}.`);
  const addresses = [`172.18.${id}.11`, 'clustermesh-apiserver.kube-system.svc', '*.mesh.cilium.io', 'localhost'];
  const names = { dnsNames: addresses.slice(1), ipAddresses: ['127.0.0.1', '::1', ...addresses.slice(0, 1)] };
  return snapshotOf({
    context,
    ciliumConfig: {
      'cluster-name': `mesh-${id}`,
      'cluster-id': String(id),
      'policy-default-local-cluster': 'true',
      ...settings,
    },
    namespaceLabels: { 'pod-security.kubernetes.io/enforce': 'restricted' },
    ipsecKeyDigest: 'digest',
    clockAheadMs: 0,
    ciliumPodCidrs: [`10.${id}.0.0/24`],
    serviceCidrs: ['10.96.0.0/12'],
    nodes: [
      {
        name: 'node-1',
        ready: true,
        labels: {},
        addresses: [{ type: 'InternalIP', address: `172.18.${id}.11` }],
        podCidrs: [],
      },
    ],
    live: [
      restrictedDeployment(),
      serviceObject({
        type: 'NodePort',
        clusterIPs: ['192.168.0.9'],
        ports: [{ port: 2379, nodePort: Number(`3000${id}`) }],
      }),
      usersOf(peer),
      secret('cilium-ca', { 'ca.crt': 'a CA' }),
      secret('cilium-clustermesh', { [`mesh-${peer}`]: cachedPeerFile(NAMESPACE) }),
      secret('cilium-kvstoremesh', { [`mesh-${peer}`]: file, ...filesBeside(`mesh-${peer}`) }),
    ],
    ca: caFacts(ca),
    missingAccess: [],
    tlsSecrets: new Map([
      ['clustermesh-apiserver-server-cert', tlsFacts(ca, { ...names, usages: ['server', 'client'] })],
      ['clustermesh-apiserver-admin-cert', tlsFacts(ca, { commonName: `admin-mesh-${id}`, usages: ['client'] })],
      ['clustermesh-apiserver-local-cert', tlsFacts(ca, { commonName: `local-mesh-${id}`, usages: ['client'] })],
      ['clustermesh-apiserver-remote-cert', tlsFacts(ca, { commonName: 'remote', usages: ['client'] })],
    ]),
    tlsFiles: new Map([
      ...OWN_CERTIFICATES.map((place) => [place, filesOf(ca)] as const),
      [`cilium-kvstoremesh/mesh-${peer}`, filesOf(peerCa)],
    ]),
    peerCertificates: new Map([[`mesh-${peer}`, tlsFacts(peerCa, { commonName: `remote-mesh-${id}` })]]),
    remoteUsers: [{ name: `remote-mesh-${peer}`, role: 'remote' }],
  });
}

function restrictedDeployment(): KubeObject {
  const deployment = apiserverDeployment();
  const spec = deployment.spec as { template: { spec: { containers: object[] } } };
  const image = 'quay.io/cilium/clustermesh-apiserver:v1.20.0';
  const securityContext = { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } };
  const containers = spec.template.spec.containers.map((container) => ({ ...container, image, securityContext }));
  const pod = { containers, securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } } };
  return { ...deployment, spec: { ...spec, template: { ...spec.template, spec: pod } } };
}

const TWO_OF_TWO = { configured: 2, connected: 2, total: 2 };

/** What the agents of a cluster say that is connected to the other one. */
const healthy = (context: string, id: number): StatusReport => ({
  ...{ context, namespace: 'kube-system', cluster: { name: `mesh-${id}`, id }, healthy: true, enabled: true },
  nodes: { total: 2, connected: 2 },
  kvstoremesh: { enabled: true, replicas: 1, connected: 1 },
  peers: [{ name: `mesh-${3 - id}`, agents: TWO_OF_TWO }],
  serves: [],
  problems: [],
  faults: [],
});

function wellObservation(id: number, peer: number, startedWith: ClusterSnapshot['ciliumConfig']): ClusterObservation {
  return {
    containers: [{ pod: 'clustermesh-apiserver-1', container: 'etcd', ready: true, restarts: 0 }],
    nodes: [
      {
        node: 'node-1',
        cluster: `mesh-${id}`,
        maxConnectedClusters: 255,
        startedAt: NOW,
        startedWith,
        health: [
          { node: `mesh-${id}/node-1`, probed: true, unprobed: [], problems: [] },
          ...['node-1', 'node-2'].map((node) => ({
            ...{ node: `mesh-${peer}/${node}`, probed: true, unprobed: [], problems: [] },
          })),
        ],
        bgpSessions: [{ peer: '172.18.0.1', state: 'established' }],
        bgpAdvertised: { 4: [`10.${id}.0.0/24`] },
        routes: { 4: [{ destination: `10.${peer}.0.0/24`, via: '172.18.0.1' }] },
      },
    ],
    status: healthy(['one', 'two'][id - 1] ?? '', id),
    drift: [],
    contested: [],
    policies: [],
    published: new Map([[`mesh-${id}`, id]]),
    operators: [NOW],
    etcdUsers: new Map([['clustermesh-apiserver-1', ['root', 'remote', `remote-mesh-${peer}`]]]),
  };
}

function wellMesh(settings: Record<string, string> = NATIVE): SubjectMesh {
  const clusters = [wellCluster(1, 2, settings), wellCluster(2, 1, settings)];
  const [one, two] = clusters.map(({ ciliumConfig }) => ciliumConfig);
  return {
    clusters,
    now: NOW,
    peerIds: new Map([
      ['one', new Map([['mesh-2', 2]])],
      ['two', new Map([['mesh-1', 1]])],
    ]),
    observed: new Map([
      ['one', wellObservation(1, 2, one)],
      ['two', wellObservation(2, 1, two)],
    ]),
  };
}

/** The mesh with other clusters; without what was seen of them beyond the snapshot where that is false. */
function withClusters(
  mesh: SubjectMesh,
  change: (cluster: ClusterSnapshot) => ClusterSnapshot[],
  observed = true,
): SubjectMesh {
  const clusters = mesh.clusters.flatMap(change);
  return { ...mesh, clusters, ...(observed ? {} : { observed: new Map(), peerIds: undefined }) };
}

export const MESH = { wellMesh, withClusters };

/** A cluster of which nothing but its context is known. */
export function only({ context, server, namespace }: ClusterSnapshot): ClusterSnapshot {
  const nothing = { nodes: [], apiGroups: [], objects: new Map(), tlsSecrets: new Map(), peerCertificates: new Map() };
  return { context, server, namespace, ...nothing };
}

const each = (change: (cluster: ClusterSnapshot) => Partial<ClusterSnapshot>): Removal => ({
  takeAway: (mesh) => withClusters(mesh, (cluster) => [{ ...cluster, ...change(cluster) }]),
});

const alone: Removal = {
  takeAway: (mesh) => {
    const one = withClusters(mesh, (cluster) => (cluster.context === 'one' ? [cluster] : []));
    return { ...one, peerIds: undefined };
  },
};

const noCluster: Removal = { takeAway: (mesh) => withClusters(mesh, () => []) };

const setting = (key: CiliumConfigKey, value?: string): Removal =>
  each(({ ciliumConfig = {} }) => {
    const { [key]: _taken, ...rest } = ciliumConfig;
    return { ciliumConfig: value === undefined ? rest : { ...rest, [key]: value } };
  });

const noConfig = each(() => ({ ciliumConfig: undefined }));

const without = (...names: string[]): Removal =>
  each(({ objects }) => ({
    objects: new Map([...objects].filter(([key]) => !names.some((name) => key.endsWith(`/${name}`)))),
  }));

const observing = (change: (seen: ClusterObservation) => Partial<ClusterObservation>): Removal => ({
  takeAway: (mesh) => ({
    ...mesh,
    observed: new Map([...mesh.observed].map(([context, seen]) => [context, { ...seen, ...change(seen) }])),
  }),
});

const nodesWithout = (part: string): Removal =>
  observing(({ nodes }) => ({ nodes: nodes.map((node) => ({ ...node, [part]: undefined })) }));

const noPeers = without('cilium-clustermesh', 'cilium-kvstoremesh');
const noCertificates = each(() => ({ tlsSecrets: new Map() }));
const noPeerCertificates = each(() => ({ peerCertificates: new Map() }));
const noService = without('clustermesh-apiserver');

/** By check id. */
export const REMOVALS: Readonly<Record<string, Removal>> = {
  'cluster-identity': noCluster,
  'cluster-name-unique': alone,
  'cluster-id-unique': alone,
  'peer-renamed': noPeers,
  'peer-identity': { takeAway: (mesh) => ({ ...mesh, peerIds: undefined }) },
  'max-connected-clusters-equal': alone,
  'max-connected-clusters-running': without('clustermesh-apiserver'),
  'mesh-size': {
    takeAway: (mesh) => noPeers.takeAway(alone.takeAway(mesh)),
  },
  'peer-secret-room': noPeers,
  'settings-running': nodesWithout('startedWith'),
  'operator-running': observing(() => ({ operators: [] })),
  'identity-running': observing(() => ({ published: new Map() })),
  'max-connected-clusters-agents': nodesWithout('maxConnectedClusters'),
  'agents-run': noConfig,
  'agents-placed': each(() => ({ nodes: [] })),
  'apiserver-version': without('clustermesh-apiserver'),
  'datapath-mode': noConfig,
  'tunnel-protocol': { settings: {}, takeAway: setting('routing-mode', 'native').takeAway },
  encryption: noConfig,
  'policy-default-local-cluster': each(({ ciliumConfig = {} }) => {
    const { 'policy-default-local-cluster': _taken, ...rest } = ciliumConfig;
    return { ciliumConfig: rest, agent: { image: 'quay.io/cilium/cilium:latest', desired: 1, ready: 1 } };
  }),
  'tunnel-port': { settings: {}, takeAway: setting('routing-mode', 'native').takeAway },
  'global-namespaces': noConfig,
  'mcs-api': noConfig,
  'cluster-id-of-eni': {
    settings: { 'cni-chaining-mode': 'aws-cni' },
    takeAway: setting('cni-chaining-mode').takeAway,
  },
  ztunnel: noConfig,
  'cilium-endpoints': noConfig,
  'wireguard-of-nodes': { settings: { 'enable-wireguard': 'true' }, takeAway: setting('enable-wireguard').takeAway },
  'ipsec-keys': each(() => ({ ipsecKeyDigest: undefined })),
  'ip-families': noConfig,
  'agents-version': each(() => ({ agent: { image: 'quay.io/cilium/cilium:latest', desired: 1, ready: 1 } })),
  'version-skew': each(() => ({ agent: { image: 'quay.io/cilium/cilium:latest', desired: 1, ready: 1 } })),
  'pod-cidr-overlap': setting('ipam', 'delegated-plugin'),
  'node-address-overlap': each(() => ({ nodes: [] })),
  'service-address-overlap': each(() => ({ serviceCidrs: undefined })),
  'native-routing-cidr': setting('ipv4-native-routing-cidr'),
  'node-port-unique': each(({ objects }) => ({
    objects: new Map([...objects, ['Service/kube-system/clustermesh-apiserver', serviceObject({ type: 'ClusterIP' })]]),
  })),
  'service-reachable': noService,
  'source-ranges': noService,
  'service-type': noService,
  'service-selector': noService,
  'service-port': noService,
  'service-target-port': noService,
  'container-missing': noService,
  'kvstoremesh-missing': noService,
  'node-health': nodesWithout('health'),
  'bgp-sessions': setting('enable-bgp-control-plane'),
  'bgp-pod-cidrs': nodesWithout('bgpAdvertised'),
  'native-routes': setting('routing-mode', 'tunnel'),
  'apiserver-deployed': noCluster,
  'apiserver-ready': without('clustermesh-apiserver'),
  'apiserver-address': noCluster,
  'apiserver-private': noService,
  'apiserver-etcd': observing(() => ({ containers: [] })),
  'apiserver-schedulable': each(() => ({ nodes: [] })),
  'apiserver-pod-security': each(() => ({ namespaceLabels: undefined })),
  'apiserver-policy': observing(() => ({ policies: undefined })),
  'node-port-local': noService,
  'tls-ca': {
    // Whatever is left of a mesh tells of a CA that was there.
    ...each(() => ({ ca: undefined, objects: new Map(), remoteUsers: undefined, tlsSecrets: new Map() })),
  },
  clocks: each(() => ({ clockAheadMs: undefined })),
  'tls-present': without('clustermesh-apiserver'),
  'tls-chain': noCertificates,
  'tls-key': noCertificates,
  'tls-usage': noCertificates,
  'tls-names': noCertificates,
  'tls-expiry': noCertificates,
  'tls-ca-expiry': each(() => ({ ca: undefined })),
  'tls-ca-trust': noPeerCertificates,
  'tls-rotation': noCertificates,
  'tls-orphaned-users': each(() => ({ remoteUsers: [{ name: 'remote-mesh-9', role: 'remote' }] })),
  'tls-users-made': observing(() => ({ etcdUsers: new Map() })),
  'peers-connected': observing(() => ({ status: undefined })),
  'peers-mutual': noPeers,
  'peers-endpoint': noPeers,
  'peers-certificate': noPeerCertificates,
  'peers-user': noPeerCertificates,
  'peers-answers': noPeers,
  'peers-itself': noPeers,
  'peers-unused-keys': noPeers,
  'peering-secret-missing': noPeers,
  'peering-file-missing': noPeers,
  'peering-file-unreadable': noPeers,
  'peering-file-no-cache': noPeers,
  'peer-certificate-missing': noPeers,
  'peer-certificate-unreadable': each(() => ({ tlsFiles: undefined })),
  'peer-certificate-foreign': each(() => ({ tlsFiles: undefined })),
  'access-missing': each(() => ({ missingAccess: undefined })),
  'users-missing': without('clustermesh-apiserver'),
  'users-unreadable': without('clustermesh-apiserver'),
  'ownership-drift': observing(() => ({ drift: undefined })),
  'ownership-peers': each(() => ({ objects: new Map() })),
  'ownership-managers': observing(() => ({ contested: undefined })),
};
