import type { KubeObject, ObjectRef } from '../mesh/objects/kube-object.ts';
import { isRecord } from '../mesh/record.ts';
import { EACH, type Shape, shaped } from './shape.ts';

/** The fields of objects that meshctl reads, by kind. */
const TEXTS = { [EACH]: 'text' } as const;

const META: Shape = {
  name: 'text',
  namespace: 'text',
  uid: 'text',
  resourceVersion: 'text',
  generation: 'number',
  creationTimestamp: 'text',
  deletionTimestamp: 'text',
  labels: TEXTS,
  annotations: TEXTS,
  managedFields: [
    { manager: 'text', operation: 'text', time: 'text', subresource: 'text', fieldsV1: { [EACH]: { [EACH]: 'any' } } },
  ],
  ownerReferences: [{ 'apiVersion!': 'text', 'kind!': 'text', 'name!': 'text', 'uid!': 'text' }],
};

const CONDITIONS: Shape = [
  { type: 'text', status: 'text', reason: 'text', message: 'text', lastTransitionTime: 'text' },
];
const SELECTOR: Shape = {
  matchLabels: TEXTS,
  matchExpressions: [{ key: 'text', operator: 'text', values: ['text'] }],
};

const CONTAINER: Shape = {
  'name!': 'text',
  image: 'text',
  command: ['text'],
  args: ['text'],
  env: [{ 'name!': 'text', value: 'text', valueFrom: {} }],
  envFrom: [{ configMapRef: { name: 'text' } }],
  ports: [{ name: 'text', containerPort: 'number' }],
  resources: { requests: {}, limits: {} },
  volumeMounts: [{ 'name!': 'text', 'mountPath!': 'text' }],
  securityContext: {},
};

const REQUIREMENTS: Shape = [{ 'key!': 'text', 'operator!': 'text', values: ['text'] }];

const POD_SPEC: Shape = {
  nodeName: 'text',
  nodeSelector: TEXTS,
  tolerations: [{ key: 'text', operator: 'text', value: 'text', effect: 'text' }],
  'containers!': [CONTAINER],
  initContainers: [CONTAINER],
  hostAliases: [{ 'ip!': 'text', hostnames: ['text'] }],
  imagePullSecrets: [{ 'name!': 'text' }],
  volumes: [
    {
      'name!': 'text',
      emptyDir: { medium: 'text' },
      configMap: { name: 'text' },
      secret: { secretName: 'text' },
      projected: {
        sources: [
          {
            secret: { name: 'text', items: [{ key: 'text', path: 'text' }] },
            configMap: { name: 'text', items: [{ key: 'text', path: 'text' }] },
          },
        ],
      },
    },
  ],
  securityContext: {},
  affinity: {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: [{ matchExpressions: REQUIREMENTS, matchFields: REQUIREMENTS }],
      },
    },
  },
};

const CONTAINER_STATUSES: Shape = [
  {
    'name!': 'text',
    ready: 'truth',
    restartCount: 'number',
    state: {
      waiting: { reason: 'text', message: 'text' },
      terminated: { reason: 'text', message: 'text', exitCode: 'number' },
      running: { startedAt: 'text' },
    },
    lastState: { terminated: { reason: 'text', message: 'text', exitCode: 'number' } },
  },
];

const WORKLOAD: Shape = {
  'spec!': {
    replicas: 'number',
    selector: SELECTOR,
    'template!': { metadata: { labels: TEXTS, annotations: TEXTS }, 'spec!': POD_SPEC },
  },
  status: {
    observedGeneration: 'number',
    replicas: 'number',
    updatedReplicas: 'number',
    readyReplicas: 'number',
    availableReplicas: 'number',
    unavailableReplicas: 'number',
    desiredNumberScheduled: 'number',
    currentNumberScheduled: 'number',
    updatedNumberScheduled: 'number',
    numberMisscheduled: 'number',
    numberReady: 'number',
    numberAvailable: 'number',
    conditions: CONDITIONS,
  },
};

const POLICY: Shape = { spec: {}, specs: [{}] };

