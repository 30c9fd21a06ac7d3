import { MeshctlError } from '../errors.ts';
import { KNOWN_FIELDS } from '../objects/known-fields.ts';
import { describeRef, type KubeObject, refOf } from '../objects/kube-object.ts';

/**
 * A field of a rendered object that the operator wants otherwise: `--set Kind[/name]:path=value`. The path is written as
 * in plans: `spec.template.spec.containers[etcd].imagePullPolicy`; brackets hold a list entry's name or index, or a
 * mapping's key that has dots in it: `metadata.annotations[example.com/team]`.
 */
export interface ObjectSetting {
  kind: string;
  /** Absent: the only object of that kind. */
  name?: string | undefined;
  path: string;
  /** Null takes the field away. */
  value: unknown;
}

/** Where an object keeps the settings that it was made with, so that a later run without them does not undo them. */
export const SETTINGS_ANNOTATION = 'meshctl.io/set';

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

/**
 * The objects with the operator's settings: those of this run and, on objects that live already, those of earlier runs.
 * What results is kept in an annotation of each object.
 * @throws MeshctlError `Usage` for an object that is not rendered, or a field that it cannot have
 */
export function applySettings(
  objects: readonly KubeObject[],
  settings: readonly ObjectSetting[],
  liveOf: (object: KubeObject) => KubeObject | undefined,
): KubeObject[] {
  const chosen = new Map<KubeObject, Map<string, unknown>>();
  for (const setting of settings) {
    const object = targetOf(objects, setting);
    chosen.set(object, (chosen.get(object) ?? new Map()).set(setting.path, setting.value));
  }
  return objects.map((object) => {
    const all = new Map([...earlierSettings(liveOf(object)), ...(chosen.get(object) ?? [])]);
    if (all.size === 0) return object;
    const changed = structuredClone(object);
    for (const [path, value] of all) setField(changed, path, value);
    const annotations = {
      ...changed.metadata.annotations,
      [SETTINGS_ANNOTATION]: JSON.stringify(Object.fromEntries(all)),
    };
    return { ...changed, metadata: { ...changed.metadata, annotations } };
  });
}

function earlierSettings(live: KubeObject | undefined): [string, unknown][] {
  const text = live?.metadata.annotations?.[SETTINGS_ANNOTATION];
  if (text === undefined) return [];
  try {
    return Object.entries(JSON.parse(text) as Record<string, unknown>);
  } catch {
    return [];
  }
}

function targetOf(objects: readonly KubeObject[], { kind, name, path }: ObjectSetting): KubeObject {
  const candidates = objects.filter(
    (object) => object.kind === kind && (name === undefined || object.metadata.name === name),
  );
  const [only, ...others] = candidates;
  if (only && others.length === 0) return only;
  const known = objects.map((object) => `${object.kind}/${object.metadata.name}`).join(', ');
  throw new MeshctlError(
    'Usage',
    only
      ? `--set ${kind}:${path}: there are several ${kind} objects`
      : `--set ${kind}${name === undefined ? '' : `/${name}`}:${path}: there is no such object`,
    { hint: `Name one of ${known}.` },
  );
}

/** Sets one field of an object in place. @throws MeshctlError `Usage` when the object cannot have it */
function setField(object: KubeObject, path: string, value: unknown): void {
  const where = `--set ${object.kind}/${object.metadata.name}:${path}`;
  const refuse = (what: string, hint?: string) => new MeshctlError('Usage', `${where}: ${what}`, { hint });
  if (FIXED_PATHS.some((pattern) => pattern.test(path))) throw refuse('this field is not to be chosen');
  const segments = segmentsOf(path);
  if (!segments) throw refuse('this is not a path', 'Write it like spec.template.spec.containers[etcd].resources.');
  let parent: unknown = object;
  let type: string | undefined = object.kind;
  segments.forEach((segment, depth) => {
    const last = depth === segments.length - 1;
    if (Array.isArray(parent)) {
      const index = indexOf(parent, segment);
      if (index === undefined) throw refuse(`there is no entry "${segment}"`, namesIn(parent));
      if (last && value === null) parent.splice(index, 1);
      else if (last) parent[index] = value;
      else parent = parent[index] ??= {};
      return;
    }
    const fields = type === undefined ? undefined : KNOWN_FIELDS.get(type);
    if (fields && !fields.has(segment)) {
      throw refuse(`${describeType(object, type)} has no field "${segment}"`, closest(segment, [...fields.keys()]));
    }
    type = fields?.get(segment);
    const mapping = parent as Record<string, unknown>;
    if (last && value === null) delete mapping[segment];
    else if (last) mapping[segment] = isTextMapping(segments[depth - 1]) ? String(value) : value;
    else parent = mapping[segment] ??= {};
    if (!last && (typeof parent !== 'object' || parent === null)) throw refuse(`"${segment}" is not a mapping`);
  });
  checkFields(value, type, refuse);
}

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

/** `a.b[c.d].e` as `a`, `b`, `c.d`, `e`; undefined when it is none. */
function segmentsOf(path: string): string[] | undefined {
  const parts = [...path.matchAll(/(?:^|\.)([^.[\]=]+)|\[([^\]]+)\]/g)];
  if (parts.length === 0 || parts.map(([part]) => part).join('') !== path) return undefined;
  return parts.map(([, name, bracketed]) => name ?? bracketed ?? '');
}

/** By the entry's name, else by its index; the index after the last one is a new entry. */
function indexOf(list: readonly unknown[], segment: string): number | undefined {
  const named = list.findIndex((entry) => (entry as { name?: unknown } | null)?.name === segment);
  if (named >= 0) return named;
  const index = Number(segment);
  return /^\d{1,4}$/.test(segment) && index <= list.length ? index : undefined;
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

function closest(name: string, known: readonly string[]): string {
  const alike = known.filter((field) => field.toLowerCase().startsWith(name.slice(0, 3).toLowerCase()));
  return `Its fields are ${(alike.length > 0 ? alike : known).join(', ')}.`;
}
