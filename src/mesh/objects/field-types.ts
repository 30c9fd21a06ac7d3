import { isRecord } from '../record.ts';
import { KNOWN_FIELDS } from './known-fields.ts';

/**
 * What a field of a built-in kind holds. `objects` is a list of objects, `bytes` a map of base64 texts. `type` names the
 * type of the objects where it is known.
 */
export interface FieldType {
  shape:
    | 'string'
    | 'boolean'
    | 'int32'
    | 'int64'
    | 'quantity'
    | 'int-or-string'
    | 'strings'
    | 'string-map'
    | 'bytes-map'
    | 'quantity-map'
    | 'object'
    | 'objects';
  type?: string;
}

// From the OpenAPI document of a Kubernetes 1.36: nearly always the name of a field tells its type. What is not listed is a
// string. `Type.field` goes before `field`.
const SHAPES: Record<Exclude<FieldType['shape'], 'string'>, string> = {
  boolean: `allocateLoadBalancerNodePorts allowPrivilegeEscalation automountServiceAccountToken blockOwnerDeletion controller
    enableServiceLinks hostIPC hostNetwork hostPID hostUsers immutable optional paused privileged publishNotReadyAddresses
    readOnly readOnlyRootFilesystem ready runAsNonRoot serving setHostnameAsFQDN shareProcessNamespace stdin stdinOnce
    terminating tty`,
  int32: `containerPort defaultMode failureThreshold healthCheckNodePort hostPort initialDelaySeconds leaseDurationSeconds
    leaseTransitions maxSkew minDomains minReadySeconds mode nodePort partition periodSeconds port priority
    progressDeadlineSeconds replicas revisionHistoryLimit successThreshold timeoutSeconds`,
  int64: `activeDeadlineSeconds deletionGracePeriodSeconds expirationSeconds fsGroup generation runAsGroup runAsUser seconds
    terminationGracePeriodSeconds tolerationSeconds`,
  quantity: 'divisor sizeLimit',
  'int-or-string': 'maxSurge maxUnavailable minAvailable HTTPGetAction.port TCPSocketAction.port targetPort',
  strings: `add addresses apiGroups args clusterIPs command drop externalIPs finalizers hostnames ipFamilies
    loadBalancerSourceRanges matchLabelKeys nonResourceURLs resourceNames PolicyRule.resources values verbs`,
  'string-map': 'annotations data labels matchLabels nodeSelector ServiceSpec.selector stringData',
  'bytes-map': 'binaryData Secret.data',
  'quantity-map': 'limits requests overhead',
  object: `affinity aggregationRule awsElasticBlockStore azureDisk azureFile cephfs cinder clusterTrustBundle csi dnsConfig
    ephemeral fc fileKeyRef flexVolume flocker gcePersistentDisk gitRepo glusterfs hints Volume.image iscsi nfs ordinals os
    persistentVolumeClaim photonPersistentDisk podCertificate portworxVolume quobyte rbd scaleIO schedulingGroup
    seLinuxOptions status storageos vsphereVolume windowsOptions`,
  objects: `claims containers endpoints env envFrom ephemeralContainers hostAliases httpHeaders imagePullSecrets
    initContainers items managedFields matchExpressions ownerReferences ports readinessGates resizePolicy resourceClaims
    restartPolicyRules rules schedulingGates secrets sources subjects supplementalGroups sysctls tolerations
    topologySpreadConstraints volumeClaimTemplates volumeDevices volumeMounts volumes`,
};

const BY_NAME = new Map(
  Object.entries(SHAPES).flatMap(([shape, names]) =>
    names.split(/\s+/).map((name) => [name, shape as FieldType['shape']] as const),
  ),
);

/** What the field `name` of `typeName` holds; undefined if the type is not known or has no such field. */
export function fieldTypeOf(typeName: string, name: string): FieldType | undefined {
  const fields = KNOWN_FIELDS.get(typeName);
  if (!fields?.has(name)) return undefined;
  const type = fields.get(name);
  const listed = BY_NAME.get(`${typeName}.${name}`) ?? BY_NAME.get(name);
  if (type === undefined) return { shape: listed ?? 'string' };
  return { shape: listed === 'objects' ? 'objects' : 'object', type };
}

