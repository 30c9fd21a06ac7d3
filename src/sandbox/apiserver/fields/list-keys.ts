import { isObject, type JsonObject } from './json.ts';

/** How the parts of a list or map belong together. Lists and maps that are not in the table: lists are atomic, maps are not. */
export type Structure =
  /** A list of objects told apart by `keys`; `mergeKey` is the one that strategic merge uses. */
  | {
      type: 'map';
      keys: readonly string[];
      mergeKey: string;
      defaults?: Readonly<Record<string, unknown>>;
      retainKeys?: boolean;
    }
  /** A list of different scalars. */
  | { type: 'set' }
  /** A map that is owned and replaced as one value by server-side apply. */
  | { type: 'atomic' }
  /** A map whose `$retainKeys` strategic merge heeds. */
  | { type: 'retainKeys' };

const map = (...keys: [string, ...string[]]): Structure => ({ type: 'map', keys, mergeKey: keys[0] });
const PORT_DEFAULTS = { protocol: 'TCP' };
const SET: Structure = { type: 'set' };
const ATOMIC: Structure = { type: 'atomic' };

const CONTAINER: Record<string, Structure> = {
  '': map('name'),
  '.ports': { type: 'map', keys: ['containerPort', 'protocol'], mergeKey: 'containerPort', defaults: PORT_DEFAULTS },
  '.env': map('name'),
  '.env.valueFrom.fieldRef': ATOMIC,
  '.env.valueFrom.secretKeyRef': ATOMIC,
  '.env.valueFrom.configMapKeyRef': ATOMIC,
  '.env.valueFrom.resourceFieldRef': ATOMIC,
  '.volumeMounts': map('mountPath'),
  '.volumeDevices': map('devicePath'),
};

const containerLists = ['containers', 'initContainers', 'ephemeralContainers'];

// Paths below a pod's spec, wherever it stands (a Pod, a template).
const POD_SPEC: Record<string, Structure> = {
  ...Object.fromEntries(
    containerLists.flatMap((list) =>
      Object.entries(CONTAINER).map(([path, structure]) => [`${list}${path}`, structure]),
    ),
  ),
  volumes: { type: 'map', keys: ['name'], mergeKey: 'name', retainKeys: true },
  imagePullSecrets: map('name'),
  hostAliases: map('ip'),
  topologySpreadConstraints: { type: 'map', keys: ['topologyKey', 'whenUnsatisfiable'], mergeKey: 'topologyKey' },
  'topologySpreadConstraints.labelSelector': ATOMIC,
  nodeSelector: ATOMIC,
  'affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution': ATOMIC,
  resourceClaims: map('name'),
};

const WORKLOAD: Record<string, Structure> = { 'spec.selector': ATOMIC, 'spec.strategy': { type: 'retainKeys' } };

const BY_KIND: Record<string, Record<string, Structure>> = {
  Service: {
    'spec.ports': { type: 'map', keys: ['port', 'protocol'], mergeKey: 'port', defaults: PORT_DEFAULTS },
    'spec.selector': ATOMIC,
  },
  ServiceAccount: { secrets: map('name') },
  Pod: { 'status.podIPs': map('ip') },
  Node: { 'status.addresses': map('type'), 'spec.podCIDRs': SET },
  Deployment: WORKLOAD,
  DaemonSet: WORKLOAD,
  ReplicaSet: WORKLOAD,
  StatefulSet: WORKLOAD,
  Job: WORKLOAD,
  PersistentVolumeClaim: { 'spec.selector': ATOMIC },
  PodDisruptionBudget: { 'spec.selector': ATOMIC },
  NetworkPolicy: { 'spec.podSelector': ATOMIC },
  RoleBinding: { roleRef: ATOMIC },
  ClusterRoleBinding: { roleRef: ATOMIC },
};

const EVERYWHERE: Record<string, Structure> = {
  'metadata.ownerReferences': map('uid'),
  'metadata.finalizers': SET,
};

const TEMPLATE_PREFIXES = ['spec.jobTemplate.spec.template.spec.', 'spec.template.spec.'];

function podSpecPath(kind: string, path: string): string | undefined {
  const prefix = kind === 'Pod' ? 'spec.' : TEMPLATE_PREFIXES.find((candidate) => path.startsWith(candidate));
  return prefix !== undefined && path.startsWith(prefix) ? path.slice(prefix.length) : undefined;
}

/** How the kinds of one object fold: `kind` and whether a CustomResourceDefinition defines it. */
export interface Schema {
  kind: string;
  custom: boolean;
}

/**
 * The structure of the list or map at a path of field names joined by dots, list items left out
 * (`spec.template.spec.containers.ports`). One table serves strategic merge, server-side apply and managed fields.
 */
export function structureAt(schema: Schema, path: string): Structure | undefined {
  const everywhere = EVERYWHERE[path];
  if (everywhere || schema.custom) return everywhere;
  if (path === 'status.conditions') return map('type');
  const inPod = podSpecPath(schema.kind, path);
  return BY_KIND[schema.kind]?.[path] ?? (inPod === undefined ? undefined : POD_SPEC[inPod]);
}

/** The keys of an item of an associative list, as server-side apply names it: `{"name":"x"}`. */
export function itemKeys(structure: Structure & { type: 'map' }, item: unknown): JsonObject {
  const keys: JsonObject = {};
  for (const key of [...structure.keys].sort()) {
    const value = isObject(item) ? item[key] : undefined;
    const known = value ?? structure.defaults?.[key];
    if (known !== undefined && known !== null) keys[key] = known;
  }
  return keys;
}

/** The path of a field below `parent`. */
export function fieldPath(parent: string, field: string): string {
  return parent ? `${parent}.${field}` : field;
}
