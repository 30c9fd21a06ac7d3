import { expect } from 'vitest';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import type { SandboxCluster } from '../../src/sandbox/sandbox.ts';
import { checkScenarios, configure, edit, type Undo } from '../support/check-scenarios.ts';
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

/** The only node of a cluster gets a taint that nothing tolerates. */
function taintNode({ store, context }: SandboxCluster): Undo {
  const node = { apiVersion: 'v1', kind: 'Node', name: `${context}-node-1` };
  const set = (taints: unknown) =>
    store.update(node, ({ spec }) => {
      (spec as { taints?: unknown }).taints = taints;
    });
  set([{ key: 'team', value: 'a', effect: 'NoSchedule' }]);
  return () => set(undefined);
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
        when: 'the image of a new version is missing',
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
    'apiserver-schedulable': [
      {
        when: 'the only node is tainted, and it runs there',
        severity: 'warn',
        cluster: 'mesh-2',
        args: { running: true, reasons: ['tainted: team=a:NoSchedule'] },
        change: ({ two }) => taintNode(two),
      },
      {
        when: 'the only node is tainted before enable',
        severity: 'fail',
        contexts: 'mesh-3',
        cluster: 'mesh-3',
        change: ({ three }) => taintNode(three),
      },
    ],
    'apiserver-pod-security': [
      {
        when: 'the namespace became restricted',
        severity: 'fail',
        cluster: 'mesh-2',
        change({ two }) {
          const namespace = { apiVersion: 'v1', kind: 'Namespace', name: 'kube-system' };
          const label = 'pod-security.kubernetes.io/enforce';
          const set = (level: string | undefined) =>
            two.store.update(namespace, ({ metadata }) => {
              const { [label]: _former, ...labels } = metadata.labels ?? {};
              metadata.labels = level === undefined ? labels : { ...labels, [label]: level };
            });
          set('restricted');
          return () => set(undefined);
        },
      },
    ],
    'apiserver-policy': [
      {
        when: 'a policy denies everything',
        severity: 'fail',
        cluster: 'mesh-2',
        args: { lets: 'nobody', by: ['NetworkPolicy kube-system/deny'] },
        change({ two }) {
          const policy = { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy' };
          const metadata = { name: 'deny', namespace: 'kube-system' };
          two.store.create({ ...policy, metadata, spec: { podSelector: {}, policyTypes: ['Ingress'] } });
          return () => two.store.delete({ ...policy, ...metadata });
        },
      },
      {
        when: 'Cilium lets nobody in without a policy',
        severity: 'fail',
        cluster: 'mesh-2',
        args: { by: [] },
        change: ({ two }) => configure(two, { 'enable-policy': 'always' }),
      },
    ],
    'node-port-local': [
      {
        when: 'a NodePort is served where no ready pod is',
        severity: 'fail',
        cluster: 'mesh-2',
        args: { serving: 0 },
        change({ two }) {
          const undo = edit(two, SERVICE, ({ spec }) => {
            Object.assign(spec as object, { type: 'NodePort', externalTrafficPolicy: 'Local' });
          });
          const pod = podOf(two);
          two.stopPod('kube-system', pod);
          return () => {
            two.startPod('kube-system', pod);
            return undo();
          };
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
      {
        when: 'its image is not there',
        severity: 'fail',
        cluster: 'mesh-2',
        // What has never run has no log to look at, and its pod says why.
        args: { waitsFor: expect.stringContaining('image quay.io/nobody/etcd:v0 cannot be pulled') },
        change: ({ two }) =>
          edit(two, refs.deployment('clustermesh-apiserver'), ({ spec }) => {
            const { template } = spec as { template: { spec: { containers: { name: string; image: string }[] } } };
            for (const one of template.spec.containers) if (one.name === 'etcd') one.image = 'quay.io/nobody/etcd:v0';
          }),
      },
    ],
  },
);
