import { ApiError } from '../errors.ts';
import { clone, equal, isObject, type JsonObject } from './json.ts';
import { fieldPath, type Schema, structureAt } from './list-keys.ts';

const ORDER = '$setElementOrder/';
const DELETE_FROM = '$deleteFromPrimitiveList/';
const DIRECTIVE = '$patch';
const RETAIN = '$retainKeys';

/**
 * A strategic merge patch: lists with a merge key are merged by it, sets of scalars are joined; directives `$patch`
 * (replace, delete, merge), `$retainKeys`, `$deleteFromPrimitiveList/…`, `$setElementOrder/…`. Throws 500 for a patch
 * without sense, as a real server does.
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
    throw senseless(`unknown patch type: ${String(directive)} in map: ${goText(patch)}`);
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
      result[key] = mergeList(schema, existing, value, patch[ORDER + key], childPath);
    else result[key] = withoutDirectives(value);
  }
  // An order may come without items: then it only moves what is there.
  for (const [key, order] of Object.entries(patch)) {
    const name = key.startsWith(ORDER) ? key.slice(ORDER.length) : undefined;
    const list = name === undefined ? undefined : result[name];
    if (name === undefined || !Array.isArray(list) || Array.isArray(patch[name])) continue;
    result[name] = mergeList(schema, list, [], order, fieldPath(path, name));
  }
  return result;
}

/** Of a patch that has no sense the server says so without a reason. */
const senseless = (message: string): ApiError => new ApiError(500, '', message);

function removeMembers(target: JsonObject, key: string, values: unknown): void {
  const list = target[key];
  if (Array.isArray(list) && Array.isArray(values))
    target[key] = list.filter((item) => !values.some((value) => equal(value, item)));
}

function mergeList(schema: Schema, existing: unknown[], patch: unknown[], order: unknown, path: string): unknown[] {
  const structure = structureAt(schema, path);
  if (structure?.type === 'set') {
    const added = patch.filter((value) => !existing.some((item) => equal(item, value)));
    return inOrder(existing, [...existing, ...added], patch, order, (item) => item);
  }
  if (structure?.type !== 'map') return patch.length > 0 || order === undefined ? patch.map(clone) : existing;
  const { mergeKey } = structure;
  if (patch.some((item) => isObject(item) && item[DIRECTIVE] === 'replace'))
    return withoutDirectives(patch) as unknown[];
  const keyOf = (item: unknown): unknown => (isObject(item) ? item[mergeKey] : item);
  let result = [...existing];
  for (const item of patch) {
    if (keyOf(item) === undefined || !isObject(item))
      throw senseless(`map: ${goText(item)} does not contain declared merge key: ${mergeKey}`);
    const same = (candidate: unknown): boolean => isObject(candidate) && equal(keyOf(candidate), keyOf(item));
    const directive = item[DIRECTIVE];
    if (directive === 'delete') {
      result = result.filter((candidate) => !same(candidate));
      continue;
    }
    const index = result.findIndex(same);
    const found = result[index];
    if (isObject(found)) result[index] = mergeMap(schema, found, item, path);
    else result.push(withoutDirectives(item));
  }
  const kept = patch.filter((item) => isObject(item) && item[DIRECTIVE] !== 'delete');
  return inOrder(existing, result, kept, order, keyOf);
}

/**
 * Brings a merged list into the server's order. What the patch names comes in the order of `$setElementOrder`, or else of the
 * patch; the rest of the former list is put in where it stood before, and behind new items. Throws 500 where the two orders
 * of a patch contradict.
 */
function inOrder(
  former: readonly unknown[],
  merged: readonly unknown[],
  patch: readonly unknown[],
  order: unknown,
  keyOf: (item: unknown) => unknown,
): unknown[] {
  const position = (items: readonly unknown[], item: unknown): number =>
    items.findIndex((candidate) => equal(keyOf(candidate), keyOf(item)));
  const wanted = Array.isArray(order) ? order : patch;
  const positions = patch.map((item) => position(wanted, item));
  if (positions.some((at, index) => at < 0 || at < (positions[index - 1] ?? 0))) {
    throw senseless(
      `The order in patch list:\n${goText(patch)}\n doesn't match $setElementOrder list:\n${goText(wanted)}\n`,
    );
  }
  const named = merged
    .filter((item) => position(wanted, item) >= 0)
    .sort((a, b) => position(wanted, a) - position(wanted, b));
  const rest = merged.filter((item) => position(wanted, item) < 0);
  const ordered: unknown[] = [];
  for (const item of named) {
    const place = position(former, item);
    while (place >= 0 && rest.length > 0 && position(former, rest[0]) < place) ordered.push(rest.shift());
    ordered.push(item);
  }
  return [...ordered, ...rest];
}

/** A value as Go prints it: `map[image:q name:one]`, `[a b]`. */
function goText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(goText).join(' ')}]`;
  if (!isObject(value)) return String(value);
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `map[${entries.map(([key, item]) => `${key}:${goText(item)}`).join(' ')}]`;
}
