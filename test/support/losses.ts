import { clientSpec } from '../../src/mesh/certificates/cluster-certificates.ts';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { secretTexts } from '../../src/mesh/objects/secret-data.ts';
import { PEER_SECRETS } from '../../src/mesh/peers/peers.ts';
import { issueCertificate } from '../../src/pki/issue.ts';
import type { SandboxCluster } from '../../src/sandbox/sandbox.ts';
import { change, configure, dropSecret, SERVER_CERT, setUsersText, USERS } from './fault-parts.ts';
import type { LossyMesh } from './lossy-mesh.ts';
import { clusterAt, refsOf, setSecret, setUsers } from './sandbox-mesh.ts';

type Loss = (mesh: LossyMesh, cluster: SandboxCluster, peer: string) => unknown;

/** What a cluster may lose, by accident or by somebody's hand. Where it has no such thing, nothing is lost. */
export const LOSSES: Readonly<Record<string, Loss>> = {
  'the Secret of the agents': (_mesh, cluster) => drop(cluster, 'cilium-clustermesh'),
  'the Secret of KVStoreMesh': (_mesh, cluster) => drop(cluster, 'cilium-kvstoremesh'),
  'both Secrets': (_mesh, cluster) => {
    for (const name of PEER_SECRETS) drop(cluster, name);
  },
  'the files of a peer': (_mesh, cluster, peer) => {
    for (const name of PEER_SECRETS) dropFiles(cluster, name, peer);
  },
  'the file of a peer for the agents': (_mesh, cluster, peer) => dropFiles(cluster, 'cilium-clustermesh', peer),
  'the files of a peer for KVStoreMesh': (_mesh, cluster, peer) => dropFiles(cluster, 'cilium-kvstoremesh', peer),
  'the key for a peer': (_mesh, cluster, peer) => {
    for (const name of PEER_SECRETS) dropFiles(cluster, name, peer, ['.etcd-client.key']);
  },
  'the name in the certificate for a peer': async (mesh, cluster, peer) => {
    const other = mesh.sandbox.clusters.find(({ name }) => name !== cluster.name && name !== peer);
    const { certificate, privateKey } = await issuedBy(clusterAt(mesh.sandbox, peer), `remote-${other?.name}`);
    for (const name of PEER_SECRETS) {
      const texts = secretTexts(cluster.store.get(refsOf(cluster).secret(name)));
      if (`${peer}.etcd-client.key` in texts)
        setSecret(cluster, name, {
          [`${peer}.etcd-client.crt`]: certificate,
          [`${peer}.etcd-client.key`]: privateKey,
        });
    }
  },
  'the list of users': (_mesh, cluster) => cluster.store.delete(refsOf(cluster).configMap(USERS)),
  'all users': (_mesh, cluster) => setUsersText(cluster, 'users: []\n'),
  'the user of a peer': ({ admittedBy }, cluster, peer) =>
    setUsers(
      cluster,
      admittedBy(cluster)
        .filter((name) => name !== peer)
        .map((name) => `remote-${name}`),
    ),
  'the style of the list of users, and the name of a user': ({ admittedBy }, cluster, peer) => {
    const users = admittedBy(cluster).map((name) => (name === peer ? name : `remote-${name}`));
    setUsersText(cluster, `users: [${users.map((name) => `{name: ${name}, role: remote}`).join(', ')}]\n`);
  },
  'what is on record': (_mesh, cluster) =>
    change(cluster, refsOf(cluster).secret('cilium-clustermesh'), ({ metadata }) => {
      delete metadata.annotations;
    }),
  'the server certificate': (_mesh, cluster) => drop(cluster, SERVER_CERT),
  'the key of the server certificate': (_mesh, cluster) => setSecret(cluster, SERVER_CERT, { 'tls.key': undefined }),
  'the addresses in the server certificate': async (_mesh, cluster) => {
    const { certificate, privateKey } = await issuedBy(cluster, 'clustermesh-apiserver');
    setSecret(cluster, SERVER_CERT, { 'tls.crt': certificate, 'tls.key': privateKey });
  },
  'the local certificate': (_mesh, cluster) => drop(cluster, 'clustermesh-apiserver-local-cert'),
  'the certificate for peers of one CA': (_mesh, cluster) => drop(cluster, 'clustermesh-apiserver-remote-cert'),
  'the Service': (_mesh, cluster) => cluster.store.delete(refsOf(cluster).service('clustermesh-apiserver')),
  'the Deployment': (_mesh, cluster) => cluster.store.delete(refsOf(cluster).deployment('clustermesh-apiserver')),
  'its name': (_mesh, cluster) => configure(cluster, { 'cluster-name': 'renamed' }),
  'the name of a peer instead of its own': (_mesh, cluster, peer) => configure(cluster, { 'cluster-name': peer }),
  'its id': (_mesh, cluster) => configure(cluster, { 'cluster-id': '99' }),
  'the certificates that it has since a backup': (mesh, cluster) =>
    goBack(cluster, () => mesh.meshctl.ok(['clustermesh', 'certs', 'rotate', '--context', cluster.context])),
  // Refused where all share it, with another way; then nothing is lost.
  'the CA that it has since a backup': (mesh, cluster) =>
    goBack(cluster, () => mesh.meshctl(['clustermesh', 'certs', 'rotate', '--ca', '--all', '--yes'])),
};

/** Who lets the pods follow a name or an id by `enable`, which names the peers that it cuts, means it: the mesh is another one then. */
export const MEANT_BY_ENABLE: readonly string[] = ['its name', 'the name of a peer instead of its own', 'its id'];

function drop(cluster: SandboxCluster, secret: string): void {
  if (cluster.store.get(refsOf(cluster).secret(secret))) dropSecret(cluster, secret);
}

const FILES = ['', '.etcd-client-ca.crt', '.etcd-client.crt', '.etcd-client.key'];

function dropFiles(cluster: SandboxCluster, secret: string, peer: string, ends: readonly string[] = FILES): void {
  if (!cluster.store.get(refsOf(cluster).secret(secret))) return;
  setSecret(cluster, secret, Object.fromEntries(ends.map((end) => [`${peer}${end}`, undefined])));
}

/** A certificate of the CA that a cluster has now, for no address. */
function issuedBy(cluster: SandboxCluster, commonName: string) {
  const { 'ca.crt': certificate = '', 'ca.key': privateKey = '' } = secretTexts(
    cluster.store.get(refsOf(cluster).secret('cilium-ca')),
  );
  return issueCertificate({ certificate, privateKey }, { ...clientSpec(commonName), usages: ['server', 'client'] });
}

/** All Secrets of Cilium's namespace are again as they were before some work. */
async function goBack({ store, namespace }: SandboxCluster, work: () => Promise<unknown>): Promise<void> {
  const secretsNow = () => store.list({ apiVersion: 'v1', kind: 'Secret', namespace });
  const backup = secretsNow();
  await work();
  for (const { metadata, data } of backup) {
    const ref = { apiVersion: 'v1', kind: 'Secret', namespace, name: metadata.name };
    const restore = (secret: KubeObject) => {
      secret.data = structuredClone(data);
      for (const key of ['labels', 'annotations'] as const) secret.metadata[key] = { ...metadata[key] };
    };
    store.update(ref, restore, 'velero-server');
  }
}
