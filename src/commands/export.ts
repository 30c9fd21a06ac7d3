import { exportClusters } from '../flows/file/export-mesh.ts';
import { readHeldClusters } from '../flows/read-runs.ts';
import { exitOf } from '../mesh/errors.ts';
import { LEFT_OUT_ANNOTATION, MISSING_ANNOTATION } from '../mesh/file/document.ts';
import type { ExportedMesh } from '../mesh/file/export.ts';
import { meshDocument, meshFileText } from '../mesh/file/write.ts';
import { groupBy } from '../mesh/pairs.ts';
import { runWarnings } from '../mesh/runs-at-work.ts';
import { unreachableWords } from '../mesh/status/mesh-status.ts';
import { printable, printableLines } from '../views/printable.ts';
import type { CommandContext, CommandResult } from './command.ts';
import type { EXPORT } from './export-spec.ts';
import { MESH_SCHEMA } from './file/read-mesh-files.ts';
import type { FlagsOf } from './options/flags-of.ts';
import { readPackageFile } from './package-file.ts';
import { sayLeftOut } from './targets/each-cluster.ts';
import { exitOfMissing, unreachableData, withChosenClusters } from './targets/several-clusters.ts';

/** `meshctl export`: the file of a mesh as it is. */
export async function run(context: CommandContext, flags: FlagsOf<typeof EXPORT>): Promise<CommandResult> {
  return withChosenClusters(context, flags, async (targets, unanswering) => {
    const { parallel, all: spare = false } = flags;
    const [{ mesh: found, left, spared }, held] = await Promise.all([
      exportClusters(context, targets, { parallel, spare }),
      readHeldClusters(context, targets, parallel),
    ]);
    sayLeftOut(context, spared);
    // Of what is just written it has a half, as which it would be kept.
    for (const words of printable(runWarnings(held, context.again()))) context.progress.warn(words);
    const silent = [...unanswering, ...spared];
    const exported = shown(found);
    // What is of no mesh is no part of all of one; what was named is.
    const lacking = flags.all ? [] : printable(left);
    // In YAML they are comments.
    if (flags.output === 'json') for (const words of remarkLines(exported)) context.progress.warn(words);
    const missing = [...lacking, ...printable(unreachableData(silent)).map(unreachableWords)];
    // A file that people keep does not name what has nothing to do with it; a document tells programs of each context.
    const leftOut = flags.output === 'json' ? leftOutOf(context, flags.all ? left : []) : [];
    const mesh = withMissing(exported, missing, leftOut);
    const { metadata, spec } = meshDocument(mesh, flags.name);
    const text = meshFileText(mesh, flags.name, await schemaUrl(context));
    return {
      kind: 'Mesh',
      data: { metadata, spec },
      text: () => text,
      isFile: true,
      ...(flags.output === 'yaml' ? { raw: text } : {}),
      exitCode: exitOf({ failed: lacking.length > 0 }) || exitOfMissing(silent),
    };
  });
}

function leftOutOf({ leftOut }: CommandContext, ofNoMesh: readonly string[]): string[] {
  return printable([...[...leftOut].map(([name, why]) => `context "${name}": ${why}`), ...ofNoMesh]);
}

/** The remarks of all clusters, each once. */
function remarkLines({ remarks: { mesh, clusters } }: ExportedMesh): string[] {
  const own = [...clusters].flatMap(([name, remarks]) => remarks.map((words) => ({ name, words })));
  const lines = [...groupBy(own, ({ words }) => words)].map(
    ([words, of]) => `${of.map(({ name }) => name).join(', ')}: ${words}`,
  );
  return [...mesh, ...lines];
}

/** Says in the file itself of which clusters it tells nothing: to people, and to who would apply it. */
function withMissing(
  { spec, remarks }: ExportedMesh,
  lacking: readonly string[],
  leftOut: readonly string[],
): ExportedMesh {
  const missing = lacking.map((words) => `Missing here: ${words}.`);
  const annotations = {
    ...(lacking.length > 0 ? { [MISSING_ANNOTATION]: lacking.join('\n') } : {}),
    ...(leftOut.length > 0 ? { [LEFT_OUT_ANNOTATION]: leftOut.join('\n') } : {}),
  };
  return { spec, annotations, remarks: { ...remarks, mesh: [...remarks.mesh, ...missing] } };
}

/** A mesh whose texts can do nothing to a terminal. */
function shown({ spec, remarks }: ExportedMesh): ExportedMesh {
  const clusters = [...remarks.clusters].map(([name, words]) => [name, printable(words)] as const);
  return { spec: printableLines(spec), remarks: { mesh: printable(remarks.mesh), clusters: new Map(clusters) } };
}

/** Where editors find the schema of this very version. */
async function schemaUrl(context: CommandContext): Promise<string> {
  const { homepage, version } = JSON.parse(await readPackageFile(context, 'package.json')) as {
    homepage: string;
    version: string;
  };
  return `${homepage.replace('github.com', 'raw.githubusercontent.com')}/v${version}/${MESH_SCHEMA}`;
}
