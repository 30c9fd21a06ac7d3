import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type KubeObject, keyOf } from '../../src/mesh/objects/kube-object.ts';
import { type Authority, createAuthority } from '../../src/pki/authority.ts';
import { issueCertificate } from '../../src/pki/issue.ts';
import { findCiliumNamespaces, readAuthority, readSnapshot } from '../../src/snapshot/read-snapshot.ts';
import { type KubeSandbox, startKubeSandbox } from '../support/kube-sandbox.ts';

const N = 'n';
let sandbox: KubeSandbox;
let ca: Authority;
let other: Authority;
let requests: string[] = [];
const created: KubeObject[] = [];

beforeAll(async () => {
  [sandbox, ca, other] = await Promise.all([
    startKubeSandbox({
      intercept: async ({ verb, resource, name, path }) => {
        requests.push(resource ? `${verb} ${resource} ${name ?? ''}`.trim() : path);
        return undefined;
      },
    }),
    createAuthority(),
    createAuthority({ commonName: 'other CA' }),
  ]);
});

afterEach(() => {
  for (const { apiVersion, kind, metadata } of created.splice(0).reverse()) {
    sandbox.store.delete({ apiVersion, kind, namespace: metadata.namespace, name: metadata.name });
  }
  requests = [];
});

afterAll(() => sandbox.close());

function put(
  apiVersion: string,
  kind: string,
  name: string,
  rest: Record<string, unknown>,
  namespace: string | undefined = N,
) {
  const object = { apiVersion, kind, metadata: { name, ...(namespace ? { namespace } : {}) }, ...rest };
  created.push(sandbox.store.create(object));
}

const putSecret = (name: string, texts: Record<string, string>) =>
  put('v1', 'Secret', name, {
    data: Object.fromEntries(Object.entries(texts).map(([key, text]) => [key, Buffer.from(text).toString('base64')])),
  });

const clientLeaf = (authority: Authority, commonName: string) =>
  issueCertificate(authority, { commonName, usages: ['client'], dnsNames: [], ipAddresses: [] });

function putApiserver(...containers: string[]) {
  const template = {
    metadata: { labels: { a: 'b' } },
    spec: { containers: containers.map((name) => ({ name, image: 'i' })) },
  };
  put('apps/v1', 'Deployment', 'clustermesh-apiserver', { spec: { selector: { matchLabels: { a: 'b' } }, template } });
}

function putAgents(namespace: string) {
  const labels = { 'k8s-app': 'cilium' };
  const containers = [{ name: 'cilium-agent', image: 'quay.io/cilium/cilium:v1.20.0' }];
  const object = {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: 'cilium', namespace, labels },
    spec: { selector: { matchLabels: labels }, template: { metadata: { labels }, spec: { containers } } },
    status: { desiredNumberScheduled: 3, numberReady: 2 },
  };
  created.push(sandbox.store.create(object));
}

const read = (more: Partial<Parameters<typeof readSnapshot>[1]> = {}) =>
  readSnapshot(sandbox.client, { namespace: N, purpose: 'connect', ...more });

test('what is missing is left out', async () => {
  expect(await read()).toMatchObject({
    context: 'c1',
    server: sandbox.client.server,
    namespace: N,
    kubernetesVersion: 'v1.36.1',
    ciliumConfig: undefined,
    agent: undefined,
    ca: undefined,
    remoteUsers: undefined,
    objects: new Map(),
    tlsSecrets: new Map(),
    peerCertificates: new Map(),
  });
});

test('Cilium, its nodes and the API groups', async () => {
  put('v1', 'ConfigMap', 'cilium-config', { data: { 'cluster-name': 'mesh-1', 'cluster-id': '1' } });
  putAgents(N);
  const status = {
    addresses: [{ type: 'InternalIP', address: '10.0.0.1' }],
    conditions: [{ type: 'Ready', status: 'True' }],
  };
  put('v1', 'Node', 'node-1', { spec: { providerID: 'gce://p/z/node-1', podCIDRs: ['10.1.0.0/24'] }, status }, '');
  put('v1', 'Node', 'node-2', { spec: {}, status: { conditions: [{ type: 'Ready', status: 'Unknown' }] } }, '');
  const snapshot = await read();
  expect(snapshot.ciliumConfig).toEqual({ 'cluster-name': 'mesh-1', 'cluster-id': '1' });
  expect(snapshot.agent).toEqual({ running: [], image: 'quay.io/cilium/cilium:v1.20.0', desired: 3, ready: 2 });
  expect(snapshot.nodes).toMatchObject([
    {
      name: 'node-1',
      ready: true,
      providerId: 'gce://p/z/node-1',
      addresses: status.addresses,
      podCidrs: ['10.1.0.0/24'],
    },
    { name: 'node-2', ready: false, providerId: undefined, addresses: [], podCidrs: [] },
  ]);
  expect(snapshot.apiGroups).toContain('apps');
});

