import { issueCertificate } from '../../src/pki/issue.ts';
import type { SandboxCluster } from '../../src/sandbox/sandbox.ts';
import { lasting } from '../support/certificate-specs.ts';
import { checkScenarios, edit, type Undo } from '../support/check-scenarios.ts';
import { found, peerCertificateSpec, refs, setSecret } from '../support/sandbox-mesh.ts';

const KVSTOREMESH = 'cilium-kvstoremesh';
const USERS = refs.configMap('clustermesh-remote-users');
const BINDING = {
  apiVersion: 'rbac.authorization.k8s.io/v1',
  kind: 'ClusterRoleBinding',
  name: 'clustermesh-apiserver',
};

/** Sets keys of a Secret of mesh-1, or takes them away. */
const secretWith = (name: string, data: Record<string, string | undefined>) => ({
  change({ one }: { one: SandboxCluster }): Undo {
    const before = one.store.get(refs.secret(name))?.data;
    setSecret(one, name, data);
    return () => one.store.update(refs.secret(name), (secret) => Object.assign(secret, { data: before }));
  },
});

const without = (ref: ReturnType<typeof refs.secret>) => ({
  change({ one }: { one: SandboxCluster }): Undo {
    const before = one.store.get(ref);
    one.store.delete(ref);
    return () => before && one.store.create(before);
  },
});

interface PodSpec {
  containers: { name: string }[];
  volumes: { name: string }[];
}

/** Changes the pods that the Deployment of mesh-1's clustermesh-apiserver makes. */
const editPod =
  (change: (pod: PodSpec) => void) =>
  ({ one }: { one: SandboxCluster }): Undo =>
    edit(one, refs.deployment('clustermesh-apiserver'), ({ spec }) =>
      change((spec as { template: { spec: PodSpec } }).template.spec),
    );

type ServiceSpec = { ports: { port: number }[] };

/** Changes the Service of mesh-1's clustermesh-apiserver. */
const editService =
  (change: (spec: ServiceSpec) => object) =>
  ({ one }: { one: SandboxCluster }): Undo =>
    edit(one, refs.service('clustermesh-apiserver'), (service) => {
      service.spec = change(service.spec as ServiceSpec);
    });

const ofMesh1 = { severity: 'fail', cluster: 'mesh-1' } as const;
const ofMesh2 = { ...ofMesh1, args: { peers: ['mesh-2'] } } as const;

checkScenarios(
  'standing',
  { state: 'connected' },
  {
    'peering-secret-missing': [{ ...ofMesh2, when: 'it is deleted', ...without(refs.secret(KVSTOREMESH)) }],
    'peering-file-missing': [
      { ...ofMesh2, when: 'only the agents have it', ...secretWith(KVSTOREMESH, { 'mesh-2': undefined }) },
      { ...ofMesh2, when: 'only KVStoreMesh has it', ...secretWith('cilium-clustermesh', { 'mesh-2': undefined }) },
    ],
    'peering-file-unreadable': [
      { ...ofMesh2, when: 'it is garbage', ...secretWith(KVSTOREMESH, { 'mesh-2': 'garbage' }) },
      { ...ofMesh2, when: "the agents' is no YAML", ...secretWith('cilium-clustermesh', { 'mesh-2': 'endpoints: [' }) },
    ],
    'peering-file-no-cache': [
      {
        ...ofMesh2,
        when: 'KVStoreMesh is switched off',
        change: editPod((pod) => {
          pod.containers = pod.containers.filter(({ name }) => name !== 'kvstoremesh');
          pod.volumes = pod.volumes.filter(({ name }) => name !== 'kvstoremesh-secrets');
        }),
      },
    ],
    'container-missing': [
      {
        ...ofMesh1,
        when: 'the one that fills etcd is taken out of the pods',
        change: editPod((pod) => {
          pod.containers = pod.containers.filter(({ name }) => name !== 'apiserver');
        }),
      },
    ],
    'kvstoremesh-missing': [
      {
        ...ofMesh1,
        when: 'it is taken out of the pods, which go on mounting its Secrets',
        change: editPod((pod) => {
          pod.containers = pod.containers.filter(({ name }) => name !== 'kvstoremesh');
        }),
      },
    ],
    'service-selector': [
      {
        ...ofMesh1,
        when: 'it selects others',
        change: editService((spec) => ({ ...spec, selector: { app: 'shop' } })),
      },
    ],
    'service-type': [
      {
        ...ofMesh1,
        when: 'it is only an alias',
        change: editService((spec) => ({ ...spec, type: 'ExternalName', externalName: 'a.example' })),
      },
    ],
    'service-port': [
      {
        ...ofMesh1,
        when: 'it has another one',
        change: editService(({ ports, ...spec }) => ({ ...spec, ports: ports.map((one) => ({ ...one, port: 2380 })) })),
      },
    ],
    'service-target-port': [
      {
        ...ofMesh1,
        when: 'nothing listens there',
        change: editService(({ ports, ...spec }) => ({
          ...spec,
          ports: ports.map((one) => ({ ...one, targetPort: 4001 })),
        })),
      },
    ],
    'peer-certificate-missing': [
      { ...ofMesh2, when: 'the key is gone', ...secretWith(KVSTOREMESH, { 'mesh-2.etcd-client.key': undefined }) },
    ],
    'peer-certificate-unreadable': [
      { ...ofMesh2, when: 'it is none', ...secretWith(KVSTOREMESH, { 'mesh-2.etcd-client.crt': 'not a cert' }) },
    ],
    'peer-certificate-foreign': [
      {
        ...ofMesh2,
        when: 'it is that of mesh-3',
        async change({ one, two }) {
          const ca = found(two.ca, 'a CA');
          const { certificate, privateKey } = await issueCertificate(ca, peerCertificateSpec('mesh-3'), lasting(90));
          const data = { 'mesh-2.etcd-client.crt': certificate, 'mesh-2.etcd-client.key': privateKey };
          return secretWith(KVSTOREMESH, data).change({ one });
        },
      },
    ],
    'access-missing': [{ ...ofMesh1, when: 'its binding is deleted', ...without(BINDING) }],
    'users-missing': [{ ...ofMesh1, when: 'it is deleted', ...without(USERS) }],
    'users-unreadable': [
      {
        ...ofMesh1,
        when: 'it is no list',
        change: ({ one }) => edit(one, USERS, (users) => Object.assign(users, { data: { 'users.yaml': 'users: me' } })),
      },
    ],
  },
);
