import { describeMisfit, type FieldMisfit, findMisfit } from '../../../mesh/objects/field-types.ts';
import { KNOWN_FIELDS } from '../../../mesh/objects/known-fields.ts';
import type { KubeObject } from '../../../mesh/objects/kube-object.ts';
import { ApiError, badRequest, invalid } from '../errors.ts';
import { isObject, type JsonObject } from '../fields/json.ts';
import type { ResourceType } from '../storage/kinds.ts';
import { parseApiVersion } from '../storage/kinds.ts';

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

function unknownFields(resource: ResourceType, object: KubeObject): string[] {
  const unknown: string[] = [];
  if (!resource.custom) dropUnknown(object, resource.kind, '', unknown);
  return unknown;
}

type Warn = (text: string) => void;

function judge(unknown: string[], query: URLSearchParams, warn: Warn, refuse: (why: string) => ApiError): void {
  const texts = unknown.map((path) => `unknown field "${path}"`);
  const level = query.get('fieldValidation') ?? 'Warn';
  if (texts.length > 0 && level === 'Strict') throw refuse(`strict decoding error: ${texts.join(', ')}`);
  if (level === 'Warn') for (const text of texts) warn(text);
}

// Custom resources have a schema of their own, but the metadata of every object.
const misfitIn = (resource: ResourceType, object: KubeObject): FieldMisfit | undefined =>
  resource.custom
    ? findMisfit({ ...object.metadata }, 'ObjectMeta', 'metadata')
    : findMisfit({ ...object }, resource.kind);

/**
 * Decodes an object of a built-in kind: throws 400 for a value of the wrong type; drops the fields that the kind does not
 * have. With `fieldValidation=Strict` it throws 400 for these too, with Warn (the default) it warns. Of custom resources only
 * the metadata are looked at. Changes the object.
 */
export function checkFields(resource: ResourceType, object: KubeObject, query: URLSearchParams, warn: Warn): void {
  const { version } = parseApiVersion(object.apiVersion);
  const refuse = (why: string): ApiError =>
    badRequest(`${object.kind} in version "${version}" cannot be handled as a ${object.kind}: ${why}`);
  const misfit = misfitIn(resource, object);
  if (misfit) throw refuse(describeMisfit(misfit));
  judge(unknownFields(resource, object), query, warn, refuse);
}

/** As checkFields, for the outcome of a patch: throws 422. */
export function checkPatchedFields(
  resource: ResourceType,
  object: KubeObject,
  query: URLSearchParams,
  warn: Warn,
): void {
  const text = JSON.stringify(JSON.stringify(object));
  const refuse = (why: string): ApiError =>
    invalid({ group: '', kind: '' }, '', [
      { reason: 'FieldValueInvalid', message: `Invalid value: ${text}: ${why}`, field: 'patch' },
    ]);
  const misfit = misfitIn(resource, object);
  if (misfit) throw refuse(describeMisfit(misfit));
  judge(unknownFields(resource, object), query, warn, refuse);
}

/** For an applied configuration: what does not fit is always refused, with 500 and no reason, as a real server does. */
export function checkAppliedFields(resource: ResourceType, object: KubeObject): void {
  const misfit = misfitIn(resource, object);
  const errors = [
    ...(misfit ? [appliedMisfit(misfit)] : []),
    ...unknownFields(resource, object).map((path) => `.${path}: field not declared in schema`),
  ];
  if (errors.length === 0) return;
  const { group, version } = parseApiVersion(object.apiVersion);
  const place = `${object.metadata.namespace ?? ''}/${object.metadata.name}; ${group}/${version}, Kind=${object.kind}`;
  const list = errors.length === 1 ? errors[0] : `errors:\n  ${errors.join('\n  ')}`;
  throw new ApiError(500, '', `failed to create typed patch object (${place}): ${list}`);
}

function appliedMisfit({ path, key, wanted, value }: FieldMisfit): string {
  const place = key === undefined ? path : `${path}.${key}`;
  return `.${place}: expected ${wanted}, got &value.valueUnstructured{Value:${String(value)}}`;
}
