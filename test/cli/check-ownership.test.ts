import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
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
        when: 'someone else sets a field that meshctl wants otherwise',
        severity: 'warn',
        cluster: 'mesh-2',
        args: { objects: ['ClusterRole clustermesh-apiserver: rules (kubectl-edit)'] },
        change({ two }) {
          const change = (role: KubeObject) => {
            role.rules = [];
          };
          return edit(two, CLUSTER_ROLE, change, 'kubectl-edit');
        },
      },
    ],
    'ownership-peers': [
      {
        when: 'Helm makes the ConfigMap that holds the users',
        severity: 'warn',
        cluster: 'mesh-2',
        args: {
          object: 'ConfigMap kube-system/clustermesh-remote-users',
          owner: 'Helm release cilium',
          keys: ['users.yaml'],
        },
        change({ two }) {
          const change = ({ metadata }: KubeObject) => {
            metadata.annotations = { 'meta.helm.sh/release-name': 'cilium' };
          };
          return edit(two, refs.configMap('clustermesh-remote-users'), change, 'helm');
        },
      },
    ],
  },
);
