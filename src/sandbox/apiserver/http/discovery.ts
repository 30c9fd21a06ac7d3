import { REVIEWS } from '../auth/access-reviews.ts';
import type { JsonObject } from '../fields/json.ts';
import { apiVersionOf, type Kinds, type ResourceType } from '../storage/kinds.ts';

const VERBS = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];
const SUBRESOURCE_VERBS: Record<string, string[]> = {
  status: ['get', 'patch', 'update'],
  scale: ['get', 'patch', 'update'],
  log: ['get'],
  exec: ['create', 'get'],
  portforward: ['create', 'get'],
};

interface GroupVersion {
  group: string;
  version: string;
}

const reviewsOf = (group: string, version: string): { plural: string; kind: string }[] =>
  version === 'v1'
    ? Object.entries(REVIEWS)
        .filter(([, review]) => review.group === group)
        .map(([plural, { kind }]) => ({ plural, kind }))
    : [];

/** The named groups with their versions, the preferred one first. */
function groupsOf(kinds: Kinds): Map<string, string[]> {
  const groups = new Map<string, Set<string>>();
  const types = [...kinds.all(), ...Object.values(REVIEWS).map(({ group }) => ({ group, versions: ['v1'] }))];
  for (const { group, versions } of types) {
    const known = groups.get(group) ?? new Set();
    for (const version of versions) known.add(version);
    groups.set(group, known);
  }
  return new Map([...groups].map(([group, versions]) => [group, [...versions].sort(comparePriority)]));
}

/** v2 before v1 before v2beta1 before v2alpha1. */
function comparePriority(a: string, b: string): number {
  const rank = (version: string): number => {
    const match = /^v(\d+)(alpha|beta)?(\d*)$/.exec(version);
    const stability = match?.[2] === 'alpha' ? 0 : match?.[2] === 'beta' ? 1 : 2;
    return stability * 1_000_000 + Number(match?.[1] ?? 0) * 1000 + Number(match?.[3] || 0);
  };
  return rank(b) - rank(a);
}

const typesOf = (kinds: Kinds, { group, version }: GroupVersion): ResourceType[] =>
  kinds
    .all()
    .filter((type) => type.group === group && type.versions.includes(version))
    .sort((a, b) => (a.plural < b.plural ? -1 : 1));

// Namespaces are deleted one by one.
const verbsOf = (type: ResourceType): string[] =>
  type.plural === 'namespaces' ? VERBS.filter((verb) => verb !== 'deletecollection') : VERBS;

function apiGroup(name: string, versions: readonly string[]): JsonObject {
  const all = versions.map((version) => ({ groupVersion: `${name}/${version}`, version }));
  return { name, versions: all, preferredVersion: all[0] };
}

function namesOf(type: ResourceType): JsonObject {
  return {
    ...(type.shortNames.length > 0 ? { shortNames: type.shortNames } : {}),
    ...(type.categories.length > 0 ? { categories: type.categories } : {}),
  };
}

function resourceList(kinds: Kinds, at: GroupVersion): JsonObject {
  const resources = typesOf(kinds, at).flatMap((type) => [
    {
      name: type.plural,
      singularName: type.singular,
      namespaced: type.namespaced,
      kind: type.kind,
      verbs: verbsOf(type),
      ...namesOf(type),
    },
    ...servedSubresources(type).map((subresource) => ({
      name: `${type.plural}/${subresource}`,
      singularName: '',
      namespaced: type.namespaced,
      ...subresourceKind(type, subresource),
      verbs: SUBRESOURCE_VERBS[subresource],
    })),
  ]);
  const reviews = reviewsOf(at.group, at.version).map(({ plural, kind }) => {
    return { name: plural, singularName: kind.toLowerCase(), namespaced: false, kind, verbs: ['create'] };
  });
  return {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion: apiVersionOf(at.group, at.version),
    resources: [...resources, ...reviews],
  };
}

const servedSubresources = (type: ResourceType): string[] =>
  type.subresources.filter((name) => SUBRESOURCE_VERBS[name]);

