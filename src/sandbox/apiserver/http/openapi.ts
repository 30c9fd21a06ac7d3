import { createHash } from 'node:crypto';
import { PbfWriter } from 'pbf';
import type { JsonObject } from '../fields/json.ts';
import type { Kinds, ResourceType } from '../storage/kinds.ts';
import { type GroupVersionKind, schemasOf } from './openapi-schemas.ts';

/** The kinds by path of their document: `api/v1`, `apis/apps/v1`. */
function typesByRoot(kinds: Kinds): Map<string, { type: ResourceType; version: string }[]> {
  const roots = new Map<string, { type: ResourceType; version: string }[]>();
  for (const type of kinds.all()) {
    for (const version of type.versions) {
      const root = type.group ? `apis/${type.group}/${version}` : `api/${version}`;
      roots.set(root, [...(roots.get(root) ?? []), { type, version }]);
    }
  }
  return roots;
}

function documentOf(root: string, types: readonly { type: ResourceType; version: string }[]): JsonObject {
  const kinds = types.map(({ type: { group, kind }, version }) => ({ group, version, kind }));
  const paths = types.map(({ type, version }) => {
    const scope = type.namespaced ? 'namespaces/{namespace}/' : '';
    const operation = patchOperation({ group: type.group, version, kind: type.kind });
    return [`/${root}/${scope}${type.plural}/{name}`, { patch: operation }] as const;
  });
  return {
    openapi: '3.0.0',
    info: { title: 'Kubernetes', version: 'unversioned' },
    paths: Object.fromEntries(paths),
    components: { schemas: schemasOf(kinds) },
  };
}

/**
 * What kubectl looks for: that a patch takes `fieldValidation` and `dryRun`, so that the server checks fields and kubectl
 * needs no schema. The strategic merge patch is not named, so that kubectl computes it from the types it knows.
 */
function patchOperation(kind: GroupVersionKind): JsonObject {
  const parameter = (name: string): JsonObject => ({
    name,
    in: 'query',
    schema: { type: 'string', uniqueItems: true },
  });
  return {
    'x-kubernetes-action': 'patch',
    'x-kubernetes-group-version-kind': kind,
    parameters: [parameter('dryRun'), parameter('fieldManager'), parameter('fieldValidation')],
    requestBody: {
      content: {
        'application/apply-patch+yaml': {},
        'application/json-patch+json': {},
        'application/merge-patch+json': {},
      },
    },
    responses: { 200: { description: 'OK' } },
  };
}

/**
 * The answer to /openapi/v2: a document without schemas. kubectl, which only takes protobuf, checks the items of a List
 * with it; kinds that it does not find there it leaves to the server.
 */
export function openApiV2(accept: string): { body: Buffer; mediaType: string } {
  const info = { title: 'Kubernetes', version: 'unversioned' };
  // What clients ask for is no valid media type, so the answer names it otherwise.
  if (!accept.includes('application/com.github.proto-openapi.spec.v2@v1.0+protobuf')) {
    return { body: Buffer.from(JSON.stringify({ swagger: '2.0', info, paths: {} })), mediaType: 'application/json' };
  }
  const writer = new PbfWriter();
  writer.writeStringField(1, '2.0');
  writer.writeMessage(
    2,
    (_, pbf) => {
      pbf.writeStringField(1, info.title);
      pbf.writeStringField(2, info.version);
    },
    undefined,
  );
  return {
    body: Buffer.from(writer.finish()),
    mediaType: 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf',
  };
}

/** The answer to a path of /openapi/v3, or undefined where there is none. */
export function openApi(kinds: Kinds, path: string): JsonObject | undefined {
  const roots = typesByRoot(kinds);
  if (path === '/openapi/v3') {
    // A document follows from its kinds.
    const hashOf = (types: readonly { type: ResourceType }[]): string =>
      createHash('sha256').update(JSON.stringify(types)).digest('hex').toUpperCase();
    const paths = [...roots].map(([root, types]) => [
      root,
      { serverRelativeURL: `/openapi/v3/${root}?hash=${hashOf(types)}` },
    ]);
    return { paths: Object.fromEntries(paths) };
  }
  const root = path.replace(/^\/openapi\/v3\//, '');
  const types = roots.get(root);
  return types && documentOf(root, types);
}
