import type { KubeObject } from '../../../mesh/objects/kube-object.ts';
import { isObject, type JsonObject } from '../fields/json.ts';
import type { ResourceType } from '../storage/kinds.ts';
import { columnsOf } from './table-columns.ts';

/** Objects as a `Table`, as kubectl prints it. `includeObject` says how much of each object goes along. */
export function tableOf(
  resource: ResourceType,
  objects: readonly KubeObject[],
  includeObject: string,
  metadata: JsonObject,
): JsonObject {
  const columns = columnsOf(resource);
  const now = new Date();
  return {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata,
    columnDefinitions: columns.map(({ name, type = 'string', format = '', priority = 0 }) => {
      return { name, type, format, description: name, priority };
    }),
    rows: objects.map((object) => ({
      cells: columns.map((column) => column.cell(object, now)),
      ...rowObject(object, includeObject),
    })),
  };
}

function rowObject(object: KubeObject, includeObject: string): JsonObject {
  if (includeObject === 'None') return {};
  if (includeObject === 'Object') return { object };
  const metadata = isObject(object.metadata) ? object.metadata : {};
  return { object: { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata } };
}
