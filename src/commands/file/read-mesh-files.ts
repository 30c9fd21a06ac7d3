import { readdir, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { COMPATIBILITY_CHECKS } from '../../mesh/checks/compatibility.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { refuseFaults, sourceName } from '../../mesh/file/fault.ts';
import { type MeshSpec, meshSpecOf } from '../../mesh/file/mesh-spec.ts';
import { type MeshText, parseMeshText } from '../../mesh/file/parse.ts';
import type { Schema } from '../../mesh/file/schema.ts';
import { groupBy } from '../../mesh/pairs.ts';
import { printable } from '../../views/printable.ts';
import type { CommandContext } from '../command.ts';
import type { FlagsIn } from '../options/flags-of.ts';
import { requireKnown } from '../options/option-values.ts';
import { readPackageFile } from '../package-file.ts';
import { readTextInput, STANDARD_INPUT } from '../text-input.ts';
import type { FILE_OPTIONS } from './file-options.ts';

/** The schema of mesh files, in the package. */
export const MESH_SCHEMA = 'templates/schemas/mesh.schema.json';
const MESH_FILE = 'mesh file';
const OF_FOLDERS = /\.(ya?ml|json)$/;

/** One text, and whether it came with a folder, where there may be documents of other kinds. */
interface Found extends MeshText {
  inFolder: boolean;
}

/**
 * What the files of `-f` want, all together: files, folders (their `*.yaml`, `*.yml`, `*.json`, not below), `-`.
 * @throws MeshctlError `Usage` with everything that is wrong with them, and for what cannot be read
 */
export async function readMeshFiles(
  context: CommandContext,
  { filename: paths, skipChecks = [] }: FlagsIn<typeof FILE_OPTIONS>,
): Promise<MeshSpec> {
  const checks = COMPATIBILITY_CHECKS.map(({ id }) => id);
  requireKnown('check', skipChecks, checks);
  const schema = JSON.parse(await readPackageFile(context, MESH_SCHEMA)) as Schema;
  const texts: Found[] = [];
  const folders: string[] = [];
  for (const path of [...new Set(paths)]) {
    const found = await foundAt(context, path);
    texts.push(...found.texts);
    folders.push(...found.folders);
  }
  const parsed = texts.map(({ inFolder, ...text }) => parseMeshText(text, schema, { passOver: inFolder }));
  refuseFaults(parsed.flatMap(({ faults }) => faults));
  const { spec, faults } = meshSpecOf(parsed.flatMap(({ documents }) => documents));
  refuseFaults(faults);
  const passedOver = [...parsed.flatMap((one) => one.others), ...unread(context, folders, paths)];
  if (spec.clusters.length === 0) {
    const others = countedWords(passedOver);
    throw new MeshctlError(
      'Usage',
      `there is no mesh in ${paths.map(sourceName).join(', ')}${others ? `, only ${others}` : ''}`,
      {
        hint: 'A mesh file has apiVersion: meshctl.io/v1alpha1 and kind: Mesh.',
      },
    );
  }
  if (passedOver.length > 0) context.progress.info(`passed over, as no mesh: ${countedWords(passedOver)}`);
  return spec;
}

/** `ConfigMap (2), Secret`. */
function countedWords(words: readonly string[]): string {
  const groups = groupBy(printable(words), (word) => word);
  return [...groups].map(([word, { length }]) => (length > 1 ? `${word} (${length})` : word)).join(', ');
}

/** The folders below those of `-f`, which are not looked into unless they are named too: a mesh may be there. */
function unread({ cwd }: CommandContext, folders: readonly string[], paths: readonly string[]): string[] {
  const named = new Set(paths.map((path) => resolve(cwd, path)));
  return folders.filter((at) => !named.has(resolve(cwd, at))).map((at) => `the folder ${at}`);
}

/** What is at a path: a text, or those of a folder, and the folders in it. */
async function foundAt(context: CommandContext, path: string): Promise<{ texts: Found[]; folders: string[] }> {
  const at = resolve(context.cwd, path);
  const found = path === STANDARD_INPUT || path === '' ? undefined : await stat(at).catch(() => undefined);
  if (!found?.isDirectory())
    return {
      texts: [{ file: path, text: await readTextInput(context, path, MESH_FILE), inFolder: false }],
      folders: [],
    };
  const entries = (await readdir(at, { withFileTypes: true })).sort((a, b) => (a.name < b.name ? -1 : 1));
  const names = entries.filter((entry) => !entry.isDirectory() && OF_FOLDERS.test(entry.name)).map(({ name }) => name);
  if (names.length === 0) throw new MeshctlError('Usage', `there is no YAML or JSON file in ${path}`);
  const texts = names.map(async (name) => ({
    file: join(path, name),
    text: await readTextInput(context, join(path, name), MESH_FILE),
    inFolder: true,
  }));
  const folders = entries.filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'));
  return { texts: await Promise.all(texts), folders: folders.map(({ name }) => join(path, name)) };
}
