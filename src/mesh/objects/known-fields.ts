// The fields of built-in kinds, one type a line: its name, then its fields with their types where those are listed too.
// From the published API reference of Kubernetes 1.36.
const TABLE = `
AppArmorProfile type localhostProfile
Capabilities add drop
ClientIPConfig timeoutSeconds
ClusterRole apiVersion kind metadata:ObjectMeta rules:PolicyRule aggregationRule
ClusterRoleBinding apiVersion kind metadata:ObjectMeta subjects:Subject roleRef:RoleRef
ConfigMap apiVersion kind metadata:ObjectMeta immutable data binaryData
ConfigMapEnvSource name optional
ConfigMapKeySelector name key optional
ConfigMapProjection name items:KeyToPath optional
ConfigMapVolumeSource name items:KeyToPath defaultMode optional
Container name image command args workingDir ports:ContainerPort envFrom:EnvFromSource env:EnvVar
  resources:ResourceRequirements resizePolicy restartPolicy restartPolicyRules volumeMounts:VolumeMount
  volumeDevices livenessProbe:Probe readinessProbe:Probe startupProbe:Probe lifecycle:Lifecycle
  terminationMessagePath terminationMessagePolicy imagePullPolicy securityContext:SecurityContext stdin
  stdinOnce tty
ContainerPort name hostPort containerPort protocol hostIP
ContainerResourceClaim name request
DaemonSet apiVersion kind metadata:ObjectMeta spec:DaemonSetSpec status
DaemonSetSpec selector:LabelSelector template:PodTemplateSpec updateStrategy:DaemonSetUpdateStrategy
  minReadySeconds revisionHistoryLimit
DaemonSetUpdateStrategy type rollingUpdate:RollingUpdateDaemonSet
Deployment apiVersion kind metadata:ObjectMeta spec:DeploymentSpec status
DeploymentSpec replicas selector:LabelSelector template:PodTemplateSpec strategy:DeploymentStrategy
  minReadySeconds revisionHistoryLimit paused progressDeadlineSeconds
DeploymentStrategy type rollingUpdate:RollingUpdateDeployment
DownwardAPIProjection items:DownwardAPIVolumeFile
DownwardAPIVolumeFile path fieldRef:ObjectFieldSelector resourceFieldRef:ResourceFieldSelector mode
DownwardAPIVolumeSource items:DownwardAPIVolumeFile defaultMode
EmptyDirVolumeSource medium sizeLimit
Endpoint addresses conditions:EndpointConditions hostname targetRef:ObjectReference nodeName zone hints
EndpointConditions ready serving terminating
EndpointPort name port protocol appProtocol
EndpointSlice apiVersion kind metadata:ObjectMeta addressType endpoints:Endpoint ports:EndpointPort
EnvFromSource prefix configMapRef:ConfigMapEnvSource secretRef:SecretEnvSource
EnvVar name value valueFrom:EnvVarSource
EnvVarSource fieldRef:ObjectFieldSelector resourceFieldRef:ResourceFieldSelector
  configMapKeyRef:ConfigMapKeySelector secretKeyRef:SecretKeySelector fileKeyRef
ExecAction command
GRPCAction port service
HTTPGetAction path port host scheme httpHeaders:HTTPHeader
HTTPHeader name value
HostAlias ip hostnames
HostPathVolumeSource path type
KeyToPath key path mode
LabelSelector matchLabels matchExpressions:LabelSelectorRequirement
LabelSelectorRequirement key operator values
Lease apiVersion kind metadata:ObjectMeta spec:LeaseSpec
LeaseSpec holderIdentity leaseDurationSeconds acquireTime renewTime leaseTransitions strategy preferredHolder
Lifecycle postStart:LifecycleHandler preStop:LifecycleHandler stopSignal
LifecycleHandler exec:ExecAction httpGet:HTTPGetAction tcpSocket:TCPSocketAction sleep:SleepAction
LocalObjectReference name
Namespace apiVersion kind metadata:ObjectMeta spec:NamespaceSpec status
NamespaceSpec finalizers
ObjectFieldSelector apiVersion fieldPath
ObjectMeta name generateName namespace selfLink uid resourceVersion generation creationTimestamp
  deletionTimestamp deletionGracePeriodSeconds labels annotations ownerReferences:OwnerReference finalizers
  managedFields
ObjectReference kind namespace name uid apiVersion resourceVersion fieldPath
OwnerReference apiVersion kind name uid controller blockOwnerDeletion
Pod apiVersion kind metadata:ObjectMeta spec:PodSpec status
PodDisruptionBudget apiVersion kind metadata:ObjectMeta spec:PodDisruptionBudgetSpec status
PodDisruptionBudgetSpec minAvailable selector:LabelSelector maxUnavailable unhealthyPodEvictionPolicy
PodSecurityContext seLinuxOptions windowsOptions runAsUser runAsGroup runAsNonRoot supplementalGroups
  supplementalGroupsPolicy fsGroup sysctls fsGroupChangePolicy seccompProfile:SeccompProfile
  appArmorProfile:AppArmorProfile seLinuxChangePolicy
PodSpec volumes:Volume initContainers:Container containers:Container ephemeralContainers restartPolicy
  terminationGracePeriodSeconds activeDeadlineSeconds dnsPolicy nodeSelector serviceAccountName serviceAccount
  automountServiceAccountToken nodeName hostNetwork hostPID hostIPC shareProcessNamespace
  securityContext:PodSecurityContext imagePullSecrets:LocalObjectReference hostname subdomain affinity
  schedulerName tolerations:Toleration hostAliases:HostAlias priorityClassName priority dnsConfig readinessGates
  runtimeClassName enableServiceLinks preemptionPolicy overhead
  topologySpreadConstraints:TopologySpreadConstraint setHostnameAsFQDN os hostUsers schedulingGates
  resourceClaims resources:ResourceRequirements hostnameOverride schedulingGroup
PodTemplateSpec metadata:ObjectMeta spec:PodSpec
PolicyRule verbs apiGroups resources resourceNames nonResourceURLs
Probe exec:ExecAction httpGet:HTTPGetAction tcpSocket:TCPSocketAction grpc:GRPCAction initialDelaySeconds
  timeoutSeconds periodSeconds successThreshold failureThreshold terminationGracePeriodSeconds
ProjectedVolumeSource sources:VolumeProjection defaultMode
ReplicaSet apiVersion kind metadata:ObjectMeta spec:ReplicaSetSpec status
ReplicaSetSpec replicas minReadySeconds selector:LabelSelector template:PodTemplateSpec
ResourceFieldSelector containerName resource divisor
ResourceRequirements limits requests claims:ContainerResourceClaim
Role apiVersion kind metadata:ObjectMeta rules:PolicyRule
RoleBinding apiVersion kind metadata:ObjectMeta subjects:Subject roleRef:RoleRef
RoleRef apiGroup kind name
RollingUpdateDaemonSet maxUnavailable maxSurge
RollingUpdateDeployment maxUnavailable maxSurge
RollingUpdateStatefulSetStrategy partition maxUnavailable
SeccompProfile type localhostProfile
Secret apiVersion kind metadata:ObjectMeta immutable data stringData type
SecretEnvSource name optional
SecretKeySelector name key optional
SecretProjection name items:KeyToPath optional
SecretVolumeSource secretName items:KeyToPath defaultMode optional
SecurityContext capabilities:Capabilities privileged seLinuxOptions windowsOptions runAsUser runAsGroup
  runAsNonRoot readOnlyRootFilesystem allowPrivilegeEscalation procMount seccompProfile:SeccompProfile
  appArmorProfile:AppArmorProfile
Service apiVersion kind metadata:ObjectMeta spec:ServiceSpec status
ServiceAccount apiVersion kind metadata:ObjectMeta secrets:ObjectReference imagePullSecrets:LocalObjectReference
  automountServiceAccountToken
ServiceAccountTokenProjection audience expirationSeconds path
ServicePort name protocol appProtocol port targetPort nodePort
ServiceSpec ports:ServicePort selector clusterIP clusterIPs type externalIPs sessionAffinity loadBalancerIP
  loadBalancerSourceRanges externalName externalTrafficPolicy healthCheckNodePort publishNotReadyAddresses
  sessionAffinityConfig:SessionAffinityConfig ipFamilies ipFamilyPolicy allocateLoadBalancerNodePorts
  loadBalancerClass internalTrafficPolicy trafficDistribution
SessionAffinityConfig clientIP:ClientIPConfig
SleepAction seconds
StatefulSet apiVersion kind metadata:ObjectMeta spec:StatefulSetSpec status
StatefulSetPersistentVolumeClaimRetentionPolicy whenDeleted whenScaled
StatefulSetSpec replicas selector:LabelSelector template:PodTemplateSpec volumeClaimTemplates serviceName
  podManagementPolicy updateStrategy:StatefulSetUpdateStrategy revisionHistoryLimit minReadySeconds
  persistentVolumeClaimRetentionPolicy:StatefulSetPersistentVolumeClaimRetentionPolicy ordinals
StatefulSetUpdateStrategy type rollingUpdate:RollingUpdateStatefulSetStrategy
Subject kind apiGroup name namespace
TCPSocketAction port host
Toleration key operator value effect tolerationSeconds
TopologySpreadConstraint maxSkew topologyKey whenUnsatisfiable labelSelector:LabelSelector minDomains
  nodeAffinityPolicy nodeTaintsPolicy matchLabelKeys
Volume name hostPath:HostPathVolumeSource emptyDir:EmptyDirVolumeSource gcePersistentDisk awsElasticBlockStore
  gitRepo secret:SecretVolumeSource nfs iscsi glusterfs persistentVolumeClaim rbd flexVolume cinder cephfs
  flocker downwardAPI:DownwardAPIVolumeSource fc azureFile configMap:ConfigMapVolumeSource vsphereVolume quobyte
  azureDisk photonPersistentDisk projected:ProjectedVolumeSource portworxVolume scaleIO storageos csi ephemeral
  image
VolumeMount name readOnly recursiveReadOnly mountPath subPath mountPropagation subPathExpr
VolumeProjection secret:SecretProjection downwardAPI:DownwardAPIProjection configMap:ConfigMapProjection
  serviceAccountToken:ServiceAccountTokenProjection clusterTrustBundle podCertificate
`;

/** The fields of a type with the types of those that are objects or lists of objects; undefined: not checked further. */
export type FieldTypes = ReadonlyMap<string, string | undefined>;

function parseTable(): ReadonlyMap<string, FieldTypes> {
  const lines = TABLE.trim().replaceAll('\n  ', ' ').split('\n');
  return new Map(
    lines.map((line) => {
      const [type = '', ...fields] = line.split(' ');
      return [type, new Map(fields.map((field) => field.split(':') as [string, string | undefined]))];
    }),
  );
}

/** By name of the type; a kind is the type of its name. What containers have by the name of a kind is told apart by theirs. */
export const KNOWN_FIELDS: ReadonlyMap<string, FieldTypes> = parseTable();
