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
  for (const path of [...new Set(paths)]) texts.push(...(await textsAt(context, path)));
  const parsed = texts.map(({ inFolder, ...text }) => parseMeshText(text, schema, { passOver: inFolder }));
  refuseFaults(parsed.flatMap(({ faults }) => faults));
  const { spec, faults } = meshSpecOf(parsed.flatMap(({ documents }) => documents));
  refuseFaults(faults);
  const passedOver = [...parsed.flatMap((one) => one.others), ...(await foldersBelow(context, paths))];
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

/** What is below the folders of `-f`, which is not looked into: a mesh may be there. */
async function foldersBelow(context: CommandContext, paths: readonly string[]): Promise<string[]> {
  const below = await Promise.all(
    [...new Set(paths)].map(async (path) => {
      if (path === STANDARD_INPUT || !(await isFolder(context, path))) return [];
      const entries = await readdir(resolve(context.cwd, path), { withFileTypes: true });
      const folders = entries.filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'));
      const isNamed = (at: string) => paths.some((other) => resolve(context.cwd, other) === resolve(context.cwd, at));
      const unread = folders.map(({ name }) => join(path, name)).filter((at) => !isNamed(at));
      return unread.sort().map((at) => `the folder ${at}`);
    }),
  );
  return below.flat();
}

async function isFolder({ cwd }: CommandContext, path: string): Promise<boolean> {
  const found = path === '' ? undefined : await stat(resolve(cwd, path)).catch(() => undefined);
  return found?.isDirectory() ?? false;
}

async function textsAt(context: CommandContext, path: string): Promise<Found[]> {
  if (path === STANDARD_INPUT || !(await isFolder(context, path)))
    return [{ file: path, text: await readTextInput(context, path, MESH_FILE), inFolder: false }];
  const names = (await readdir(resolve(context.cwd, path))).filter((name) => OF_FOLDERS.test(name)).sort();
  if (names.length === 0) throw new MeshctlError('Usage', `there is no YAML or JSON file in ${path}`);
  return Promise.all(
    names.map(async (name) => ({
      file: join(path, name),
      text: await readTextInput(context, join(path, name), MESH_FILE),
      inFolder: true,
    })),
  );
}
