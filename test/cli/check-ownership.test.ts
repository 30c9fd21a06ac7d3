import type { KubeObject } from '../../src/mesh/kube-object.ts';
import { checkScenarios, edit } from '../support/check-scenarios.ts';
import { refs } from '../support/sandbox-mesh.ts';

const CLUSTER_ROLE = {
  apiVersion: 'rbac.authorization.k8s.io/v1',
  kind: 'ClusterRole',
  name: 'clustermesh-apiserver',
};

checkScenarios(
  'ownership',
  { state: 'enabled' },
  {
    'ownership-drift': [
      {
        when: 'rights of the clustermesh-apiserver are gone',
        severity: 'warn',
        cluster: 'mesh-2',
        args: { changes: ['ClusterRole clustermesh-apiserver (update)'] },
        change({ two }) {
          return edit(two, CLUSTER_ROLE, (role) => {
            role.rules = [];
          });
        },
      },
    ],
    'ownership-managers': [
      {
        when: 'someone else sets a field of the Deployment',
        severity: 'warn',
        cluster: 'mesh-2',
        change({ two }) {
          const change = (deployment: KubeObject) => {
            deployment.spec = { ...(deployment.spec as object), revisionHistoryLimit: 3 };
          };
          return edit(two, refs.deployment('clustermesh-apiserver'), change, 'kubectl-edit');
        },
      },
    ],
  },
);