/** A value that does not fit its field. */
export interface FieldMisfit {
  /** The type that has the field: `ObjectMeta`. */
  owner: string;
  /** From the object, without positions in lists: `spec.template.metadata.labels`. */
  path: string;
  shape: FieldType['shape'];
  /** In Go's words. */
  wanted: string;
  value: unknown;
  /** The key in a map of texts. */
  key?: string;
}

const GO_TYPES: Partial<Record<FieldType['shape'], string>> = {
  boolean: 'bool',
  strings: '[]string',
  'string-map': 'map[string]string',
  'bytes-map': 'map[string][]uint8',
  'quantity-map': 'v1.ResourceList',
};

function goType({ shape, type = 'object' }: FieldType): string {
  if (shape === 'object') return `v1.${type}`;
  return shape === 'objects' ? `[]v1.${type}` : (GO_TYPES[shape] ?? shape);
}

type JsonObject = Readonly<Record<string, unknown>>;

/** As the API server has it (apimachinery's resource.ParseQuantity). */
const QUANTITY = /^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$/;

function isQuantity(value: unknown): boolean {
  return typeof value === 'number' || (typeof value === 'string' && QUANTITY.test(value));
}

const isFitting: Record<FieldType['shape'], (value: unknown) => boolean> = {
  string: (value) => typeof value === 'string',
  boolean: (value) => typeof value === 'boolean',
  int32: Number.isInteger,
  int64: Number.isInteger,
  quantity: isQuantity,
  'int-or-string': (value) => typeof value === 'string' || typeof value === 'number',
  strings: Array.isArray,
  'string-map': isRecord,
  'bytes-map': isRecord,
  'quantity-map': (value) => isRecord(value) && Object.values(value).every((one) => one === null || isQuantity(one)),
  object: isRecord,
  objects: Array.isArray,
};

/** The first value of an object that does not fit the type of its field. Null fits everywhere, as with the server. */
export function findMisfit(object: JsonObject, typeName: string, path = ''): FieldMisfit | undefined {
  for (const [name, value] of Object.entries(object)) {
    const field = fieldTypeOf(typeName, name);
    if (!field || value === null || value === undefined) continue;
    const found = misfitOf(value, field, { owner: typeName, path: path ? `${path}.${name}` : name });
    if (found) return found;
  }
  return undefined;
}

function misfitOf(value: unknown, field: FieldType, at: { owner: string; path: string }): FieldMisfit | undefined {
  const { shape, type } = field;
  if (!isFitting[shape](value)) return { ...at, shape, wanted: goType(field), value };
  if (shape === 'strings' || shape === 'string-map' || shape === 'bytes-map') {
    const wrong = Object.entries(value as JsonObject).find(([, item]) => typeof item !== 'string' && item !== null);
    const wanted = shape === 'bytes-map' ? '[]uint8' : 'string';
    return (
      wrong && { ...at, shape: 'string', wanted, value: wrong[1], ...(shape === 'strings' ? {} : { key: wrong[0] }) }
    );
  }
  if (type === undefined) return undefined;
  for (const item of shape === 'objects' ? (value as unknown[]) : [value]) {
    if (!isRecord(item)) return { ...at, shape: 'object', wanted: `v1.${type}`, value: item };
    const found = findMisfit(item, type, at.path);
    if (found) return found;
  }
  return undefined;
}

/** What decoding says of a misfit: `json: cannot unmarshal bool into Go struct field ObjectMeta.metadata.labels of type string`. */
export function describeMisfit({ owner, path, wanted, value }: FieldMisfit): string {
  const got = Array.isArray(value) ? 'array' : typeof value === 'boolean' ? 'bool' : typeof value;
  return `json: cannot unmarshal ${got} into Go struct field ${owner}.${path} of type ${wanted}`;
}
