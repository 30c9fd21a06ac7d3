import type { ClusterSnapshot } from '../snapshot.ts';

/** How bad a finding is. `skip`: it could not be looked at, for the reason in its words. */
export type Severity = 'pass' | 'warn' | 'fail' | 'skip';

/** What one check found, as data: tests and `-o json` go by the id, people by the check's words. */
export interface Finding {
  /** That of its check. */
  id: string;
  severity: Severity;
  /** The context it is about; absent where it is about several clusters or the whole mesh. */
  cluster?: string | undefined;
  /** The facts for the words. Never secret bytes. */
  args: Readonly<Record<string, FindingArgument>>;
  /** What the operator can do: one sentence or command. */
  hint?: string | undefined;
}

export type FindingArgument = string | number | boolean | readonly string[];

/** What checks look at. */
export interface CheckInput {
  /** All clusters of the question. */
  clusters: readonly ClusterSnapshot[];
  now: Date;
  /** The ids that clusters know of their peers, by context and peer name; as far as they could be read. */
  peerIds?: ReadonlyMap<string, ReadonlyMap<string, number>> | undefined;
}

/** One check as a record; pure. `Input` is wider for checks that need more than snapshots. */
export interface Check<Input extends CheckInput = CheckInput> {
  /** Unique and stable: what --skip-checks and --suppress name, e.g. `cluster-id-unique`. */
  id: string;
  category: string;
  /** What is so when it passes, e.g. `cluster ids are unique`. */
  title: string;
  /**
   * Ids of checks without which this one says nothing: it is skipped when one of them fails or is skipped; where that is
   * about single clusters, for those.
   */
  needs?: readonly string[] | undefined;
  /** Only what is wrong, or could not be looked at; nothing when all is well. */
  run(input: Input): readonly Finding[];
  /** A finding in words: one clause without a final stop. */
  says(finding: Finding): string;
}

/**
 * Runs checks in their order.
 * @param skip ids that the operator does not want to hear of
 * @returns at least one finding for each check: one `pass` for a check that found nothing, one `skip` for one that was
 * not run because of what it needs, or for each cluster that it could not look at for that
 */
export function runChecks<Input extends CheckInput>(
  checks: readonly Check<Input>[],
  input: Input,
  skip: readonly string[] = [],
): Finding[] {
  const lost = new Map<string, ReadonlySet<string | undefined>>();
  const findings: Finding[] = [];
  for (const check of checks) {
    if (skip.includes(check.id)) continue;
    const found = runOne(check, input, lost);
    const bad = found.filter(({ severity }) => severity === 'fail' || severity === 'skip');
    if (bad.length > 0) lost.set(check.id, new Set(bad.map(({ cluster }) => cluster)));
    findings.push(...(found.length > 0 ? found : [{ id: check.id, severity: 'pass' as const, args: {} }]));
  }
  return findings;
}

/** @param lost by check, the clusters for which it did not pass; among them undefined where it is about several */
function runOne<Input extends CheckInput>(
  { id, needs = [], run }: Check<Input>,
  input: Input,
  lost: ReadonlyMap<string, ReadonlySet<string | undefined>>,
): readonly Finding[] {
  const skipped = (missing: string) => ({
    id,
    severity: 'skip' as const,
    args: { needs: missing },
    hint: `It needs ${missing} to pass.`,
  });
  const lostForAll = needs.find((need) => lost.get(need)?.has(undefined));
  if (lostForAll !== undefined) return [skipped(lostForAll)];
  const skips = input.clusters.flatMap(({ context }): Finding[] => {
    const missing = needs.find((need) => lost.get(need)?.has(context));
    return missing === undefined ? [] : [{ ...skipped(missing), cluster: context, args: { context, needs: missing } }];
  });
  const left = input.clusters.filter(({ context }) => !skips.some(({ cluster }) => cluster === context));
  return [...skips, ...run({ ...input, clusters: left })];
}

/** A list among a finding's facts as words. */
export function listed(value: FindingArgument | undefined, separator = ', '): string {
  return Array.isArray(value) ? value.join(separator) : String(value);
}
