import type { FaultEntry } from './fault.ts';

/** What no command of meshctl can mend: it only shows where to look. Putting it right is the operator's. */
const COMMON = { operator: true, unconcerned: ['enable'] } as const;

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
    id: 'default-deny',
    what: 'a network policy keeps peers from the clustermesh-apiserver',
    arrange: ({ two }) =>
      two.store.create({
        apiVersion: 'cilium.io/v2',
        kind: 'CiliumNetworkPolicy',
        metadata: { name: 'default-deny', namespace: two.namespace },
        spec: { endpointSelector: {}, ingress: [] },
      }),
    noticed: true,
    status: ['timed-out'],
    check: ['apiserver-policy', 'peers-connected'],
    connect: 'keeps',
    evidence: /default-deny|timeout/,
  },
];
