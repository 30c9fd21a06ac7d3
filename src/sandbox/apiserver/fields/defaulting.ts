import type { KubeObject } from '../../../mesh/objects/kube-object.ts';
import { childObject, isObject, type JsonObject, objectAt, objectsAt, setDefaults } from './json.ts';
import { defaultPod, defaultPodSpec, defaultPodTemplate } from './pod-defaulting.ts';

const rollingUpdate = (spec: JsonObject, field: string, defaults: JsonObject): void => {
  const strategy = childObject(spec, field);
  setDefaults(strategy, { type: 'RollingUpdate' });
  if (strategy.type === 'RollingUpdate') setDefaults(childObject(strategy, 'rollingUpdate'), defaults);
};

const DEFAULTERS: Record<string, (object: KubeObject, spec: JsonObject) => void> = {
  Namespace: (object) => {
    setDefaults(childObject(object, 'status'), { phase: 'Active' });
    setDefaults(childObject(object.metadata, 'labels'), { 'kubernetes.io/metadata.name': object.metadata.name });
  },
  Pod: (object, spec) => {
    defaultPodSpec(spec);
    defaultPod(spec);
    setDefaults(childObject(object, 'status'), { phase: 'Pending', qosClass: qosClassOf(spec) });
  },
  Secret: (object) => {
    setDefaults(object, { type: 'Opaque' });
    if (isObject(object.stringData)) {
      const data = childObject(object, 'data');
      for (const [key, text] of Object.entries(object.stringData))
        data[key] = Buffer.from(String(text)).toString('base64');
    }
    delete object.stringData;
  },
  Service: (object, spec) => {
    setDefaults(spec, { type: 'ClusterIP', sessionAffinity: 'None' });
    const { type } = spec;
    if (spec.sessionAffinity === 'ClientIP') {
      setDefaults(childObject(childObject(spec, 'sessionAffinityConfig'), 'clientIP'), { timeoutSeconds: 10800 });
    }
    for (const port of objectsAt(spec, 'ports')) setDefaults(port, { protocol: 'TCP', targetPort: port.port });
    if (type !== 'ExternalName') setDefaults(spec, { internalTrafficPolicy: 'Cluster' });
    if (type === 'NodePort' || type === 'LoadBalancer') setDefaults(spec, { externalTrafficPolicy: 'Cluster' });
    else delete spec.externalTrafficPolicy;
    if (type === 'LoadBalancer') setDefaults(spec, { allocateLoadBalancerNodePorts: true });
    else delete spec.allocateLoadBalancerNodePorts;
    setDefaults(childObject(object, 'status'), { loadBalancer: {} });
  },
  // kubectl describe reads the name unseen.
  EndpointSlice: (object) => {
    for (const port of objectsAt(object, 'ports')) setDefaults(port, { name: '', protocol: 'TCP' });
  },
  Deployment: (object, spec) => {
    setDefaults(spec, { replicas: 1, revisionHistoryLimit: 10, progressDeadlineSeconds: 600 });
    rollingUpdate(spec, 'strategy', { maxUnavailable: '25%', maxSurge: '25%' });
    defaultPodTemplate(spec);
    setDefaults(object, { status: {} });
  },
  DaemonSet: (object, spec) => {
    setDefaults(spec, { revisionHistoryLimit: 10 });
    rollingUpdate(spec, 'updateStrategy', { maxUnavailable: 1, maxSurge: 0 });
    defaultPodTemplate(spec);
    setDefaults(childObject(object, 'status'), {
      currentNumberScheduled: 0,
      desiredNumberScheduled: 0,
      numberMisscheduled: 0,
      numberReady: 0,
    });
  },
  StatefulSet: (object, spec) => {
    setDefaults(spec, { replicas: 1, revisionHistoryLimit: 10, podManagementPolicy: 'OrderedReady' });
    setDefaults(childObject(spec, 'persistentVolumeClaimRetentionPolicy'), {
      whenDeleted: 'Retain',
      whenScaled: 'Retain',
    });
    rollingUpdate(spec, 'updateStrategy', { partition: 0 });
    defaultPodTemplate(spec);
    setDefaults(childObject(object, 'status'), { replicas: 0, availableReplicas: 0 });
  },
  ReplicaSet: (object, spec) => {
    setDefaults(spec, { replicas: 1 });
    defaultPodTemplate(spec);
    setDefaults(childObject(object, 'status'), { replicas: 0 });
  },
  Job: (object, spec) => {
    setDefaults(spec, {
      backoffLimit: 6,
      completions: 1,
      parallelism: 1,
      completionMode: 'NonIndexed',
      suspend: false,
      podReplacementPolicy: 'TerminatingOrFailed',
    });
    defaultPodTemplate(spec);
    setDefaults(object, { status: {} });
  },
  CronJob: (object, spec) => {
    setDefaults(spec, {
      concurrencyPolicy: 'Allow',
      suspend: false,
      successfulJobsHistoryLimit: 3,
      failedJobsHistoryLimit: 1,
    });
    const jobSpec = objectAt(spec, 'jobTemplate', 'spec');
    if (jobSpec) defaultPodTemplate(jobSpec);
    setDefaults(object, { status: {} });
  },
  NetworkPolicy: (_, spec) => {
    setDefaults(spec, { policyTypes: ['Ingress', ...(Array.isArray(spec.egress) ? ['Egress'] : [])] });
  },
  ClusterRoleBinding: (object) => defaultBinding(object),
  RoleBinding: (object) => defaultBinding(object),
  Node: (object, spec) => {
    setDefaults(object, { spec });
    setDefaults(object, { status: {} });
  },
  CustomResourceDefinition: (object, spec) => {
    setDefaults(spec, { conversion: { strategy: 'None' } });
    const names = childObject(spec, 'names');
    setDefaults(names, {
      singular: String(names.kind ?? '').toLowerCase(),
      listKind: `${String(names.kind ?? '')}List`,
    });
    const versions = objectsAt(spec, 'versions').filter((version) => version.storage === true);
    const condition = (type: string, reason: string, message: string): JsonObject => {
      return { type, status: 'True', reason, message, lastTransitionTime: object.metadata.creationTimestamp };
    };
    setDefaults(childObject(object, 'status'), {
      acceptedNames: { ...names },
      storedVersions: versions.map((version) => version.name),
      conditions: [
        condition('NamesAccepted', 'NoConflicts', 'no conflicts found'),
        condition('Established', 'InitialNamesAccepted', 'the initial names have been accepted'),
      ],
    });
  },
};

