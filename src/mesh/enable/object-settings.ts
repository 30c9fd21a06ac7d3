import { MeshctlError } from '../errors.ts';
import { byNearness, probablyMeant } from '../nearest.ts';
import { type FieldType, findMisfit } from '../objects/field-types.ts';
import { type FieldTypes, KNOWN_FIELDS } from '../objects/known-fields.ts';
import { describeRef, type KubeObject, refOf } from '../objects/kube-object.ts';
import { conflictsOf } from '../objects/ownership.ts';
import { makeRoomFor } from './alternatives.ts';
import { keptSettingsOf, SETTINGS_ANNOTATION, settingName, unsetCommand } from './kept-settings.ts';
import { type OptionPlace, settingWord } from './option-name.ts';
import { entryOf, segmentsOf } from './setting-path.ts';
import { type ObjectField, targetOf } from './setting-target.ts';

/** A field of a rendered object that the operator wants otherwise: `--set Kind[/name]:path=value`; see setting-path.ts. */
export interface ObjectSetting extends ObjectField {
  /** Null takes the field away. */
  value: unknown;
}

/** What an operator chose of the fields of rendered objects. */
export interface FieldChoices extends OptionPlace {
  settings?: readonly ObjectSetting[] | undefined;
  /** Settings of earlier runs that hold no longer: the fields are as rendered again. */
  unset?: readonly ObjectField[] | undefined;
}

