import { equal, isObject, type JsonObject } from './json.ts';
import { fieldPath, itemKeys, type Schema, type Structure, structureAt } from './list-keys.ts';

/**
 * A set of fields of an object, as a tree. The children are named as in `fieldsV1`: `f:name` for a field,
 * `k:{"name":"x"}` for an item of an associative list, `v:"x"` for a member of a set.
 */
export interface FieldSet {
  /** Whether the node itself, not only something below it, is in the set. */
  self: boolean;
  children: Map<string, FieldSet>;
}

export function emptyFields(self = false): FieldSet {
  return { self, children: new Map() };
}

export function isEmptyFields(set: FieldSet): boolean {
  return !set.self && [...set.children.values()].every(isEmptyFields);
}

/** Combines two sets node by node; `keep` says whether a node of the result is in it. Empty branches are dropped. */
function combine(
  a: FieldSet | undefined,
  b: FieldSet | undefined,
  keep: (inA: boolean, inB: boolean) => boolean,
): FieldSet {
  const result = emptyFields(keep(a?.self ?? false, b?.self ?? false));
  for (const name of new Set([...(a?.children.keys() ?? []), ...(b?.children.keys() ?? [])])) {
    const child = combine(a?.children.get(name), b?.children.get(name), keep);
    if (!isEmptyFields(child)) result.children.set(name, child);
  }
  return result;
}

export const unionOf = (a: FieldSet, b: FieldSet): FieldSet => combine(a, b, (inA, inB) => inA || inB);
export const intersectionOf = (a: FieldSet, b: FieldSet): FieldSet => combine(a, b, (inA, inB) => inA && inB);
export const differenceOf = (a: FieldSet, b: FieldSet): FieldSet => combine(a, b, (inA, inB) => inA && !inB);

/** `a` without the nodes of `b` and everything below them. */
export function withoutSubtrees(a: FieldSet, b: FieldSet): FieldSet {
  const result = emptyFields(a.self && !b.self);
  if (b.self) return result;
  for (const [name, child] of a.children) {
    const cut = b.children.get(name);
    const rest = cut ? withoutSubtrees(child, cut) : child;
    if (!isEmptyFields(rest)) result.children.set(name, rest);
  }
  return result;
}

export function sameFields(a: FieldSet, b: FieldSet): boolean {
  return isEmptyFields(combine(a, b, (inA, inB) => inA !== inB));
}

/** Reads `fieldsV1`. */
export function parseFields(fieldsV1: unknown): FieldSet {
  const parse = (json: unknown, root: boolean): FieldSet => {
    const entries = isObject(json) ? Object.entries(json) : [];
    const set = emptyFields(!root && (entries.length === 0 || entries.some(([name]) => name === '.')));
    for (const [name, child] of entries) if (name !== '.') set.children.set(name, parse(child, false));
    return set;
  };
  return parse(fieldsV1, true);
}

/** Writes `fieldsV1`: a member without children is `{}`, one with children has a `.`. */
export function formatFields(set: FieldSet): JsonObject {
  const json: JsonObject = {};
  if (set.self && set.children.size > 0) json['.'] = {};
  for (const name of [...set.children.keys()].sort()) {
    const child = set.children.get(name);
    if (child) json[name] = formatFields(child);
  }
  return json;
}

/** The members as paths in the words of a conflict: `.spec.ports[port=80,protocol="TCP"].name`. */
export function describeFields(set: FieldSet): string[] {
  const paths: string[] = [];
  const walk = (node: FieldSet, path: string): void => {
    if (node.self) paths.push(path);
    for (const name of [...node.children.keys()].sort()) {
      const child = node.children.get(name);
      if (child) walk(child, path + describeElement(name));
    }
  };
  walk(set, '');
  return paths;
}

function describeElement(name: string): string {
  if (name.startsWith('f:')) return `.${name.slice(2)}`;
  if (name.startsWith('v:')) return `[=${name.slice(2)}]`;
  const keys = Object.entries(JSON.parse(name.slice(2)) as JsonObject);
  return `[${keys.map(([key, value]) => `${key}=${JSON.stringify(value)}`).join(',')}]`;
}

export type ListStructure = (Structure & { type: 'map' }) | (Structure & { type: 'set' });

