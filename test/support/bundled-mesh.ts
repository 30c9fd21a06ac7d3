import type { KubeObject, ObjectRef } from '../../src/mesh/objects/kube-object.ts';
import { cachedPeerFile, remotePeerFile } from '../../src/mesh/peers/file/peer-config.ts';
import type { SandboxCluster } from '../../src/sandbox/cluster.ts';
import { troubleWithPeers } from './peer-reports.ts';
import { enableByHand, eventually, found, refsOf, setSecret, setUsers, type TestSandbox } from './sandbox-mesh.ts';

const NAMESPACE = 'kube-system';

/** The ConfigMap of a mesh that was made with `tls.caBundle` (Cilium's chart; its default name). */
export const BUNDLE = 'cilium-root-ca.crt';

interface Source {
  secret?: { name: string; optional?: boolean; items?: { key: string; path: string }[] };
}

/** What a workload mounts as the chart has it with `tls.caBundle.enabled`: no CA from the Secrets, each from the bundle. */
function withBundle(workload: KubeObject): void {
  const { volumes = [] } = (
    workload.spec as { template: { spec: { volumes?: { projected?: { sources: Source[] } }[] } } }
  ).template.spec;
  for (const { projected } of volumes) {
    if (!projected) continue;
    projected.sources = projected.sources.flatMap((source): Source[] => {
      const { secret } = source;
      const ca = secret?.items?.find(({ key }) => key === 'ca.crt');
      if (!secret || !ca) return [source];
      const { optional } = secret;
      const configMap = { name: BUNDLE, ...(optional ? { optional } : {}), items: [{ key: 'ca.crt', path: ca.path }] };
      return [
        { secret: { ...secret, items: secret.items?.filter((item) => item !== ca) ?? [] } },
        { configMap } as unknown as Source,
      ];
    });
  }
}

/** Marks an object as Helm does that makes it. */
function byHelm({ metadata }: KubeObject): void {
  metadata.labels = { ...metadata.labels, 'app.kubernetes.io/managed-by': 'Helm' };
  metadata.annotations = { ...metadata.annotations, 'meta.helm.sh/release-name': 'cilium' };
}

/** Writes the bundle of a cluster. */
export function setBundle(cluster: SandboxCluster, authorities: readonly SandboxCluster[]): void {
  const data = { 'ca.crt': authorities.map(({ ca }) => found(ca, 'a CA').certificate).join('\n') };
  const ref = refsOf(cluster).configMap(BUNDLE);
  const edit = (object: KubeObject) => {
    object.data = data;
  };
  if (cluster.store.get(ref)) cluster.store.update(ref, edit, 'helm');
  else
    cluster.store.create(
      { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: BUNDLE, namespace: NAMESPACE }, data },
      'helm',
    );
}

/** Two clusters of a CA each that Helm has joined by a bundle of both: they log in with the certificate for all of their CA. */
export async function joinByBundle(sandbox: TestSandbox, one: SandboxCluster, two: SandboxCluster): Promise<void> {
  const both = [one, two];
  const addresses = await Promise.all(
    both.map(async (cluster) => {
      setBundle(cluster, both);
      const address = await enableByHand(cluster, { kvstoremesh: true });
      const refs = refsOf(cluster);
      const certificates = ['server', 'admin', 'local', 'remote'].map((role) => `clustermesh-apiserver-${role}-cert`);
      const made: ObjectRef[] = [
        refs.service('clustermesh-apiserver'),
        refs.configMap('clustermesh-remote-users'),
        ...certificates.map(refs.secret),
      ];
      for (const ref of made) cluster.store.update(ref, byHelm, 'helm');
      const agents = { apiVersion: 'apps/v1', kind: 'DaemonSet', namespace: NAMESPACE, name: 'cilium' };
      cluster.store.update(agents, withBundle, 'helm');
      const edit = (object: KubeObject) => {
        byHelm(object);
        withBundle(object);
      };
      cluster.store.update(refs.deployment('clustermesh-apiserver'), edit, 'helm');
      await cluster.settled();
      return address;
    }),
  );
  both.forEach((cluster, index) => {
    const peer = found(both[1 - index], 'the peer');
    const { host, port } = found(addresses[1 - index], 'its address');
    setUsers(cluster, [`remote-${peer.name}`]);
    const file = remotePeerFile(peer.name, { addresses: [`${host}:${port}`] }, 'common-');
    setSecret(cluster, 'cilium-kvstoremesh', { [peer.name]: file });
    setSecret(cluster, 'cilium-clustermesh', { [peer.name]: cachedPeerFile(NAMESPACE) });
  });
  await Promise.all(both.map(({ context }) => untilReady(sandbox, context)));
}

/** Waits until agents and KVStoreMesh of a cluster have what their peer has. */
export async function untilReady(sandbox: TestSandbox, context: string): Promise<void> {
  const trouble = () => troubleWithPeers(sandbox, { [context]: 1 });
  await eventually(trouble, ({ length }) => length === 0, `all of ${context} connected`);
}