/** What an object is told apart by, or who made it: not the operator's to choose. */
const FIXED_PATHS = [
  /^apiVersion$/,
  /^kind$/,
  /^status\b/,
  // As a whole they hold what must stay.
  /^(metadata|spec)$/,
  /^metadata\.(?!labels\b|annotations\b)/,
  /^metadata\.labels\[app\.kubernetes\.io\/managed-by\]$/,
  /^metadata\.annotations\[meshctl\.io\//,
];
/** Mappings whose values are texts. */
const TEXT_MAPPINGS = new Set(['labels', 'annotations', 'matchLabels', 'nodeSelector', 'selector', 'data']);

/** The live objects that rendered ones stand for; in `render`, which sees none, undefined. */
export interface LiveObjects {
  context: string;
  of(object: KubeObject): KubeObject | undefined;
}

/**
 * The objects with the operator's settings: those of this run and, on objects that live already, those of earlier runs
 * that are not taken back. What results is kept in an annotation of each object.
 * @throws MeshctlError `Usage` for an object that is not rendered, or a field that it cannot have
 */
export function applySettings(
  objects: readonly KubeObject[],
  { settings = [], unset = [], ...place }: FieldChoices,
  live?: LiveObjects,
): KubeObject[] {
  const word = settingWord(place);
  const chosen = new Map<KubeObject, Map<string, unknown>>();
  for (const setting of settings) {
    const object = targetOf(objects, setting, word);
    chosen.set(object, (chosen.get(object) ?? new Map()).set(setting.path, setting.value));
  }
  const dropped = new Set(unset.map((field) => settingName(targetOf(objects, field, '--unset'), field.path)));
  for (const [object, own] of chosen) {
    const both = [...own.keys()].map((path) => settingName(object, path)).find((name) => dropped.has(name));
    if (both === undefined) continue;
    throw new MeshctlError('Usage', `--set ${both} and --unset ${both} are both given`, {
      hint: 'Give --set to have another value, or --unset to have it as rendered.',
    });
  }
  const spoilt: Spoilt[] = [];
  const results = objects.map((object) => {
    const own = chosen.get(object) ?? new Map<string, unknown>();
    const before = live?.of(object);
    const earlier = keptSettingsOf(before).filter(([path]) => !dropped.has(settingName(object, path)));
    const all = new Map([...earlier, ...own]);
    if (all.size === 0 && !outlastsRemoval(before)) return object;
    const changed = structuredClone(object);
    for (const [path, value] of all) makeRoomFor(changed, path, value);
    for (const [path, value] of all) {
      if (own.has(path) || !live) setField(changed, path, value, { word });
      else spoilt.push(...keepField(changed, path, value));
    }
    const annotations = {
      ...changed.metadata.annotations,
      [SETTINGS_ANNOTATION]: JSON.stringify(Object.fromEntries(all)),
    };
    return { ...changed, metadata: { ...changed.metadata, annotations } };
  });
  if (live) requireKept(spoilt, [...dropped], live.context);
  return results;
}

/**
 * Whether an annotation without settings has to say so: what somebody else wrote into it does not go when meshctl has none.
 */
function outlastsRemoval(live: KubeObject | undefined): boolean {
  const text = live?.metadata.annotations?.[SETTINGS_ANNOTATION];
  if (!live || text === undefined) return false;
  return text === '{}' || conflictsOf(live, [{ path: `metadata.annotations.${SETTINGS_ANNOTATION}` }]).length > 0;
}

/**
 * A live object without what was `--set`: by it a run tells what was chosen by flags, which goes on when a setting is taken
 * back.
 */
export function withoutSettings(live: KubeObject): KubeObject {
  const settings = keptSettingsOf(live);
  if (settings.length === 0) return live;
  const bare = structuredClone(live);
  for (const [path] of settings) {
    try {
      setField(bare, path, null, { lenient: true });
    } catch (error) {
      // Somebody else has made something else of it since.
      if (!(error instanceof MeshctlError)) throw error;
    }
  }
  return bare;
}

/** Whether an object would be the same with a setting. */
export function isFieldAs(object: KubeObject, path: string, value: unknown): boolean {
  const changed = structuredClone(object);
  try {
    setField(changed, path, value, { lenient: true });
  } catch (error) {
    // That it cannot be set is told where it is set.
    if (error instanceof MeshctlError) return true;
    throw error;
  }
  return JSON.stringify(changed) === JSON.stringify(object);
}

/** What is to be taken back although no earlier run has set it, in words. */
export function idleUnsets(
  objects: readonly KubeObject[],
  { unset = [] }: FieldChoices,
  live: Pick<LiveObjects, 'of'>,
): string[] {
  return unset.flatMap((field) => {
    const object = targetOf(objects, field, '--unset');
    const names = keptSettingsOf(live.of(object)).map(([path]) => settingName(object, path));
    const name = settingName(object, field.path);
    if (names.includes(name)) return [];
    return [`--unset ${name}: no earlier run has set it${names.length > 0 ? `; set is ${names.join(', ')}` : ''}`];
  });
}

/** A setting of an earlier run that cannot be any more. */
interface Spoilt {
  name: string;
  error: MeshctlError;
}

/** A setting of an earlier run. What it takes away may not be there any more; what cannot be set any more stops the run. */
function keepField(object: KubeObject, path: string, value: unknown): Spoilt[] {
  try {
    setField(object, path, value, { lenient: value === null });
    return [];
  } catch (error) {
    if (error instanceof MeshctlError) return [{ name: settingName(object, path), error }];
    throw error;
  }
}

/** @param dropped what this run takes back already @throws MeshctlError `Usage`, whose hint takes back all that is in the way */
function requireKept(spoilt: readonly Spoilt[], dropped: readonly string[], context: string): void {
  const [first] = spoilt;
  if (!first) return;
  const names = spoilt.map(({ name }) => name);
  throw new MeshctlError('Usage', `context "${context}": an earlier run's ${first.error.message}`, {
    hint: `Undo ${names.length === 1 ? 'it' : 'all that cannot be'}: ${unsetCommand(context, [...dropped, ...names])}`,
    cause: first.error,
  });
}

/** Sets one field of an object in place. @throws MeshctlError `Usage` when the object cannot have it */
function setField(object: KubeObject, path: string, value: unknown, { lenient = false, word = '--set' } = {}): void {
  const where = `${word} ${settingName(object, path)}`;
  const refuse = (what: string, hint?: string) => new MeshctlError('Usage', `${where}: ${what}`, { hint });
  if (FIXED_PATHS.some((pattern) => pattern.test(path))) throw refuse('this field cannot be set');
  const segments = segmentsOf(path);
  if (!segments) throw refuse('this is not a path', 'Write it like spec.template.spec.containers[etcd].resources.');
  let parent: unknown = object;
  let type: string | undefined = object.kind;
  for (const [depth, segment] of segments.entries()) {
    const last = depth === segments.length - 1;
    if (Array.isArray(parent)) {
      const index = entryOf(parent, segment);
      if (index === undefined && lenient) return;
      if (index === undefined) throw refuse(`there is no entry "${segment}"`, namesIn(parent));
      if (last && value === null) parent.splice(index, 1);
      else if (last) parent[index] = value;
      else parent = parent[index] ??= {};
      continue;
    }
    const fields: FieldTypes | undefined = type === undefined ? undefined : KNOWN_FIELDS.get(type);
    if (fields && !fields.has(segment)) {
      throw refuse(`${describeType(object, type)} has no field "${segment}"`, fieldsLike(segment, [...fields.keys()]));
    }
    type = fields?.get(segment);
    const mapping = parent as Record<string, unknown>;
    if (last && value === null) delete mapping[segment];
    else if (last) mapping[segment] = isTextMapping(segments[depth - 1]) ? String(value) : value;
    else parent = mapping[segment] ??= {};
    if (!last && (typeof parent !== 'object' || parent === null)) throw refuse(`"${segment}" is not a mapping`);
  }
  checkFields(value, type, refuse);
  if (!lenient && isNegative(segments, value)) throw refuse(`${path} is not negative, and ${String(value)} is`);
  const misfit = lenient || value === null ? undefined : findMisfit(object, object.kind);
  if (misfit) throw refuse(`${misfit.path} is ${SHAPE_WORDS[misfit.shape]}, not ${JSON.stringify(misfit.value)}`);
}

/** What may be below zero of all that is set in these objects. */
const SIGNED = new Set(['priority', 'tolerationSeconds']);

function isNegative(segments: readonly string[], value: unknown): boolean {
  return typeof value === 'number' && value < 0 && !SIGNED.has(segments.at(-1) ?? '');
}

/** What a field holds, for people. */
const SHAPE_WORDS: Readonly<Record<FieldType['shape'], string>> = {
  string: 'a text',
  boolean: 'true or false',
  int32: 'a whole number',
  int64: 'a whole number',
  quantity: 'a quantity such as 500m or 1Gi',
  'int-or-string': 'a number or a text',
  strings: 'a list',
  'string-map': 'a mapping',
  'bytes-map': 'a mapping',
  'quantity-map': 'a mapping of quantities such as 500m or 1Gi',
  object: 'a mapping',
  objects: 'a list',
};

/** The fields of a value that is a mapping or a list of them, against their type. */
function checkFields(value: unknown, type: string | undefined, refuse: (what: string) => MeshctlError): void {
  const fields = type === undefined ? undefined : KNOWN_FIELDS.get(type);
  if (!fields || typeof value !== 'object' || value === null) return;
  if (Array.isArray(value)) {
    for (const entry of value) checkFields(entry, type, refuse);
    return;
  }
  for (const [name, inner] of Object.entries(value)) {
    if (!fields.has(name)) throw refuse(`${type} has no field "${name}"`);
    checkFields(inner, fields.get(name), refuse);
  }
}

function namesIn(list: readonly unknown[]): string {
  const names = list.map((entry, index) => (entry as { name?: unknown } | null)?.name ?? index);
  return names.length > 0 ? `It has ${names.join(', ')}.` : 'The list is empty.';
}

function isTextMapping(parent: string | undefined): boolean {
  return parent !== undefined && TEXT_MAPPINGS.has(parent);
}

function describeType(object: KubeObject, type: string | undefined): string {
  return type === object.kind ? describeRef(refOf(object)) : (type ?? 'it');
}

function fieldsLike(name: string, known: readonly string[]): string {
  const meant = probablyMeant(name, known);
  return meant === undefined ? `Its fields are ${byNearness(name, known).join(', ')}.` : `Did you mean ${meant}?`;
}
