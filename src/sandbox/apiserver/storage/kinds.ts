import type { KubeObject } from '../../../mesh/objects/kube-object.ts';
import { ApiError } from '../errors.ts';
import { isObject, objectAt, objectsAt } from '../fields/json.ts';
import { BUILT_IN, CUSTOM, type Row, WITHOUT_GENERATION } from './kind-tables.ts';

/** A kind that the server serves. */
export interface ResourceType {
  group: string;
  /** All of them show the same objects; the preferred one is first. */
  versions: readonly string[];
  kind: string;
  plural: string;
  singular: string;
  shortNames: readonly string[];
  categories: readonly string[];
  namespaced: boolean;
  subresources: readonly string[];
  /** Served from a CustomResourceDefinition: no strategic merge patch, no defaulting. */
  custom: boolean;
  /** Whether `metadata.generation` counts the changes of the spec. */
  generation: boolean;
}

const CRD: { group: string; kind: string } = { group: 'apiextensions.k8s.io', kind: 'CustomResourceDefinition' };

function fromRow(row: Row, custom: boolean): ResourceType {
  const [group, versions, kind, plural, shortNames, scope, subresources, categories] = row;
  return {
    group,
    versions,
    kind,
    plural,
    singular: kind.toLowerCase(),
    shortNames,
    categories,
    namespaced: scope === 'n',
    subresources,
    custom,
    generation: custom || !WITHOUT_GENERATION.has(kind),
  };
}

/** `v1`, `apps/v1`. */
export function apiVersionOf(group: string, version: string): string {
  return group ? `${group}/${version}` : version;
}

/** Splits `apps/v1` or `v1`. */
export function parseApiVersion(apiVersion: string): { group: string; version: string } {
  const slash = apiVersion.indexOf('/');
  if (slash < 0) return { group: '', version: apiVersion };
  return { group: apiVersion.slice(0, slash), version: apiVersion.slice(slash + 1) };
}

/** The kinds of one server: the built-in ones, Cilium's, and what CustomResourceDefinitions add. */
export interface Kinds {
  all(): ResourceType[];
  /** By `apiVersion` and `kind`, in any served version. */
  byKind(apiVersion: string, kind: string): ResourceType | undefined;
  /** As `byKind`; throws a 404 where there is none. */
  require(apiVersion: string, kind: string): ResourceType;
  byPlural(group: string, version: string, plural: string): ResourceType | undefined;
  /** Serves the kind of a CustomResourceDefinition from now on. */
  define(definition: KubeObject): void;
  /** Stops serving the kind of a CustomResourceDefinition. */
  undefine(definition: KubeObject): void;
}

/** The type that a CustomResourceDefinition describes. */
function typeOfDefinition(definition: KubeObject): ResourceType {
  const spec = objectAt(definition, 'spec') ?? {};
  const names = objectAt(spec, 'names') ?? {};
  const served = objectsAt(spec, 'versions').filter((version) => version.served !== false);
  const subresources = new Set(
    served.flatMap((version) => Object.keys(isObject(version.subresources) ? version.subresources : {})),
  );
  const kind = String(names.kind ?? '');
  return {
    group: String(spec.group ?? ''),
    versions: served.map((version) => String(version.name)),
    kind,
    plural: String(names.plural ?? ''),
    singular: String(names.singular ?? kind.toLowerCase()),
    shortNames: Array.isArray(names.shortNames) ? names.shortNames.map(String) : [],
    categories: Array.isArray(names.categories) ? names.categories.map(String) : [],
    namespaced: spec.scope !== 'Cluster',
    subresources: [...subresources],
    custom: true,
    generation: true,
  };
}

/** The kinds of a new server. */
export function createKinds(): Kinds {
  const types: ResourceType[] = [
    ...BUILT_IN.map((row) => fromRow(row, false)),
    ...CUSTOM.map((row) => fromRow(row, true)),
  ];
  // Every request and every look of a controller asks for a kind.
  let known = new Map<string, ResourceType>();
  const find = (key: string, isWanted: (type: ResourceType) => boolean): ResourceType | undefined => {
    const type = known.get(key) ?? types.find(isWanted);
    if (type) known.set(key, type);
    return type;
  };
  const byKind = (apiVersion: string, kind: string): ResourceType | undefined =>
    find(`${apiVersion} ${kind}`, (type) => {
      const { group, version } = parseApiVersion(apiVersion);
      return type.group === group && type.kind === kind && type.versions.includes(version);
    });
  const indexOf = (definition: KubeObject): number => {
    const defined = typeOfDefinition(definition);
    return types.findIndex((type) => type.group === defined.group && type.plural === defined.plural);
  };
  return {
    all: () => [...types],
    byKind,
    require: (apiVersion, kind) => {
      const type = byKind(apiVersion, kind);
      if (!type) throw new ApiError(404, 'NotFound', `no matches for kind "${kind}" in version "${apiVersion}"`);
      return type;
    },
    byPlural: (group, version, plural) =>
      find(
        `${group}/${version}/${plural}`,
        (type) => type.group === group && type.plural === plural && type.versions.includes(version),
      ),
    define: (definition) => {
      known = new Map();
      const index = indexOf(definition);
      types.splice(index < 0 ? types.length : index, index < 0 ? 0 : 1, typeOfDefinition(definition));
    },
    undefine: (definition) => {
      known = new Map();
      const index = indexOf(definition);
      if (index >= 0) types.splice(index, 1);
    },
  };
}

/** Whether an object is a CustomResourceDefinition. */
export function isDefinition(object: KubeObject): boolean {
  return object.kind === CRD.kind && object.apiVersion.startsWith(`${CRD.group}/`);
}
