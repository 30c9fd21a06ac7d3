import { createPrivateKey, createPublicKey } from 'node:crypto';
import type { CertificateSpec } from '../../src/mesh/certificates/certificate.ts';
import { CERTIFICATE_SECRETS } from '../../src/mesh/certificates/cluster-certificates.ts';
import { type KubeObject, type ObjectRef, refOf } from '../../src/mesh/objects/kube-object.ts';
import { CA_SECRET } from '../../src/mesh/objects/names.ts';
import { createAuthority } from '../../src/pki/authority.ts';
import { type IssueOptions, issueCertificate } from '../../src/pki/issue.ts';
import type { SandboxCluster } from '../../src/sandbox/sandbox.ts';
import { lasting } from './certificate-specs.ts';
import { podsOf } from './cluster-pods.ts';
import { found, refsOf, setSecret } from './sandbox-mesh.ts';

export const SERVER_CERT = 'clustermesh-apiserver-server-cert';
export const USERS = 'clustermesh-remote-users';

export function change(cluster: SandboxCluster, ref: ObjectRef, edit: (object: KubeObject) => void): void {
  cluster.store.update(ref, edit, 'kubectl-edit');
}

export function dropSecret(cluster: SandboxCluster, name: string): void {
  cluster.store.delete(refsOf(cluster).secret(name));
}

/** The Secret stays, with nothing in it. */
export function emptySecret(cluster: SandboxCluster, name: string): void {
  change(cluster, refsOf(cluster).secret(name), (secret) => {
    secret.data = {};
  });
}

/** Users as text. */
export function setUsersText(cluster: SandboxCluster, text: string): void {
  change(cluster, refsOf(cluster).configMap(USERS), (configMap) => {
    configMap.data = { 'users.yaml': text };
  });
}

/** What somebody with kubectl makes of the Service that peers dial. */
export function changeService(
  cluster: SandboxCluster,
  edit: (service: { spec: Record<string, unknown> }) => void,
): void {
  change(cluster, refsOf(cluster).service('clustermesh-apiserver'), (service) =>
    edit(service as unknown as { spec: Record<string, unknown> }),
  );
}

export function changePort(cluster: SandboxCluster, fields: Record<string, unknown>): void {
  changeService(cluster, ({ spec }) => Object.assign((spec.ports as object[])[0] ?? {}, fields));
}

export function removeContainer(cluster: SandboxCluster, container: string): void {
  change(cluster, refsOf(cluster).deployment('clustermesh-apiserver'), ({ spec }) => {
    const pod = (spec as { template: { spec: { containers: { name: string }[] } } }).template.spec;
    pod.containers = pod.containers.filter(({ name }) => name !== container);
  });
}

export function scaleTo(cluster: SandboxCluster, replicas: number): void {
  change(cluster, refsOf(cluster).deployment('clustermesh-apiserver'), ({ spec }) => {
    (spec as { replicas: number }).replicas = replicas;
  });
}

/** A certificate with its key and CA; of a CA that nobody has without a signer. */
export async function issued(spec: CertificateSpec, signer?: SandboxCluster, options: IssueOptions = {}) {
  const authority = signer ? found(signer.ca, 'a CA') : await createAuthority();
  const { certificate, privateKey } = await issueCertificate(authority, spec, options);
  return { ca: authority.certificate, certificate, privateKey };
}

/** Another server certificate, under the owner that it had. */
export async function serveWith(
  cluster: SandboxCluster,
  spec: CertificateSpec,
  { signer, options }: { signer?: SandboxCluster | undefined; options?: IssueOptions | undefined } = {},
): Promise<void> {
  const { ca, certificate, privateKey } = await issued(spec, signer, options);
  const files = { 'ca.crt': ca, 'tls.crt': certificate, 'tls.key': privateKey };
  const encoded = Object.entries(files).map(([key, text]) => [key, Buffer.from(text).toString('base64')]);
  cluster.store.update(
    refsOf(cluster).secret(SERVER_CERT),
    (secret) => {
      secret.data = Object.fromEntries(encoded);
    },
    'meshctl',
  );
}

/**
 * The time of a CA changes, and not that of what it has signed: by default it ended two days ago, as after an upgrade of Helm's.
 * @param places which Secrets have the CA: those of its cluster, and that of the peer, which knows it by that
 */
export async function endAuthority(
  cluster: SandboxCluster,
  peer: SandboxCluster,
  time: { now: Date; validityMs: number } = lasting(-2),
  places: readonly ('own' | 'held')[] = ['own', 'held'],
): Promise<void> {
  const privateKey = createPrivateKey(found(cluster.ca, 'a CA').privateKey);
  const publicKey = createPublicKey(privateKey).export({ type: 'spki', format: 'der' });
  const { certificate } = await createAuthority({ key: { publicKey, privateKey }, ...time });
  const own = places.includes('own') ? [CA_SECRET, ...CERTIFICATE_SECRETS] : [];
  for (const name of own) setSecret(cluster, name, { 'ca.crt': certificate });
  if (!places.includes('held')) return;
  setSecret(peer, 'cilium-kvstoremesh', { [`${cluster.name}.etcd-client-ca.crt`]: certificate });
}

/** Sets keys of a cluster's ConfigMap cilium-config. */
export function configure(cluster: SandboxCluster, settings: Record<string, string>): void {
  change(cluster, refsOf(cluster).configMap('cilium-config'), (configMap) => {
    configMap.data = { ...(configMap.data as object), ...settings };
  });
}

/** As if nobody had ever connected them: no peering files, and no users. */
export function neverJoined({ one, two }: Record<'one' | 'two', SandboxCluster>): void {
  for (const cluster of [one, two]) {
    for (const name of ['cilium-kvstoremesh', 'cilium-clustermesh']) dropSecret(cluster, name);
    setUsersText(cluster, 'users: []\n');
  }
}

/** Its successor starts with what the objects say now. */
export function restartApiserver(cluster: SandboxCluster): void {
  for (const pod of podsOf(cluster, 'clustermesh-apiserver')) cluster.store.delete(refOf(pod));
}

/** A further node, like the first one. */
export function addNode({ store }: SandboxCluster, name: string, address: string): void {
  const [first] = store.list({ apiVersion: 'v1', kind: 'Node' });
  const [, , network, host] = address.split('.');
  const podAddress = (last: string) => `10.${network}.${host}.${last}`;
  // As Cilium's agent does on a node that is new to it.
  store.create({
    apiVersion: 'cilium.io/v2',
    kind: 'CiliumNode',
    metadata: { name },
    spec: {
      addresses: [
        { type: 'InternalIP', ip: address },
        { type: 'CiliumInternalIP', ip: podAddress('1') },
      ],
      health: { ipv4: podAddress('2') },
      ipam: { podCIDRs: [podAddress('0/24')] },
    },
    status: {},
  });
  store.create({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: { ...first?.metadata.labels, 'kubernetes.io/hostname': name } },
    spec: {},
    status: { ...(first?.status as object), addresses: [{ type: 'InternalIP', address }] },
  });
}
