import { expect } from 'vitest';
import { refOf } from '../../src/mesh/objects/kube-object.ts';
import { podSpec } from '../../src/mesh/objects/workload.ts';
import type { SandboxCluster } from '../../src/sandbox/sandbox.ts';
import { checkScenarios, edit, type Undo } from '../support/check-scenarios.ts';
import { found } from '../support/sandbox-mesh.ts';

const DAEMON_SET = { apiVersion: 'apps/v1', kind: 'DaemonSet', namespace: 'kube-system', name: 'cilium' };

/** Has agents run another version than their DaemonSet has, which is on `OnDelete` meanwhile. */
function runAs(cluster: SandboxCluster, tag: string, count = 1): Undo {
  const { store } = cluster;
  const putBack = edit(cluster, DAEMON_SET, ({ spec }) =>
    Object.assign(spec as object, { updateStrategy: { type: 'OnDelete' } }),
  );
  const pods = store.list({ apiVersion: 'v1', kind: 'Pod', labels: { 'k8s-app': 'cilium' } }).slice(0, count);
  const setImage = (image: string, isOfTemplate: boolean) => {
    for (const pod of pods)
      store.update(refOf(pod), (one) => {
        one.metadata.labels = {
          ...pod.metadata.labels,
          ...(isOfTemplate ? {} : { 'controller-revision-hash': 'other' }),
        };
        found(
          podSpec(one).containers?.find(({ name }) => name === 'cilium-agent'),
          'its agent',
        ).image = image;
      });
  };
  setImage(`quay.io/cilium/cilium:${tag}`, false);
  return () => {
    setImage('quay.io/cilium/cilium:v1.20.0', true);
    putBack();
  };
}

/** Has the image of one agent's pod be another one than that of the template which made it, as `kubectl set image pod` does. */
function editPod(cluster: SandboxCluster, tag: string): Undo {
  const [pod] = cluster.store.list({ apiVersion: 'v1', kind: 'Pod', labels: { 'k8s-app': 'cilium' } });
  return edit(cluster, refOf(found(pod, 'an agent')), ({ spec }) => {
    const { containers = [] } = spec as { containers?: { name: string; image?: string }[] };
    for (const container of containers)
      if (container.name === 'cilium-agent') container.image = `quay.io/cilium/cilium:${tag}`;
  });
}

/** Where it is, with a name that the operator finds. */
const oneOf = (fewer: string) => ({ fewer, fewerPods: 1, on: [expect.stringMatching(/^cilium-\w{5} on \S+$/)] });

checkScenarios(
  'versions',
  { state: 'installed', options: { nodes: 2, clusters: [{}, {}, { ciliumVersion: '1.18.3' }] } },
  {
    'agents-version': [
      {
        when: 'agents two minors apart run side by side, whatever the DaemonSet has by now',
        severity: 'fail',
        cluster: 'mesh-2',
        args: { context: 'mesh-2', oldest: '1.18', newest: '1.20', isUpgrade: false, ...oneOf('1.18') },
        change: ({ two }) => runAs(two, 'v1.18.2'),
      },
      {
        when: 'an upgrade is under way',
        severity: 'warn',
        cluster: 'mesh-2',
        args: { context: 'mesh-2', oldest: '1.19', newest: '1.20', isUpgrade: true, ...oneOf('1.19') },
        change: ({ two }) => runAs(two, 'v1.19.4'),
      },
      {
        when: 'the image of one pod was changed in place, and the DaemonSet says that all are of its template',
        severity: 'fail',
        cluster: 'mesh-2',
        args: { context: 'mesh-2', oldest: '1.18', newest: '1.20', isUpgrade: false, ...oneOf('1.18') },
        change: ({ two }) => editPod(two, 'v1.18.2'),
      },
    ],
    'version-skew': [
      {
        when: 'agents of a cluster are upgraded, and its DaemonSet was put back',
        severity: 'fail',
        args: { versions: ['mesh-2: 1.18.2', 'mesh-1: 1.20.0'] },
        change: ({ two }) => runAs(two, 'v1.18.2', 2),
      },
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
        args: { context: 'mesh-2', apiserver: '1.19.4', agents: '1.20' },
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
