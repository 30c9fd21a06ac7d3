import { concernsOf } from '../flows/file/concerns.ts';
import { differencesOf } from '../flows/file/differences-of.ts';
import { meshWarnings, prepareMesh } from '../flows/file/prepare-mesh.ts';
import { alikeWarnings } from '../mesh/alike-warnings.ts';
import { waysOutOfConflicts } from '../mesh/enable/plan-enable.ts';
import { exitOf } from '../mesh/errors.ts';
import { countDifferences } from '../mesh/file/differences.ts';
import { agreementClauses } from '../mesh/plan/agreement.ts';
import type { DiffReport } from '../views/file/diff-hints.ts';
import { diffData, diffJunit, diffText } from '../views/file/diff-view.ts';
import { printable } from '../views/printable.ts';
import type { CommandContext, CommandResult } from './command.ts';
import type { DIFF } from './diff-spec.ts';
import { withFileClusters } from './file/file-clusters.ts';
import { othersOf, withOthersOf } from './file/other-clusters.ts';
import { readMeshFiles } from './file/read-mesh-files.ts';
import type { FlagsOf } from './options/flags-of.ts';
import { namingContexts } from './targets/contexts-of-clusters.ts';
import { unreachableData, withUnanswered } from './targets/several-clusters.ts';

/** Nothing is waited for. */
const NO_WAIT_MS = 0;

/** `meshctl diff`: what clusters lack of their files, and what is in no file. */
export async function run(context: CommandContext, flags: FlagsOf<typeof DIFF>): Promise<CommandResult> {
  const spec = await readMeshFiles(context, flags);
  return withFileClusters(context, flags, spec, async (members, silent) => {
    const prepared = await prepareMesh(context, members, spec, {
      parallel: flags.parallel,
      skipChecks: flags.skipChecks,
      waitMs: NO_WAIT_MS,
      spare: true,
      readOthers: othersOf(context, flags, members),
      withOthers: withOthersOf(context, flags, members),
    });
    const missing = [...silent, ...prepared.unanswered];
    const warnings = await namingContexts(context, flags, meshWarnings(prepared));
    for (const words of alikeWarnings(warnings)) context.progress.warn(words);
    const report: DiffReport = {
      warnings,
      files: flags.filename,
      clusters: prepared.members.map(({ wanted: { name, context: at } }) => ({ name, context: at })),
      differences: differencesOf(prepared),
      agreement: printable(agreementClauses(concernsOf(prepared))),
      disputed: printable(
        prepared.drafts.flatMap(({ draft: { snapshot, plan } }) => {
          const ends = waysOutOfConflicts(snapshot.context, plan.steps);
          return ends === undefined ? [] : [{ context: snapshot.context, ends }];
        }),
      ),
      unreachable: printable(unreachableData(missing)),
    };
    const { differences, notInFile } = countDifferences(report.differences);
    const result: CommandResult = {
      kind: 'MeshDiff',
      data: diffData(report),
      text: (theme) => diffText(report, theme),
      // 1 says that all was compared and something differs, as with kubectl: what is less than that is another status.
      exitCode: exitOf({ unseen: missing.length > 0, unproved: differences + notInFile > 0 }),
    };
    if (flags.output !== 'junit') return withUnanswered(result, missing);
    return { ...withUnanswered(result, missing), text: () => diffJunit(report) };
  });
}
