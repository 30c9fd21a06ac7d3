import type { AgentIdentity } from '../../cilium/agent-identity.ts';
import type { ClusterSnapshot } from '../../cluster-snapshot.ts';
import { firstOf } from '../../counted.ts';
import type { StatusReport } from '../../status/status.ts';

/** How bad a finding is. `skip`: it could not be looked at, for the reason in its words. */
export type Severity = 'pass' | 'warn' | 'fail' | 'skip';

/** What one check found, as data: tests and `-o json` go by the id, people by the check's words. */
export interface Finding {
  /** That of its check. */
  id: string;
  severity: Severity;
  /** With `skip`: what it hangs on may not be read by the user, or was asked for in vain, so that something may well be wrong. */
  blind?: true | undefined;
  /** With `fail`: nothing is known to be wrong, and it could not be asked: no proof that all is well, nor that anything is not. */
  unseen?: true | undefined;
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
  /**
   * Pairs of clusters, `[from, to]` by name, of which the first is to have no connection to the second; absent where clusters are judged
   * that are to be connected.
   */
  unpaired?: readonly [from: string, to: string][] | undefined;
  /** They are judged as they stand, and not to be connected by whoever asks. */
  areStanding?: true | undefined;
  /** Contexts of clusters whose etcd was asked for those ids in vain, as the user may not or it has not answered. */
  peerIdsUntold?: ReadonlySet<string> | undefined;
  /** The ids that clusters know of their peers, by context and peer name; as far as they could be read. */
  peerIds?: ReadonlyMap<string, ReadonlyMap<string, number>> | undefined;
  /** Who agents say that they are, by context; absent where nobody asked. */
  agents?: ReadonlyMap<string, readonly AgentIdentity[]> | undefined;
  /** What clusters showed beyond their snapshots, by context; absent where nobody looked. */
  observed?: ReadonlyMap<string, Observed> | undefined;
  /** Contexts of clusters that are in question too, and could not be read. */
  unreadClusters?: readonly string[] | undefined;
}

/** Of what a cluster showed beyond its snapshot, what all checks know. */
export interface Observed {
  status?: StatusReport | undefined;
  /** It could not be looked at further: nothing of it is known; absent where it could. */
  unlooked?: { isRefused: boolean } | undefined;
}

/** What a check has before it in one cluster. */
export interface Subject {
  /** Names of what it looks at: certificates, peers, ranges. */
  things: readonly string[];
  /** Why there are none, in one clause about the cluster: the reason of the skip. */
  otherwise: string;
  /** The question does not arise there, whatever could be seen. */
  isIdle?: true | undefined;
  /**
   * What of it was not to be had, in clauses about the cluster: which agents did not answer, whose ranges are not known. What
   * is wrong with the rest is found all the same; that all is well nobody can say, so that instead of a pass it is a skip.
   */
  unseen?: readonly string[] | undefined;
  /** What `otherwise` or `unseen` speak of may not be read by the user, or was asked for in vain: nobody is to take the skip for well. */
  isBlind?: boolean | undefined;
  /**
   * How much of it is looked at where a part says enough, e.g. `10 of 300 agents`, or what else it is known by: what passes says
   * so.
   */
  sample?: string | undefined;
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
  /**
   * Ids of checks that say the cause of what this one would find: it is skipped for the clusters for which one of them
   * fails, and looks all the same where they were skipped.
   */
  saidBy?: readonly string[] | undefined;
  /** It goes by what a cluster shows beyond its snapshot: where nobody could look, nothing is to be taken for what there is not. */
  observes?: boolean | undefined;
  /** What there is to look at in a cluster. Nothing means that the check is skipped for it, never that it passes. */
  subject(cluster: ClusterSnapshot, input: Input): Subject;
  /**
   * Only what is wrong; nothing when all is well. A `skip` is about what could not be judged after all.
   * @param input with the clusters in which there is something to look at
   * @param all also the others, for checks that hold a cluster against its peers
   */
  run(input: Input, all: readonly ClusterSnapshot[]): readonly Finding[];
  /** A finding in words: one clause without a final stop. */
  says(finding: Finding): string;
}

/** The subject of a check that is about a cluster as such: whatever it lacks is for the check to find. */
export function theCluster({ context }: ClusterSnapshot): Subject {
  return { things: [context], otherwise: '' };
}

/** Why there is no other cluster: that one could not be read is no word on what there is. */
export function whyAlone({ unreadClusters = [] }: Pick<CheckInput, 'unreadClusters'>, otherwise: string): string {
  return unreadClusters.length === 0 ? otherwise : `${firstOf(unreadClusters)} could not be read`;
}

/** A subject that means something only beside that of another cluster: skipped where no other one has any. */
export function besideOthers<Input extends CheckInput>(
  own: (cluster: ClusterSnapshot, input: Input) => Subject,
): (cluster: ClusterSnapshot, input: Input) => Subject {
  return (cluster, input) => {
    const subject = own(cluster, input);
    const others = input.clusters.filter((other) => other !== cluster);
    const besides = others.map((other) => own(other, input));
    if (subject.things.length === 0 || besides.some(({ things }) => things.length > 0)) return subject;
    const names = others.map(({ context }) => context).join(', ');
    const alone = whyAlone(input, 'there is no other cluster to compare it with');
    const otherwise = names === '' ? alone : `${names} has nothing to compare`;
    return {
      things: [],
      otherwise: others.length > 1 ? `none of ${names} has anything to compare it with` : otherwise,
      isBlind: besides.some(({ isBlind }) => isBlind),
    };
  };
}

