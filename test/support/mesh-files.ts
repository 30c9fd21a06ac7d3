import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { MeshDocument, WrittenSpec } from '../../src/mesh/file/document.ts';

/** A mesh file's text. */
export function meshText(spec: WrittenSpec, name = 'test'): string {
  const document: MeshDocument = { apiVersion: 'meshctl.io/v1alpha1', kind: 'Mesh', metadata: { name }, spec };
  return stringify(document, { aliasDuplicateObjects: false });
}

/** A folder for mesh files. */
export interface MeshFolder {
  path: string;
  /** Gives the path of the file. */
  write(name: string, text: string): Promise<string>;
  remove(): Promise<void>;
}

export async function meshFolder(): Promise<MeshFolder> {
  const path = await mkdtemp(join(tmpdir(), 'meshctl-file-'));
  return {
    path,
    async write(name, text) {
      await writeFile(join(path, name), text);
      return join(path, name);
    },
    remove: () => rm(path, { recursive: true, force: true }),
  };
}
