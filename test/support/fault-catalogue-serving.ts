import { accessRefs } from '../../src/mesh/apiserver/access.ts';
import { lasting, serverCertificateSpec } from './certificate-specs.ts';
import type { FaultEntry } from './fault.ts';
import { TWO } from './fault-mesh.ts';
import {
  change,
  changePort,
  changeService,
  dropSecret,
  emptySecret,
  issued,
  removeContainer,
  restartApiserver,
  SERVER_CERT,
  scaleTo,
  serveWith,
  setUsersText,
  USERS,
} from './fault-parts.ts';
import { refsOf, setSecret } from './sandbox-mesh.ts';

/** What mesh-2 serves its peers and its own agents with is broken. */
export const SERVING_FAULTS: readonly FaultEntry[] = [
  {
    id: 'apiserver-scaled-to-0',
    what: 'the Deployment of the clustermesh-apiserver has 0 replicas',
    arrange: ({ two }) => scaleTo(two, 0),
    noticed: true,
    status: ['refused', 'apiserver-scaled-down'],
    check: ['apiserver-ready'],
    connect: 'CredentialRefused',
  },
  {
    id: 'apiserver-deleted',
    what: 'the Deployment of the clustermesh-apiserver is gone',
    arrange: ({ two }) => two.store.delete(refsOf(two).deployment('clustermesh-apiserver')),
    noticed: true,
    status: ['refused', 'apiserver-missing', 'own-apiserver-missing'],
    check: ['apiserver-deployed'],
    connect: 'ClusterMeshNotEnabled',
  },
  {
    id: 'server-certificate-deleted',
    what: 'the Secret of the server certificate is gone',
    arrange: ({ two }) => dropSecret(two, SERVER_CERT),
    status: ['certificate-missing'],
    check: ['tls-present'],
    certs: [`${TWO} server certificate-missing`],
    connect: 'ClusterMeshNotEnabled',
  },
  {
    id: 'server-certificate-empty',
    what: 'the Secret of the server certificate is empty',
    arrange: ({ two }) => emptySecret(two, SERVER_CERT),
    status: ['certificate-missing'],
    check: ['tls-present'],
    certs: [`${TWO} server certificate-missing`],
    connect: 'ClusterMeshNotEnabled',
  },
  {
    id: 'server-certificate-garbage',
    what: 'the server certificate is no certificate',
    arrange: ({ two }) => setSecret(two, SERVER_CERT, { 'tls.crt': 'not a cert' }),
    status: ['certificate-unreadable'],
    check: ['tls-present'],
    certs: [`${TWO} server certificate-unreadable`],
    connect: 'ClusterMeshNotEnabled',
  },
  {
    id: 'server-certificate-expired',
    what: 'the server certificate has expired',
    arrange: ({ two }) => serveWith(two, serverCertificateSpec(two), { signer: two, options: lasting(-1) }),
    noticed: true,
    status: ['tls-expired', 'certificate-expired'],
    check: ['tls-expiry'],
    certs: [`${TWO} server certificate-expired`],
    connect: 'changes',
  },
  {
    id: 'server-certificate-without-address',
    what: 'the server certificate does not cover the address that is dialled',
    arrange: ({ two }) =>
      serveWith(two, { ...serverCertificateSpec(two), ipAddresses: ['127.0.0.1', '::1'] }, { signer: two }),
    noticed: true,
    status: ['tls-name'],
    check: ['‼tls-names', 'peers-connected'],
    connect: 'changes',
  },
  {
    id: 'server-certificate-of-another-ca',
    what: 'the server certificate is from a CA that nobody trusts',
    arrange: ({ two }) => serveWith(two, serverCertificateSpec(two)),
    noticed: true,
    status: ['tls-unknown-ca', 'certificate-issuer'],
    check: ['tls-chain'],
    certs: [`${TWO} server certificate-issuer`],
    connect: 'CredentialRefused',
  },
  {
    id: 'admin-certificate-deleted',
    what: "the Secret of the clustermesh-apiserver's own client certificate is gone",
    arrange: ({ two }) => dropSecret(two, 'clustermesh-apiserver-admin-cert'),
    status: ['certificate-missing'],
    check: ['tls-present'],
    certs: [`${TWO} admin certificate-missing`],
    connect: 'keeps',
    unconcerned: ['connect'],
  },
  {
    id: 'local-certificate-deleted',
    what: "the Secret of the agents' client certificate for their cache is gone",
    arrange: ({ two }) => dropSecret(two, 'clustermesh-apiserver-local-cert'),
    noticed: true,
    status: ['certificate-missing'],
    check: ['tls-present'],
    certs: [`${TWO} local certificate-missing`],
    connect: 'keeps',
    unconcerned: ['connect'],
  },
  {
    id: 'remote-certificate-deleted',
    what: 'the Secret of the client certificate for peers with the same CA is gone, and there is none',
    arrange: ({ two }) => dropSecret(two, 'clustermesh-apiserver-remote-cert'),
    status: ['certificate-missing'],
    harmless: true,
    check: ['tls-present'],
    certs: [`${TWO} remote certificate-missing`],
    connect: 'keeps',
    unconcerned: ['connect'],
  },
  {
    id: 'users-deleted',
    what: 'the ConfigMap of the users is gone',
    arrange: ({ two }) => two.store.delete(refsOf(two).configMap(USERS)),
    status: ['users-missing'],
    check: ['users-missing'],
    connect: 'ClusterMeshNotEnabled',
  },
  {
    id: 'users-emptied',
    what: 'the ConfigMap of the users names nobody',
    arrange: ({ two }) => setUsersText(two, 'users: []\n'),
    noticed: true,
    status: ['permission-denied', 'peer-user-missing'],
    check: ['peers-user'],
    connect: 'changes',
  },
  {
    id: 'users-garbage',
    what: 'the list of the users is not YAML',
    arrange: ({ two }) => setUsersText(two, 'users: ['),
    noticed: true,
    status: ['users-unreadable'],
    check: ['users-unreadable'],
    connect: 'ClusterMeshNotEnabled',
  },
  {
    id: 'user-of-another-role',
    what: 'the user of the peer has a role that may read nothing',
    arrange: ({ two }) => setUsersText(two, 'users:\n- name: remote-mesh-1\n  role: local\n'),
    noticed: true,
    status: ['peer-user-missing'],
    check: ['peers-user'],
    connect: 'changes',
  },
  {
    id: 'service-selects-nobody',
    what: 'the Service of the clustermesh-apiserver selects a label that no pod has',
    arrange: ({ two }) => changeService(two, ({ spec }) => Object.assign(spec, { selector: { 'k8s-app': 'nobody' } })),
    noticed: true,
    status: ['service-selector'],
    check: ['service-selector'],
    connect: 'keeps',
    unconcerned: ['connect'],
  },
  {
    id: 'service-without-selector',
    what: 'the Service of the clustermesh-apiserver selects nothing',
    arrange: ({ two }) => changeService(two, ({ spec }) => void delete spec.selector),
    noticed: true,
    status: ['service-selector'],
    check: ['service-selector'],
    connect: 'keeps',
    unconcerned: ['connect'],
  },
  {
    id: 'service-target-port-changed',
    what: 'the Service of the clustermesh-apiserver leads to a port on which nothing listens',
    arrange: ({ two }) => changePort(two, { targetPort: 9999 }),
    noticed: true,
    status: ['service-target-port'],
    check: ['service-target-port'],
    connect: 'keeps',
    unconcerned: ['connect'],
  },
  {
    id: 'service-external-name',
    what: 'the Service of the clustermesh-apiserver was made an ExternalName',
    arrange: ({ two }) =>
      changeService(two, (service) => {
        service.spec = { type: 'ExternalName', externalName: 'mesh.example' };
      }),
    noticed: true,
    status: ['service-type'],
    check: ['service-type'],
    connect: 'ClusterMeshNotEnabled',
  },
  {
    id: 'service-headless',
    what: 'the Service of the clustermesh-apiserver was made anew without a clusterIP',
    arrange: ({ two }) =>
      changeService(two, (service) => {
        const { ports, selector } = service.spec;
        service.spec = { type: 'ClusterIP', clusterIP: 'None', clusterIPs: ['None'], ports, selector };
      }),
    noticed: true,
    status: ['service-type'],
    check: ['service-type'],
    connect: 'ClusterMeshNotEnabled',
  },
  {
    id: 'service-port-changed',
    what: 'the Service of the clustermesh-apiserver has another port',
    arrange: ({ two }) => changePort(two, { port: 2380 }),
    noticed: true,
    status: ['service-port'],
    check: ['service-port'],
    connect: 'changes',
  },
  ...['etcd', 'apiserver', 'kvstoremesh'].map(
    (name): FaultEntry => ({
      id: `container-${name}-missing`,
      what: `the Deployment of the clustermesh-apiserver has lost its container ${name}`,
      arrange: ({ two }) => removeContainer(two, name),
      status: [name === 'kvstoremesh' ? 'kvstoremesh-missing' : 'container-missing'],
      check: [name === 'kvstoremesh' ? 'kvstoremesh-missing' : 'container-missing'],
      connect: 'keeps',
      unconcerned: ['connect'],
    }),
  ),
  {
    id: 'apiserver-paused',
    what: 'the Deployment of the clustermesh-apiserver was paused, and then changed',
    arrange: ({ two }) =>
      change(two, refsOf(two).deployment('clustermesh-apiserver'), ({ spec }) => {
        const { template } = spec as { template: { metadata: { annotations?: Record<string, string> } } };
        template.metadata.annotations = { ...template.metadata.annotations, 'example.com/changed': 'yes' };
        (spec as { paused?: boolean }).paused = true;
      }),
    status: ['apiserver-rollout'],
    check: ['apiserver-ready'],
    connect: 'keeps',
    waits: ['enable'],
    unconcerned: ['connect'],
  },
  {
    id: 'access-deleted',
    what: 'the rights of the clustermesh-apiserver are gone, and its account',
    arrange({ two }) {
      for (const ref of accessRefs(two.namespace)) two.store.delete(ref);
    },
    status: ['access-missing'],
    check: ['access-missing'],
    connect: 'keeps',
    unconcerned: ['connect'],
  },
  {
    id: 'service-deleted',
    what: 'the Service of the clustermesh-apiserver is gone',
    arrange: ({ two }) => two.store.delete(refsOf(two).service('clustermesh-apiserver')),
    noticed: true,
    status: ['service-missing'],
    check: ['apiserver-address'],
    connect: 'ClusterMeshNotEnabled',
  },
  {
    id: 'mesh-left-by-hand',
    what: 'mesh-2 was taken out of the mesh by hand, and mesh-1 still dials it',
    arrange: ({ two }) => {
      two.store.delete(refsOf(two).deployment('clustermesh-apiserver'));
      for (const name of ['cilium-kvstoremesh', 'cilium-clustermesh']) dropSecret(two, name);
    },
    noticed: true,
    status: ['mesh-disabled'],
    check: ['apiserver-deployed'],
    connect: 'ClusterMeshNotEnabled',
  },
  {
    id: 'server-key-of-another',
    what: 'the private key of the server belongs to a different certificate',
    arrange: async ({ two }) =>
      setSecret(two, SERVER_CERT, { 'tls.key': (await issued(serverCertificateSpec(two))).privateKey }),
    status: ['certificate-key'],
    check: ['tls-key'],
    certs: [`${TWO} server certificate-key`],
    connect: 'ClusterMeshNotEnabled',
  },
  {
    id: 'server-certificate-of-clients',
    what: 'the server certificate is not for servers',
    arrange: ({ two }) => serveWith(two, { ...serverCertificateSpec(two), usages: ['client'] }, { signer: two }),
    noticed: true,
    status: ['tls-usage', 'certificate-usage'],
    check: ['tls-usage'],
    certs: [`${TWO} server certificate-usage`],
    connect: 'keeps',
    unconcerned: ['connect'],
  },
  {
    id: 'rights-emptied',
    what: 'the clustermesh-apiserver may read nothing, and was started anew',
    arrange: async ({ two }) => {
      const [, role] = accessRefs(two.namespace);
      if (role) change(two, role, (object) => Object.assign(object, { rules: [] }));
      restartApiserver(two);
      await two.settled();
    },
    noticed: true,
    status: ['syncing', 'access-missing'],
    check: ['access-missing'],
    connect: 'keeps',
    unconcerned: ['connect'],
  },
];
