import { Document, isMap, isSeq, type YAMLMap } from 'yaml';
import { MESH_API_VERSION, MESH_KIND, type MeshDocument } from './document.ts';
import type { ExportedMesh } from './export.ts';

/** The document for a mesh of that name. */
export function meshDocument(
  { spec, annotations = {} }: Pick<ExportedMesh, 'spec' | 'annotations'>,
  name: string,
): MeshDocument {
  const isAnnotated = Object.keys(annotations).length > 0;
  const metadata = { name, ...(isAnnotated ? { annotations } : {}) };
  return { apiVersion: MESH_API_VERSION, kind: MESH_KIND, metadata, spec };
}

/**
 * The same as a file for people and editors: named schema, what a file cannot say as comments, lists of names on one line.
 * @param schema its URL
 */
export function meshFileText({ remarks, ...mesh }: ExportedMesh, name: string, schema: string): string {
  const document = new Document(meshDocument(mesh, name), { aliasDuplicateObjects: false });
  document.commentBefore = ` yaml-language-server: $schema=${schema}`;
  const { contents } = document;
  if (isMap(contents) && remarks.mesh.length > 0) contents.commentBefore = commentOf(remarks.mesh);
  const clusters = document.getIn(['spec', 'clusters'], true);
  if (isSeq(clusters)) {
    for (const item of clusters.items) {
      const own = isMap(item) ? remarks.clusters.get(String((item as YAMLMap).get('name'))) : undefined;
      if (own && isMap(item)) item.commentBefore = commentOf(own);
    }
  }
  for (const path of [
    ['spec', 'topology', 'hubs'],
    ['spec', 'external'],
  ]) {
    const list = document.getIn(path, true);
    if (isSeq(list)) list.flow = true;
  }
  const pairs = document.getIn(['spec', 'topology', 'pairs'], true);
  if (isSeq(pairs)) for (const pair of pairs.items) if (isSeq(pair) || isMap(pair)) pair.flow = true;
  for (const field of ['services', 'endpoints']) {
    const entries = document.getIn(['spec', field], true);
    for (const entry of isSeq(entries) ? entries.items : []) flattenLists(entry);
  }
  return document.toString({ lineWidth: 0, flowCollectionPadding: false });
}

function commentOf(lines: readonly string[]): string {
  return lines.map((words) => ` ${words}`).join('\n');
}

function flattenLists(entry: unknown): void {
  if (!isMap(entry)) return;
  for (const { value } of entry.items) if (isSeq(value)) value.flow = true;
}
