import { secretTexts } from '../../src/mesh/objects/secret-data.ts';
import { beginningLater, lasting } from './certificate-specs.ts';
import type { FaultEntry } from './fault.ts';
import { type FaultMesh, ONE } from './fault-mesh.ts';
import { change, dropSecret, emptySecret, issued, removeContainer } from './fault-parts.ts';
import { keyOfNobody } from './key-of-nobody.ts';
import { found, peerCertificateSpec, refsOf, setSecret, setUsers } from './sandbox-mesh.ts';

const REPLICAS_SECRET = 'cilium-kvstoremesh';
const AGENTS_SECRET = 'cilium-clustermesh';

/** Sets keys of the Secret by which mesh-1's KVStoreMesh dials mesh-2. */
const setFiles = ({ one }: FaultMesh, files: Record<string, string | undefined>) =>
  setSecret(one, REPLICAS_SECRET, files);

const setClient = (mesh: FaultMesh, { certificate, privateKey }: { certificate: string; privateKey: string }) =>
  setFiles(mesh, { 'mesh-2.etcd-client.crt': certificate, 'mesh-2.etcd-client.key': privateKey });

const SPEC = peerCertificateSpec('mesh-1');

/** What each entry here has: enable has nothing to do with it. */
const COMMON = { enableAt: ONE, unconcerned: ['enable'] } as const;