const KINDS: Readonly<Record<string, Shape>> = {
  ConfigMap: { data: TEXTS, binaryData: TEXTS },
  Secret: { data: TEXTS, type: 'text' },
  Deployment: WORKLOAD,
  DaemonSet: WORKLOAD,
  ReplicaSet: WORKLOAD,
  Pod: {
    'spec!': POD_SPEC,
    status: {
      phase: 'text',
      reason: 'text',
      message: 'text',
      podIP: 'text',
      podIPs: [{ ip: 'text' }],
      hostIP: 'text',
      startTime: 'text',
      conditions: CONDITIONS,
      containerStatuses: CONTAINER_STATUSES,
      initContainerStatuses: CONTAINER_STATUSES,
    },
  },
  Service: {
    'spec!': {
      type: 'text',
      clusterIP: 'text',
      clusterIPs: ['text'],
      ipFamilies: ['text'],
      externalName: 'text',
      externalTrafficPolicy: 'text',
      internalTrafficPolicy: 'text',
      loadBalancerIP: 'text',
      loadBalancerClass: 'text',
      loadBalancerSourceRanges: ['text'],
      selector: TEXTS,
      ports: [{ name: 'text', protocol: 'text', 'port!': 'number', nodePort: 'number', targetPort: 'any' }],
    },
    status: { loadBalancer: { ingress: [{ ip: 'text', hostname: 'text' }] }, conditions: CONDITIONS },
  },
  Node: {
    spec: {
      providerID: 'text',
      podCIDR: 'text',
      podCIDRs: ['text'],
      unschedulable: 'truth',
      taints: [{ 'key!': 'text', value: 'text', effect: 'text' }],
    },
    status: { addresses: [{ 'type!': 'text', 'address!': 'text' }], conditions: CONDITIONS },
  },
  Namespace: { spec: {}, status: { phase: 'text', conditions: CONDITIONS } },
  EndpointSlice: {
    addressType: 'text',
    endpoints: [
      {
        'addresses!': ['text'],
        nodeName: 'text',
        conditions: { ready: 'truth', serving: 'truth', terminating: 'truth' },
        targetRef: { kind: 'text', name: 'text' },
      },
    ],
    ports: [{ name: 'text', protocol: 'text', port: 'number' }],
  },
  Event: { reason: 'text', message: 'text', type: 'text', involvedObject: { kind: 'text', name: 'text' } },
  CiliumNode: {
    spec: {
      addresses: [{ type: 'text', ip: 'text' }],
      ipam: { podCIDRs: ['text'], pools: { allocated: [{ 'pool!': 'text', cidrs: ['text'] }] } },
      eni: {},
    },
    status: {},
  },
  CiliumLoadBalancerIPPool: { spec: { disabled: 'truth', serviceSelector: SELECTOR, blocks: [{}], cidrs: [{}] } },
  IPAddressPool: { spec: { autoAssign: 'truth', addresses: ['text'] } },
  ServiceCIDR: { spec: { cidrs: ['text'] } },
  CiliumPodIPPool: { spec: { ipv4: { cidrs: ['text'] }, ipv6: { cidrs: ['text'] } } },
  NetworkPolicy: POLICY,
  CiliumNetworkPolicy: POLICY,
  CiliumClusterwideNetworkPolicy: POLICY,
  SelfSubjectAccessReview: { spec: {}, status: { allowed: 'truth', reason: 'text' } },
};

/** An object as API servers send them, without what has not the type that its kind gives it; undefined for anything else. */
export function soundObject(value: unknown): KubeObject | undefined {
  if (!isRecord(value)) return undefined;
  const { apiVersion, kind, metadata } = value;
  if (typeof apiVersion !== 'string' || typeof kind !== 'string' || !isRecord(metadata)) return undefined;
  if (typeof metadata.name !== 'string' || metadata.name === '') return undefined;
  const own = Object.hasOwn(KINDS, kind) ? (KINDS[kind] as { [field: string]: Shape }) : {};
  const sound = shaped(value, { metadata: META, ...own }) as KubeObject | undefined;
  return sound && kind === 'Secret' ? withReadableData(sound) : sound;
}

/** Whether it is the very object that was asked for: of this kind and name, in this namespace. */
export function isObjectOf(object: KubeObject, ref: ObjectRef): boolean {
  const { kind, metadata } = object;
  return kind === ref.kind && metadata.name === ref.name && (metadata.namespace ?? ref.namespace) === ref.namespace;
}

/** The values of a Secret are base64; an API server stores no others. */
function withReadableData(secret: KubeObject): KubeObject {
  const { data } = secret as { data?: Record<string, string> };
  if (!data) return secret;
  const readable = Object.entries(data).filter(([, value]) => /^[A-Za-z0-9+/\s]*={0,2}\s*$/.test(value));
  return { ...secret, data: Object.fromEntries(readable) };
}
