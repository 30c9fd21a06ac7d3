import type { KubeObject } from '../../src/mesh/kube-object.ts';
import type { SandboxCluster } from '../../src/sandbox/sandbox.ts';
import { checkScenarios, edit, type Undo } from '../support/check-scenarios.ts';
import { eventually, found, refs } from '../support/sandbox-mesh.ts';

const SERVICE = refs.service('clustermesh-apiserver');
const DEPLOYMENT = refs.deployment('clustermesh-apiserver');

function podOf({ store }: SandboxCluster): string {
  const pods = store.list({ apiVersion: 'v1', kind: 'Pod', namespace: 'kube-system' });
  const isApiserver = ({ metadata }: KubeObject) => metadata.labels?.['k8s-app'] === 'clustermesh-apiserver';
  return found(pods.find(isApiserver), 'a pod of the clustermesh-apiserver').metadata.name;
}

function setServiceType({ store }: SandboxCluster, type: string): void {
  store.update(SERVICE, ({ spec }) => {
    (spec as { type: string }).type = type;
  });
}

const statusOf = ({ store }: SandboxCluster) => JSON.stringify(store.get(SERVICE)?.status);

checkScenarios(
  'apiserver',
  { state: 'enabled' },
  {
    'apiserver-deployed': [
      { when: 'a cluster is not enabled', severity: 'fail', contexts: 'mesh-3', cluster: 'mesh-3' },
    ],
    'apiserver-ready': [
      {
        when: 'the image of a new version is not there',
        severity: 'fail',
        cluster: 'mesh-2',
        change({ two }) {
          return edit(two, DEPLOYMENT, ({ spec }) => {
            const { template } = spec as { template: { spec: { containers: { image: string }[] } } };
            for (const container of template.spec.containers) container.image += '-does-not-exist';
          });
        },
      },
    ],
    'apiserver-address': [
      {
        when: 'the load balancer has no address yet',
        severity: 'fail',
        cluster: 'mesh-2',
        async change({ two }): Promise<Undo> {
          two.setLoadBalancersPending(true);
          setServiceType(two, 'ClusterIP');
          await eventually(
            () => statusOf(two),
            (status) => status === '{"loadBalancer":{}}',
            'the address is given up',
          );
          setServiceType(two, 'LoadBalancer');
          return () => two.setLoadBalancersPending(false);
        },
      },
    ],
    'apiserver-private': [
      {
        when: 'the cloud was asked for a public load balancer',
        severity: 'warn',
        cluster: 'mesh-2',
        args: { addresses: ['198.18.2.100'] },
        change({ two }) {
          return edit(two, SERVICE, ({ metadata }) => {
            metadata.annotations = { ...metadata.annotations, 'networking.gke.io/load-balancer-type': 'External' };
          });
        },
      },
    ],
    'apiserver-etcd': [
      {
        when: 'a replica does not run',
        severity: 'fail',
        cluster: 'mesh-2',
        change({ two }) {
          const pod = podOf(two);
          two.stopPod('kube-system', pod);
          return () => two.startPod('kube-system', pod);
        },
      },
    ],
  },
);
