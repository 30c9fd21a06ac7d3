import type { KubeObject, ManagedFieldsEntry } from '../../../mesh/objects/kube-object.ts';
import {
  compareFields,
  differenceOf,
  emptyFields,
  type FieldSet,
  fieldsOf,
  formatFields,
  isEmptyFields,
  parseFields,
  sameFields,
  unionOf,
  withoutSubtrees,
} from './field-set.ts';
import type { Schema } from './list-keys.ts';
import { rfc3339 } from './time.ts';

/** Who owns what: one entry of `metadata.managedFields`, its fields as a set. */
export interface Ownership {
  manager: string;
  operation: 'Apply' | 'Update';
  apiVersion: string;
  subresource?: string;
  time?: string;
  fields: FieldSet;
}

/** Who makes a change. */
export interface FieldManager {
  name: string;
  subresource?: string;
}

// The server sets these, nobody owns them.
const UNOWNED = parseFields({
  'f:apiVersion': {},
  'f:kind': {},
  'f:metadata': {
    'f:name': {},
    'f:generateName': {},
    'f:namespace': {},
    'f:uid': {},
    'f:resourceVersion': {},
    'f:generation': {},
    'f:creationTimestamp': {},
    'f:deletionTimestamp': {},
    'f:deletionGracePeriodSeconds': {},
    'f:selfLink': {},
    'f:managedFields': {},
  },
});

/** `set` without what nobody can own. */
export function ownable(set: FieldSet): FieldSet {
  const rest = withoutSubtrees(set, UNOWNED);
  const metadata = rest.children.get('f:metadata');
  if (metadata) metadata.self = false;
  if (metadata && isEmptyFields(metadata)) rest.children.delete('f:metadata');
  return rest;
}

/** Reads `metadata.managedFields`. */
export function readOwnership(object: KubeObject | undefined): Ownership[] {
  return (object?.metadata.managedFields ?? [])
    .filter((entry) => entry.operation === 'Apply' || entry.operation === 'Update')
    .map((entry) => ({
      manager: entry.manager ?? 'unknown',
      operation: entry.operation ?? 'Update',
      apiVersion: entry.apiVersion ?? '',
      ...(entry.subresource ? { subresource: entry.subresource } : {}),
      ...(entry.time ? { time: entry.time } : {}),
      fields: parseFields(entry.fieldsV1),
    }));
}

/** Writes `metadata.managedFields` in the server's order; entries whose fields did not change keep their time. */
export function writeOwnership(object: KubeObject, owners: readonly Ownership[], before: readonly Ownership[]): void {
  const now = rfc3339();
  const entries = owners
    .filter((owner) => !isEmptyFields(owner.fields))
    .map((owner): ManagedFieldsEntry => {
      const former = before.find((candidate) => sameOwner(candidate, owner));
      const unchanged = former?.time !== undefined && sameFields(former.fields, owner.fields);
      return {
        manager: owner.manager,
        operation: owner.operation,
        apiVersion: owner.apiVersion,
        time: unchanged ? former.time : now,
        fieldsType: 'FieldsV1',
        fieldsV1: formatFields(owner.fields),
        ...(owner.subresource ? { subresource: owner.subresource } : {}),
      } as ManagedFieldsEntry;
    })
    .sort((a, b) => {
      const order = (entry: ManagedFieldsEntry): string => `${entry.operation} ${entry.time} ${entry.manager}`;
      return order(a) < order(b) ? -1 : 1;
    });
  if (entries.length > 0) object.metadata.managedFields = entries;
  else delete object.metadata.managedFields;
}

/** Appliers are told apart by name and subresource, updaters also by API version. */
export function sameOwner(a: Ownership, b: Ownership): boolean {
  return (
    a.manager === b.manager &&
    a.operation === b.operation &&
    a.subresource === b.subresource &&
    (a.operation === 'Apply' || a.apiVersion === b.apiVersion)
  );
}

/**
 * The owners after a write that is no apply: the manager owns what it changed, everybody loses what was changed or
 * removed by it. `before` is undefined for a creation.
 */
export function ownersAfterUpdate(
  schema: Schema,
  before: KubeObject | undefined,
  after: KubeObject,
  owners: readonly Ownership[],
  manager: FieldManager,
): Ownership[] {
  const { changed, removed } = compareFields(schema, before ?? {}, after);
  const updater: Ownership = {
    manager: manager.name,
    operation: 'Update',
    apiVersion: after.apiVersion,
    ...(manager.subresource ? { subresource: manager.subresource } : {}),
    fields: emptyFields(),
  };
  const mine = owners.find((owner) => sameOwner(owner, updater));
  const others = owners
    .filter((owner) => owner !== mine)
    .map((owner) => ({ ...owner, fields: withoutSubtrees(differenceOf(owner.fields, changed), removed) }));
  const fields = withoutSubtrees(unionOf(mine?.fields ?? emptyFields(), ownable(changed)), removed);
  return [...others, { ...updater, fields }].filter((owner) => !isEmptyFields(owner.fields));
}

/** The owner of the fields of an object that was written before its first apply, if nobody is known to own them. */
export function ownersBeforeFirstApply(schema: Schema, object: KubeObject): Ownership[] {
  const fields = ownable(fieldsOf(schema, object, '', true));
  return [{ manager: 'before-first-apply', operation: 'Update', apiVersion: object.apiVersion, fields }];
}