/** The structure of a list whose items are told apart, or undefined for an atomic one. */
export function listStructure(schema: Schema, path: string): ListStructure | undefined {
  const structure = structureAt(schema, path);
  return structure?.type === 'map' || structure?.type === 'set' ? structure : undefined;
}

/** Whether an object is one value for server-side apply. */
export function isAtomicMap(schema: Schema, path: string): boolean {
  return structureAt(schema, path)?.type === 'atomic';
}

/** The name of a list item in a field set. */
export function itemName(structure: ListStructure, item: unknown): string {
  return structure.type === 'set' ? `v:${JSON.stringify(item)}` : `k:${JSON.stringify(itemKeys(structure, item))}`;
}

/** The fields that a value at a path sets. `whole` also counts the maps and lists that hold them. */
export function fieldsOf(schema: Schema, value: unknown, path = '', whole = false): FieldSet {
  if (Array.isArray(value)) {
    const structure = listStructure(schema, path);
    if (!structure) return emptyFields(true);
    const set = emptyFields(whole && !isInline(schema, path));
    for (const item of value) {
      const child = structure.type === 'map' ? fieldsOf(schema, item, path, whole) : emptyFields();
      child.self = true;
      set.children.set(itemName(structure, item), child);
    }
    return set;
  }
  if (!isObject(value) || Object.keys(value).length === 0 || isAtomicMap(schema, path)) return emptyFields(true);
  const set = emptyFields(whole && !isInline(schema, path));
  for (const [field, child] of Object.entries(value)) {
    const fields = fieldsOf(schema, child, fieldPath(path, field), whole);
    if (!isEmptyFields(fields)) set.children.set(`f:${field}`, fields);
  }
  return set;
}

// Parts that every object of their kind has, so that nobody adds them.
const INLINE = new Set([
  'containers',
  'jobTemplate',
  'loadBalancer',
  'metadata',
  'names',
  'spec',
  'status',
  'strategy',
  'template',
  'updateStrategy',
]);

function isInline(schema: Schema, path: string): boolean {
  if (schema.custom) return path === '' || path === 'metadata';
  return path === '' || INLINE.has(path.slice(path.lastIndexOf('.') + 1));
}

export interface Comparison {
  /** Fields with another value, or a new one. */
  changed: FieldSet;
  removed: FieldSet;
}

/** What differs between two states of an object. */
export function compareFields(schema: Schema, before: unknown, after: unknown): Comparison {
  const changed = emptyFields();
  const removed = emptyFields();
  compareInto(schema, before, after, '', changed, removed);
  return { changed, removed };
}

function compareInto(
  schema: Schema,
  before: unknown,
  after: unknown,
  path: string,
  changed: FieldSet,
  removed: FieldSet,
): void {
  if (equal(before, after)) return;
  const children = (value: unknown): Map<string, [string, unknown]> | undefined => {
    if (Array.isArray(value)) {
      const structure = listStructure(schema, path);
      return structure && new Map(value.map((item) => [itemName(structure, item), [path, item]]));
    }
    if (!isObject(value) || isAtomicMap(schema, path)) return undefined;
    return new Map(Object.entries(value).map(([field, child]) => [`f:${field}`, [fieldPath(path, field), child]]));
  };
  const [old, next] = [children(before), children(after)];
  if (!old || !next) {
    changed.self = true;
    return;
  }
  for (const name of new Set([...old.keys(), ...next.keys()])) {
    const [was, is] = [old.get(name), next.get(name)];
    if (was && is) {
      const [changedChild, removedChild] = [emptyFields(), emptyFields()];
      compareInto(schema, was[1], is[1], is[0], changedChild, removedChild);
      if (!isEmptyFields(changedChild)) changed.children.set(name, changedChild);
      if (!isEmptyFields(removedChild)) removed.children.set(name, removedChild);
    } else if (is) {
      const fields = fieldsOf(schema, is[1], is[0], true);
      if (!name.startsWith('f:')) fields.self = true;
      if (!isEmptyFields(fields)) changed.children.set(name, fields);
    } else if (was) {
      const fields = fieldsOf(schema, was[1], was[0], true);
      fields.self = true;
      removed.children.set(name, fields);
    }
  }
}
