import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import type { SandboxCluster } from '../../src/sandbox/sandbox.ts';
import { checkScenarios, configure, edit, type Undo } from '../support/check-scenarios.ts';
import { found, refs } from '../support/sandbox-mesh.ts';

const SERVICE = refs.service('clustermesh-apiserver');
const NODE_PORT = 32379;
const SERVICE_CIDR = { apiVersion: 'networking.k8s.io/v1', kind: 'ServiceCIDR' };

interface ServiceSpec {
  type: string;
  ports: { nodePort?: number }[];
  loadBalancerSourceRanges?: string[];
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

/** The only node of a cluster gets another address. */
function renumberNode({ store }: SandboxCluster, address: string): Undo {
  const node = { apiVersion: 'v1', kind: 'Node', name: 'mesh-2-node-1' };
  const before = found(store.get(node), 'the node').status;
  store.update(node, (object) => {
    object.status = { ...(before as object), addresses: [{ type: 'InternalIP', address }] };
  });
  return () =>
    store.update(node, (object) => {
      object.status = before;
    });
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
    'node-address-overlap': [
      {
        when: 'a node has the address of a node elsewhere',
        severity: 'fail',
        args: { contexts: ['mesh-1', 'mesh-2'], overlaps: ['172.18.1.11'] },
        change: ({ two }) => renumberNode(two, '172.18.1.11'),
      },
      {
        when: 'a node has the address of a pod elsewhere',
        severity: 'fail',
        args: { overlaps: ['10.1.0.0/24 and 10.1.0.7'] },
        change: ({ two }) => renumberNode(two, '10.1.0.7'),
      },
    ],
    'service-address-overlap': [
      {
        when: 'a pod range elsewhere holds the Service range',
        severity: 'warn',
        cluster: 'mesh-1',
        args: { peer: 'mesh-2' },
        change({ two }) {
          const node = { apiVersion: 'cilium.io/v2', kind: 'CiliumNode', name: 'mesh-2-node-1' };
          return edit(two, node, ({ spec }: KubeObject) => {
            (spec as { ipam: { podCIDRs: string[] } }).ipam.podCIDRs = ['10.96.0.0/12'];
          });
        },
      },
      {
        when: 'a ServiceCIDR holds a pod range elsewhere, and no Service has an address of it yet',
        severity: 'warn',
        cluster: 'mesh-1',
        args: { peer: 'mesh-2', overlaps: ['10.2.0.0/16 and 10.2.0.0/24'], knownFrom: 'by its ServiceCIDRs' },
        change({ one: { store } }) {
          store.create({ ...SERVICE_CIDR, metadata: { name: 'second' }, spec: { cidrs: ['10.2.0.0/16'] } });
          return () => store.delete({ ...SERVICE_CIDR, name: 'second' });
        },
      },
    ],
    'native-routing-cidr': [
      {
        when: 'the range of one cluster holds only its own pods',
        severity: 'warn',
        cluster: 'mesh-2',
        args: { peer: 'mesh-1', ranges: ['10.1.0.0/24'] },
        change: ({ two }) => configure(two, { 'routing-mode': 'native', 'ipv4-native-routing-cidr': '10.2.0.0/16' }),
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
    'source-ranges': [
      {
        when: 'a load balancer lets in addresses that no node elsewhere has',
        severity: 'warn',
        cluster: 'mesh-2',
        args: { ranges: ['203.0.113.0/24'], nodes: 'mesh-1-node-1 of mesh-1' },
        change({ two }) {
          return setService(two, (spec) => {
            spec.loadBalancerSourceRanges = ['203.0.113.0/24'];
          });
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
