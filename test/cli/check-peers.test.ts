import { issueCertificate } from '../../src/pki/issue.ts';
import { lasting } from '../support/certificate-specs.ts';
import { type CheckMesh, checkScenarios, cutLink, restorerOf, type Undo } from '../support/check-scenarios.ts';
import { keyOfNobody } from '../support/key-of-nobody.ts';
import { found, peerCertificateSpec, refs, setSecret, setUsers } from '../support/sandbox-mesh.ts';
import { backendsOf, sharedService } from '../support/shared-service.ts';

const KVSTOREMESH = 'cilium-kvstoremesh';
const AGENTS = 'cilium-clustermesh';

/** Keys of a Secret with peers' files are set, or removed. */
function setFiles(cluster: CheckMesh['one'], secret: string, files: Record<string, string | undefined>): Undo {
  const undo = restorerOf(cluster, refs.secret(secret));
  setSecret(cluster, secret, files);
  return undo;
}

/** mesh-1 gets another certificate for mesh-2. */
async function reissue({ one, two }: CheckMesh, validity: ReturnType<typeof lasting>, by = two): Promise<Undo> {
  const issued = await issueCertificate(found(by.ca, 'a CA'), peerCertificateSpec('mesh-1'), validity);
  return setFiles(one, KVSTOREMESH, {
    'mesh-2.etcd-client.crt': issued.certificate,
    'mesh-2.etcd-client.key': issued.privateKey,
  });
}

const ofMesh1 = { severity: 'fail', cluster: 'mesh-1', args: { peer: 'mesh-2' } } as const;

checkScenarios(
  'peers',
  { state: 'connected' },
  {
    'peers-connected': [
      {
        when: 'nothing goes through between the clusters',
        severity: 'fail',
        change: cutLink,
      },
      { when: 'a cluster has no Cluster Mesh', severity: 'fail', contexts: 'mesh-3', cluster: 'mesh-3' },
    ],
    'peers-mutual': [
      {
        when: 'a peer has forgotten the cluster that dials it',
        severity: 'warn',
        cluster: 'mesh-1',
        args: { peer: 'mesh-2' },
        change({ two }) {
          const undo = [KVSTOREMESH, AGENTS].map((secret) => setFiles(two, secret, { 'mesh-1': undefined }));
          return () => undo.forEach((each) => void each());
        },
      },
      {
        when: 'and has no certificate for it either',
        severity: 'fail',
        cluster: 'mesh-1',
        args: { peer: 'mesh-2' },
        change({ two }) {
          const keys = ['', '.etcd-client-ca.crt', '.etcd-client.crt', '.etcd-client.key'];
          const none = Object.fromEntries(keys.map((key) => [`mesh-1${key}`, undefined]));
          const undo = [KVSTOREMESH, AGENTS].map((secret) => setFiles(two, secret, none));
          return () => undo.forEach((each) => void each());
        },
      },
    ],
    'peers-endpoint': [
      {
        ...ofMesh1,
        when: 'the address is not that of the Service',
        change: ({ one }) => setFiles(one, KVSTOREMESH, { 'mesh-2': 'endpoints:\n- https://10.9.9.9:2379\n' }),
      },
      {
        ...ofMesh1,
        when: 'one of two addresses is not that of the Service',
        severity: 'warn',
        change: ({ one }) =>
          setFiles(one, KVSTOREMESH, {
            'mesh-2': 'endpoints:\n- https://172.18.2.100:2379\n- https://10.9.9.9:2379\n',
          }),
      },
    ],
    'peers-certificate': [
      {
        ...ofMesh1,
        when: 'the private key is that of another certificate',
        change: ({ one }) => setFiles(one, KVSTOREMESH, { 'mesh-2.etcd-client.key': keyOfNobody() }),
      },
      {
        ...ofMesh1,
        when: 'it is from a CA that the peer does not accept',
        change: (mesh) => reissue(mesh, lasting(100), mesh.three),
      },
      { ...ofMesh1, when: 'ten days are left', severity: 'warn', change: (mesh) => reissue(mesh, lasting(10)) },
      { ...ofMesh1, when: 'it has expired', change: (mesh) => reissue(mesh, lasting(-1)) },
    ],
    'peers-answers': [
      {
        ...ofMesh1,
        when: 'a peer does not dial back, and has backends of a global Service',
        change({ one, two }) {
          const forget = [KVSTOREMESH, AGENTS].map((secret) => setFiles(two, secret, { 'mesh-1': undefined }));
          const share = [one, two].map(({ store }) => {
            const made = [sharedService('default', 'api'), backendsOf('default', 'api')];
            for (const object of made) store.create(object);
            return () =>
              made.forEach(({ apiVersion, kind, metadata: { namespace, name } }) => {
                store.delete({ apiVersion, kind, namespace, name });
              });
          });
          return () => [...forget, ...share].forEach((each) => void each());
        },
      },
    ],
    'peers-itself': [
      {
        when: 'there is a file for dialling itself',
        severity: 'warn',
        cluster: 'mesh-1',
        change: ({ one }) => setFiles(one, KVSTOREMESH, { 'mesh-1': 'endpoints:\n- https://172.18.1.100:2379\n' }),
      },
    ],
    'peers-unused-keys': [
      {
        when: 'there is a key that is nothing to Cilium',
        severity: 'warn',
        cluster: 'mesh-1',
        change: ({ one }) => setFiles(one, KVSTOREMESH, { foo: 'bar' }),
      },
    ],
    'peers-user': [
      {
        ...ofMesh1,
        when: 'the peer has no user for it',
        change({ two }) {
          const undo = restorerOf(two, refs.configMap('clustermesh-remote-users'));
          setUsers(two, ['remote-other']);
          return undo;
        },
      },
    ],
  },
);
