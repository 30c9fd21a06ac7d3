import { createHash } from 'node:crypto';
import { PbfWriter } from 'pbf';
import type { JsonObject } from '../fields/json.ts';
import type { Kinds } from '../storage/kinds.ts';

/** Paths of /openapi/v3 by group and version: `api/v1`, `apis/apps/v1`. */
function documentsOf(kinds: Kinds): Map<string, JsonObject> {
  const documents = new Map<string, JsonObject>();
  for (const type of kinds.all()) {
    for (const version of type.versions) {
      const root = type.group ? `apis/${type.group}/${version}` : `api/${version}`;
      const document = documents.get(root) ?? {
        openapi: '3.0.0',
        info: { title: 'Kubernetes', version: 'unversioned' },
        paths: {},
      };
      const scope = type.namespaced ? 'namespaces/{namespace}/' : '';
      (document.paths as JsonObject)[`/${root}/${scope}${type.plural}/{name}`] = {
        patch: patchOperation({ group: type.group, version, kind: type.kind }),
      };
      documents.set(root, document);
    }
  }
  return documents;
}

/**
 * What kubectl looks for: that a patch takes `fieldValidation` and `dryRun`, so that the server checks fields and kubectl
 * needs no schema. The strategic merge patch is not named, so that kubectl computes it from the types it knows.
 */
function patchOperation(kind: { group: string; version: string; kind: string }): JsonObject {
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
  const documents = documentsOf(kinds);
  if (path === '/openapi/v3') {
    const hashOf = (document: JsonObject): string =>
      createHash('sha256').update(JSON.stringify(document)).digest('hex').toUpperCase();
    const paths = [...documents].map(([root, document]) => [
      root,
      { serverRelativeURL: `/openapi/v3/${root}?hash=${hashOf(document)}` },
    ]);
    return { paths: Object.fromEntries(paths) };
  }
  return documents.get(path.replace(/^\/openapi\/v3\//, ''));
}
