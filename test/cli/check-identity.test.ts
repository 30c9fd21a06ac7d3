import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { isPodRunning } from '../../src/mesh/objects/pods.ts';
import type { SandboxCluster } from '../../src/sandbox/sandbox.ts';
import { checkScenarios, configure, edit, type Undo } from '../support/check-scenarios.ts';
import { eventually, refs } from '../support/sandbox-mesh.ts';

/** Pods that start while cilium-config is another one, which is then put back. */
async function startUnder(cluster: SandboxCluster, app: string, settings: Record<string, string>): Promise<Undo> {
  const putBack = configure(cluster, settings);
  await restart(cluster, app);
  await putBack();
  return () => restart(cluster, app);
}

/** Deletes pods, and waits until others run in their place; with agents the operator, which is to be as young as they are. */
async function restart({ store, namespace }: SandboxCluster, app: string): Promise<void> {
  const isOne = ({ metadata: { labels = {} } }: KubeObject) =>
    labels['k8s-app'] === app || (app === 'cilium' && labels['io.cilium/app'] === 'operator');
  const pods = { apiVersion: 'v1', kind: 'Pod', namespace };
  const former = store.list(pods).filter(isOne);
  for (const { metadata } of former) store.delete({ ...pods, name: metadata.name });
  const uids = former.map(({ metadata }) => metadata.uid);
  await eventually(
    () => store.list(pods).filter((pod) => isOne(pod) && !uids.includes(pod.metadata.uid) && isPodRunning(pod)),
    (successors) => successors.length >= former.length,
    `${app} runs again`,
  );
}

/** Agents do not look at the files of peers that there are not. */
const NEVER_MS = 3_600_000;

