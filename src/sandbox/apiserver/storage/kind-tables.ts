/** Group, versions, kind, plural, short names, scope (n: namespaced, c: cluster), subresources, categories. */
export type Row = [string, string[], string, string, string[], 'n' | 'c', string[], string[]];

/**
 * The kinds of a Kubernetes 1.36 whose objects are stored, one a line in the order of its groups: group, kind, plural, scope,
 * then short names after `-`, subresources after `/`, categories after `+`. Its version is v1 unless the kind says otherwise.
 */
const KINDS = `
core ConfigMap configmaps n -cm
core Endpoints endpoints n -ep
core Event events n -ev
core LimitRange limitranges n -limits
core Namespace namespaces c -ns /status
core Node nodes c -no /status
core PersistentVolumeClaim persistentvolumeclaims n -pvc /status
core PersistentVolume persistentvolumes c -pv /status
core Pod pods n -po /status /log /exec /portforward /ephemeralcontainers /eviction +all
core PodTemplate podtemplates n
core ReplicationController replicationcontrollers n -rc /status /scale +all
core ResourceQuota resourcequotas n -quota /status
core Secret secrets n
core ServiceAccount serviceaccounts n -sa
core Service services n -svc /status +all
apiregistration.k8s.io APIService apiservices c /status +api-extensions
apps ControllerRevision controllerrevisions n
apps DaemonSet daemonsets n -ds /status +all
apps Deployment deployments n -deploy /status /scale +all
apps ReplicaSet replicasets n -rs /status /scale +all
apps StatefulSet statefulsets n -sts /status /scale +all
autoscaling HorizontalPodAutoscaler:v2,v1 horizontalpodautoscalers n -hpa /status +all
batch CronJob cronjobs n -cj /status +all
batch Job jobs n /status +all
certificates.k8s.io CertificateSigningRequest certificatesigningrequests c -csr /status
networking.k8s.io IngressClass ingressclasses c
networking.k8s.io Ingress ingresses n -ing /status
networking.k8s.io IPAddress ipaddresses c -ip
networking.k8s.io NetworkPolicy networkpolicies n -netpol
networking.k8s.io ServiceCIDR servicecidrs c /status
policy PodDisruptionBudget poddisruptionbudgets n -pdb /status
rbac.authorization.k8s.io ClusterRoleBinding clusterrolebindings c
rbac.authorization.k8s.io ClusterRole clusterroles c
rbac.authorization.k8s.io RoleBinding rolebindings n
rbac.authorization.k8s.io Role roles n
storage.k8s.io CSIDriver csidrivers c
storage.k8s.io CSINode csinodes c
storage.k8s.io CSIStorageCapacity csistoragecapacities n
storage.k8s.io StorageClass storageclasses c -sc
storage.k8s.io VolumeAttachment volumeattachments c /status
storage.k8s.io VolumeAttributesClass volumeattributesclasses c -vac
admissionregistration.k8s.io MutatingAdmissionPolicy mutatingadmissionpolicies c +api-extensions
admissionregistration.k8s.io MutatingAdmissionPolicyBinding mutatingadmissionpolicybindings c +api-extensions
admissionregistration.k8s.io MutatingWebhookConfiguration mutatingwebhookconfigurations c +api-extensions
admissionregistration.k8s.io ValidatingAdmissionPolicy validatingadmissionpolicies c /status +api-extensions
admissionregistration.k8s.io ValidatingAdmissionPolicyBinding validatingadmissionpolicybindings c +api-extensions
admissionregistration.k8s.io ValidatingWebhookConfiguration validatingwebhookconfigurations c +api-extensions
apiextensions.k8s.io CustomResourceDefinition customresourcedefinitions c -crd -crds /status +api-extensions
scheduling.k8s.io PriorityClass priorityclasses c -pc
coordination.k8s.io Lease leases n
node.k8s.io RuntimeClass runtimeclasses c
discovery.k8s.io EndpointSlice endpointslices n
resource.k8s.io DeviceClass deviceclasses c
resource.k8s.io ResourceClaim resourceclaims n /status
resource.k8s.io ResourceClaimTemplate resourceclaimtemplates n
resource.k8s.io ResourceSlice resourceslices c
flowcontrol.apiserver.k8s.io FlowSchema flowschemas c /status
flowcontrol.apiserver.k8s.io PriorityLevelConfiguration prioritylevelconfigurations c /status
`;

