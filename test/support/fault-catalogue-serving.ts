import { accessRefs } from '../../src/mesh/apiserver/access.ts';
import type { FaultEntry } from './fault.ts';
import {
  change,
  changePort,
  changeService,
  dropSecret,
  removeContainer,
  restartApiserver,
  scaleTo,
} from './fault-parts.ts';
import { refsOf } from './sandbox-mesh.ts';

/** The clustermesh-apiserver of mesh-2, or the Service that leads to it, is broken. */
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
