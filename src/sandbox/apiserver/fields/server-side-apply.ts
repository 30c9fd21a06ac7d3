import type { KubeObject } from '../../../mesh/objects/kube-object.ts';
import { ApiError, type StatusCause } from '../errors.ts';
import {
  compareFields,
  describeFields,
  differenceOf,
  emptyFields,
  type FieldSet,
  fieldsOf,
  intersectionOf,
  isAtomicMap,
  isEmptyFields,
  itemName,
  listStructure,
  unionOf,
  withoutSubtrees,
} from './field-set.ts';
import { clone, isObject, type JsonObject } from './json.ts';
import { fieldPath, type Schema } from './list-keys.ts';
import {
  type FieldManager,
  type Ownership,
  ownable,
  ownersBeforeFirstApply,
  readOwnership,
  sameOwner,
} from './managed-fields.ts';

export interface Applied {
  object: KubeObject;
  owners: Ownership[];
}

/**
 * Server-side apply of a configuration to the live object, or to nothing. Fields that the manager applied before and now
 * leaves out go, unless others own them. Throws 409 naming managers and fields where others own a changed field, unless forced.
 */
export function serverSideApply(
  schema: Schema,
  live: KubeObject | undefined,
  configuration: KubeObject,
  manager: FieldManager,
  force: boolean,
): Applied {
  const config = withoutNulls(configuration) as KubeObject;
  const known = readOwnership(live);
  const owners = live && known.length === 0 ? ownersBeforeFirstApply(schema, live) : known;
  const applier: Ownership = {
    manager: manager.name,
    operation: 'Apply',
    apiVersion: config.apiVersion,
    ...(manager.subresource ? { subresource: manager.subresource } : {}),
    // Also of the nulls: they are owned, and set nothing.
    fields: ownable(fieldsOf(schema, configuration)),
  };
  const mine = owners.find((owner) => sameOwner(owner, applier));
  const others = owners.filter((owner) => owner !== mine);

  const merged = live ? (mergeApplied(schema, clone(live), config, '') as KubeObject) : clone(config);
  if (mine) {
    const kept = others.reduce((all, owner) => unionOf(all, owner.fields), applier.fields);
    prune(schema, merged, '', mine.fields, kept);
  }

  const { changed, removed } = compareFields(schema, live ?? {}, merged);
  const conflicts = others
    .map((owner) => ({ owner, fields: describeFields(intersectionOf(owner.fields, changed)) }))
    .filter(({ fields }) => fields.length > 0);
  if (conflicts.length > 0 && !force) throw applyConflict(conflicts);
  const rest = others.map((owner) => ({
    ...owner,
    fields: withoutSubtrees(differenceOf(owner.fields, changed), removed),
  }));
  return { object: merged, owners: [...rest, applier].filter((owner) => !isEmptyFields(owner.fields)) };
}

function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (!isObject(value)) return value;
  const entries = Object.entries(value).filter(([, child]) => child !== null && child !== undefined);
  return Object.fromEntries(entries.map(([key, child]) => [key, withoutNulls(child)]));
}

function mergeApplied(schema: Schema, live: unknown, config: unknown, path: string): unknown {
  if (isObject(live) && isObject(config) && !isAtomicMap(schema, path)) {
    const result: JsonObject = { ...live };
    for (const [field, value] of Object.entries(config)) {
      result[field] = mergeApplied(schema, live[field], value, fieldPath(path, field));
    }
    return result;
  }
  const structure = Array.isArray(live) && Array.isArray(config) ? listStructure(schema, path) : undefined;
  if (!structure) return clone(config);
  const nameOf = (item: unknown): string => itemName(structure, item);
  const applied = new Map((config as unknown[]).map((item) => [nameOf(item), item]));
  const lives = live as unknown[];
  const liveByName = new Map(lives.map((item) => [nameOf(item), item]));
  // The configuration's order wins; what only lives stays where it was among the others.
  const result: unknown[] = [];
  const waiting = [...applied.keys()];
  for (const item of lives) {
    if (!applied.has(nameOf(item))) {
      result.push(item);
      continue;
    }
    const next = waiting.shift();
    if (next !== undefined) result.push(mergeApplied(schema, liveByName.get(next), applied.get(next), path));
  }
  for (const name of waiting) result.push(mergeApplied(schema, liveByName.get(name), applied.get(name), path));
  return result;
}

/** Takes out of a merged value what its manager applied before (`last`) and nobody keeps. Changes the value. */
function prune(schema: Schema, value: unknown, path: string, last: FieldSet, kept: FieldSet): void {
  const structure = Array.isArray(value) ? listStructure(schema, path) : undefined;
  if (Array.isArray(value) && structure) {
    const rest = value.filter((item) => {
      const name = itemName(structure, item);
      return pruneChild(schema, item, path, last.children.get(name), kept.children.get(name));
    });
    value.splice(0, value.length, ...rest);
  } else if (isObject(value)) {
    for (const [field, child] of Object.entries(value)) {
      const name = `f:${field}`;
      if (!pruneChild(schema, child, fieldPath(path, field), last.children.get(name), kept.children.get(name)))
        delete value[field];
    }
  }
}

/** Whether the child stays. */
function pruneChild(
  schema: Schema,
  child: unknown,
  path: string,
  last: FieldSet | undefined,
  kept: FieldSet | undefined,
): boolean {
  if (!last) return true;
  const owned = kept !== undefined && !isEmptyFields(kept);
  if (last.self && !owned) return false;
  const filledBefore = sizeOf(child) > 0;
  prune(schema, child, path, last, kept ?? emptyFields());
  return owned || !filledBefore || sizeOf(child) > 0;
}

function sizeOf(value: unknown): number {
  if (Array.isArray(value)) return value.length;
  return isObject(value) ? Object.keys(value).length : 0;
}

function describeOwner(owner: Ownership): string {
  const subresource = owner.subresource ? ` with subresource "${owner.subresource}"` : '';
  const version = owner.operation === 'Update' ? ` using ${owner.apiVersion}` : '';
  return `"${owner.manager}"${subresource}${version}`;
}

// In the words of the API server, which kubectl and others show as they are.
function applyConflict(conflicts: { owner: Ownership; fields: string[] }[]): ApiError {
  const causes = conflicts.flatMap(({ owner, fields }) =>
    fields.map(
      (field): StatusCause => ({
        reason: 'FieldManagerConflict',
        message: `conflict with ${describeOwner(owner)}`,
        field,
      }),
    ),
  );
  const [only] = causes;
  const message =
    only && causes.length === 1
      ? `Apply failed with 1 conflict: ${only.message}: ${only.field}`
      : `Apply failed with ${causes.length} conflicts: ${conflicts
          .map(({ owner, fields }) =>
            [`conflicts with ${describeOwner(owner)}:`, ...fields.map((field) => `- ${field}`)].join('\n'),
          )
          .join('\n')}`;
  return new ApiError(409, 'Conflict', message, { causes });
}
