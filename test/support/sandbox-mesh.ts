import { Writable } from 'node:stream';
import { loadKubeconfig } from '../../src/kube/access/kubeconfig.ts';
import type { ClusterClient } from '../../src/kube/client.ts';
import { openCluster } from '../../src/kube/open-cluster.ts';
import { loadTemplates } from '../../src/manifests/load.ts';
import { renderClusterMesh } from '../../src/manifests/render.ts';
import type { CertificateSpec } from '../../src/mesh/certificates/certificate.ts';
import { certificateSpecs } from '../../src/mesh/certificates/cluster-certificates.ts';
import { DEFAULT_SETTINGS } from '../../src/mesh/cilium/install.ts';
import { parseVersion } from '../../src/mesh/cilium/versions/versions.ts';
import type { ObjectRef } from '../../src/mesh/objects/kube-object.ts';
import { cachedPeerFile, remotePeerFile, remoteUsersFile } from '../../src/mesh/peers/file/peer-config.ts';
import { type IssueOptions, issueCertificate } from '../../src/pki/issue.ts';
import {
  type Sandbox,
  type SandboxCluster,
  type SandboxOptions,
  type SandboxTimings,
  startSandbox,
} from '../../src/sandbox/sandbox.ts';
import { forgetInProcess, serveInProcess } from './in-process-api.ts';
import { CHECKOUT } from './schemas.ts';

/** Short enough for tests; the order of things stays as in reality. */
const TEST_TIMINGS: SandboxTimings = {
  secretSyncMs: 50,
  podStartMs: 0,
  connectTimeoutMs: 100,
  retryMs: 50,
  permissionDeniedRetryMs: 200,
  drainMs: 0,
  // What changes is told at once; reading all of it ten times a second cost each test more than what it was about.
  resyncMs: 2_000,
  execDelayMs: 0,
};

const NAMESPACE = 'kube-system';
/** Only for what never comes: on a machine that is busy with other things, a moment takes long. */
const DEADLINE_MS = 60_000;
const POLL_MS = 20;

/**
 * A sandbox for one test file: quick, and with its internal errors at hand. TLS with the API servers costs a command two
 * fifths of its time, so only files that are about it, or about logins, have it (`proxied: false`).
 */
export interface TestSandbox extends Sandbox {
  /** Errors in the sandbox's own workings; a test should find none. */
  errors: unknown[];
  /** Through the real API server of a context. */
  client(context: string): ClusterClient;
}

export async function startTestSandbox(options: SandboxOptions = {}): Promise<TestSandbox> {
  const errors: unknown[] = [];
  const sandbox = await startSandbox({
    proxied: true,
    ...options,
    timings: { ...TEST_TIMINGS, ...options.timings },
    onError: (error) => errors.push(error),
  });
  // Through a proxy nothing is needed to log in, which is what a test without a socket can do as well.
  const shortCuts = sandbox.clusters.filter(({ access }) => access === undefined);
  for (const { url, handlers } of shortCuts) serveInProcess(url, handlers);
  const abort = new AbortController();
  const kubeconfig = await loadKubeconfig({ path: sandbox.kubeconfigPath, env: {}, cwd: '/' });
  const clients = new Map(
    sandbox.clusters.map(({ context }) => [
      context,
      openCluster(kubeconfig, {
        context,
        // A machine that is busy with other things shall not run into it.
        requestTimeoutMs: 60_000,
        userAgent: 'test',
        signal: abort.signal,
      }),
    ]),
  );
  return {
    ...sandbox,
    errors,
    client: (context) => found(clients.get(context), context),
    async close() {
      for (const client of clients.values()) client.close();
      await sandbox.close();
      for (const { url } of shortCuts) forgetInProcess(url);
    },
  };
}

export function found<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new Error(`${what} is missing`);
  return value;
}

/** The cluster that a context leads to. */
export function clusterAt({ clusters }: Pick<Sandbox, 'clusters'>, context: string): SandboxCluster {
  return found(
    clusters.find((cluster) => cluster.context === context),
    context,
  );
}

