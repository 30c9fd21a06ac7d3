import type { KubeObject } from '../../mesh/kube-object.ts';
import { ApiError, badRequest } from './errors.ts';
import { isObject, type JsonObject } from './json.ts';
import type { ResourceType } from './kinds.ts';
import { KNOWN_FIELDS } from './known-fields.ts';

/** Takes unknown fields out of an object, gives their paths: `spec.template.spec.containers[0].imagee`. */
function dropUnknown(object: JsonObject, typeName: string, path: string, unknown: string[]): void {
  const fields = KNOWN_FIELDS.get(typeName);
  if (!fields) return;
  for (const [name, value] of Object.entries(object)) {
    const fieldPath = path ? `${path}.${name}` : name;
    const type = fields.get(name);
    if (!fields.has(name)) {
      unknown.push(fieldPath);
      delete object[name];
    } else if (type !== undefined && isObject(value)) {
      dropUnknown(value, type, fieldPath, unknown);
    } else if (type !== undefined && Array.isArray(value)) {
      value.forEach((item, index) => {
        if (isObject(item)) dropUnknown(item, type, `${fieldPath}[${index}]`, unknown);
      });
    }
  }
}

/**
 * Drops the fields that a built-in kind does not have, as decoding does. With `fieldValidation=Strict` it throws 400,
 * with Warn (the default) it warns; an apply with such a field is always refused. Custom resources are not checked.
 */
export function checkFields(
  resource: ResourceType,
  object: KubeObject,
  query: URLSearchParams,
  warn: (text: string) => void,
  isApply = false,
): void {
  if (resource.custom) return;
  const unknown: string[] = [];
  dropUnknown(object, resource.kind, '', unknown);
  if (unknown.length === 0) return;
  if (isApply) {
    const { namespace, name } = object.metadata;
    const list = unknown.map((path) => `.${path}: field not declared in schema`);
    const place = `${namespace ?? ''}/${name}; ${object.apiVersion}, Kind=${object.kind}`;
    const lines = list.length === 1 ? list[0] : `errors:\n  ${list.join('\n  ')}`;
    throw new ApiError(500, '', `failed to create typed patch object (${place}): ${lines}`);
  }
  const texts = unknown.map((path) => `unknown field "${path}"`);
  const level = query.get('fieldValidation') ?? 'Warn';
  if (level === 'Strict') {
    const version = object.apiVersion.split('/').at(-1);
    throw badRequest(
      `${object.kind} in version "${version}" cannot be handled as a ${object.kind}: strict decoding error: ${texts.join(', ')}`,
    );
  }
  if (level === 'Warn') for (const text of texts) warn(text);
}