checkScenarios(
  'identity',
  { state: 'connected', options: { timings: { secretSyncMs: NEVER_MS } } },
  {
    'cluster-identity': [
      {
        when: 'a cluster has the id 0',
        severity: 'fail',
        cluster: 'mesh-2',
        change: ({ two }) => configure(two, { 'cluster-id': '0' }),
      },
      {
        when: 'a cluster has no name',
        severity: 'fail',
        cluster: 'mesh-2',
        change: ({ two }) => configure(two, { 'cluster-name': undefined }),
      },
      {
        when: 'Cilium keeps its state in a kvstore',
        severity: 'fail',
        cluster: 'mesh-2',
        change: ({ two }) => configure(two, { 'identity-allocation-mode': 'kvstore' }),
      },
    ],
    'cluster-name-unique': [
      {
        when: 'two clusters have one name',
        severity: 'fail',
        args: { name: 'mesh-1', contexts: ['mesh-1', 'mesh-2'] },
        change: ({ two }) => configure(two, { 'cluster-name': 'mesh-1' }),
      },
    ],
    'cluster-id-unique': [
      {
        when: 'two clusters have one id',
        severity: 'fail',
        args: { clusterId: 1 },
        change: ({ two }) => configure(two, { 'cluster-id': '1' }),
      },
    ],
    'peer-identity': [
      {
        when: 'a peer has another id than the one that it was connected with',
        severity: 'fail',
        cluster: 'mesh-1',
        args: { name: 'mesh-2', known: 2, id: 7 },
        change: ({ two }) => configure(two, { 'cluster-id': '7' }),
      },
    ],
    'peer-renamed': [
      {
        when: 'a peer serves under another name by now',
        severity: 'fail',
        cluster: 'mesh-1',
        args: { context: 'mesh-1', former: 'mesh-2', name: 'mesh-9', named: 'mesh-2' },
        async change({ two }) {
          const putBack = configure(two, { 'cluster-name': 'mesh-9' });
          const undo = await edit(two, refs.deployment('clustermesh-apiserver'), (deployment) => {
            const { template } = deployment.spec as { template: { metadata: { annotations: Record<string, string> } } };
            template.metadata.annotations['meshctl.io/cluster'] = 'mesh-9/2';
          });
          return async () => {
            await undo();
            await putBack();
          };
        },
      },
    ],
    'identity-running': [
      {
        when: 'a cluster was renamed, and nothing was restarted',
        severity: 'fail',
        cluster: 'mesh-2',
        args: {
          wanted: 'mesh-9, id 2',
          reasons: ['the clustermesh-apiserver runs as mesh-2, id 2', 'agents run as mesh-2 (mesh-2-node-1)'],
        },
        change: ({ two }) => configure(two, { 'cluster-name': 'mesh-9' }),
      },
      {
        when: 'the clustermesh-apiserver was restarted under a name that was taken back since',
        severity: 'fail',
        cluster: 'mesh-2',
        args: {
          wanted: 'mesh-2, id 2',
          reasons: ['the clustermesh-apiserver was started under another name: its etcd has no user local-mesh-2'],
        },
        change: ({ two }) => startUnder(two, 'clustermesh-apiserver', { 'cluster-name': 'mesh-9' }),
      },
      {
        when: 'agents were restarted under an id that was taken back since',
        severity: 'fail',
        cluster: 'mesh-2',
        args: { wanted: 'mesh-2, id 2', reasons: ['agents run as mesh-2, id 9 (mesh-2-node-1)'] },
        change: ({ two }) => startUnder(two, 'cilium', { 'cluster-id': '9' }),
      },
    ],
    'operator-running': [
      {
        when: 'the operator is older than the name, which agents have',
        severity: 'warn',
        cluster: 'mesh-2',
        args: { wanted: 'mesh-2, id 2', startedAt: '2020-01-01T00:00:00.000Z' },
        change: ({ two }) => {
          // One of a node that is gone: no kubelet of the sandbox writes its status.
          const labels = { 'io.cilium/app': 'operator' };
          const ref = { apiVersion: 'v1', kind: 'Pod', namespace: 'kube-system', name: 'old-operator' };
          two.store.create({
            apiVersion: 'v1',
            kind: 'Pod',
            metadata: { name: ref.name, namespace: ref.namespace, labels },
            spec: { nodeName: 'gone', containers: [{ name: 'cilium-operator', image: 'operator' }] },
            status: { phase: 'Running', startTime: '2020-01-01T00:00:00Z' },
          });
          return () => two.store.delete(ref);
        },
      },
    ],
    'max-connected-clusters-equal': [
      {
        when: 'one cluster is made for 511',
        severity: 'fail',
        change: ({ two }) => configure(two, { 'max-connected-clusters': '511' }),
      },
    ],
    'max-connected-clusters-running': [
      {
        when: 'cilium-config was changed since',
        severity: 'fail',
        cluster: 'mesh-2',
        change: ({ two }) => configure(two, { 'max-connected-clusters': '511' }),
      },
    ],
    'max-connected-clusters-agents': [
      {
        when: 'agents were restarted while cilium-config had another one',
        severity: 'fail',
        cluster: 'mesh-2',
        args: { wanted: 255, runs: 511, nodes: 'mesh-2-node-1' },
        change: ({ two }) => startUnder(two, 'cilium', { 'max-connected-clusters': '511' }),
      },
    ],
    'peer-secret-room': [
      {
        when: 'the Secret has so many peers that a second CA of each would be too much',
        severity: 'warn',
        cluster: 'mesh-1',
        args: { secret: 'cilium-kvstoremesh', peers: 201 },
        change: ({ one }) => {
          const encoded = (text: string) => Buffer.from(text).toString('base64');
          return edit(one, refs.secret('cilium-kvstoremesh'), (secret) => {
            const data = secret.data as Record<string, string>;
            const more = Array.from({ length: 200 }, (_, index) => [
              [`more-${index}`, encoded('endpoints:\n- https://192.0.2.1:2379\n')],
              ...['.etcd-client-ca.crt', '.etcd-client.crt', '.etcd-client.key'].map((end) => [
                `more-${index}${end}`,
                data[`mesh-2${end}`],
              ]),
            ]).flat();
            secret.data = { ...data, ...Object.fromEntries(more) };
          });
        },
      },
    ],
    'mesh-size': [
      {
        when: 'a cluster dials more peers than there may be',
        severity: 'fail',
        args: { clusters: 256, max: 255 },
        change: ({ one }) => {
          const file = Buffer.from('endpoints:\n- https://192.0.2.1:2379\n').toString('base64');
          return edit(one, refs.secret('cilium-clustermesh'), (secret) => {
            const more = Array.from({ length: 254 }, (_, index) => [`more-${index}`, file]);
            secret.data = { ...(secret.data as object), ...Object.fromEntries(more) };
          });
        },
      },
    ],
  },
);
