import { ApiError, badRequest } from '../errors.ts';
import { clone, equal, isObject } from './json.ts';

interface Operation {
  op: string;
  path: string;
  from?: string;
  value?: unknown;
}

/** A real server does not tell what is wrong with the patch either. */
function refuse(): ApiError {
  return new ApiError(422, 'Invalid', 'the server rejected our request due to an error in our request', {});
}

function segmentsOf(pointer: string): string[] {
  if (pointer === '') return [];
  return pointer
    .split('/')
    .slice(1)
    .map((segment) => segment.replaceAll('~1', '/').replaceAll('~0', '~'));
}

function read(root: unknown, path: string): unknown {
  let current = root;
  for (const segment of segmentsOf(path)) {
    const next = Array.isArray(current) ? current[Number(segment)] : isObject(current) ? current[segment] : undefined;
    if (next === undefined) throw refuse();
    current = next;
  }
  return current;
}

function write(root: unknown, path: string, change: (parent: unknown, key: string) => void): void {
  const segments = segmentsOf(path);
  const last = segments.pop();
  if (last === undefined) throw refuse();
  const parentPath = segments.map((segment) => `/${segment.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
  change(read(root, parentPath), last);
}

function add(parent: unknown, key: string, value: unknown): void {
  if (Array.isArray(parent)) {
    const index = key === '-' ? parent.length : Number(key);
    if (!Number.isInteger(index) || index < 0 || index > parent.length) throw refuse();
    parent.splice(index, 0, value);
  } else if (isObject(parent)) {
    parent[key] = value;
  } else {
    throw refuse();
  }
}

function remove(parent: unknown, key: string): void {
  if (Array.isArray(parent)) parent.splice(Number(key), 1);
  else if (isObject(parent)) delete parent[key];
}

/** RFC 6902. Gives the changed copy. Throws 422 where an operation cannot be done, 400 where the patch is no patch. */
export function jsonPatch(target: unknown, patch: unknown): unknown {
  if (!Array.isArray(patch)) throw badRequest('error decoding patch: a JSON patch is a list of operations');
  const result = clone(target);
  for (const operation of patch as Operation[]) {
    const { op, path, from, value } = operation;
    if (typeof path !== 'string') throw badRequest('error decoding patch: an operation lacks its path');
    switch (op) {
      case 'test':
        if (!equal(readOrNull(result, path), value ?? null)) throw refuse();
        break;
      case 'add':
        write(result, path, (parent, key) => add(parent, key, clone(value)));
        break;
      case 'replace':
        read(result, path);
        write(result, path, (parent, key) => {
          if (Array.isArray(parent)) parent[Number(key)] = clone(value);
          else add(parent, key, clone(value));
        });
        break;
      case 'remove':
        read(result, path);
        write(result, path, remove);
        break;
      case 'move':
      case 'copy': {
        const moved = clone(read(result, from ?? ''));
        if (op === 'move') write(result, from ?? '', remove);
        write(result, path, (parent, key) => add(parent, key, moved));
        break;
      }
      default:
        throw badRequest(`error decoding patch: unexpected kind of operation: ${op}`);
    }
  }
  return result;
}

/** A test for null also holds where nothing is. */
function readOrNull(root: unknown, path: string): unknown {
  try {
    return read(root, path);
  } catch {
    return null;
  }
}
