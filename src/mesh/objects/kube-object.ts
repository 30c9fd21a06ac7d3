/** Metadata of a Kubernetes object, as far as meshctl reads it. */
export interface ObjectMeta {
  name: string;
  namespace?: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  /** What has to be done before a deleted object goes. */
  finalizers?: string[];
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  managedFields?: ManagedFieldsEntry[];
  ownerReferences?: {
    apiVersion: string;
    kind: string;
    name: string;
    uid: string;
    controller?: boolean;
    blockOwnerDeletion?: boolean;
  }[];
  [field: string]: unknown;
}

/** One entry of `metadata.managedFields`. */
export interface ManagedFieldsEntry {
  manager?: string;
  operation?: 'Apply' | 'Update';
  apiVersion?: string;
  time?: string;
  fieldsType?: string;
  fieldsV1?: Record<string, unknown>;
  subresource?: string;
}

/**
 * A Kubernetes object as plain JSON. meshctl never passes objects through a typed model: a model drops the fields that
 * it does not know, and under server-side apply that gives up their ownership.
 */
export interface KubeObject {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
  [field: string]: unknown;
}

/** Names an object within one cluster. */
export interface ObjectRef {
  apiVersion: string;
  kind: string;
  /** Absent for cluster-scoped objects. */
  namespace?: string | undefined;
  name: string;
}

/** The reference of an object. */
export function refOf(object: KubeObject): ObjectRef {
  return {
    apiVersion: object.apiVersion,
    kind: object.kind,
    namespace: object.metadata.namespace,
    name: object.metadata.name,
  };
}

/** A key for maps: `Kind/namespace/name`, with `-` for no namespace. Unique among the kinds that meshctl handles. */
export function keyOf(ref: ObjectRef): string {
  return `${ref.kind}/${ref.namespace ?? '-'}/${ref.name}`;
}

/** What {@link keyOf} gives, for sentences: `Secret kube-system/cilium-ca`. */
export function describeKey(key: string): string {
  const [kind = '', namespace = '-', name = ''] = key.split('/');
  return namespace === '-' ? `${kind} ${name}` : `${kind} ${namespace}/${name}`;
}

/** The object of a list that a reference names. */
export function objectIn(objects: readonly KubeObject[], ref: ObjectRef): KubeObject | undefined {
  return objects.find((object) => keyOf(refOf(object)) === keyOf(ref));
}

/** For messages: `Secret kube-system/cilium-ca`, `ClusterRole clustermesh-apiserver`. */
export function describeRef(ref: ObjectRef): string {
  return ref.namespace ? `${ref.kind} ${ref.namespace}/${ref.name}` : `${ref.kind} ${ref.name}`;
}
