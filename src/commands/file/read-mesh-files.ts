import { readdir, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { COMPATIBILITY_CHECKS } from '../../mesh/checks/compatibility.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { refuseFaults, sourceName } from '../../mesh/file/fault.ts';
import { type MeshSpec, meshSpecOf } from '../../mesh/file/mesh-spec.ts';
import { type MeshText, parseMeshText } from '../../mesh/file/parse.ts';
import type { Schema } from '../../mesh/file/schema.ts';
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
  if (spec.clusters.length === 0) {
    const others = [...new Set(parsed.flatMap((one) => one.others))].join(', ');
    throw new MeshctlError(
      'Usage',
      `there is no mesh in ${paths.map(sourceName).join(', ')}${others ? `, only ${others}` : ''}`,
      {
        hint: 'A mesh file has apiVersion: meshctl.io/v1alpha1 and kind: Mesh.',
      },
    );
  }
  return spec;
}

async function textsAt(context: CommandContext, path: string): Promise<Found[]> {
  const at = resolve(context.cwd, path);
  const found = path === STANDARD_INPUT || path === '' ? undefined : await stat(at).catch(() => undefined);
  if (!found?.isDirectory())
    return [{ file: path, text: await readTextInput(context, path, MESH_FILE), inFolder: false }];
  const names = (await readdir(at)).filter((name) => OF_FOLDERS.test(name)).sort();
  if (names.length === 0) throw new MeshctlError('Usage', `there is no YAML or JSON file in ${path}`);
  return Promise.all(
    names.map(async (name) => ({
      file: join(path, name),
      text: await readTextInput(context, join(path, name), MESH_FILE),
      inFolder: true,
    })),
  );
}