describe('the CA', () => {
  test("as Cilium's chart writes it; its key stays out of the snapshot", async () => {
    putSecret('cilium-ca', { 'ca.crt': ca.certificate, 'ca.key': ca.privateKey });
    const snapshot = await read();
    expect(snapshot.ca).toMatchObject({
      certificate: { commonName: 'Cilium CA', isCa: true },
      certificatePem: ca.certificate,
      hasKey: true,
      keyMatches: true,
    });
    const secret = snapshot.objects.get(keyOf({ apiVersion: 'v1', kind: 'Secret', namespace: N, name: 'cilium-ca' }));
    expect(Object.keys(secret?.data as object)).toEqual(['ca.crt']);
    expect(await readAuthority(sandbox.client, N)).toEqual(ca);
  });

  test('as cert-manager writes it', async () => {
    putSecret('cilium-ca', { 'ca.crt': other.certificate, 'tls.crt': ca.certificate, 'tls.key': ca.privateKey });
    expect((await read()).ca).toMatchObject({ certificatePem: ca.certificate, hasKey: true, keyMatches: true });
    expect(await readAuthority(sandbox.client, N)).toEqual(ca);
  });

  test('without its key, or with that of another', async () => {
    putSecret('cilium-ca', { 'ca.crt': ca.certificate });
    expect((await read()).ca).toMatchObject({ hasKey: false, keyMatches: false });
    expect(await readAuthority(sandbox.client, N)).toBeUndefined();
    sandbox.store.update({ apiVersion: 'v1', kind: 'Secret', namespace: N, name: 'cilium-ca' }, (secret) => {
      const key = Buffer.from(other.privateKey).toString('base64');
      secret.data = { ...(secret.data as object), 'ca.key': key };
    });
    expect((await read()).ca).toMatchObject({ hasKey: true, keyMatches: false });
  });

  test('that cannot be read counts as none', async () => {
    putSecret('cilium-ca', { 'ca.crt': 'nonsense' });
    expect((await read()).ca).toBeUndefined();
  });
});

test('what the certificate Secrets hold', async () => {
  const leaf = await clientLeaf(ca, 'remote');
  putSecret('clustermesh-apiserver-remote-cert', {
    'ca.crt': ca.certificate,
    'tls.crt': leaf.certificate,
    'tls.key': leaf.privateKey,
  });
  putSecret('clustermesh-apiserver-server-cert', { 'ca.crt': ca.certificate, 'tls.crt': '', 'tls.key': '' });
  const { tlsSecrets } = await read();
  expect([...tlsSecrets.keys()]).toEqual(['clustermesh-apiserver-remote-cert']);
  expect(tlsSecrets.get('clustermesh-apiserver-remote-cert')).toMatchObject({
    certificate: { commonName: 'remote' },
    keyMatches: true,
    signedByCa: true,
  });
});

test('client certificates for peers come from the Secret that is in use', async () => {
  const [first, second] = await Promise.all([clientLeaf(other, 'remote-first'), clientLeaf(other, 'remote-second')]);
  const files = (peer: string, leaf: typeof first) => ({
    [peer]: 'endpoints:\n- https://x:2379\n',
    [`${peer}.etcd-client-ca.crt`]: other.certificate,
    [`${peer}.etcd-client.crt`]: leaf.certificate,
    [`${peer}.etcd-client.key`]: leaf.privateKey,
  });
  putSecret('cilium-clustermesh', files('first', first));
  putSecret('cilium-kvstoremesh', files('second', second));
  expect([...(await read()).peerCertificates.keys()]).toEqual(['first']);
  putApiserver('apiserver', 'kvstoremesh');
  const { peerCertificates } = await read();
  expect([...peerCertificates.keys()]).toEqual(['second']);
  expect(peerCertificates.get('second')).toMatchObject({
    certificate: { commonName: 'remote-second', issuerCommonName: 'other CA' },
    keyMatches: true,
    signedByCa: true,
  });
});

test.each([
  ['users:\n- name: remote-a\n  role: remote\n- role: x\n', [{ name: 'remote-a', role: 'remote' }]],
  ['users: []\n', []],
  ['', []],
  ['{{', []],
])('users in %j', async (file, users) => {
  put('v1', 'ConfigMap', 'clustermesh-remote-users', { data: { 'users.yaml': file } });
  expect((await read()).remoteUsers).toEqual(users);
});

test('further objects are read when they are asked for', async () => {
  const ref = { apiVersion: 'v1', kind: 'ServiceAccount', namespace: N, name: 'clustermesh-apiserver' };
  put('v1', 'ServiceAccount', 'clustermesh-apiserver', {});
  expect((await read()).objects.has(keyOf(ref))).toBe(false);
  const absent = { apiVersion: 'monitoring.coreos.com/v1', kind: 'ServiceMonitor', namespace: N, name: 'x' };
  const { objects } = await read({ refs: [ref, absent] });
  expect([...objects.keys()]).toEqual([keyOf(ref)]);
});

test('status asks for little, and for nothing that holds a private key of the cluster', async () => {
  await read({ purpose: 'disconnect' });
  expect(requests.sort()).toEqual([
    '/version',
    'get configmaps cilium-config',
    'get configmaps clustermesh-remote-users',
    'get daemonsets cilium',
    'get deployments clustermesh-apiserver',
    'get secrets cilium-clustermesh',
    'get secrets cilium-kvstoremesh',
    'get services clustermesh-apiserver',
  ]);
});

test('where Cilium is instead', async () => {
  expect(await findCiliumNamespaces(sandbox.client)).toEqual([]);
  putAgents('default');
  putAgents(N);
  expect(await findCiliumNamespaces(sandbox.client)).toEqual(['default', N]);
});