/**
 * Runs checks in their order.
 * @param skip ids that the operator does not want to hear of
 * @returns at least one finding for each check: `skip` for each cluster in which it had nothing to look at, did not see all
 * that there is, or that lacks what it needs; `pass` where it looked at something and found nothing, with those clusters in
 * `args.contexts` when there are skipped ones beside them, and with the samples that it rests on in `args.samples`
 */
export function runChecks<Input extends CheckInput>(
  checks: readonly Check<Input>[],
  input: Input,
  skip: readonly string[] = [],
): Finding[] {
  const found = new Map<string, readonly Finding[]>();
  for (const check of checks) {
    if (!skip.includes(check.id)) found.set(check.id, runOne(check, input, found));
  }
  return [...found.values()].flat();
}

/** @param before what the checks before it said, by their ids */
function runOne<Input extends CheckInput>(
  check: Check<Input>,
  input: Input,
  before: ReadonlyMap<string, readonly Finding[]>,
): readonly Finding[] {
  const { id, needs = [], saidBy = [] } = check;
  const bad: readonly Severity[] = ['fail', 'skip'];
  const without = [
    ...needs.map((need) => ({ need, because: bad })),
    ...saidBy.map((need) => ({ need, because: bad.slice(0, 1) })),
  ];
  /** The first of those checks that keeps this one from a cluster; for undefined, from all of them. */
  const lackOf = (context: string | undefined) =>
    without.find(({ need, because }) =>
      before.get(need)?.some(({ severity, cluster }) => cluster === context && because.includes(severity)),
    )?.need;
  const skipped = (args: Finding['args'], cluster?: string, isBlind = false): Finding => ({
    id,
    severity: 'skip',
    ...(isBlind ? { blind: true } : {}),
    ...(cluster === undefined ? { args } : { cluster, args: { context: cluster, ...args } }),
    ...(args.needs === undefined ? {} : { hint: `It needs ${args.needs} to pass.` }),
  });
  /** What a check that was not looked at for want of rights keeps from others, they do not see either. */
  const isBlindBy = (need: string, context?: string) =>
    before.get(need)?.some(({ blind, cluster }) => blind && cluster === context) ?? false;
  if (input.clusters.length === 0) return [skipped({ reason: whyAlone(input, 'no cluster was checked') })];
  const lostForAll = lackOf(undefined);
  if (lostForAll !== undefined) return [skipped({ needs: lostForAll }, undefined, isBlindBy(lostForAll))];
  const whole = input.clusters.filter(({ context }) => lackOf(context) === undefined);
  // What is remembered of a list is known by it.
  const all = whole.length === input.clusters.length ? input.clusters : whole;
  const skips: Finding[] = [];
  const clusters: ClusterSnapshot[] = [];
  const samples = new Map<string, string>();
  for (const cluster of input.clusters) {
    const { context } = cluster;
    const missing = lackOf(context);
    if (missing !== undefined) {
      skips.push(skipped({ needs: missing }, context, isBlindBy(missing, context)));
      continue;
    }
    const seen = check.subject(cluster, { ...input, clusters: all });
    const unlooked = check.observes ? input.observed?.get(context)?.unlooked : undefined;
    const {
      things,
      otherwise,
      unseen = [],
      isBlind,
      sample,
    } = unlooked && !seen.isIdle ? unlookedSubject(seen, unlooked) : seen;
    if (things.length > 0) clusters.push(cluster);
    if (things.length > 0 && sample !== undefined) samples.set(context, sample);
    // What is missing altogether is said by its own reason.
    const reasons = things.length > 0 ? unseen : [otherwise];
    if (reasons.length > 0) skips.push(skipped({ reason: reasons.join('; ') }, context, isBlind));
  }
  if (clusters.length === 0) return skips;
  const found = check.run({ ...input, clusters }, all);
  const unjudged = [...found, ...skips];
  if (found.some(({ severity }) => severity !== 'skip')) return unjudged;
  // What a check could not judge of a cluster after all is no pass of it.
  const judged = clusters
    .map(({ context }) => context)
    .filter((one) => !unjudged.some(({ cluster }) => cluster === one));
  if (judged.length === 0) return unjudged;
  const partly = judged.flatMap((context) => (samples.has(context) ? [`${context}: ${samples.get(context)}`] : []));
  const args = {
    ...(unjudged.length > 0 ? { contexts: judged } : {}),
    ...(partly.length > 0 ? { samples: partly } : {}),
  };
  return [{ id, severity: 'pass', args }, ...unjudged];
}

/** A subject of which nothing could be asked for: what is there by what was read is judged all the same. */
function unlookedSubject(seen: Subject, { isRefused }: NonNullable<Observed['unlooked']>): Subject {
  const says = 'what goes on there could not be seen';
  return { ...seen, otherwise: says, unseen: [says], isBlind: seen.isBlind || isRefused };
}

/** A list among a finding's facts as words. */
export function listed(value: FindingArgument | undefined, separator = ', '): string {
  return Array.isArray(value) ? value.join(separator) : String(value);
}
