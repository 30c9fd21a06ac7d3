import { remoteUserName, remoteUsersFile } from '../mesh/peers/file/peer-config.ts';
import { CA_BUNDLE_CONDITIONS } from './ca-bundle.ts';
import type { PatchPath, TemplateCondition, VersionRange } from './template-condition.ts';
import type { RenderValues } from './values.ts';

const POD = ['spec', 'template', 'spec'] as const;
const INIT = [...POD, 'initContainers', 'etcd-init'] as const;
const ETCD = [...POD, 'containers', 'etcd'] as const;
const APISERVER = [...POD, 'containers', 'apiserver'] as const;
const KVSTOREMESH = [...POD, 'containers', 'kvstoremesh'] as const;

/** etcd listened on the pod's address until 1.18.4; the change came to the main branch between 1.19.0-pre.2 and -pre.3. */
const LISTENS_ON_POD_IP: readonly VersionRange[] = [
  { until: '1.18.5' },
  { since: '1.19.0-pre.0', until: '1.19.0-pre.3' },
];
const LISTENS_EVERYWHERE: readonly VersionRange[] = [
  { since: '1.18.5', until: '1.19.0-pre.0' },
  { since: '1.19.0-pre.3' },
];

const withoutKvstoremesh = (values: RenderValues) => !values.kvstoremesh;

/**
 * All that differs between versions, settings and options, in one place. Source: Cilium's charts from 1.16.0 to
 * 1.21.0-pre.0, templates/clustermesh-apiserver and clustermesh-config, with authMode `migration`; the versions are the first
 * ones whose chart has the change, patch releases and pre-releases included, because a flag that a binary does not know ends it.
 */
