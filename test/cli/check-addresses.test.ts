import type { KubeObject } from '../../src/mesh/kube-object.ts';
import type { SandboxCluster } from '../../src/sandbox/sandbox.ts';
import { checkScenarios, configure, edit } from '../support/check-scenarios.ts';
import { refs } from '../support/sandbox-mesh.ts';

const SERVICE = refs.service('clustermesh-apiserver');
const NODE_PORT = 32379;

interface ServiceSpec {
  type: string;
  ports: { nodePort?: number }[];
}

const setService = (cluster: SandboxCluster, change: (spec: ServiceSpec) => void) =>
  edit(cluster, SERVICE, (service) => change(service.spec as ServiceSpec));

/** Both clusters get the NodePort that Cilium's chart has. */
function sameNodePort(clusters: readonly SandboxCluster[]) {
  const undo = clusters.map((cluster) =>
    setService(cluster, (spec) => {
      spec.type = 'NodePort';
      for (const port of spec.ports) port.nodePort = NODE_PORT;
    }),
  );
  return () => undo.forEach((one) => void one());
}

checkScenarios(
  'addresses',
  { state: 'enabled' },
  {
    'pod-cidr-overlap': [
      {
        when: 'a node has the pod range of a node elsewhere',
        severity: 'fail',
        args: { overlaps: ['10.1.0.0/24'] },
        change({ two }) {
          const node = { apiVersion: 'cilium.io/v2', kind: 'CiliumNode', name: 'mesh-2-node-1' };
          return edit(two, node, ({ spec }: KubeObject) => {
            (spec as { ipam: { podCIDRs: string[] } }).ipam.podCIDRs = ['10.1.0.0/24'];
          });
        },
      },
    ],
    'node-port-unique': [
      {
        when: 'two clusters have one NodePort',
        severity: 'warn',
        args: { port: NODE_PORT },
        change: ({ one, two }) => sameNodePort([one, two]),
      },
      {
        when: 'two clusters have one NodePort, and Cilium stands in for kube-proxy',
        severity: 'fail',
        args: { port: NODE_PORT },
        change({ one, two }) {
          const undo = [sameNodePort([one, two]), configure(two, { 'kube-proxy-replacement': 'true' })];
          return () => undo.forEach((each) => void each());
        },
      },
    ],
    'service-reachable': [
      {
        when: 'the Service has no address outside its cluster',
        severity: 'warn',
        cluster: 'mesh-2',
        change({ two }) {
          return setService(two, (spec) => {
            spec.type = 'ClusterIP';
            for (const port of spec.ports) delete port.nodePort;
          });
        },
      },
    ],
  },
);