/** Repeats `read` until `accept` takes its value; fails with the last value at the deadline. */
export async function eventually<T>(
  read: () => T | Promise<T>,
  accept: (value: T) => boolean,
  what: string,
  { deadlineMs = DEADLINE_MS, pollMs = POLL_MS } = {},
): Promise<T> {
  const end = Date.now() + deadlineMs;
  for (;;) {
    const begun = Date.now();
    const value = await read();
    if (accept(value)) return value;
    if (Date.now() > end) throw new Error(`${what}: not so in time; last: ${JSON.stringify(value, undefined, 1)}`);
    // What is waited for has the machine for as long as the look had it.
    await new Promise((done) => setTimeout(done, Math.max(pollMs, Date.now() - begun)));
  }
}

/** Objects in Cilium's namespace of a cluster, by name. */
export const refsOf = ({ namespace }: Pick<SandboxCluster, 'namespace'>) => ({
  secret: (name: string): ObjectRef => ({ apiVersion: 'v1', kind: 'Secret', namespace, name }),
  configMap: (name: string): ObjectRef => ({ apiVersion: 'v1', kind: 'ConfigMap', namespace, name }),
  service: (name: string): ObjectRef => ({ apiVersion: 'v1', kind: 'Service', namespace, name }),
  deployment: (name: string): ObjectRef => ({ apiVersion: 'apps/v1', kind: 'Deployment', namespace, name }),
});

export const refs = refsOf({ namespace: NAMESPACE });

/** Sets keys of a Secret; undefined removes one. */
export function setSecret(cluster: SandboxCluster, name: string, data: Record<string, string | undefined>): void {
  const encoded = Object.entries(data).map(([key, value]) => [key, value && Buffer.from(value).toString('base64')]);
  cluster.store.update(refsOf(cluster).secret(name), (secret) => {
    const merged = { ...(secret.data as object | undefined), ...Object.fromEntries(encoded) };
    secret.data = Object.fromEntries(Object.entries(merged).filter(([, value]) => value !== undefined));
  });
}

export function setUsers(cluster: SandboxCluster, users: readonly string[]): void {
  cluster.store.update(refsOf(cluster).configMap('clustermesh-remote-users'), (configMap) => {
    configMap.data = { 'users.yaml': remoteUsersFile(users.map((name) => ({ name, role: 'remote' }))) };
  });
}

/** Issues a certificate from the cluster's CA into a Secret of type kubernetes.io/tls. */
export async function issueInto(
  cluster: SandboxCluster,
  secret: string,
  spec: CertificateSpec,
  options: IssueOptions = {},
  signer: SandboxCluster = cluster,
): Promise<void> {
  const authority = found(signer.ca, `the CA of ${signer.name}`);
  const issued = await issueCertificate(authority, spec, options);
  setSecret(cluster, secret, {
    'ca.crt': authority.certificate,
    'tls.crt': issued.certificate,
    'tls.key': issued.privateKey,
  });
}

export interface ByHand {
  kvstoremesh: boolean;
  serviceType?: 'LoadBalancer' | 'NodePort';
  replicas?: number;
  ciliumVersion?: string;
}

/** Puts up a clustermesh-apiserver by writing its objects; gives the address at which peers reach it. */
export async function enableByHand(cluster: SandboxCluster, options: ByHand): Promise<{ host: string; port: number }> {
  const { kvstoremesh, serviceType = 'LoadBalancer', replicas = 1, ciliumVersion = '1.20.0' } = options;
  const objects = renderClusterMesh(await loadTemplates(CHECKOUT), {
    ciliumVersion: found(parseVersion(ciliumVersion), 'the version'),
    image: `quay.io/cilium/clustermesh-apiserver:v${ciliumVersion}`,
    namespace: NAMESPACE,
    clusterName: cluster.name,
    maxConnectedClusters: 255,
    settings: DEFAULT_SETTINGS,
    serviceType,
    serviceAnnotations: {},
    replicas,
    kvstoremesh,
  });
  const deployment = found(objects.pop(), 'the Deployment');
  for (const object of objects) cluster.store.create(object);
  const address = await eventually(
    () => addressOf(cluster),
    ({ host }) => host !== '',
    'an address of the Service',
  );
  const specs = certificateSpecs({
    clusterName: cluster.name,
    namespace: NAMESPACE,
    serviceAddresses: [address.host],
    kvstoremesh,
  });
  for (const { secret, spec } of specs) await issueInto(cluster, secret, spec);
  cluster.store.create(deployment);
  await cluster.settled();
  return address;
}

