import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import type { SandboxCluster } from '../../src/sandbox/sandbox.ts';
import type { FaultEntry } from './fault.ts';
import { type FaultMesh, ONE, TWO } from './fault-mesh.ts';
import { addNode, change, changeService, configure, restartApiserver } from './fault-parts.ts';
import { refsOf } from './sandbox-mesh.ts';

const NODE = 'mesh-2-node-1';

/** What the pod that no node takes is found by; the commands that say it know the way. */
const WITHOUT_NODE = {
  noticed: true,
  status: ['apiserver-not-ready'],
  check: ['apiserver-ready', 'apiserver-schedulable'],
  evidence: /nodes are available|Pending/,
  connect: 'CredentialRefused',
} satisfies Partial<FaultEntry>;

/** Where the pods of the clustermesh-apiserver run, or how they are reached there, is in the way. */
export const NODE_FAULTS: readonly FaultEntry[] = [
  {
    id: 'node-ports-equal',
    what: 'both clusters are reached at one NodePort, and Cilium stands in for kube-proxy',
    arrange: async (mesh) => {
      await overNodePorts(mesh);
      for (const cluster of [mesh.one, mesh.two]) configure(cluster, { 'kube-proxy-replacement': 'true' });
    },
    status: [],
    check: ['node-port-unique'],
    connect: 'Incompatible',
    unconcerned: ['status'],
    apart: {
      status: 'it tells by new connections, which lead to the cluster itself then; those of the sandbox do not',
    },
  },
  {
    id: 'node-port-local-and-pod-moved',
    what: 'a NodePort is served only where a pod is, and none is on the node that is dialled',
    arrange: async (mesh) => {
      await overNodePorts(mesh);
      addNode(mesh.two, 'mesh-2-node-2', '172.18.2.12');
      changeService(mesh.two, ({ spec }) => Object.assign(spec, { externalTrafficPolicy: 'Local' }));
      setTaints(mesh.two, [{ key: 'team', value: 'a', effect: 'NoExecute' }]);
      await mesh.two.settled();
    },
    noticed: true,
    status: ['timed-out', 'peer-address-gone'],
    check: ['‼node-port-local', 'peers-endpoint'],
    connect: 'changes',
    // It puts the policy back, as the command that check has for it.
    unconcerned: ['enable'],
  },
  {
    ...WITHOUT_NODE,
    id: 'nodes-tainted',
    waits: ['enable'],
    what: 'all nodes are tainted, and the pod of the clustermesh-apiserver was made anew',
    arrange: ({ two }) => {
      setTaints(two, [{ key: 'team', value: 'a', effect: 'NoSchedule' }]);
      restartApiserver(two);
    },
  },
  {
    ...WITHOUT_NODE,
    id: 'node-evicts',
    what: 'the only node got a taint that evicts what runs there',
    arrange: ({ two }) => setTaints(two, [{ key: 'team', value: 'a', effect: 'NoExecute' }]),
  },
  {
    ...WITHOUT_NODE,
    id: 'node-cordoned',
    what: 'the only node is cordoned, and the pod of the clustermesh-apiserver was made anew',
    arrange: ({ two }) => {
      changeNode(two, ({ spec }) => Object.assign(spec as object, { unschedulable: true }));
      restartApiserver(two);
    },
  },
  {
    id: 'image-of-nobody',
    what: 'the Deployment of the clustermesh-apiserver has an image that there is not',
    arrange: ({ two }) =>
      change(two, refsOf(two).deployment('clustermesh-apiserver'), ({ spec }) => {
        const { template } = spec as { template: { spec: { containers: { image: string }[] } } };
        for (const container of template.spec.containers) container.image += '-does-not-exist';
      }),
    status: ['apiserver-rollout'],
    check: ['apiserver-ready', 'apiserver-etcd'],
    connect: 'keeps',
    looks: ['status', 'check'],
    unconcerned: ['connect'],
    evidence: /ImagePull|ErrImage|does-not-exist|clustermesh-apiserver-/,
  },
];

/** Both clusters come to be reached at the NodePort of Cilium's chart, and are connected so. */
function overNodePorts(mesh: FaultMesh): Promise<void> {
  return mesh.replay('NodePorts', async () => {
    const nodePort = ['--service-type', 'NodePort', '--node-port', '32379', '--yes'];
    await mesh.meshctl(['clustermesh', 'enable', '--context', `${ONE},${TWO}`, ...nodePort]);
    await mesh.meshctl(['clustermesh', 'connect', '--context', ONE, '--destination-context', TWO]);
  });
}

function changeNode(cluster: SandboxCluster, edit: (node: KubeObject) => void): void {
  change(cluster, { apiVersion: 'v1', kind: 'Node', name: NODE }, edit);
}

function setTaints(cluster: SandboxCluster, taints: readonly object[]): void {
  changeNode(cluster, ({ spec }) => Object.assign(spec as object, { taints }));
}
