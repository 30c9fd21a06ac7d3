import type { KubeObject } from '../../../mesh/objects/kube-object.ts';
import { forbidden, type StatusCause, wrong } from '../errors.ts';
import { applyDefaults } from '../fields/defaulting.ts';
import { clone, equal, isObject, type JsonObject, objectAt, objectsAt, valueAt } from '../fields/json.ts';

// What may not change, and in which words: Kubernetes' pkg/apis/*/validation, for each kind that the sandbox stores.

/** How a refusal differs from the field and its value as clients write them. */
interface Wording {
  verdict?: 'forbidden';
  /** What the server calls the field. */
  says?: string;
  /** The value by the names of the server's own fields, which are told where its type has no others. */
  shown?: (value: unknown) => unknown;
}
type FixedField = readonly [path: string, why?: string, wording?: Wording];

const IMMUTABLE = 'field is immutable';
const ONCE_SET = 'may not change once set';
const mayNotBeUpdated = (field: string): FixedField => [
  field,
  `updates to ${field} are forbidden.`,
  { verdict: 'forbidden' },
];
const roleRef: FixedField = ['roleRef', 'cannot change roleRef', { shown: shownRoleRef }];

/** Fields whose value at the object's creation stays. */
const FIXED: Record<string, readonly FixedField[]> = {
  ClusterRoleBinding: [roleRef],
  ControllerRevision: [['data']],
  CSIDriver: [['spec.attachRequired', IMMUTABLE, { says: 'spec.attachedRequired' }], ['spec.volumeLifecycleModes']],
  CustomResourceDefinition: [['spec.group'], ['spec.scope'], ['spec.names.plural'], ['spec.names.kind']],
  DaemonSet: [['spec.selector']],
  Deployment: [['spec.selector']],
  EndpointSlice: [['addressType']],
  IngressClass: [['spec.controller']],
  IPAddress: [['spec.parentRef']],
  Job: [
    ['spec.selector'],
    ['spec.completionMode'],
    ['spec.podFailurePolicy'],
    ['spec.backoffLimitPerIndex'],
    ['spec.managedBy'],
    ['spec.successPolicy'],
  ],
  PersistentVolume: [['spec.volumeMode', IMMUTABLE, { says: 'volumeMode' }]],
  PriorityClass: [['value', 'may not be changed in an update.', { verdict: 'forbidden' }], ['preemptionPolicy']],
  ReplicaSet: [['spec.selector']],
  ResourceClaim: [['spec']],
  ResourceQuota: [['spec.scopes']],
  RoleBinding: [roleRef],
  RuntimeClass: [['handler']],
  Secret: [['type']],
  StorageClass: [['parameters'], ['provisioner'], ['reclaimPolicy'], ['volumeBindingMode']],
  VolumeAttachment: [['spec']],
  VolumeAttributesClass: [mayNotBeUpdated('driverName'), mayNotBeUpdated('parameters')],
};

function fixedCauses(before: KubeObject, after: KubeObject): StatusCause[] {
  return (FIXED[after.kind] ?? []).flatMap(([path, why = IMMUTABLE, wording = {}]) => {
    const [old, next] = [before, after].map((object) => valueAt(object, ...path.split('.')));
    if (equal(old, next)) return [];
    const { verdict, says = path, shown = (value) => value } = wording;
    return [verdict === 'forbidden' ? forbidden(says, why) : wrong(says, shown(next ?? null), why)];
  });
}

function shownRoleRef(value: unknown): unknown {
  const { apiGroup, kind, name } = value as Record<string, unknown>;
  return { APIGroup: apiGroup, Kind: kind, Name: name };
}

/** `immutable: true` holds for good, and holds the data. */
function immutableDataCauses(before: KubeObject, after: KubeObject): StatusCause[] {
  if (before.immutable !== true) return [];
  return [
    ...(after.immutable === true ? [] : ['immutable']),
    ...['data', 'binaryData'].filter((name) => !equal(before[name] ?? {}, after[name] ?? {})),
  ].map((field) => forbidden(field, 'field is immutable when `immutable` is set'));
}

const isLoadBalancer = (service: KubeObject | undefined): boolean =>
  valueAt(service, 'spec', 'type') === 'LoadBalancer';

/** What is wrong with the class of a Service's load balancer. A change to another type takes the class along. */
export function balancerClassCauses(before: KubeObject | undefined, after: KubeObject): StatusCause[] {
  const [old, next] = [before, after].map((service) => valueAt(service, 'spec', 'loadBalancerClass'));
  const field = 'spec.loadBalancerClass';
  if (old === next) return [];
  if (isLoadBalancer(before) && isLoadBalancer(after)) return [wrong(field, next ?? null, ONCE_SET)];
  return isLoadBalancer(after) || next === undefined
    ? []
    : [forbidden(field, "may only be used when `type` is 'LoadBalancer'")];
}

// Addresses that a write does not give are kept.
function primaryAddressCauses(before: KubeObject, after: KubeObject): StatusCause[] {
  if ([before, after].some(({ spec }) => valueAt(spec, 'type') === 'ExternalName')) return [];
  const [old, next] = [before, after].map(({ spec }) => valueAt(spec, 'clusterIP') || listAt(spec, 'clusterIPs')[0]);
  const families = [before, after].map(({ spec }) => listAt(spec, 'ipFamilies')[0]);
  return [
    ...(old && next && old !== next ? [wrong('spec.clusterIPs[0]', [next], ONCE_SET)] : []),
    ...(families.every(Boolean) && families[0] !== families[1]
      ? [wrong('spec.ipFamilies[0]', listAt(after.spec, 'ipFamilies'), ONCE_SET)]
      : []),
  ];
}

