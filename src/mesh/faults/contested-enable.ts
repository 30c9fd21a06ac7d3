import type { EnableObstacles } from '../certificates/authority.ts';
import { COMMAND_LINES, contextsNamedBy, meshctlCommand } from '../command-line.ts';
import { enumerated, firstOf, uncapital } from '../counted.ts';
import { describeRef } from '../objects/kube-object.ts';
import { fieldOwner } from '../objects/ownership.ts';
import { sourceEdits } from '../objects/source-advice.ts';
import { groupBy } from '../pairs.ts';
import type { Step } from '../plan/plan.ts';

/** What an `enable` has to take from others, by context: without --force-conflicts it is refused there. */
export type Contested = ReadonlyMap<string, string>;

const ENABLE = meshctlCommand('clustermesh enable');
/** What takes it already, writes nothing, or leaves it to Helm. */
const SPARED = / --(?:force-conflicts|dry-run|via-helm)\b/;
const FORCE = ' --force-conflicts';
/** What a clause or a way of several ends with. */
const NEXT_CLAUSE = '; ';

/**
 * What an `enable` would take from whom, as a clause: `take over spec.type of Service kube-system/x from kubectl-edit`. Of a tool that
 * would set it again, where it is to be changed for good.
 * @param steps of a plan that takes what others have set
 * @returns undefined where there is nothing of others
 */
export function takingOver(steps: readonly Step[]): string | undefined {
  const disputed = steps.flatMap(({ object, before, takenFrom = [] }) =>
    takenFrom.map(({ path, manager }) => ({ path, object: describeRef(object), owner: fieldOwner(before, manager) })),
  );
  if (disputed.length === 0) return undefined;
  const clauses = [...groupBy(disputed, ({ object, owner }) => JSON.stringify([object, owner])).values()].map(
    (alike) => {
      const [{ object, owner } = { object: '', owner: '' }] = alike;
      return `${firstOf([...new Set(alike.map(({ path }) => path))])} of ${object} from ${owner}`;
    },
  );
  const edits = sourceEdits(steps.map(({ takenFrom, ...step }) => ({ ...step, conflicts: takenFrom })));
  return `${edits === undefined ? '' : `first set ${edits}, or `}take over ${enumerated(clauses)}`;
}

/** The same of clusters that were looked at. */
export function contestedIn(clusters: readonly (EnableObstacles & { context: string })[]): Contested {
  return new Map(clusters.flatMap(({ context, contested }) => (contested === undefined ? [] : [[context, contested]])));
}

/** The contexts in which a next step runs an `enable` that takes nothing from others. */
export function enabledBy(hint: string): string[] {
  return (hint.match(COMMAND_LINES) ?? []).flatMap(contextsEnabled);
}

function contextsEnabled(line: string): string[] {
  return line.startsWith(ENABLE) && !SPARED.test(line) ? contextsNamedBy('context', line) : [];
}

/** A next step in which each `enable` that would be refused for what others have set takes that over, and says what of whose it is. */
export function enabledByForce(hint: string, contested: Contested): string {
  if (contested.size === 0) return hint;
  const isContested = (line: string) => contextsEnabled(line).some((context) => contested.has(context));
  return hint
    .split(NEXT_CLAUSE)
    .map((clause) => {
      const lines = (clause.match(COMMAND_LINES) ?? []).filter(isContested);
      if (lines.length === 0) return clause;
      const forced = clause.replaceAll(COMMAND_LINES, (line) => (isContested(line) ? `${line}${FORCE}` : line));
      const takes = [...new Set(lines.flatMap(contextsEnabled).flatMap((context) => contested.get(context) ?? []))];
      const [or = ''] = /^or /.exec(forced) ?? [];
      const start = forced.search(COMMAND_LINES);
      const lead = forced.slice(or.length, start);
      if (!lead.endsWith(': ')) return `${or}${takes.join(', and ')}: ${uncapital(forced.slice(or.length))}`;
      return `${or}${lead.slice(0, -2)}, and ${takes.join(', and ')}: ${forced.slice(start)}`;
    })
    .join(NEXT_CLAUSE);
}