function subresourceKind(type: ResourceType, subresource: string): { group?: string; version?: string; kind: string } {
  if (subresource === 'scale') return { group: 'autoscaling', version: 'v1', kind: 'Scale' };
  if (subresource === 'exec') return { kind: 'PodExecOptions' };
  if (subresource === 'portforward') return { kind: 'PodPortForwardOptions' };
  return { kind: type.kind };
}

const AGGREGATED = /application\/json;[^,]*as=APIGroupDiscoveryList/;
const AGGREGATED_MEDIA_TYPE = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';

/** Everything of /api or /apis in one document. */
function aggregated(kinds: Kinds, groups: [string, readonly string[]][]): JsonObject {
  const scopeOf = (isNamespaced: boolean): string => (isNamespaced ? 'Namespaced' : 'Cluster');
  const resourcesOf = (at: GroupVersion): JsonObject[] => [
    ...typesOf(kinds, at).map((type) => ({
      resource: type.plural,
      responseKind: { group: at.group, version: at.version, kind: type.kind },
      scope: scopeOf(type.namespaced),
      singularResource: type.singular,
      verbs: verbsOf(type),
      ...namesOf(type),
      subresources: servedSubresources(type).map((subresource) => ({
        subresource,
        responseKind: { group: at.group, version: at.version, ...subresourceKind(type, subresource) },
        verbs: SUBRESOURCE_VERBS[subresource],
      })),
    })),
    ...reviewsOf(at.group, at.version).map(({ plural, kind }) => ({
      resource: plural,
      responseKind: { ...at, kind },
      scope: scopeOf(false),
      singularResource: kind.toLowerCase(),
      verbs: ['create'],
    })),
  ];
  return {
    kind: 'APIGroupDiscoveryList',
    apiVersion: 'apidiscovery.k8s.io/v2',
    metadata: {},
    items: groups.map(([group, versions]) => ({
      metadata: { name: group, creationTimestamp: null },
      versions: versions.map((version) => ({
        version,
        freshness: 'Current',
        resources: resourcesOf({ group, version }),
      })),
    })),
  };
}

/** The answer to a discovery path with its media type, or undefined for another path. */
export function discover(
  kinds: Kinds,
  path: string,
  accept: string,
): { body: JsonObject; mediaType: string } | undefined {
  const plain = (body: JsonObject): { body: JsonObject; mediaType: string } => ({
    body,
    mediaType: 'application/json',
  });
  const groups = groupsOf(kinds);
  const named = [...groups].filter(([group]) => group !== '');
  const wantsAll = AGGREGATED.test(accept.replaceAll(' ', '')) && /v=v2(;|,|$)/.test(accept);
  const segments = path.split('/').filter((segment) => segment !== '');
  const [root, first, second] = segments;
  if (root === 'api' && segments.length === 1) {
    if (wantsAll) return { body: aggregated(kinds, [['', ['v1']]]), mediaType: AGGREGATED_MEDIA_TYPE };
    return plain({ kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [] });
  }
  if (root === 'api' && segments.length === 2 && first === 'v1')
    return plain(resourceList(kinds, { group: '', version: 'v1' }));
  if (root !== 'apis') return undefined;
  if (first === undefined) {
    if (wantsAll) return { body: aggregated(kinds, named), mediaType: AGGREGATED_MEDIA_TYPE };
    return plain({
      kind: 'APIGroupList',
      apiVersion: 'v1',
      groups: named.map(([group, versions]) => apiGroup(group, versions)),
    });
  }
  const versions = groups.get(first);
  if (segments.length === 2 && versions)
    return plain({ kind: 'APIGroup', apiVersion: 'v1', ...apiGroup(first, versions) });
  if (segments.length === 3 && second !== undefined && versions?.includes(second)) {
    return plain(resourceList(kinds, { group: first, version: second }));
  }
  return undefined;
}

/** The answer of /version for a version as `v1.36.1`. */
export function versionInfo(kubernetesVersion: string): JsonObject {
  const [, major = '1', minor = '0'] = /^v?(\d+)\.(\d+)/.exec(kubernetesVersion) ?? [];
  return {
    major,
    minor,
    gitVersion: kubernetesVersion,
    gitCommit: '',
    gitTreeState: 'clean',
    buildDate: '1970-01-01T00:00:00Z',
    goVersion: '',
    compiler: '',
    platform: 'linux/amd64',
  };
}
