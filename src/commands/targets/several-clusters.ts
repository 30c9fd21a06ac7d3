import type { Target } from '../../flows/flow.ts';
import type { FirstLook } from '../../flows/targets/first-look.ts';
import { firstFailure, type Unanswered } from '../../flows/where-it-succeeds.ts';
import { exitOf, MeshctlError } from '../../mesh/errors.ts';
import { type UnreachableCluster, unreachableCluster, unreachableWords } from '../../mesh/status/mesh-status.ts';
import { printable } from '../../views/printable.ts';
import { unreachableLines } from '../../views/unreachable-view.ts';
import type { CommandContext, CommandResult } from '../command.ts';
import type { FlagsIn } from '../options/flags-of.ts';
import type { CLUSTERS } from '../options/shared-options.ts';
import type { ClusterFlags } from './cluster-flags.ts';
import { type SilentCluster, sayLeftOut } from './each-cluster.ts';
import { awaitAnswers, type Choice, withFoundClusters } from './find-clusters.ts';
import { requireNamed } from './require-named.ts';

/** The flags of commands that take several clusters, as parsed. */
export type SeveralClustersFlags = ClusterFlags & Partial<FlagsIn<typeof CLUSTERS>>;

/** The flags by which clusters are opened where `-n` is another namespace than Cilium's. */
export function openingOf({
  namespace: _other,
  ciliumNamespace,
  ...flags
}: Omit<SeveralClustersFlags, 'namespace'> & {
  namespace?: string | undefined;
  ciliumNamespace?: string | undefined;
}): SeveralClustersFlags {
  return ciliumNamespace === undefined ? flags : { ...flags, namespace: ciliumNamespace };
}

/**
 * Opens the clusters of `--context` or `--all`, else the current one, runs `work` with them and closes them. A cluster
 * that was named must answer; with `--all`, one that does not is left out, and that is said: `work` gets it too, for the
 * result (see {@link withUnanswered}).
 * @throws MeshctlError `Usage` for both flags, and why a cluster does not answer
 */
export async function withChosenClusters<T>(
  context: CommandContext,
  flags: SeveralClustersFlags,
  work: (targets: readonly FirstLook[], silent: readonly SilentCluster[]) => Promise<T>,
): Promise<T> {
  return withWritableClusters(context, flags, async (targets, silent) => {
    if (silent.length > 0 && !flags.all) throw firstFailure(context, silent);
    return work(targets, silent);
  });
}

/**
 * Sees that at least two clusters answer, for what goes from one to another.
 * @param alone what is said where only one was named, with what names the others
 * @throws MeshctlError `Usage` with that; why the others do not answer, where that is it
 */
export function requireSeveral(
  context: CommandContext,
  { targets, silent }: { targets: readonly Target[]; silent: readonly SilentCluster[] },
  alone: { says: string; hint: string },
): void {
  if (targets.length > 1) return;
  if (silent.length > 0) throw firstFailure(context, silent);
  throw new MeshctlError('Usage', alone.says, { hint: alone.hint });
}

/** As {@link withChosenClusters}, for commands that write to each cluster on its own: one that was named may be silent too. */
export async function withWritableClusters<T>(
  context: CommandContext,
  flags: SeveralClustersFlags,
  work: (targets: readonly FirstLook[], silent: readonly SilentCluster[]) => Promise<T>,
): Promise<T> {
  return withAnsweringClusters(context, flags, async (targets, silent) => {
    if (silent.length > 0 && targets.length === 0) throw firstFailure(context, silent);
    if (flags.all) sayLeftOut(context, silent);
    return work(targets, silent);
  });
}

/**
 * A result with the clusters that had no part in it: named in the document and below the text, and the exit status is 3, or 1 where
 * one of them answers and cannot be used as it is, unless it is a failure by itself. What was done in the others stands.
 */