function rowOf(line: string): Row {
  const [group = '', named = '', plural = '', scope, ...rest] = line.split(' ');
  const [kind = '', versions = 'v1'] = named.split(':');
  const marked = (mark: string): string[] => rest.filter((word) => word[0] === mark).map((word) => word.slice(1));
  const isNamespaced = scope === 'n';
  return [
    group === 'core' ? '' : group,
    versions.split(','),
    kind,
    plural,
    marked('-'),
    isNamespaced ? 'n' : 'c',
    marked('/'),
    marked('+'),
  ];
}

/** The built-in kinds. */
export const BUILT_IN: Row[] = KINDS.trim().split('\n').map(rowOf);

/** What an installed Cilium defines, and the sandbox's own. Their definitions are not among the objects. */
export const CUSTOM: Row[] = [
  ['cilium.io', ['v2'], 'CiliumNode', 'ciliumnodes', ['cn', 'ciliumn'], 'c', ['status'], ['cilium']],
  ['cilium.io', ['v2'], 'CiliumEndpoint', 'ciliumendpoints', ['cep', 'ciliumep'], 'n', ['status'], ['cilium']],
  ['cilium.io', ['v2'], 'CiliumIdentity', 'ciliumidentities', ['ciliumid'], 'c', ['status'], ['cilium']],
  [
    'cilium.io',
    ['v2'],
    'CiliumNetworkPolicy',
    'ciliumnetworkpolicies',
    ['cnp', 'ciliumnp'],
    'n',
    ['status'],
    ['cilium', 'ciliumpolicy'],
  ],
  [
    'cilium.io',
    ['v2'],
    'CiliumClusterwideNetworkPolicy',
    'ciliumclusterwidenetworkpolicies',
    ['ccnp'],
    'c',
    ['status'],
    ['cilium', 'ciliumpolicy'],
  ],
  [
    'cilium.io',
    ['v2', 'v2alpha1'],
    'CiliumLoadBalancerIPPool',
    'ciliumloadbalancerippools',
    ['ippools', 'ippool', 'lbippool', 'lbippools'],
    'c',
    ['status'],
    ['cilium'],
  ],
  [
    'cilium.io',
    ['v2', 'v2alpha1'],
    'CiliumBGPClusterConfig',
    'ciliumbgpclusterconfigs',
    ['cbgpcluster'],
    'c',
    ['status'],
    ['cilium', 'ciliumbgp'],
  ],
  [
    'cilium.io',
    ['v2', 'v2alpha1'],
    'CiliumBGPPeerConfig',
    'ciliumbgppeerconfigs',
    ['cbgppeer'],
    'c',
    ['status'],
    ['cilium', 'ciliumbgp'],
  ],
  [
    'cilium.io',
    ['v2', 'v2alpha1'],
    'CiliumBGPAdvertisement',
    'ciliumbgpadvertisements',
    ['cbgpadvert'],
    'c',
    [],
    ['cilium', 'ciliumbgp'],
  ],
  [
    'cilium.io',
    ['v2', 'v2alpha1'],
    'CiliumBGPNodeConfig',
    'ciliumbgpnodeconfigs',
    ['cbgpnode'],
    'c',
    ['status'],
    ['cilium', 'ciliumbgp'],
  ],
  [
    'cilium.io',
    ['v2', 'v2alpha1'],
    'CiliumBGPNodeConfigOverride',
    'ciliumbgpnodeconfigoverrides',
    ['cbgpnodeoverride'],
    'c',
    [],
    ['cilium', 'ciliumbgp'],
  ],
  ['cilium.io', ['v2alpha1'], 'CiliumEndpointSlice', 'ciliumendpointslices', ['ces'], 'c', [], ['cilium']],
  ['sandbox.meshctl.io', ['v1'], 'NetworkRule', 'networkrules', [], 'c', [], []],
];

/** Built-in kinds whose API keeps no generation. */
export const WITHOUT_GENERATION = new Set([
  'Namespace',
  'Node',
  'Service',
  'Endpoints',
  'Secret',
  'ConfigMap',
  'ServiceAccount',
  'Event',
  'Role',
  'RoleBinding',
  'ClusterRole',
  'ClusterRoleBinding',
  'Lease',
  'LimitRange',
  'PersistentVolume',
  'PersistentVolumeClaim',
  'PodTemplate',
  'ResourceQuota',
  'ControllerRevision',
  'StorageClass',
  'CSINode',
  'RuntimeClass',
]);
