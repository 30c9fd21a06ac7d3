import { isAlias, isMap, isScalar, isSeq, type Node, type YAMLMap, type YAMLSeq } from 'yaml';
import { byNearness, probablyMeant } from '../nearest.ts';
import { type FieldPath, pathText } from './fault.ts';

/** The part of JSON Schema that `mesh.schema.json` is written in; a test holds what is found here against ajv. */
export interface Schema {
  type?: 'object' | 'array' | 'string' | 'integer' | 'boolean';
  const?: unknown;
  enum?: readonly unknown[];
  pattern?: string;
  minLength?: number;
  minimum?: number;
  maximum?: number;
  minItems?: number;
  maxItems?: number;
  items?: Schema;
  required?: readonly string[];
  properties?: Readonly<Record<string, Schema>>;
  additionalProperties?: boolean | Schema;
  propertyNames?: Schema;
  oneOf?: readonly Schema[];
  $ref?: string;
  $defs?: Readonly<Record<string, Schema>>;
  description?: string;
}

/** What is wrong with a node, and at which one. */
export interface NodeFault {
  node: Node | undefined;
  path: FieldPath;
  message: string;
  hint?: string | undefined;
}

/** A node of the document whose aliases are resolved. */
export type Resolve = (node: unknown) => Node | undefined;

/** What is wrong with a document by the schema, in the document's order. Values are never told but for those that were short. */
export function schemaFaults(root: Node | undefined, schema: Schema, resolve: Resolve): NodeFault[] {
  const definitions = schema.$defs ?? {};
  return faultsOf(root, schema, []);

  function faultsOf(given: unknown, of: Schema, path: FieldPath): NodeFault[] {
    const rule = resolved(of);
    const node = resolve(given);
    if (rule.oneOf) return oneOfFaults(node, rule.oneOf, path);
    const type = typeFault(node, rule, path);
    if (type) return [type];
    if (rule.const !== undefined || rule.enum) return scalarFaults(node, rule, path);
    if (isMap(node)) return mapFaults(node, rule, path);
    if (isSeq(node)) return listFaults(node, rule, path);
    return scalarFaults(node, rule, path);
  }

  function resolved({ $ref, ...own }: Schema): Schema {
    if ($ref === undefined) return own;
    return { ...resolved(definitions[$ref.replace('#/$defs/', '')] ?? {}), ...own };
  }

  /** The branch that was meant: by the kind of node, and of several mappings by what they call their type. */
  function oneOfFaults(node: Node | undefined, branches: readonly Schema[], path: FieldPath): NodeFault[] {
    const rules = branches.map(resolved);
    const fitting = rules.filter((rule) => !typeFault(node, rule, path));
    if (fitting.length === 0) {
      const kinds = [...new Set(rules.map(({ type }) => typeWords(type)))];
      return [{ node, path, message: `must be ${kinds.join(' or ')}, not ${kindOf(node)}` }];
    }
    const [only] = fitting;
    if (only && fitting.length === 1) return faultsOf(node, only, path);
    const types = fitting.map((rule) => String(rule.properties?.type?.const));
    const type = isMap(node) ? resolve(node.get('type', true)) : undefined;
    const value = isScalar(type) ? type.value : undefined;
    const meant = fitting[types.indexOf(String(value))];
    if (meant) return faultsOf(node, meant, path);
    if (type === undefined) return [{ node, path, message: `has no type; it is ${types.join(', ')}` }];
    return [choiceFault(type, [...path, 'type'], types)];
  }

  function mapFaults(map: YAMLMap, rule: Schema, path: FieldPath): NodeFault[] {
    const { properties = {}, additionalProperties: others = true, propertyNames } = rule;
    const keys = map.items.map(({ key }) => String(isScalar(key) ? key.value : key));
    const missing = (rule.required ?? []).filter((name) => !keys.includes(name));
    const within = map.items.flatMap(({ key, value }, index): NodeFault[] => {
      const name = keys[index] ?? '';
      const at = [...path, name];
      const own = properties[name];
      const keyNode = resolve(key);
      if (own) return faultsOf(value, own, at);
      if (others === false) return [unknownField(keyNode, path, name, Object.keys(properties))];
      const named = propertyNames?.pattern !== undefined && !new RegExp(propertyNames.pattern).test(name);
      const fault = { node: keyNode, path: at, message: 'is not Kind/name:path' };
      return [...(named ? [fault] : []), ...(others === true ? [] : faultsOf(value, others, at))];
    });
    return [...missing.map((name): NodeFault => ({ node: map, path, message: `has no ${name}` })), ...within];
  }

  function listFaults(
    list: YAMLSeq,
    { items, minItems = 0, maxItems = Infinity }: Schema,
    path: FieldPath,
  ): NodeFault[] {
    const count = list.items.length;
    const bound = count < minItems ? minItems : count > maxItems ? maxItems : undefined;
    return [
      ...(bound === undefined
        ? []
        : [{ node: list, path, message: bound === 1 ? 'is empty' : `has ${count} entries, and not ${bound}` }]),
      ...(items ? list.items.flatMap((item, index) => faultsOf(item, items, [...path, index])) : []),
    ];
  }
}