export const CONDITIONS: readonly TemplateCondition[] = [
  // ClusterRole
  {
    template: 'cluster-role',
    path: ['rules', 1, 'verbs'],
    versions: [{ since: '1.17.0-pre.0' }],
    action: 'set',
    value: () => ['get', 'list', 'watch'],
  },
  {
    template: 'cluster-role',
    path: ['rules', 0, 'resources'],
    versions: [{ since: '1.18.0-pre.2' }],
    action: 'append',
    value: () => 'ciliumendpointslices',
  },
  {
    template: 'cluster-role',
    path: ['rules', 2, 'resources'],
    versions: [{ until: '1.20.0-pre.4' }],
    action: 'append',
    value: () => 'endpoints',
  },
  {
    template: 'cluster-role',
    path: ['rules'],
    versions: [{ since: '1.17.0-pre.0' }],
    when: ({ settings }) => settings.mcsApi,
    action: 'append',
    value: () => ({
      apiGroups: ['multicluster.x-k8s.io'],
      resources: ['serviceexports'],
      verbs: ['get', 'list', 'watch'],
    }),
  },
  { template: 'cluster-role-binding', path: ['subjects', 0, 'namespace'], action: 'set', value: (v) => v.namespace },

  // Service
  { template: 'service', path: ['spec', 'type'], action: 'set', value: (v) => v.serviceType },
  {
    template: 'service',
    path: ['metadata', 'annotations'],
    when: ({ serviceAnnotations }) => Object.keys(serviceAnnotations).length > 0,
    action: 'set',
    value: (v) => ({ ...v.serviceAnnotations }),
  },
  {
    template: 'service',
    path: ['spec', 'ports', 0, 'nodePort'],
    when: ({ serviceType, nodePort }) => serviceType === 'NodePort' && nodePort !== undefined,
    action: 'set',
    value: (v) => v.nodePort,
  },
  {
    template: 'service',
    path: ['spec', 'ports', 0, 'targetPort'],
    versions: [{ since: '1.21.0-pre.0' }],
    action: 'set',
    value: () => 2379,
  },
  {
    template: 'service',
    path: ['spec', 'loadBalancerClass'],
    when: ({ serviceType, loadBalancerClass }) => serviceType === 'LoadBalancer' && loadBalancerClass !== undefined,
    action: 'set',
    value: (v) => v.loadBalancerClass,
  },
  {
    template: 'service',
    path: ['spec', 'loadBalancerIP'],
    when: ({ serviceType, loadBalancerIp }) => serviceType === 'LoadBalancer' && loadBalancerIp !== undefined,
    action: 'set',
    value: (v) => v.loadBalancerIp,
  },
  {
    template: 'service',
    path: ['spec', 'loadBalancerSourceRanges'],
    when: ({ serviceType, loadBalancerSourceRanges = [] }) =>
      serviceType === 'LoadBalancer' && loadBalancerSourceRanges.length > 0,
    action: 'set',
    value: (v) => [...(v.loadBalancerSourceRanges ?? [])],
  },
  {
    template: 'service',
    path: ['spec', 'externalTrafficPolicy'],
    when: ({ externalTrafficPolicy }) => externalTrafficPolicy !== undefined,
    action: 'set',
    value: (v) => v.externalTrafficPolicy,
  },
  {
    // The API server refuses the field on a Service that is not reachable from outside; the chart leaves that to the user.
    template: 'service',
    path: ['spec', 'externalTrafficPolicy'],
    when: ({ serviceType }) => serviceType === 'ClusterIP',
    action: 'remove',
  },
  {
    // Each replica has an etcd of its own: a client that changed between them would read everything anew.
    template: 'service',
    path: ['spec', 'sessionAffinity'],
    when: ({ replicas }) => replicas > 1,
    action: 'set',
    value: () => 'ClientIP',
  },

  // Users: before 1.17 the own cluster logs in to its KVStoreMesh cache as a peer would.
  {
    template: 'remote-users',
    path: ['data', 'users.yaml'],
    versions: [{ until: '1.17.0-pre.0' }],
    when: ({ kvstoremesh }) => kvstoremesh,
    action: 'set',
    value: (v) => remoteUsersFile([{ name: remoteUserName(v.clusterName), role: 'remote' }]),
  },

  { template: 'pod-disruption-budget', path: [], when: (v) => !v.podDisruptionBudget, action: 'remove' },
  { template: 'service-monitor', path: [], when: (v) => !v.serviceMonitor, action: 'remove' },
  {
    template: 'service-monitor',
    path: ['spec', 'namespaceSelector', 'matchNames'],
    action: 'set',
    value: (v) => [v.namespace],
  },
  {
    template: 'service-monitor',
    path: ['metadata', 'labels', 'app.kubernetes.io/name'],
    versions: [{ until: '1.18.0-pre.0' }],
    action: 'remove',
  },
  {
    // kvmesh-metrics
    template: 'service-monitor',
    path: ['spec', 'endpoints', 1],
    when: withoutKvstoremesh,
    action: 'remove',
  },

  // Deployment
  { template: 'deployment', path: ['spec', 'replicas'], action: 'set', value: (v) => v.replicas },
  {
    template: 'deployment',
    path: ['spec', 'template', 'metadata', 'annotations', 'kubectl.kubernetes.io/default-container'],
    versions: [{ since: '1.18.0-pre.2' }],
    action: 'set',
    value: () => 'apiserver',
  },
  ...[INIT, ETCD, APISERVER, KVSTOREMESH].map(
    (container): TemplateCondition => ({
      template: 'deployment',
      path: [...container, 'image'],
      action: 'set',
      value: (v) => v.image,
    }),
  ),
  // What else `restricted` asks for is in the template; upstream's chart does without, so only where it is needed.
  {
    template: 'deployment',
    path: [...POD, 'securityContext'],
    when: ({ restricted }) => restricted === true,
    action: 'merge',
    value: () => ({ seccompProfile: { type: 'RuntimeDefault' } }),
  },
  {
    template: 'deployment',
    path: [...POD, 'tolerations'],
    when: ({ tolerations = [] }) => tolerations.length > 0,
    action: 'set',
    value: (v) => v.tolerations ?? [],
  },
  {
    template: 'deployment',
    path: [...POD, 'imagePullSecrets'],
    when: ({ pullSecrets = [] }) => pullSecrets.length > 0,
    action: 'set',
    value: (v) => (v.pullSecrets ?? []).map((name) => ({ name })),
  },
  {
    template: 'deployment',
    path: [...POD, 'volumes', 'etcd-data-dir', 'emptyDir', 'medium'],
    when: ({ etcdStorage }) => etcdStorage === 'memory',
    action: 'set',
    value: () => 'Memory',
  },
  ...[ETCD, APISERVER, KVSTOREMESH].map(
    (container): TemplateCondition => ({
      template: 'deployment',
      path: [...container, 'resources'],
      when: ({ resources = {} }) => resources[container[4]] !== undefined,
      action: 'set',
      value: ({ resources = {} }) => resources[container[4]],
    }),
  ),
  ...[INIT, APISERVER, KVSTOREMESH].map((container) =>
    argument(container, () => '--debug', { when: (v) => v.settings.debug }),
  ),

  ...CA_BUNDLE_CONDITIONS,

  // etcd
  argument(ETCD, () => '--listen-client-urls=https://127.0.0.1:2379,https://[$(HOSTNAME_IP)]:2379', {
    versions: LISTENS_ON_POD_IP,
  }),
  argument(ETCD, () => '--advertise-client-urls=https://[$(HOSTNAME_IP)]:2379', { versions: LISTENS_ON_POD_IP }),
  argument(ETCD, () => '--listen-metrics-urls=http://[$(HOSTNAME_IP)]:9963', { versions: LISTENS_ON_POD_IP }),
  {
    template: 'deployment',
    path: [...ETCD, 'env'],
    versions: LISTENS_ON_POD_IP,
    action: 'append',
    value: () => ({ name: 'HOSTNAME_IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } }),
  },
  argument(ETCD, () => '--listen-client-urls=https://0.0.0.0:2379', { versions: LISTENS_EVERYWHERE }),
  argument(ETCD, () => '--advertise-client-urls=https://localhost:2379', { versions: LISTENS_EVERYWHERE }),
  argument(ETCD, () => '--listen-metrics-urls=http://0.0.0.0:9963', { versions: LISTENS_EVERYWHERE }),
  argument(ETCD, () => '--enable-grpc-gateway=false', { versions: [{ since: '1.19.0-pre.4' }] }),

  // apiserver
  argument(APISERVER, () => '--kvstore-opt=etcd.qps=20', { versions: [{ until: '1.20.0-pre.4' }] }),
  argument(APISERVER, () => '--kvstore-opt=etcd.qps=50', { versions: [{ since: '1.20.0-pre.4' }] }),
  argument(APISERVER, (v) => `--max-connected-clusters=${v.maxConnectedClusters}`),
  argument(APISERVER, () => '--enable-external-workloads=false', { versions: [{ until: '1.18.0-pre.0' }] }),
  argument(APISERVER, () => '--clustermesh-enable-mcs-api', {
    versions: [{ since: '1.17.0-pre.0' }],
    when: ({ settings }) => settings.mcsApi,
  }),
  argument(APISERVER, () => '--enable-cilium-endpoint-slice', {
    versions: [{ since: '1.18.0-pre.2' }],
    when: ({ settings }) => settings.endpointSlices,
  }),
  argument(APISERVER, (v) => `--clustermesh-default-global-namespace=${v.settings.defaultGlobalNamespace}`, {
    versions: [{ since: '1.20.0-pre.0' }],
  }),

  // KVStoreMesh
  argument(KVSTOREMESH, (v) => `--max-connected-clusters=${v.maxConnectedClusters}`),
  argument(KVSTOREMESH, () => '--enable-heartbeat=false', { versions: [{ since: '1.18.0-pre.3' }] }),
  argument(KVSTOREMESH, (v) => `--clustermesh-cache-ttl=${v.settings.cacheTtl}`, {
    versions: [{ since: '1.19.0-pre.2' }],
  }),
  { template: 'local-cert', path: [], when: withoutKvstoremesh, action: 'remove' },
  { template: 'kvstoremesh-peers', path: [], when: withoutKvstoremesh, action: 'remove' },
  {
    template: 'metrics-service',
    path: ['spec', 'ports', 'kvmesh-metrics'],
    when: withoutKvstoremesh,
    action: 'remove',
  },
  { template: 'deployment', path: KVSTOREMESH, when: withoutKvstoremesh, action: 'remove' },
  {
    template: 'deployment',
    path: [...POD, 'volumes', 'kvstoremesh-secrets'],
    when: withoutKvstoremesh,
    action: 'remove',
  },
];

/** An argument of a container. */
function argument(
  container: PatchPath,
  value: (values: RenderValues) => string,
  condition: Pick<TemplateCondition, 'versions' | 'when'> = {},
): TemplateCondition {
  return { ...condition, template: 'deployment', path: [...container, 'args'], action: 'append', value };
}