const WITH_SPEC = new Set([
  'Pod',
  'Service',
  'Deployment',
  'DaemonSet',
  'StatefulSet',
  'ReplicaSet',
  'Job',
  'CronJob',
  'NetworkPolicy',
  'Node',
  'CustomResourceDefinition',
]);

function defaultBinding(object: KubeObject): void {
  for (const subject of objectsAt(object, 'subjects')) {
    if (subject.kind === 'User' || subject.kind === 'Group')
      setDefaults(subject, { apiGroup: 'rbac.authorization.k8s.io' });
  }
  const role = objectAt(object, 'roleRef');
  if (role) setDefaults(role, { apiGroup: 'rbac.authorization.k8s.io' });
}

/** https://kubernetes.io/docs/concepts/workloads/pods/pod-qos/ */
function qosClassOf(spec: JsonObject): string {
  const containers = [...objectsAt(spec, 'containers'), ...objectsAt(spec, 'initContainers')];
  const amount = (container: JsonObject, kind: string, resource: string): unknown =>
    objectAt(container, 'resources', kind)?.[resource];
  const named = ['cpu', 'memory'];
  const none = containers.every((container) =>
    named.every((name) => !amount(container, 'limits', name) && !amount(container, 'requests', name)),
  );
  if (none) return 'BestEffort';
  const full = containers.every((container) =>
    named.every((name) => {
      const limit = amount(container, 'limits', name);
      return limit !== undefined && (amount(container, 'requests', name) ?? limit) === limit;
    }),
  );
  return full ? 'Guaranteed' : 'Burstable';
}

/** Fills in what the API server fills in for a built-in kind when it is written. Changes the object. */
export function applyDefaults(object: KubeObject): void {
  const defaulter = DEFAULTERS[object.kind];
  if (!defaulter) return;
  defaulter(object, WITH_SPEC.has(object.kind) ? childObject(object, 'spec') : {});
}