function scalarFaults(node: Node | undefined, rule: Schema, path: FieldPath): NodeFault[] {
  const value = scalarOf(node);
  const fault = (message: string): NodeFault[] => [{ node, path, message }];
  const choices = rule.const === undefined ? rule.enum : [rule.const];
  if (choices) return choices.includes(value) ? [] : [choiceFault(node, path, choices)];
  if (typeof value === 'string') {
    if (value.length < (rule.minLength ?? 0)) return fault('is empty');
    if (rule.pattern !== undefined && !new RegExp(rule.pattern, 'u').test(value))
      return fault(patternWords(value, path));
  }
  if (typeof value === 'number') {
    if (value < (rule.minimum ?? -Infinity)) return fault(`is ${value}, and at least ${rule.minimum}`);
    if (value > (rule.maximum ?? Infinity)) return fault(`is ${value}, and at most ${rule.maximum}`);
  }
  return [];
}

/** So much of a value can be told: what is longer may be anything, a key too. */
const TOLD_CHARACTERS = 64;

function told(value: unknown): string {
  const text = String(value);
  return text.length > TOLD_CHARACTERS || /\n/.test(text) ? 'what stands there' : `"${text}"`;
}

/** What a value should look like, by the field that it is in. */
const LIKE: Readonly<Record<string, string>> = {
  certValidity: 'a duration like 8760h or 90d',
  addresses: 'an endpoint like mesh.example.com:2379',
  context: 'the name of one context',
  name: 'a name of lower-case letters, digits and dashes',
  namespace: 'a name of lower-case letters, digits and dashes',
  requests: 'a quantity like 100m or 1Gi',
  limits: 'a quantity like 100m or 1Gi',
};

function patternWords(value: string, path: FieldPath): string {
  const field = [...path].reverse().find((part) => typeof part === 'string' && part in LIKE);
  const like = LIKE[String(field)] ?? 'the name of a cluster: lower-case letters, digits and dashes, at most 32';
  return `${told(value)} is not ${like}`;
}

function choiceFault(node: Node | undefined, path: FieldPath, choices: readonly unknown[]): NodeFault {
  const value = scalarOf(node);
  const words = choices.map(String);
  const meant = typeof value === 'string' ? probablyMeant(value, words) : undefined;
  const not = node === undefined ? 'nothing' : isScalar(node) ? told(value) : kindOf(node);
  return {
    node,
    path,
    message: choices.length === 1 ? `is ${not}, and must be ${words[0]}` : `${not} is not one of ${words.join(', ')}`,
    ...(meant === undefined ? {} : { hint: `did you mean ${meant}?` }),
  };
}

function unknownField(node: Node | undefined, path: FieldPath, name: string, known: readonly string[]): NodeFault {
  const meant = probablyMeant(name, known);
  const where = path.length === 0 ? 'the document' : pathText(path);
  return {
    node,
    path: [...path, name],
    message: `${where} has no such field`,
    hint: meant === undefined ? `its fields are ${byNearness(name, known).join(', ')}` : `did you mean ${meant}?`,
  };
}

function typeFault(node: Node | undefined, { type }: Schema, path: FieldPath): NodeFault | undefined {
  if (type === undefined) return undefined;
  const value = scalarOf(node);
  const fits =
    type === 'object'
      ? isMap(node)
      : type === 'array'
        ? isSeq(node)
        : type === 'integer'
          ? typeof value === 'number' && Number.isInteger(value)
          : isScalar(node) && typeof value === type;
  if (fits) return undefined;
  const quoted = type === 'string' && (typeof value === 'number' || typeof value === 'boolean');
  return {
    node,
    path,
    message: `must be ${typeWords(type)}, not ${kindOf(node)}`,
    ...(quoted ? { hint: `put it in quotes: "${String(value)}"` } : {}),
  };
}

const TYPE_WORDS: Readonly<Record<NonNullable<Schema['type']>, string>> = {
  object: 'a mapping',
  array: 'a list',
  string: 'text',
  integer: 'a whole number',
  boolean: 'true or false',
};

function typeWords(type: Schema['type']): string {
  return type === undefined ? 'anything' : TYPE_WORDS[type];
}

function kindOf(node: Node | undefined): string {
  if (isMap(node)) return 'a mapping';
  if (isSeq(node)) return 'a list';
  const value = scalarOf(node);
  if (value === null || value === undefined) return 'nothing';
  if (typeof value === 'boolean') return String(value);
  return typeof value === 'number' || typeof value === 'bigint' ? `the number ${value}` : 'text';
}

function scalarOf(node: Node | undefined): unknown {
  return isScalar(node) ? node.value : undefined;
}

/** Aliases lead to what they stand for. @param lookUp the document's own */
export function resolver(lookUp: (alias: Node) => Node | undefined): Resolve {
  return (node) => {
    if (isAlias(node)) return lookUp(node);
    return (node ?? undefined) as Node | undefined;
  };
}
