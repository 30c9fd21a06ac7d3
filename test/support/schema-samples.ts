import { readFileSync } from 'node:fs';
import { PACKAGE_ROOT, schemaFileOf } from './schemas.ts';

/** A JSON Schema as the package has them. */
interface Schema {
  $ref?: string;
  const?: unknown;
  enum?: unknown[];
  type?: string | string[];
  properties?: Record<string, Schema>;
  items?: Schema;
  allOf?: Schema[];
  oneOf?: Schema[];
  anyOf?: Schema[];
  required?: string[];
}

interface Place {
  file: string;
  schema: Schema;
}

const FOLDER = new URL('templates/schemas/', PACKAGE_ROOT);
const read = (file: string) => JSON.parse(readFileSync(new URL(file, FOLDER), 'utf8')) as Schema;

function resolved({ file, schema }: Place): Place {
  if (schema.$ref === undefined) return { file, schema };
  const [other = '', pointer = ''] = schema.$ref.split('#');
  const at = other === '' ? file : other;
  const within = pointer.split('/').filter((part) => part !== '');
  const target = within.reduce<unknown>((node, part) => (node as Record<string, unknown>)[part], read(at)) as Schema;
  return resolved({ file: at, schema: target });
}

/**
 * Values of a schema with all that it knows, in each of which one thing is otherwise: of what has a choice of few (an enum, a truth),
 * every choice comes once, and what need not be there is once absent. The first has the first choice of all.
 */
function samples(place: Place): unknown[] {
  const { file, schema } = resolved(place);
  const { allOf, oneOf, anyOf, items, properties } = schema;
  if (schema.const !== undefined) return [schema.const];
  if (schema.enum) return schema.enum;
  const choices = oneOf ?? anyOf;
  if (choices?.some((one) => one.properties || one.$ref || one.type)) {
    return choices.flatMap((one) => samples({ file, schema: one }));
  }
  const parts = [...(allOf ?? []).map((one) => ({ file, schema: one })).map(resolved), { file, schema }];
  const known = parts.flatMap((part) =>
    Object.entries(part.schema.properties ?? {}).map(
      ([name, of]) => [name, samples({ file: part.file, schema: of })] as const,
    ),
  );
  if (properties || known.length > 0) {
    const first = Object.fromEntries(known.map(([name, [value]]) => [name, value]));
    const others = known.flatMap(([name, [, ...more]]) => more.map((value) => ({ ...first, [name]: value })));
    const required = parts.flatMap((part) => part.schema.required ?? []);
    const optional = known.map(([name]) => name).filter((name) => !required.includes(name));
    const lacking = optional.map((name) => Object.fromEntries(Object.entries(first).filter(([one]) => one !== name)));
    return [first, ...others, ...lacking];
  }
  const [type] = [schema.type ?? 'string'].flat();
  if (type === 'array') return (items ? samples({ file, schema: items }) : ['x']).map((value) => [value]);
  if (type === 'boolean') return [true, false];
  if (type === 'object') return [{}];
  return type === 'integer' || type === 'number' ? [1] : ['x'];
}

/** The fields of a kind of documents, each with values that it may have. */
export function fieldSamples(kind: string): Map<string, unknown[]> {
  const file = schemaFileOf(kind);
  const { properties = {} } = read(file);
  return new Map(Object.entries(properties).map(([name, schema]) => [name, samples({ file, schema })]));
}

/** Those that each of the kind has. */
export function requiredFields(kind: string): string[] {
  return read(schemaFileOf(kind)).required ?? [];
}
