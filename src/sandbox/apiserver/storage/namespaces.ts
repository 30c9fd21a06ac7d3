import type { KubeObject } from '../../../mesh/objects/kube-object.ts';
import { ApiError, notFound, qualifiedResource } from '../errors.ts';
import { objectAt } from '../fields/json.ts';
import type { Kinds, ResourceType } from './kinds.ts';
import type { ObjectLog } from './object-log.ts';

/** The namespaces that nobody may delete (admission plugin NamespaceLifecycle). */
const IMMORTAL = new Set(['default', 'kube-system', 'kube-public']);

/** Whether a kind is the core Namespace. */
export function isNamespace({ group, kind }: ResourceType): boolean {
  return group === '' && kind === 'Namespace';
}

/** Throws 404 where the namespace of a new object is not there, 403 where it is being deleted. */
export function requireOpenNamespace(
  state: { log: ObjectLog; kinds: Kinds },
  resource: ResourceType,
  object: KubeObject,
): void {
  const namespaces = state.kinds.require('v1', 'Namespace');
  const name = object.metadata.namespace ?? '';
  const namespace = state.log.get(namespaces, undefined, name);
  if (!namespace) throw notFound(namespaces, name);
  if (!namespace.metadata.deletionTimestamp) return;
  const cause = {
    reason: 'NamespaceTerminating',
    message: `namespace ${name} is being terminated`,
    field: 'metadata.namespace',
  };
  const details = {
    name: object.metadata.name,
    ...(resource.group ? { group: resource.group } : {}),
    kind: resource.plural,
    causes: [cause],
  };
  const why = `unable to create new content in namespace ${name} because it is being terminated`;
  throw new ApiError(
    403,
    'Forbidden',
    `${qualifiedResource(resource)} "${object.metadata.name}" is forbidden: ${why}`,
    details,
  );
}

/** Throws 403 for a namespace that every cluster needs. */
export function requireMortal(resource: ResourceType, name: string): void {
  if (!isNamespace(resource) || !IMMORTAL.has(name)) return;
  const message = `namespaces "${name}" is forbidden: this namespace may not be deleted`;
  throw new ApiError(403, 'Forbidden', message, { name, kind: 'namespaces' });
}

/** What keeps a deleted object: the finalizers of its metadata, with a namespace also those of its spec. */
export function isHeld(resource: ResourceType, object: KubeObject): boolean {
  const { finalizers } = object.metadata as { finalizers?: unknown };
  const ofSpec = isNamespace(resource) ? objectAt(object, 'spec')?.finalizers : undefined;
  return [finalizers, ofSpec].some((list) => Array.isArray(list) && list.length > 0);
}