export function withUnanswered(result: CommandResult, silent: readonly Unanswered[]): CommandResult {
  if (silent.length === 0) return result;
  const unreachable = printable(unreachableData(silent));
  return {
    ...result,
    data: { ...result.data, unreachable },
    text: (theme) => [result.text(theme), ...unreachableLines(unreachable, theme)].join('\n'),
    exitCode: result.exitCode || exitOfMissing(silent),
  };
}

/** The exit status of a run that went on without clusters: what keeps one from it, as it was read, is proved (see {@link exitOf}). */
export function exitOfMissing(missing: readonly Unanswered[]): number {
  return exitOf({ failed: missing.some(({ isUnusable }) => isUnusable), unseen: missing.length > 0 });
}

/**
 * Opens clusters for commands that do what they can: `work` gets the clusters that answered, and those that did not. Of one
 * single cluster the error goes on its way.
 * @param waitMs how long a cluster is waited for that may answer later; `isWatched`: it will be asked again and again
 */
export async function withAnsweringClusters<T>(
  context: CommandContext,
  flags: SeveralClustersFlags,
  work: (targets: readonly FirstLook[], silent: readonly SilentCluster[]) => Promise<T>,
  { waitMs = 0, isWatched = false } = {},
): Promise<T> {
  return withFoundClusters(context, flags, { ...choiceOf(flags), isWatched }, async (found) => {
    await requireNamed(context, flags, [found]);
    const { answered, silent } = await awaitAnswers(context, flags, found, context.clock.ms() + waitMs);
    const [only] = silent;
    if (only && answered.length === 0 && silent.length === 1 && !flags.all) throw only.error;
    return work(answered, silent);
  });
}

/** @throws MeshctlError `Usage` for both flags */
function choiceOf({ all, context: names }: SeveralClustersFlags): Choice {
  if (all && names) {
    throw new MeshctlError('Usage', '--all and --context cannot be used together', { hint: 'Use only one of them.' });
  }
  return { all, names };
}

/** Opens clusters that the command has found by itself, which may be none; each must answer. @param contexts by name */
export async function withClustersOf<T>(
  context: CommandContext,
  flags: ClusterFlags,
  contexts: readonly string[],
  work: (targets: readonly Target[]) => Promise<T>,
): Promise<T> {
  if (contexts.length === 0) return work([]);
  return withFoundClusters(context, flags, { names: contexts }, ({ answered, silent }) => {
    if (silent.length > 0) throw firstFailure(context, silent);
    return work(answered);
  });
}

/** Opens the one cluster of a context. */
export async function withOneCluster<T>(
  context: CommandContext,
  flags: ClusterFlags & { context?: string },
  work: (target: Target) => Promise<T>,
): Promise<T> {
  const choice = { names: flags.context === undefined ? undefined : [flags.context] };
  return withFoundClusters(context, flags, choice, ({ answered, silent }) => {
    const [target] = answered;
    if (target) return work(target);
    throw silent[0]?.error ?? new MeshctlError('Bug', 'no cluster was opened');
  });
}

/** Clusters that did not answer, as data. */
export function unreachableData(clusters: readonly Unanswered[]): UnreachableCluster[] {
  return clusters.map(({ context, error }) => unreachableCluster(context, error));
}

/** Says of a result that has no words for it, a picture or bare rows, which clusters are missing and why. */
export function warnOfMissing({ progress }: CommandContext, unreachable: readonly UnreachableCluster[]): void {
  for (const cluster of unreachable) {
    const { hint } = cluster;
    progress.warn(`${unreachableWords(cluster)}${hint === undefined ? '' : ` → ${hint}`}`);
  }
}

/** So long any answer may take, however short the wait. Milliseconds. */
const LEAST_TIMEOUT_MS = 5000;

/** The flags of a command that waits: one answer gets no longer than all of it, so that it ends about when it was asked to. */
export function withinWait<T extends { requestTimeout: number }>(flags: T, waitMs: number): T {
  const longest = Math.max(LEAST_TIMEOUT_MS, waitMs);
  const { requestTimeout } = flags;
  return { ...flags, requestTimeout: requestTimeout === 0 ? longest : Math.min(requestTimeout, longest) };
}
