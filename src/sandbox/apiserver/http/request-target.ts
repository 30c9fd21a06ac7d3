import { noSuchPath } from '../errors.ts';
import type { Kinds, ResourceType } from '../storage/kinds.ts';

/** What a path under /api or /apis names. */
export interface ResourceTarget {
  resource: ResourceType;
  version: string;
  namespace?: string;
  name?: string;
  subresource?: string;
  /** What follows the subresource. */
  rest: readonly string[];
}

/** The target of a path as `/apis/apps/v1/namespaces/x/deployments/y/scale`, or undefined if it names no kind. */
export function parseTarget(kinds: Kinds, path: string): ResourceTarget | undefined {
  const segments = path
    .split('/')
    .filter((segment) => segment !== '')
    .map(decodeURIComponent);
  const root = segments.shift();
  if (root !== 'api' && root !== 'apis') return undefined;
  const group = root === 'apis' ? segments.shift() : '';
  const version = segments.shift();
  if (group === undefined || version === undefined || segments.length === 0) return undefined;
  const namespace = segments[0] === 'namespaces' && segments.length > 2 ? segments[1] : undefined;
  const isNamespaced =
    namespace !== undefined && kinds.byPlural(group, version, segments[2] ?? '')?.namespaced === true;
  const [plural, name, subresource, ...rest] = isNamespaced ? segments.slice(2) : segments;
  const resource = kinds.byPlural(group, version, plural ?? '');
  if (!resource) return undefined;
  if (name !== undefined && resource.namespaced && !isNamespaced) throw noSuchPath();
  return {
    resource,
    version,
    ...(isNamespaced ? { namespace } : {}),
    ...(name === undefined ? {} : { name }),
    ...(subresource === undefined ? {} : { subresource }),
    rest,
  };
}

const isTrue = (value: string | null): boolean => value === 'true' || value === '1';

/** The verb of a request, as authorization names it. */
export function verbOf(method: string, target: ResourceTarget, query: URLSearchParams): string {
  switch (method) {
    case 'GET':
    case 'HEAD':
      if (isTrue(query.get('watch'))) return 'watch';
      return target.name === undefined ? 'list' : 'get';
    case 'POST':
      return 'create';
    case 'PUT':
      return 'update';
    case 'PATCH':
      return 'patch';
    case 'DELETE':
      return target.name === undefined ? 'deletecollection' : 'delete';
    default:
      return method.toLowerCase();
  }
}
