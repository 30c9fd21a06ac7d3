import { meshctlCommand } from '../../mesh/command-line.ts';
import { countDifferences, type MeshDifferences } from '../../mesh/file/differences.ts';
import { unservedHint } from '../../mesh/file/made-elsewhere.ts';
import { missingServicesHint } from '../../mesh/file/services.ts';
import { forcingWords } from '../../mesh/plan/forcing.ts';
import type { UnreachableCluster } from '../../mesh/status/mesh-status.ts';

/** What `diff` shows. */
export interface DiffReport {
  /** As the operator named them. */
  files: readonly string[];
  /** Of the files, those that answered. */
  clusters: readonly { name: string; context: string }[];
  differences: MeshDifferences;
  unreachable: readonly UnreachableCluster[];
  /** What `apply` asks for before it makes them as the files say; clauses. */
  agreement: readonly string[];
  /** Contexts in which others have set fields that `apply` would change, so that it is refused, and what ends that, as a sentence without its end. */
  disputed: readonly { context: string; ends: string }[];
  /** What no file can say, as `apply` warns of it. */
  warnings: readonly string[];
}

/** What came by a pipe cannot be given once more by typing. */
export function isPiped({ files }: DiffReport): boolean {
  return files.includes('-');
}

/** What makes it as the files say, what is to be done about halves of peerings, and what takes away what is in no file. */
export function nextSteps(report: DiffReport): { make: string[]; halves: string[]; prune: string[] } {
  const { files, differences, disputed, clusters, unreachable } = report;
  const { missingServices, unserved, extra } = differences;
  const { differences: count, notInFile } = countDifferences(differences);
  const halves = halvesLeft(extra).map(({ hint }) => hint);
  const firsts = [
    ...(unserved.length > 0 ? [unservedHint(unserved)] : []),
    ...(missingServices.length > 0 ? [missingServicesHint(missingServices)] : []),
  ];
  if (firsts.length > 0) return { make: firsts, halves, prune: [] };
  const apply = (...more: string[]) => meshctlCommand('apply', {}, [...files.flatMap((file) => ['-f', file]), ...more]);
  if (disputed.length > 0) {
    const contexts = [...clusters, ...unreachable].map(({ context }) => context);
    const forced = forcingWords(
      disputed.map(({ context }) => context),
      contexts,
    );
    const ends = [...new Set(disputed.map((one) => one.ends))].join('; ');
    const over = isPiped(report)
      ? `have the fields taken over: pipe the same document into apply (-f -) with ${forced.join(' ')}`
      : `take the fields over: ${apply(...forced)}`;
    return { make: [`${ends}, or ${over}`], halves, prune: [] };
  }
  const [make, prune] = isPiped(report)
    ? [pipeAgain(count, 0), pipeAgain(0, notInFile)]
    : [`Apply it: ${apply()}`, `${pruneWords(extra)}: ${apply('--prune')}`];
  return { make: count > 0 ? [make] : [], halves, prune: notInFile > 0 ? [prune] : [] };
}

/** The halves of peerings that are in files without the other one: what became of that, and what is to be done about it. */
export function halvesLeft({ letIn }: Pick<MeshDifferences['extra'], 'letIn'>): { says: string; hint: string }[] {
  const restores = letIn.flatMap(({ restore }) => restore ?? []);
  const lost = {
    says: 'half of a peering is lost, of which a file has the other half',
    hint: `Bring back what is lost, and write the pair both ways in the file: ${restores.join(' && ')}`,
  };
  return [
    ...(restores.length > 0 ? [lost] : []),
    ...letIn.flatMap(({ parted }) =>
      parted ? [{ says: parted.why, hint: `Write the pair in the file as it is meant, and ${parted.mend}` }] : [],
    ),
  ];
}

/** What `--prune` is for. */
export function pruneWords(extra: MeshDifferences['extra']): string {
  return halvesLeft(extra).length > 0
    ? 'Or remove what is in no file, which makes it one-way for good'
    : 'Remove what is in no file';
}

/** What makes it so where the document has gone by: no line that can be typed has it. */
export function pipeAgain(differences: number, notInFile: number): string {
  const make = 'pipe the same document into apply (-f -)';
  const prune = 'with --prune, what is in no document is taken away';
  if (differences === 0) return `To take away what is in no document, ${make} with --prune.`;
  return `To make it so, ${make}${notInFile > 0 ? `; ${prune}` : ''}.`;
}