function listAt(value: unknown, key: string): unknown[] {
  const list = valueAt(value, key);
  return Array.isArray(list) ? list : [];
}

// While a Job has not begun, where its pods go may still be chosen (suspended queues of batch schedulers).
const DIRECTIVES = ['nodeSelector', 'tolerations', 'affinity', 'schedulingGates'];

function jobCauses(before: KubeObject, after: KubeObject): StatusCause[] {
  const isOpen = valueAt(before, 'spec', 'suspend') === true && !valueAt(before, 'status', 'startTime');
  const template = (job: KubeObject): unknown => {
    const { metadata, spec, ...rest } = objectAt(job, 'spec', 'template') ?? {};
    return isOpen ? { ...rest, spec: without(isObject(spec) ? spec : {}, DIRECTIVES) } : { ...rest, metadata, spec };
  };
  const next = objectAt(after, 'spec') ?? {};
  const counts = [valueAt(before, 'spec', 'completions'), next.completions];
  const isElastic = next.completionMode === 'Indexed' && next.completions === next.parallelism;
  return [
    ...(equal(template(before), template(after)) ? [] : [wrong('spec.template', next.template ?? null, IMMUTABLE)]),
    ...(counts[0] === counts[1] || isElastic ? [] : [wrong('spec.completions', counts[1] ?? null, IMMUTABLE)]),
  ];
}

function without(object: JsonObject, fields: readonly string[]): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([field]) => !fields.includes(field)));
}

/** A spec that may change in a few fields only. */
function restCauses(
  before: KubeObject,
  after: KubeObject,
  mayChange: (spec: JsonObject) => JsonObject,
  why: string,
): StatusCause[] {
  const [old, next] = [before, after].map((object) => mayChange(clone(objectAt(object, 'spec') ?? {})));
  return equal(old, next) ? [] : [forbidden('spec', why)];
}

const STATEFUL_MUTABLE = [
  'replicas',
  'ordinals',
  'template',
  'updateStrategy',
  'revisionHistoryLimit',
  'persistentVolumeClaimRetentionPolicy',
  'minReadySeconds',
];
const quoted = STATEFUL_MUTABLE.map((field) => `'${field}'`);
const STATEFUL_WHY = `updates to statefulset spec for fields other than ${quoted.slice(0, -1).join(', ')} and ${quoted.at(-1)} are forbidden`;

function claimPart(spec: JsonObject): JsonObject {
  const { resources, ...rest } = without(spec, ['volumeAttributesClassName']);
  return isObject(resources) ? { ...rest, resources: without(resources, ['requests']) } : rest;
}
const CLAIM_WHY =
  'spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims';

function podPart(spec: JsonObject): JsonObject {
  const images = (field: string): JsonObject =>
    spec[field] === undefined ? {} : { [field]: objectsAt(spec, field).map((part) => without(part, ['image'])) };
  const mutable = ['activeDeadlineSeconds', 'tolerations', 'ephemeralContainers'];
  return { ...without(spec, mutable), ...images('containers'), ...images('initContainers') };
}
const POD_WHY =
  'pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)';

function podCauses(before: KubeObject, after: KubeObject): StatusCause[] {
  const [old, next] = [before, after].map(({ spec }) => listAt(spec, 'tolerations'));
  const lost = (old ?? []).some((toleration) => !(next ?? []).some((kept) => equal(kept, toleration)));
  const rest = restCauses(before, after, podPart, POD_WHY);
  return rest.length === 0 && lost ? [forbidden('spec', POD_WHY)] : rest;
}

function nodeCauses(before: KubeObject, after: KubeObject): StatusCause[] {
  const isChanged = (field: string): boolean => {
    const old = valueAt(before, 'spec', field);
    return old !== undefined && !equal(old, valueAt(after, 'spec', field));
  };
  return [
    ['podCIDRs', 'podCIDR'],
    ['providerID', 'providerID'],
  ]
    .filter(([field = '']) => isChanged(field))
    .map(([field, name]) => forbidden(`spec.${field}`, `node updates may not change ${name} except from "" to valid`));
}

const BY_KIND: Record<string, (before: KubeObject, after: KubeObject) => StatusCause[]> = {
  ConfigMap: immutableDataCauses,
  Secret: immutableDataCauses,
  Service: (before, after) => [...primaryAddressCauses(before, after), ...balancerClassCauses(before, after)],
  Job: jobCauses,
  StatefulSet: (before, after) => restCauses(before, after, (spec) => without(spec, STATEFUL_MUTABLE), STATEFUL_WHY),
  PersistentVolumeClaim: (before, after) => restCauses(before, after, claimPart, CLAIM_WHY),
  Pod: podCauses,
  Node: nodeCauses,
};

/**
 * What a write changes of a built-in object that a real server lets nobody change. What the write leaves out has the
 * server's default, as it has when the server compares.
 */
export function changeCauses(before: KubeObject, given: KubeObject): StatusCause[] {
  const after = clone(given);
  applyDefaults(after);
  return [...fixedCauses(before, after), ...(BY_KIND[after.kind]?.(before, after) ?? [])];
}