function addressOf(cluster: SandboxCluster): { host: string; port: number } {
  const service = cluster.store.get(refs.service('clustermesh-apiserver'));
  const spec = service?.spec as { type: string; ports: { nodePort: number }[] };
  if (spec.type === 'NodePort') {
    const [node] = cluster.store.list({ apiVersion: 'v1', kind: 'Node' });
    const { addresses } = (node?.status ?? {}) as { addresses?: { address: string }[] };
    return { host: addresses?.[0]?.address ?? '', port: spec.ports[0]?.nodePort ?? 0 };
  }
  const { loadBalancer } = (service?.status ?? {}) as {
    loadBalancer?: { ingress?: { ip?: string; hostname?: string }[] };
  };
  const [ingress] = loadBalancer?.ingress ?? [];
  return { host: ingress?.ip ?? ingress?.hostname ?? '', port: 2379 };
}

/** The client certificate with which a cluster logs in to a peer. */
export function peerCertificateSpec(local: string): CertificateSpec {
  return { commonName: `remote-${local}`, usages: ['client'], dnsNames: [], ipAddresses: [] };
}

/** Lets `local` dial `remote` at an address, with a certificate of the remote's CA; in the order serve, then dial. */
export async function peerByHand(
  local: SandboxCluster,
  remote: SandboxCluster,
  { host, port }: { host: string; port: number },
  { kvstoremesh }: ByHand,
): Promise<void> {
  const authority = found(remote.ca, `the CA of ${remote.name}`);
  const issued = await issueCertificate(authority, peerCertificateSpec(local.name));
  setUsers(remote, [`remote-${local.name}`]);
  setSecret(local, kvstoremesh ? 'cilium-kvstoremesh' : 'cilium-clustermesh', {
    [`${remote.name}.etcd-client-ca.crt`]: authority.certificate,
    [`${remote.name}.etcd-client.crt`]: issued.certificate,
    [`${remote.name}.etcd-client.key`]: issued.privateKey,
    [remote.name]: remotePeerFile(remote.name, { addresses: [`${host}:${port}`] }, `${remote.name}.`),
  });
  if (kvstoremesh) setSecret(local, 'cilium-clustermesh', { [remote.name]: cachedPeerFile(NAMESPACE) });
}

/** Runs a command in the first pod with a label, over the API server's exec. */
export async function execIn(
  sandbox: TestSandbox,
  context: string,
  label: string,
  container: string,
  command: readonly string[],
): Promise<{ stdout: string; stderr: string; exitCode: number }> {
  const client = sandbox.client(context);
  const { namespace } = clusterAt(sandbox, context);
  const [pod] = await client.listAll({
    apiVersion: 'v1',
    kind: 'Pod',
    namespace,
    labelSelector: `k8s-app=${label}`,
  });
  const name = found(pod, `a pod of ${label}`).metadata.name;
  return client.exec({ namespace, pod: name, container, command, timeoutMs: DEADLINE_MS });
}

/**
 * Runs a command in the first pod with a label as `execIn` does, but without the API server: a WebSocket of its own costs more
 * than most commands. For tests that ask over and over.
 */
export async function execInside(
  sandbox: TestSandbox,
  context: string,
  label: string,
  container: string,
  command: readonly string[],
): Promise<{ stdout: string; exitCode: number }> {
  const { store, runtime, namespace } = clusterAt(sandbox, context);
  const [pod] = store.list({ apiVersion: 'v1', kind: 'Pod', namespace, labels: { 'k8s-app': label } });
  let said = '';
  const sink = (take: (text: string) => void) =>
    new Writable({
      write(chunk: Buffer, _encoding, done) {
        take(chunk.toString());
        done();
      },
    });
  const exitCode = await runtime.exec({
    ...{ namespace, container, command: [...command], tty: false },
    pod: found(pod, `a pod of ${label}`).metadata.name,
    stdout: sink((text) => {
      said += text;
    }),
    stderr: sink(() => undefined),
    signal: AbortSignal.timeout(DEADLINE_MS),
  });
  return { stdout: said, exitCode };
}
