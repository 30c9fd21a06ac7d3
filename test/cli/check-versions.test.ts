import { checkScenarios, edit } from '../support/check-scenarios.ts';

const DAEMON_SET = { apiVersion: 'apps/v1', kind: 'DaemonSet', namespace: 'kube-system', name: 'cilium' };

checkScenarios(
  'versions',
  { state: 'installed', options: { clusters: [{}, {}, { ciliumVersion: '1.18.3' }] } },
  {
    'version-skew': [
      {
        when: 'a cluster is two minors behind',
        severity: 'fail',
        contexts: 'mesh-1,mesh-3',
        args: { versions: ['mesh-3: 1.18.3', 'mesh-1: 1.20.0'] },
      },
      {
        when: 'the agents of a cluster are upgraded two minors ahead',
        severity: 'fail',
        change({ two }) {
          return edit(two, DAEMON_SET, (daemonSet) => {
            const { template } = daemonSet.spec as { template: { spec: { containers: { image: string }[] } } };
            for (const container of template.spec.containers) container.image = 'quay.io/cilium/cilium:v1.22.0';
          });
        },
      },
    ],
  },
);
