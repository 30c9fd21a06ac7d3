import { type CheckScenario, checkScenarios, configure, edit } from '../support/check-scenarios.ts';
import { addNode } from '../support/fault-parts.ts';
import { refs } from '../support/sandbox-mesh.ts';

const DAEMON_SET = { apiVersion: 'apps/v1', kind: 'DaemonSet', namespace: 'kube-system', name: 'cilium' };

/** mesh-2 differs in what cilium-config says. */
const differing = (
  when: string,
  severity: CheckScenario['severity'],
  settings: Record<string, string | undefined>,
): CheckScenario => ({ when, severity, change: ({ two }) => configure(two, settings) });

checkScenarios(
  'config',
  { state: 'installed' },
  {
    'agents-run': [
      {
        when: 'the DaemonSet of a cluster wants its agents where no node is',
        severity: 'fail',
        cluster: 'mesh-2',
        change: ({ two }) =>
          edit(two, DAEMON_SET, (daemonSet) => {
            const { template } = daemonSet.spec as { template: { spec: Record<string, unknown> } };
            template.spec.nodeSelector = { no: 'where' };
          }),
      },
    ],
    'agents-placed': [
      {
        when: 'the DaemonSet of a cluster leaves out a node that is ready',
        severity: 'warn',
        cluster: 'mesh-2',
        args: { by: 'node affinity kubernetes.io/hostname notin (mesh-2-node-2)', nodes: ['mesh-2-node-2'] },
        change: ({ two }) => {
          const key = 'kubernetes.io/hostname';
          const matchExpressions = [{ key, operator: 'NotIn', values: ['mesh-2-node-2'] }];
          const undo = edit(two, DAEMON_SET, (daemonSet) => {
            const { template } = daemonSet.spec as { template: { spec: Record<string, unknown> } };
            const nodeSelectorTerms = [{ matchExpressions }];
            template.spec.affinity = {
              nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } },
            };
          });
          addNode(two, 'mesh-2-node-2', '172.18.2.12');
          return () => {
            two.store.delete({ apiVersion: 'v1', kind: 'Node', name: 'mesh-2-node-2' });
            undo();
          };
        },
      },
    ],
    'datapath-mode': [differing('one cluster routes natively', 'fail', { 'routing-mode': 'native' })],
    'tunnel-protocol': [differing('one cluster uses Geneve', 'fail', { 'tunnel-protocol': 'geneve' })],
    'tunnel-port': [differing('one cluster uses another port', 'fail', { 'tunnel-port': '8473' })],
    'global-namespaces': [
      differing('one cluster shares by name only', 'warn', { 'clustermesh-default-global-namespace': 'false' }),
    ],
    'mcs-api': [differing('one cluster has it on', 'warn', { 'clustermesh-enable-mcs-api': 'true' })],
    'cluster-id-of-eni': [differing('a cluster of ENIs has the id 128', 'fail', { ipam: 'eni', 'cluster-id': '128' })],
    'cilium-endpoints': [differing('a cluster writes no CiliumEndpoints', 'fail', { 'disable-endpoint-crd': 'true' })],
    ztunnel: [differing('a cluster encrypts with ztunnel', 'fail', { 'enable-ztunnel': 'true' })],
    'wireguard-of-nodes': [
      {
        when: 'agents dial by themselves, with all that makes their way back another',
        severity: 'warn',
        cluster: 'mesh-2',
        change({ two }) {
          const deployment = { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'kube-system' };
          const containers = [{ name: 'etcd', image: 'none' }];
          two.store.create({
            apiVersion: 'apps/v1',
            kind: 'Deployment',
            metadata: { name: 'clustermesh-apiserver', namespace: 'kube-system' },
            spec: { replicas: 0, selector: { matchLabels: { a: 'b' } }, template: { spec: { containers } } },
          });
          const undo = configure(two, {
            'enable-wireguard': 'true',
            'encrypt-node': 'true',
            'kube-proxy-replacement': 'true',
          });
          return () => {
            undo();
            two.store.delete({ ...deployment, name: 'clustermesh-apiserver' });
          };
        },
      },
    ],
    'settings-running': [
      {
        ...differing('agents were started before a setting was set', 'warn', {
          'policy-default-local-cluster': 'false',
        }),
        cluster: 'mesh-2',
      },
    ],
    'ipsec-keys': [
      {
        when: 'two clusters have different keys',
        severity: 'fail',
        args: { contexts: ['mesh-1', 'mesh-2'] },
        change({ one, two }) {
          const name = 'cilium-ipsec-keys';
          const undo = [one, two].map((cluster) => {
            const keys = Buffer.from(`3+ rfc4106(gcm(aes)) ${cluster.name} 128`).toString('base64');
            const metadata = { name, namespace: 'kube-system' };
            cluster.store.create({ apiVersion: 'v1', kind: 'Secret', metadata, data: { keys } });
            return configure(cluster, { 'enable-ipsec': 'true' });
          });
          return () => {
            for (const back of undo) back();
            for (const { store } of [one, two]) store.delete(refs.secret(name));
          };
        },
      },
    ],
    encryption: [
      differing('one cluster uses WireGuard', 'fail', { 'enable-wireguard': 'true' }),
      differing('one cluster uses IPsec', 'warn', { 'enable-ipsec': 'true' }),
    ],
    'policy-default-local-cluster': [
      differing('one cluster has it off', 'warn', { 'policy-default-local-cluster': 'false' }),
    ],
    'ip-families': [
      differing('one cluster has IPv6 too', 'warn', { 'enable-ipv6': 'true' }),
      differing('one cluster has IPv6 only', 'fail', { 'enable-ipv4': 'false', 'enable-ipv6': 'true' }),
    ],
  },
);
