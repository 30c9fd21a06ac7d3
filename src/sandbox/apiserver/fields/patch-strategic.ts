import { badRequest } from '../errors.ts';
import { clone, equal, isObject, type JsonObject } from './json.ts';
import { fieldPath, type Schema, structureAt } from './list-keys.ts';

const ORDER = '$setElementOrder/';
const DELETE_FROM = '$deleteFromPrimitiveList/';
const DIRECTIVE = '$patch';
const RETAIN = '$retainKeys';

/**
 * A strategic merge patch: lists with a merge key are merged by it, sets of scalars are joined; directives `$patch`
 * (replace, delete, merge), `$retainKeys`, `$deleteFromPrimitiveList/…`, `$setElementOrder/…`. Throws 400.
 */
export function strategicMergePatch(schema: Schema, target: JsonObject, patch: JsonObject): JsonObject {
  return mergeMap(schema, target, patch, '');
}

function isDirective(key: string): boolean {
  return key === DIRECTIVE || key === RETAIN || key.startsWith(ORDER) || key.startsWith(DELETE_FROM);
}

/** A value of the patch that meets nothing in the target: itself without directives and nulls. */
function withoutDirectives(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value.filter((item) => !(isObject(item) && item[DIRECTIVE] !== undefined)).map(withoutDirectives);
  }
  if (!isObject(value)) return value;
  const entries = Object.entries(value).filter(([key, child]) => !isDirective(key) && child !== null);
  return Object.fromEntries(entries.map(([key, child]) => [key, withoutDirectives(child)]));
}

function mergeMap(schema: Schema, target: JsonObject, patch: JsonObject, path: string): JsonObject {
  const directive = patch[DIRECTIVE];
  if (directive === 'replace') return withoutDirectives(patch) as JsonObject;
  if (directive === 'delete') return {};
  if (directive !== undefined && directive !== 'merge')
    throw badRequest(`Unknown patch type found: ${String(directive)}`);
  const result: JsonObject = { ...target };
  const retained = patch[RETAIN];
  if (Array.isArray(retained)) for (const key of Object.keys(result)) if (!retained.includes(key)) delete result[key];
  for (const [key, values] of Object.entries(patch)) {
    if (key.startsWith(DELETE_FROM)) removeMembers(result, key.slice(DELETE_FROM.length), values);
  }
  for (const [key, value] of Object.entries(patch)) {
    if (isDirective(key)) continue;
    const existing = result[key];
    const childPath = fieldPath(path, key);
    if (value === null) delete result[key];
    else if (isObject(value) && isObject(existing)) result[key] = mergeMap(schema, existing, value, childPath);
    else if (Array.isArray(value) && Array.isArray(existing))
      result[key] = mergeList(schema, existing, value, childPath);
    else result[key] = withoutDirectives(value);
  }
  for (const [key, order] of Object.entries(patch)) {
    if (key.startsWith(ORDER)) orderItems(schema, result, key.slice(ORDER.length), order, path, target);
  }
  return result;
}

function removeMembers(target: JsonObject, key: string, values: unknown): void {
  const list = target[key];
  if (Array.isArray(list) && Array.isArray(values))
    target[key] = list.filter((item) => !values.some((value) => equal(value, item)));
}

function mergeList(schema: Schema, existing: unknown[], patch: unknown[], path: string): unknown[] {
  const structure = structureAt(schema, path);
  if (structure?.type === 'set') {
    return [...existing, ...patch.filter((value) => !existing.some((item) => equal(item, value)))];
  }
  if (structure?.type !== 'map') return patch.map(clone);
  const { mergeKey } = structure;
  if (patch.some((item) => isObject(item) && item[DIRECTIVE] === 'replace'))
    return withoutDirectives(patch) as unknown[];
  let result = [...existing];
  for (const item of patch) {
    if (!isObject(item)) throw badRequest(`map: ${path} does not contain declared merge key: ${mergeKey}`);
    const key = item[mergeKey];
    if (key === undefined)
      throw badRequest(`map: ${JSON.stringify(item)} does not contain declared merge key: ${mergeKey}`);
    const same = (candidate: unknown): boolean => isObject(candidate) && equal(candidate[mergeKey], key);
    if (item[DIRECTIVE] === 'delete') {
      result = result.filter((candidate) => !same(candidate));
      continue;
    }
    const index = result.findIndex(same);
    const found = result[index];
    if (isObject(found)) result[index] = mergeMap(schema, found, item, path);
    else result.push(withoutDirectives(item));
  }
  return result;
}

/** Puts the items named by the patch into its order; the others stay behind the item that they followed. */
function orderItems(
  schema: Schema,
  result: JsonObject,
  key: string,
  order: unknown,
  path: string,
  target: JsonObject,
): void {
  const list = result[key];
  if (!Array.isArray(list) || !Array.isArray(order)) return;
  const structure = structureAt(schema, fieldPath(path, key));
  const identify = (item: unknown): unknown =>
    structure?.type === 'map' && isObject(item) ? item[structure.mergeKey] : item;
  const positionOf = (items: readonly unknown[], item: unknown): number => {
    return items.findIndex((candidate) => equal(identify(candidate), identify(item)));
  };
  const ordered = list
    .filter((item) => positionOf(order, item) >= 0)
    .sort((a, b) => positionOf(order, a) - positionOf(order, b));
  const former = Array.isArray(target[key]) ? target[key] : [];
  for (const item of list.filter((candidate) => positionOf(order, candidate) < 0)) {
    const before = former.slice(0, Math.max(0, positionOf(former, item))).reverse();
    const anchor = before.find((candidate) => positionOf(ordered, candidate) >= 0);
    ordered.splice(anchor === undefined ? 0 : positionOf(ordered, anchor) + 1, 0, item);
  }
  result[key] = ordered;
}
