import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import type { ApiServerOptions } from '../../src/sandbox/apiserver/api.ts';
import type { Store } from '../../src/sandbox/apiserver/storage/object-store.ts';
import { PROXIED, startTestServer } from './apiserver.ts';

/** API servers that hold what Cilium's Cluster Mesh leaves there; nothing runs in them. */
export interface ServiceClusters {
  /** With the contexts one, two, three, …; their clusters are mesh-1, mesh-2, mesh-3, … */
  kubeconfigPath: string;
  /** By context. */
  stores: Readonly<Record<string, Store>>;
  close(): Promise<void>;
}

export const CONTEXTS = ['one', 'two', 'three'] as const;

/** @param options by context, e.g. to refuse something */
export async function startServiceClusters(
  contexts: readonly string[] = CONTEXTS,
  options: Readonly<Record<string, Partial<ApiServerOptions>>> = {},
): Promise<ServiceClusters> {
  const servers = await Promise.all(contexts.map((context) => startTestServer({ ...PROXIED, ...options[context] })));
  const directory = await mkdtemp(join(tmpdir(), 'meshctl-services-'));
  const kubeconfigPath = join(directory, 'kubeconfig');
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': contexts[0],
    clusters: contexts.map((name, index) => ({
      name,
      cluster: { server: servers[index]?.server.url, 'certificate-authority-data': base64(servers[index]?.ca ?? '') },
    })),
    users: contexts.map((name, index) => ({
      name,
      user: {
        'client-certificate-data': base64(servers[index]?.admin.certificate ?? ''),
        'client-key-data': base64(servers[index]?.admin.privateKey ?? ''),
      },
    })),
    contexts: contexts.map((name) => ({ name, context: { cluster: name, user: name } })),
  };
  await writeFile(kubeconfigPath, JSON.stringify(config), { mode: 0o600 });
  servers.forEach(({ server }, index) => {
    const peers = contexts.flatMap((_, other) => (other === index ? [] : [`mesh-${other + 1}`]));
    for (const object of ciliumObjects(`mesh-${index + 1}`, index + 1, peers)) server.store.create(object);
  });
  return {
    kubeconfigPath,
    stores: Object.fromEntries(
      contexts.flatMap((name, index) => {
        const store = servers[index]?.server.store;
        return store ? [[name, store]] : [];
      }),
    ),
    async close() {
      await Promise.all(servers.map((server) => server.close()));
      await rm(directory, { recursive: true, force: true });
    },
  };
}

function ciliumObjects(cluster: string, id: number, peers: readonly string[]): KubeObject[] {
  const namespace = 'kube-system';
  const file = Buffer.from('endpoints:\n- https://192.0.2.1:2379\n').toString('base64');
  return [
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'cilium-config', namespace },
      data: { 'cluster-name': cluster, 'cluster-id': String(id) },
    },
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'cilium-clustermesh', namespace },
      data: Object.fromEntries(peers.map((peer) => [peer, file])),
    },
  ];
}

export function namespaceObject(name: string, annotations: Record<string, string> = {}): KubeObject {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name, annotations } };
}

export interface ServiceFixture {
  namespace?: string;
  /** Without `service.cilium.io/`. */
  mesh?: Record<string, string>;
  annotations?: Record<string, string>;
  spec?: Record<string, unknown>;
  /** How many ready backends. */
  ready?: number;
  /** How many that are not. */
  notReady?: number;
}

/** A Service with an EndpointSlice; global unless `mesh` says otherwise. */
export function serviceObjects(name: string, fixture: ServiceFixture = {}): KubeObject[] {
  const {
    namespace = 'default',
    mesh = { global: 'true' },
    annotations = {},
    spec = {},
    ready = 1,
    notReady = 0,
  } = fixture;
  const own = Object.entries(mesh).map(([key, value]) => [`service.cilium.io/${key}`, value]);
  const endpoints = Array.from({ length: ready + notReady }, (_, index) => ({
    addresses: [`10.0.0.${index + 1}`],
    conditions: { ready: index < ready, serving: index < ready, terminating: false },
    nodeName: `node-${(index % 2) + 1}`,
    zone: `zone-${(index % 2) + 1}`,
    targetRef: { kind: 'Pod', namespace, name: `${name}-${index + 1}` },
  }));
  const ports = (spec.ports ?? [{ name: 'http', port: 80 }]) as { name?: string; port: number; protocol?: string }[];
  return [
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name, namespace, annotations: { ...Object.fromEntries(own), ...annotations } },
      spec: {
        type: 'ClusterIP',
        selector: { app: name },
        ports: [{ name: 'http', port: 80, protocol: 'TCP', targetPort: 80 }],
        ...spec,
      },
    },
    {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name: `${name}-abcde`, namespace, labels: { 'kubernetes.io/service-name': name } },
      addressType: 'IPv4',
      ports: ports.map(({ name: port = '', protocol = 'TCP', ...of }) => ({ name: port, port: of.port, protocol })),
      endpoints,
    },
  ];
}

export function addService(store: Store | undefined, name: string, fixture?: ServiceFixture): void {
  for (const object of serviceObjects(name, fixture)) store?.create(object);
}
