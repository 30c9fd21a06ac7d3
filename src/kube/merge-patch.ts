import { isRecord } from '../mesh/record.ts';

/** JSON merge patches (RFC 7386) over plain JSON: mappings are merged, everything else is replaced as a whole. */

type Mapping = Record<string, unknown>;

/** What `target` becomes under `patch`. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isRecord(patch)) return patch;
  const result: Mapping = isRecord(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = mergePatch(result[key], value);
  }
  return result;
}

/** `base` with the fields of `top` set; lists are replaced. */
export function overlay(base: unknown, top: unknown): unknown {
  if (!isRecord(base) || !isRecord(top)) return top;
  const result: Mapping = { ...base };
  for (const [key, value] of Object.entries(top)) result[key] = overlay(base[key], value);
  return result;
}

/**
 * The patch that takes back the change from `before` to `after`, where `live` still is as `after` left it: what others
 * wrote since stays. Undefined when there is nothing to take back.
 */
export function inversePatch(before: unknown, after: unknown, live: unknown): Mapping | undefined {
  const patch: Mapping = {};
  const [old, changed, current] = [asMapping(before), asMapping(after), asMapping(live)];
  for (const key of new Set([...Object.keys(old), ...Object.keys(changed)])) {
    const [from, to, now] = [old[key], changed[key], current[key]];
    if (equal(from, to)) continue;
    // A mapping that is wholly new goes as one, unless someone has added to it.
    if (isRecord(to) && isRecord(now) && (isRecord(from) || !equal(to, now))) {
      const inner = inversePatch(from, to, now);
      if (inner) patch[key] = inner;
    } else if (equal(to, now) || (isEmpty(to) && isEmpty(now))) {
      patch[key] = from === undefined ? null : from;
    }
  }
  return Object.keys(patch).length > 0 ? patch : undefined;
}

/** API servers leave empty mappings out. */
function isEmpty(value: unknown): boolean {
  return value === undefined || (isRecord(value) && Object.keys(value).length === 0);
}

/** Whether every field of `expected` is in `actual` with the same value, and every entry of a list in some entry there. */
export function contains(actual: unknown, expected: unknown): boolean {
  if (Array.isArray(expected)) {
    return Array.isArray(actual) && expected.every((entry) => actual.some((other) => contains(other, entry)));
  }
  if (!isRecord(expected)) return equal(actual, expected);
  if (!isRecord(actual)) return isEmpty(expected) && isEmpty(actual);
  return Object.entries(expected).every(([key, value]) => contains(actual[key], value));
}

/**
 * What was sent, with its lists as the API server has stored them: it fills in what entries do not say. A list that has become
 * longer has entries of others.
 */
export function asStored(sent: unknown, live: unknown): unknown {
  if (Array.isArray(sent))
    return Array.isArray(live) && live.length === sent.length && contains(live, sent) ? live : sent;
  if (!isRecord(sent) || !isRecord(live)) return sent;
  return Object.fromEntries(Object.entries(sent).map(([key, value]) => [key, asStored(value, live[key])]));
}

/** Whether both are the same JSON; the order of fields does not count. */
export function equal(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((entry, index) => equal(entry, b[index]));
  }
  if (!isRecord(a) || !isRecord(b)) return false;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && equal(a[key], b[key]));
}

function asMapping(value: unknown): Mapping {
  return isRecord(value) ? value : {};
}
