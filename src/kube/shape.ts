import { isRecord } from '../mesh/record.ts';
import { rememberedOf } from '../mesh/remembered.ts';
/**
 * What is read of documents that others wrote (answers of API servers, kubeconfigs), as shapes. Whatever has another type
 * than its shape says is left out, so that code behind this may trust the types; fields that no shape names are kept as
 * they are. A real API server never answers so: these are proxies, login pages, broken aggregators, hand-edited files.
 */
export type Shape =
  | 'text'
  | 'number'
  | 'truth'
  /** Anything at all. */
  | 'any'
  /** A list of one shape. */
  | readonly [Shape]
  | { readonly [field: string]: Shape };

/**
 * A field `name!` must be there, in its shape: a mapping without it is none, so that an entry of a list is left out, and so is
 * a field; where that one is needed too, what it is in.
 */
const NEEDED = '!';

/** A mapping from any key to one shape, e.g. labels. */
export const EACH = '*';

/** Undefined where the value has not this shape; else the value, without what has not its own. */
export function shaped(value: unknown, shape: Shape): unknown {
  if (shape === 'any') return value;
  if (shape === 'text') return typeof value === 'string' ? value : undefined;
  if (shape === 'number') return typeof value === 'number' ? value : undefined;
  if (shape === 'truth') return typeof value === 'boolean' ? value : undefined;
  if (isList(shape)) return Array.isArray(value) ? shapedList(value, shape[0]) : undefined;
  return isRecord(value) ? shapedRecord(value, shape) : undefined;
}

function isList(shape: Shape): shape is readonly [Shape] {
  return Array.isArray(shape);
}

/** The same list where all of it is as it should be, which is the rule. */
function shapedList(list: readonly unknown[], shape: Shape): readonly unknown[] {
  const sound = list.map((entry) => shaped(entry, shape));
  return sound.every((entry, index) => entry === list[index]) ? list : sound.filter((entry) => entry !== undefined);
}

/** The same record where all of it is as it should be: copying every answer of an API server took longer than reading it. */
function shapedRecord(record: Record<string, unknown>, shape: { readonly [field: string]: Shape }): unknown {
  let sound = record;
  const { shapeOf, needed, ofOthers } = fieldsOf(shape);
  for (const [key, value] of Object.entries(record)) {
    const kept = shaped(value, shapeOf.get(key) ?? ofOthers);
    if (kept === value) continue;
    if (sound === record) sound = { ...record };
    if (kept === undefined) delete sound[key];
    else sound[key] = kept;
  }
  return needed.every((field) => Object.hasOwn(sound, field)) ? sound : undefined;
}

/** The fields of a shape, told apart once: it is asked about for each field of each object that an API server answers with. */
const fieldsOf = rememberedOf((shape: { readonly [field: string]: Shape }) => {
  const fields = Object.entries(shape).filter(([field]) => field !== EACH);
  const isNeeded = (field: string) => field.endsWith(NEEDED);
  const plain = (field: string) => (isNeeded(field) ? field.slice(0, -NEEDED.length) : field);
  return {
    shapeOf: new Map(fields.map(([field, own]) => [plain(field), own])),
    needed: fields.flatMap(([field]) => (isNeeded(field) ? plain(field) : [])),
    ofOthers: shape[EACH] ?? ('any' as const),
  };
});
