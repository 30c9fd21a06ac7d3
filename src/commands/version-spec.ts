import type { CommandSpec } from './command-spec.ts';
import { CLUSTERS, RESULT_FORMAT } from './options/shared-options.ts';

export const VERSION = {
  path: ['version'],
  summary: 'Show the versions of meshctl and of what runs in the clusters',
  description:
    'For each cluster: Kubernetes, every version of Cilium’s agents that runs, the clustermesh-apiserver with its etcd, ' +
    'whether KVStoreMesh is on (CACHE), and whether all of these are compatible; and who makes Cilium and the ' +
    'clustermesh-apiserver, e.g. a release of Helm, Argo CD or meshctl. Exits 1 when they are not compatible, or ' +
    'that is not known, 3 when they are as far as clusters can be queried. To judge the mesh, use check.',
  examples: [
    { line: 'meshctl version --all', what: 'every cluster of the kubeconfig that runs Cilium' },
    { line: 'meshctl version --client', what: 'without a cluster' },
  ],
  reachesClusters: true,
  options: [
    { flags: '--client', description: 'only meshctl itself: no cluster is asked', default: false },
    ...CLUSTERS,
    RESULT_FORMAT,
  ],
} as const satisfies CommandSpec;