/** What mesh-1 dials mesh-2 with is broken. */
export const DIALING_FAULTS: readonly FaultEntry[] = [
  {
    ...COMMON,
    id: 'replicas-file-garbage',
    what: 'the peering file for KVStoreMesh is not YAML',
    arrange: (mesh) => setFiles(mesh, { 'mesh-2': 'endpoints: [' }),
    status: ['config-invalid', 'peering-file-unreadable'],
    check: ['peering-file-unreadable'],
    connect: 'changes',
  },
  {
    ...COMMON,
    id: 'replicas-file-no-file',
    what: 'the peering file for KVStoreMesh is a word',
    arrange: (mesh) => setFiles(mesh, { 'mesh-2': 'garbage' }),
    noticed: true,
    status: ['peering-file-unreadable'],
    check: ['peering-file-unreadable'],
    connect: 'changes',
  },
  {
    ...COMMON,
    id: 'replicas-file-plain',
    what: 'the peering file for KVStoreMesh dials without TLS',
    arrange: (mesh) => {
      const { 'mesh-2': text = '' } = secretTexts(mesh.one.store.get(refsOf(mesh.one).secret(REPLICAS_SECRET)));
      setFiles(mesh, { 'mesh-2': text.replace('https://', 'http://') });
    },
    noticed: true,
    status: ['timed-out', 'peering-file-unreadable'],
    check: ['peering-file-unreadable'],
    connect: 'changes',
  },
  {
    ...COMMON,
    id: 'agents-file-garbage',
    what: 'the peering file for the agents is not YAML',
    arrange: ({ one }) => setSecret(one, AGENTS_SECRET, { 'mesh-2': 'endpoints: [' }),
    status: ['peering-file-unreadable'],
    check: ['peering-file-unreadable'],
    connect: 'changes',
  },
  ...[REPLICAS_SECRET, AGENTS_SECRET].map(
    (name): FaultEntry => ({
      ...COMMON,
      id: `${name}-file-misspelt`,
      what: `a peering file in Secret ${name} names a file of a CA that is not there`,
      arrange: ({ one }) => {
        const { 'mesh-2': text = '' } = secretTexts(one.store.get(refsOf(one).secret(name)));
        setSecret(one, name, { 'mesh-2': text.replace('etcd-client-ca.crt', 'etcd-client-CA.crt') });
      },
      status: ['peer-certificate-missing'],
      check: ['peer-certificate-missing'],
      certs: [`${ONE} peer peer-certificate-missing`],
      connect: 'changes',
    }),
  ),
  {
    ...COMMON,
    id: 'replicas-secret-deleted',
    what: 'the Secret with the peering files for KVStoreMesh is gone',
    arrange: ({ one }) => dropSecret(one, REPLICAS_SECRET),
    status: ['peering-secret-missing'],
    check: ['peering-secret-missing'],
    certs: [`${ONE} peer peering-secret-missing`],
    connect: 'changes',
  },
  {
    ...COMMON,
    id: 'agents-secret-deleted',
    what: 'the Secret with the peering files for the agents is gone',
    arrange: ({ one }) => dropSecret(one, AGENTS_SECRET),
    status: ['peering-secret-missing'],
    check: ['peering-secret-missing'],
    certs: [`${ONE} peer peering-secret-missing`],
    connect: 'changes',
  },
  {
    ...COMMON,
    id: 'both-secrets-deleted',
    what: 'both Secrets with the peering files are gone',
    arrange: ({ one }) => {
      dropSecret(one, REPLICAS_SECRET);
      dropSecret(one, AGENTS_SECRET);
    },
    status: [],
    check: ['peers-connected'],
    connect: 'changes',
  },
  {
    ...COMMON,
    id: 'peer-in-replicas-secret-only',
    what: 'only KVStoreMesh has a peering file',
    arrange: ({ one }) => setSecret(one, AGENTS_SECRET, { 'mesh-2': undefined }),
    status: ['peering-file-missing'],
    check: ['peering-file-missing'],
    connect: 'changes',
  },
  {
    ...COMMON,
    id: 'peer-in-agents-secret-only',
    what: 'only the agents have a peering file',
    arrange: (mesh) => setFiles(mesh, { 'mesh-2': undefined }),
    status: ['peering-file-missing'],
    check: ['peering-file-missing'],
    connect: 'changes',
  },
  {
    ...COMMON,
    id: 'client-certificate-garbage',
    what: 'the client certificate is no certificate',
    arrange: (mesh) => setFiles(mesh, { 'mesh-2.etcd-client.crt': 'not a cert' }),
    status: ['peer-certificate-unreadable'],
    check: ['peer-certificate-unreadable'],
    certs: [`${ONE} peer peer-certificate-unreadable`],
    connect: 'changes',
  },
  {
    ...COMMON,
    id: 'client-certificate-deleted',
    what: 'the client certificate is gone',
    arrange: (mesh) => setFiles(mesh, { 'mesh-2.etcd-client.crt': undefined }),
    noticed: true,
    status: ['peer-certificate-missing'],
    check: ['peer-certificate-missing'],
    certs: [`${ONE} peer peer-certificate-missing`],
    connect: 'changes',
  },
  {
    ...COMMON,
    id: 'client-key-of-another',
    what: 'the private key belongs to a different certificate',
    arrange: (mesh) => setFiles(mesh, { 'mesh-2.etcd-client.key': keyOfNobody() }),
    status: ['peer-certificate-key'],
    check: ['peers-certificate'],
    certs: [`${ONE} peer peer-certificate-key`],
    connect: 'changes',
  },
  {
    ...COMMON,
    id: 'client-certificate-expired',
    what: 'the client certificate has expired',
    arrange: async (mesh) => setClient(mesh, await issued(SPEC, mesh.two, lasting(-1))),
    noticed: true,
    status: ['tls-expired', 'peer-certificate-expired'],
    check: ['peers-certificate'],
    certs: [`${ONE} peer peer-certificate-expired`],
    connect: 'changes',
  },
  {
    ...COMMON,
    id: 'client-certificate-early',
    what: 'the client certificate is not valid yet',
    arrange: async (mesh) => setClient(mesh, await issued(SPEC, mesh.two, beginningLater())),
    noticed: true,
    status: ['tls-expired', 'peer-certificate-expired'],
    check: ['peers-certificate'],
    certs: [`${ONE} peer peer-certificate-expired`],
    connect: 'changes',
  },
  {
    ...COMMON,
    id: 'client-certificate-of-another-cluster',
    what: 'mesh-1 logs in with the certificate of mesh-3',
    arrange: async (mesh) => {
      setUsers(mesh.two, ['remote-mesh-1', 'remote-mesh-3']);
      setClient(mesh, await issued(peerCertificateSpec('mesh-3'), mesh.two));
    },
    status: ['peer-certificate-foreign'],
    check: ['peer-certificate-foreign'],
    certs: [`${ONE} peer peer-certificate-foreign`],
    connect: 'changes',
  },
  {
    ...COMMON,
    id: 'certificate-for-itself',
    what: "mesh-1 has mesh-2's certificate for dialling mesh-1",
    arrange: async (mesh) => {
      const { certificate, privateKey } = await issued(peerCertificateSpec('mesh-2'), mesh.one);
      setFiles(mesh, {
        'mesh-1': fileOf(mesh).replaceAll('mesh-2', 'mesh-1'),
        'mesh-1.etcd-client.crt': certificate,
        'mesh-1.etcd-client.key': privateKey,
      });
    },
    unconcerned: ['status', 'connect', 'enable'],
    status: [],
    check: ['‼peers-itself'],
    connect: 'keeps',
  },
  {
    ...COMMON,
    id: 'keys-for-nobody',
    what: 'the Secrets of peers have keys that Cilium ignores',
    arrange: (mesh) => {
      setFiles(mesh, { foo: 'bar', 'notes.txt': '' });
      setSecret(mesh.one, AGENTS_SECRET, { foo: '' });
    },
    unconcerned: ['status', 'connect', 'enable'],
    status: [],
    check: ['‼peers-unused-keys'],
    connect: 'keeps',
  },
  {
    ...COMMON,
    id: 'client-certificate-of-another-ca',
    what: 'the client certificate is from a CA that the peer does not know',
    arrange: async (mesh) => setClient(mesh, await issued(SPEC)),
    noticed: true,
    status: ['tls-client-rejected', 'peer-certificate-issuer'],
    check: ['peers-certificate'],
    certs: [`${ONE} peer peer-certificate-issuer`],
    connect: 'changes',
  },
  {
    ...COMMON,
    id: 'trusted-ca-of-another',
    what: 'a different CA is trusted than that of the peer',
    arrange: async (mesh) => setFiles(mesh, { 'mesh-2.etcd-client-ca.crt': (await issued(SPEC)).ca }),
    noticed: true,
    status: ['tls-unknown-ca', 'peer-ca'],
    check: ['tls-ca-trust'],
    certs: [`${ONE} peer peer-ca`],
    connect: 'changes',
  },
  {
    ...COMMON,
    id: 'trusted-ca-garbage',
    what: 'the CA that is trusted is no certificate',
    arrange: (mesh) => setFiles(mesh, { 'mesh-2.etcd-client-ca.crt': 'not a cert' }),
    status: ['peer-certificate-unreadable'],
    check: ['peer-certificate-unreadable'],
    certs: [`${ONE} peer peer-certificate-unreadable`],
    connect: 'changes',
  },
  {
    ...COMMON,
    id: 'host-name-unknown',
    what: 'nobody knows the host name in the peering file',
    arrange: (mesh) => setFiles(mesh, { 'mesh-2': fileOf(mesh).replace(/https:.*/, 'https://gone.example:2379') }),
    noticed: true,
    status: ['cannot-resolve'],
    check: ['peers-endpoint'],
    connect: 'changes',
  },
  {
    ...COMMON,
    id: 'address-of-nobody',
    what: 'the peering file has an address that the peer no longer has',
    arrange: (mesh) => setFiles(mesh, { 'mesh-2': fileOf(mesh).replace(/https:.*/, 'https://172.18.2.199:2379') }),
    noticed: true,
    status: ['timed-out', 'peer-address-gone'],
    check: ['peers-endpoint'],
    connect: 'changes',
    evidence: /172\.18\.2\.199:2379: .*timeout/,
  },
  {
    ...COMMON,
    id: 'one-way',
    what: 'mesh-2 does not dial back',
    arrange: ({ two }) => {
      for (const name of [REPLICAS_SECRET, AGENTS_SECRET]) {
        change(two, refsOf(two).secret(name), (secret) => {
          secret.data = {};
        });
      }
    },
    noticed: true,
    status: [],
    check: ['peers-mutual', 'peers-connected'],
    connect: 'changes',
  },
  {
    ...COMMON,
    id: 'address-chosen-of-nobody',
    what: 'an address was chosen for the peer that it no longer has',
    arrange: (mesh) => {
      setFiles(mesh, { 'mesh-2': fileOf(mesh).replace(/https:.*/, 'https://172.18.2.199:2379') });
      change(mesh.one, refsOf(mesh.one).secret(AGENTS_SECRET), ({ metadata }) => {
        metadata.annotations = { ...metadata.annotations, 'meshctl.io/endpoint.mesh-2': '172.18.2.199:2379' };
      });
    },
    noticed: true,
    status: ['timed-out', 'peer-address-chosen'],
    check: ['peers-connected'],
    connect: 'changes',
  },
  {
    ...COMMON,
    id: 'client-certificate-of-own-ca',
    what: 'mesh-1 shows its peer a certificate of its own CA, as if both had one',
    arrange: (mesh) => setFiles(mesh, { 'mesh-2': fileOf(mesh).replaceAll(/mesh-2\.(?=etcd-client\.)/g, 'common-') }),
    noticed: true,
    status: ['tls-client-rejected', 'peer-certificate-issuer'],
    check: ['peers-certificate'],
    certs: [`${ONE} peer peer-certificate-issuer`],
    connect: 'changes',
  },
  {
    ...COMMON,
    id: 'file-of-another-cluster',
    what: 'the peering file for mesh-2 leads to mesh-1 itself',
    arrange: ({ one, two }) => {
      const texts = secretTexts(two.store.get(refsOf(two).secret(REPLICAS_SECRET)));
      const turned = Object.entries(texts).map(([key, text]) =>
        [key, text].map((one) => one.replaceAll('mesh-1', 'mesh-2')),
      );
      setSecret(one, REPLICAS_SECRET, Object.fromEntries(turned));
    },
    noticed: true,
    status: ['config-not-retrieved', 'peer-user-missing', 'peer-ca'],
    check: ['peers-endpoint', 'peers-user'],
    certs: [`${ONE} peer peer-ca`],
    connect: 'changes',
  },
  {
    id: 'kvstoremesh-off-in-the-pods',
    what: 'KVStoreMesh was switched off by hand, and the agents still read its cache',
    arrange: ({ one }) => {
      removeContainer(one, 'kvstoremesh');
      change(one, refsOf(one).deployment('clustermesh-apiserver'), ({ spec }) => {
        const pod = (spec as { template: { spec: { volumes: { name: string }[] } } }).template.spec;
        pod.volumes = pod.volumes.filter(({ name }) => name !== 'kvstoremesh-secrets');
      });
    },
    enableAt: ONE,
    status: ['peering-file-no-cache'],
    check: ['peering-file-no-cache', 'peers-endpoint'],
    connect: 'changes',
  },
  {
    ...COMMON,
    id: 'kvstoremesh-off-in-the-secrets',
    what: 'the agents dial the peer themselves, past the KVStoreMesh that runs',
    arrange: ({ one }) => {
      const files = secretTexts(one.store.get(refsOf(one).secret(REPLICAS_SECRET)));
      setSecret(one, AGENTS_SECRET, files);
      emptySecret(one, REPLICAS_SECRET);
    },
    status: ['peering-file-missing'],
    check: ['peering-file-missing'],
    connect: 'changes',
  },
];

function fileOf({ one }: FaultMesh): string {
  return secretTexts(found(one.store.get(refsOf(one).secret(REPLICAS_SECRET)), REPLICAS_SECRET))['mesh-2'] ?? '';
}
