import { readFileSync, writeFileSync } from 'node:fs';
import { parse, stringify } from 'yaml';
import { cachedPeerFile, remotePeerFile } from '../../src/mesh/peers/file/peer-config.ts';
import type { FaultEntry } from './fault.ts';
import { type FaultMesh, TWO } from './fault-mesh.ts';
import { configure } from './fault-parts.ts';
import { found, refsOf, setSecret } from './sandbox-mesh.ts';

/** What no command of meshctl can mend: it only shows where to look. Putting it right is the operator's. */
const COMMON = { operator: true, unconcerned: ['enable'] } as const;

/** Connections that stand go on: only new ones are kept out. */
const SHUT = {
  noticed: true,
  status: ['timed-out'],
  check: ['apiserver-policy', 'peers-connected'],
  connect: 'keeps',
  looks: ['status'],
  unconcerned: ['connect', 'enable'],
  evidence: /timeout/,
} satisfies Partial<FaultEntry>;

/** Nothing that meshctl wrote is broken, but what is around it. */
export const SURROUNDING_FAULTS: readonly FaultEntry[] = [
  {
    ...COMMON,
    id: 'link-cut',
    what: 'nothing goes through between the clusters',
    arrange: ({ sandbox, one, two }) => sandbox.network.cutLink(one.name, two.name),
    status: ['timed-out'],
    check: ['peers-connected'],
    connect: 'keeps',
    evidence: /timeout/,
  },
  {
    ...COMMON,
    id: 'peer-shut-down',
    what: 'the API server of mesh-2 does not answer',
    arrange: (mesh) => mesh.shutDown(mesh.two),
    status: ['ClusterUnreachable'],
    check: ['cluster-answers'],
    connect: 'ClusterUnreachable',
    // kubectl cannot reach it either.
    evidence: /Unable to connect to the server/,
  },
  {
    ...COMMON,
    id: 'credentials-expired',
    what: 'the API server of mesh-2 no longer accepts the token of the kubeconfig',
    arrange: (mesh) => changeUser(mesh, () => ({ token: 'expired' })),
    status: ['Unauthenticated'],
    check: ['cluster-answers'],
    connect: 'Unauthenticated',
  },
  {
    ...COMMON,
    id: 'rights-of-the-operator-missing',
    what: 'the user of the kubeconfig may do nothing in mesh-2',
    arrange: (mesh) => changeUser(mesh, (user) => ({ ...user, as: 'nobody' })),
    status: ['Forbidden'],
    check: ['cluster-answers'],
    connect: 'Forbidden',
    // What grants a right is printed for whoever may: this user may not.
    unconcerned: [],
  },
  {
    ...COMMON,
    id: 'agent-hangs',
    what: 'an agent of mesh-1 hangs',
    arrange: ({ one, later }) => {
      const { namespace } = one;
      const [pod] = one.store.list({ apiVersion: 'v1', kind: 'Pod', namespace, labels: { 'k8s-app': 'cilium' } });
      const { name } = found(pod, 'an agent').metadata;
      one.stopPod(namespace, name);
      later(() => one.startPod(namespace, name));
    },
    status: ['agent-unreachable'],
    check: ['peers-connected'],
    connect: 'keeps',
    evidence: /cilium-\w+ +0\/1/,
  },
  {
    ...COMMON,
    id: 'third-cluster-without-context',
    what: 'mesh-1 dials one more cluster, which is gone and to which no context leads',
    gone: ['<context of mesh-3>'],
    arrange: ({ one }) => {
      setSecret(one, 'cilium-kvstoremesh', {
        'mesh-3': remotePeerFile('mesh-3', { addresses: ['172.18.3.100:2379'] }, 'common-'),
      });
      setSecret(one, 'cilium-clustermesh', { 'mesh-3': cachedPeerFile(one.namespace) });
    },
    status: ['timed-out'],
    check: ['peers-connected'],
    connect: 'keeps',
    evidence: /172\.18\.3\.100:2379: .*timeout/,
  },
  {
    ...SHUT,
    id: 'source-ranges-of-others',
    what: 'the load balancer of mesh-2 lets in the addresses of an office alone',
    arrange: ({ two }) =>
      two.store.update(refsOf(two).service('clustermesh-apiserver'), ({ spec }) => {
        (spec as { loadBalancerSourceRanges: string[] }).loadBalancerSourceRanges = ['203.0.113.0/24'];
      }),
    check: ['‼source-ranges', 'peers-connected'],
  },
  {
    ...SHUT,
    id: 'default-deny-of-cilium',
    what: 'a policy of Cilium keeps peers from the clustermesh-apiserver',
    arrange: ({ two }) =>
      two.store.create({
        apiVersion: 'cilium.io/v2',
        kind: 'CiliumNetworkPolicy',
        metadata: { name: 'default-deny', namespace: two.namespace },
        spec: { endpointSelector: {}, ingress: [] },
      }),
  },
  {
    ...SHUT,
    id: 'default-deny-of-kubernetes',
    what: 'a policy of Kubernetes keeps peers from the clustermesh-apiserver',
    arrange: ({ two }) =>
      two.store.create({
        apiVersion: 'networking.k8s.io/v1',
        kind: 'NetworkPolicy',
        metadata: { name: 'default-deny', namespace: two.namespace },
        spec: { podSelector: {}, policyTypes: ['Ingress'] },
      }),
  },
  {
    ...SHUT,
    id: 'policies-always',
    what: 'Cilium lets nobody in without a policy',
    arrange: ({ two }) => configure(two, { 'enable-policy': 'always' }),
  },
];

/** What is in the kubeconfig for mesh-2 is another user now. */
function changeUser({ kubeconfigPath, later }: FaultMesh, to: (user: object) => object): void {
  const before = readFileSync(kubeconfigPath, 'utf8');
  const config = parse(before) as { users: { name: string; user: object }[] };
  const entry = found(
    config.users.find(({ name }) => name === TWO),
    'the user',
  );
  entry.user = to(entry.user);
  writeFileSync(kubeconfigPath, stringify(config));
  later(() => writeFileSync(kubeconfigPath, before));
}
