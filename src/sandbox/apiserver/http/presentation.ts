import type { KubeObject } from '../../../mesh/objects/kube-object.ts';
import type { JsonObject } from '../fields/json.ts';
import { apiVersionOf, type ResourceType } from '../storage/kinds.ts';
import { tableOf } from './tables.ts';

/** The shape in which a client wants objects. */
export interface Representation {
  kind: 'object' | 'table' | 'metadata';
  includeObject: string;
}

/** Reads the Accept header: the first shape among its choices that the server has. */
export function representationOf(accept: string | undefined, query: URLSearchParams): Representation {
  const includeObject = query.get('includeObject') ?? 'Metadata';
  for (const choice of (accept ?? '').split(',')) {
    const [mediaType, ...parameters] = choice.split(';').map((part) => part.trim());
    if (mediaType !== 'application/json' && mediaType !== '*/*' && mediaType !== 'application/*') continue;
    const shape = parameters.find((parameter) => parameter.startsWith('as='))?.slice(3);
    if (shape === 'Table') return { kind: 'table', includeObject };
    if (shape === 'PartialObjectMetadata' || shape === 'PartialObjectMetadataList')
      return { kind: 'metadata', includeObject };
    if (shape === undefined) break;
  }
  return { kind: 'object', includeObject };
}

/** An object in a version of its API; the same object where it is in that already, as most are that are stored. */
function inVersion(object: KubeObject, resource: ResourceType, version: string): KubeObject {
  const apiVersion = apiVersionOf(resource.group, version);
  if (object.apiVersion === apiVersion && object.kind === resource.kind) return object;
  return { ...object, apiVersion, kind: resource.kind };
}

function metadataOnly(object: KubeObject): JsonObject {
  return { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: object.metadata };
}

/** One object as the client wants it. */
export function presentObject(
  object: KubeObject,
  resource: ResourceType,
  version: string,
  shape: Representation,
): JsonObject {
  const versioned = inVersion(object, resource, version);
  if (shape.kind === 'table')
    return tableOf(resource, [versioned], shape.includeObject, { resourceVersion: object.metadata.resourceVersion });
  return shape.kind === 'metadata' ? metadataOnly(versioned) : versioned;
}

/** A list as the client wants it. */
export function presentList(
  objects: readonly KubeObject[],
  resource: ResourceType,
  version: string,
  shape: Representation,
  metadata: JsonObject,
): JsonObject {
  const versioned = objects.map((object) => inVersion(object, resource, version));
  if (shape.kind === 'table') return tableOf(resource, versioned, shape.includeObject, metadata);
  if (shape.kind === 'metadata') {
    return {
      kind: 'PartialObjectMetadataList',
      apiVersion: 'meta.k8s.io/v1',
      metadata,
      items: versioned.map(metadataOnly),
    };
  }
  return {
    kind: `${resource.kind}List`,
    apiVersion: apiVersionOf(resource.group, version),
    metadata,
    // As from a real server: only custom resources carry their kind in a list.
    items: resource.custom ? versioned : versioned.map(({ apiVersion: _, kind: __, ...rest }) => rest),
  };
}
