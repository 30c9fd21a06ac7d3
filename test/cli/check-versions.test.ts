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
    'apiserver-version': [
      {
        when: 'the agents were upgraded without it',
        severity: 'fail',
        cluster: 'mesh-2',
        args: { context: 'mesh-2', apiserver: '1.19.4', agents: '1.20.0' },
        change({ two }) {
          const metadata = { name: 'clustermesh-apiserver', namespace: 'kube-system' };
          const containers = [{ name: 'apiserver', image: 'quay.io/cilium/clustermesh-apiserver:v1.19.4' }];
          const spec = { replicas: 0, selector: { matchLabels: { a: 'b' } }, template: { spec: { containers } } };
          two.store.create({ apiVersion: 'apps/v1', kind: 'Deployment', metadata, spec });
          return () => two.store.delete({ apiVersion: 'apps/v1', kind: 'Deployment', ...metadata });
        },
      },
    ],
  },
);
