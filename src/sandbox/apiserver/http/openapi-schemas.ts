import { type FieldType, fieldTypeOf } from '../../../mesh/objects/field-types.ts';
import { KNOWN_FIELDS } from '../../../mesh/objects/known-fields.ts';
import type { JsonObject } from '../fields/json.ts';

/** Group, version and kind, as a schema names them. */
export interface GroupVersionKind {
  group: string;
  version: string;
  kind: string;
}

const PREFIX = 'io.k8s.';
const reference = (type: string): JsonObject => ({ allOf: [{ $ref: `#/components/schemas/${PREFIX}${type}` }] });

const SCALARS: Partial<Record<FieldType['shape'], JsonObject>> = {
  string: { type: 'string' },
  boolean: { type: 'boolean' },
  int32: { type: 'integer', format: 'int32' },
  int64: { type: 'integer', format: 'int64' },
  quantity: reference('Quantity'),
  'int-or-string': reference('IntOrString'),
  strings: { type: 'array', items: { type: 'string' } },
  'string-map': { type: 'object', additionalProperties: { type: 'string' } },
  'bytes-map': { type: 'object', additionalProperties: { type: 'string', format: 'byte' } },
  'quantity-map': { type: 'object', additionalProperties: reference('Quantity') },
};

function schemaOfField({ shape, type }: FieldType): JsonObject {
  const object = type === undefined ? { type: 'object' } : reference(type);
  return SCALARS[shape] ?? (shape === 'objects' ? { type: 'array', items: object } : object);
}

/** What is there of a kind whose fields are not known. */
const OPAQUE: ReadonlyMap<string, string | undefined> = new Map([
  ['apiVersion', undefined],
  ['kind', undefined],
  ['metadata', 'ObjectMeta'],
  ['spec', undefined],
  ['status', undefined],
]);

function schemaOfType(type: string): JsonObject {
  const fields = KNOWN_FIELDS.get(type) ?? OPAQUE;
  const entries = [...fields.keys()].map((name) => {
    const field = fieldTypeOf(type, name) ?? opaqueField(name);
    return [name, schemaOfField(field)] as const;
  });
  return { type: 'object', properties: Object.fromEntries(entries) };
}

function opaqueField(name: string): FieldType {
  if (name === 'metadata') return { shape: 'object', type: 'ObjectMeta' };
  return { shape: name === 'spec' || name === 'status' ? 'object' : 'string' };
}

/** The types that fields of a type have, and theirs. */
function collect(type: string, found: Set<string>): void {
  if (found.has(type)) return;
  found.add(type);
  for (const name of (KNOWN_FIELDS.get(type) ?? OPAQUE).keys()) {
    const field = fieldTypeOf(type, name) ?? opaqueField(name);
    if (field.type !== undefined) collect(field.type, found);
  }
}

/**
 * The schemas of some kinds and of all that they are made of: the names and types of fields, without descriptions. That is
 * what `kubectl explain` walks.
 */
export function schemasOf(kinds: readonly GroupVersionKind[]): JsonObject {
  const types = new Set<string>();
  for (const { kind } of kinds) collect(kind, types);
  const schemas: JsonObject = {
    [`${PREFIX}Quantity`]: { type: 'string' },
    [`${PREFIX}IntOrString`]: { type: 'string', format: 'int-or-string' },
  };
  for (const type of types) {
    const named = kinds.filter(({ kind }) => kind === type);
    const names = named.length > 0 && { 'x-kubernetes-group-version-kind': named };
    schemas[PREFIX + type] = { ...schemaOfType(type), ...names };
  }
  return schemas;
}
