import pLimit from 'p-limit';
import type { Journal, JournalEntry } from '../../kube/apply.ts';
import { type RollbackResult, rollback } from '../../kube/rollback.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { describeRef, keyOf } from '../../mesh/objects/kube-object.ts';
import { apiserverDeploymentRef } from '../../mesh/objects/names.ts';
import type { PeerEffect } from '../../mesh/plan/peer-effects.ts';
import { hintAfterRollback, type TakenBack } from '../../mesh/plan/taken-back.ts';
import type { Flow, Target } from '../flow.ts';
import { outlastInRollback, wasSilent } from './before-rollback.ts';
import { nudgePods } from './nudge.ts';
import { type ClusterRollback, judgeRolledBack, leftObjects, writtenWords } from './rolled-back.ts';
import { warnOfMovedPodsAfter } from './where-pods-are.ts';

export interface ClusterRollbackOptions {
  /** False leaves what stands (--no-rollback). Default true. */
  rollback?: boolean | undefined;
  /** Whether pods mount what was written, so that they are to look at once. */
  mounted?: boolean | undefined;
  /** Clusters at a time; default all. */
  parallel?: number | undefined;
  /** Why a cluster is left as it is, by its context: others stand on what was written there. */
  inUse?: ReadonlyMap<string, string> | undefined;
  /** The journals are of all that the run has written, rather than of one phase or part: empty ones mean that nothing was. */
  isAll?: boolean | undefined;
  /** The command that mends a cluster; absent for what cannot be typed again. */
  mend?: ((context: string) => string | undefined) | undefined;
  /** Whether that one goes on from what was left in a cluster, rather than taking it back. */
  resumes?: ((context: string) => boolean) | undefined;
  /** What was to become of peers: by pods that are replaced once more, those may be cut off that dial the nodes of the former ones. */
  effects?: readonly PeerEffect[] | undefined;
}

/** Whatever the command's own signal says: it may be why there is something to roll back. */
const NUDGE_TIMEOUT_MS = 120_000;

/**
 * Puts every cluster back as the journals say and tells so per cluster; what could not be put back, with the command that
 * mends it. Never throws: the failure that led here goes on its way, with what became of the clusters in its details.
 */
export async function rollBackClusters(
  flow: Flow,
  targets: readonly Target[],
  journals: readonly Journal[],
  cause: unknown,
  options: ClusterRollbackOptions = {},
): Promise<void> {
  const limit = pLimit(options.parallel ?? Math.max(1, targets.length));
  const touched = targets.flatMap((target) => {
    const { context } = target.client;
    const entries = journals.filter(({ cluster }) => cluster === context).flatMap((journal) => journal.entries);
    return entries.length > 0 ? [{ target, journal: { cluster: context, entries } }] : [];
  });
  // Who has not been heard in all of its time keeps none of the others waiting.
  touched.sort(({ target: a }, { target: b }) => Number(wasSilent(a.client)) - Number(wasSilent(b.client)));
  const results = await Promise.all(
    touched.map(({ target, journal }) =>
      limit(async () => {
        const why = options.rollback === false ? '--no-rollback' : options.inUse?.get(journal.cluster);
        if (why !== undefined) return leaveCluster(flow, journal, why, options);
        // While one waits, another one has its place.
        let places = 0;
        const onOutage = () => {
          places += 1;
          limit.concurrency += 1;
        };
        try {
          return await rollBackCluster(flow, target, journal, options, onOutage);
        } finally {
          limit.concurrency -= places;
        }
      }),
    ),
  );
  await tellOfMovedPods(flow, touched, results, options.effects ?? []);
  tellUntouched(flow, targets, results);
  // Whoever stops a run is to know what stands; another failure says itself what was refused.
  if (options.isAll && results.length === 0 && flow.signal.aborted)
    flow.progress.info('nothing was written: all is as before');
  if (!(cause instanceof MeshctlError) || results.length === 0) return;
  cause.details.rollback = results;
  const taken = touched.flatMap(({ journal }) => takenBack(journal, results));
  if (cause.hint !== undefined) cause.hint = hintAfterRollback(cause.hint, taken, options.rollback === true);
}

/** Of clusters whose pods were replaced, and put back. Who was to be connected for the first time dials only what is left there. */
function tellOfMovedPods(
  flow: Flow,
  touched: readonly { target: Target; journal: Journal }[],
  results: readonly ClusterRollback[],
  effects: readonly PeerEffect[],
): Promise<void> {
  const isLeft = (cluster: string) => results.some(({ context, outcome }) => context === cluster && outcome === 'left');
  const isOfPods = ({ namespace }: Target, { ref, before }: JournalEntry) =>
    before !== undefined && keyOf(ref) === keyOf(apiserverDeploymentRef(namespace));
  return warnOfMovedPodsAfter(
    flow,
    touched.flatMap(({ target, journal }) =>
      journal.entries.some((entry) => isOfPods(target, entry)) ? [target] : [],
    ),
    effects.filter(({ becomes, cluster }) => becomes !== 'lost' || isLeft(cluster)),
  );
}

/** What has become of an object that is as it was before. */
const BACK: ReadonlySet<string> = new Set<RollbackResult['outcome'] | 'left' | 'unanswered'>(['restored', 'owners']);

/** What is gone, or another again, of what a run has written to a cluster; nothing where it was left. */
function takenBack({ cluster: context, entries }: Journal, results: readonly ClusterRollback[]): TakenBack[] {
  const { outcome, objects = [] } = results.find((one) => one.context === context) ?? {};
  if (outcome === undefined || outcome === 'left') return [];
  const isBack = ({ ref }: JournalEntry) =>
    objects.some(({ object, outcome: became }) => object === describeRef(ref) && BACK.has(became));
  const back = entries.filter(isBack);
  const [removed, restored] = [true, false].map((isNew) =>
    back.filter(({ before }) => (before === undefined) === isNew).map(({ ref }) => ref),
  );
  return [{ context, removed: removed ?? [], restored: restored ?? [] }];
}

async function rollBackCluster(
  flow: Flow,
  target: Target,
  journal: Journal,
  { mounted, mend, resumes }: ClusterRollbackOptions,
  onOutage: () => void,
): Promise<ClusterRollback> {
  const { context } = target.client;
  const task = flow.progress.start(`${context}: rolling back ${countOf(journal)}`);
  const undone = await rollback(target.client, journal, {
    outlast: outlastInRollback(target.client, () => {
      onOutage();
      task.update(`${context}: waiting for its API server, to roll back ${countOf(journal)}`);
    }),
  });
  const way = { command: mend?.(context), resumes: resumes?.(context) };
  const { result, warnings, end, mending } = judgeRolledBack(context, undone, way);
  const isFailed = undone.some(({ outcome }) => outcome === 'failed');
  if (mounted && !isFailed && end.kind !== 'nothing-taken') await nudgeAgain(flow, target);
  for (const warning of warnings) flow.progress.warn(warning);
  if (end.kind === 'back') task.done(end.says);
  else if (end.kind === 'not-back') task.fail(end.says);
  else {
    task.stop();
    flow.progress.info(end.says);
  }
  if (mending !== undefined) flow.progress.warn(mending);
  return result;
}

/** Kubelets would keep what was put back from the pods for a minute. It is no failure if they do. */
async function nudgeAgain(flow: Flow, target: Target): Promise<void> {
  const signal = AbortSignal.timeout(NUDGE_TIMEOUT_MS);
  try {
    await nudgePods(flow, target, { pods: 'apiserver-and-agents', withdraw: true, signal });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    flow.progress.warn(`context "${target.client.context}": its pods see the rollback up to a minute later (${why})`);
  }
}

function leaveCluster(
  flow: Flow,
  journal: Journal,
  why: string,
  { mend, resumes }: ClusterRollbackOptions,
): ClusterRollback {
  const { cluster: context } = journal;
  const command = mend?.(context);
  const way = command ? ` → to ${resumes?.(context) ? 'continue' : 'undo them'}: ${command}` : '';
  flow.progress.warn(`context "${context}": ${writtenWords(journal)} (${why})${way}`);
  return { context, outcome: 'left', objects: leftObjects(journal), ...(command ? { mend: command } : {}) };
}

/**
 * For commands that put nothing back, because their next run goes on where this one stopped: says what a run that failed
 * has written to a cluster.
 * @param resumes whether the same command goes on with it
 */
export function tellWhatStands(
  flow: Pick<Flow, 'progress'>,
  journals: readonly Journal[],
  cause: unknown,
  resumes: boolean | string = true,
): void {
  const journal: Journal = { cluster: journals[0]?.cluster ?? '', entries: journals.flatMap(({ entries }) => entries) };
  if (journal.entries.length === 0) return;
  const { cluster: context } = journal;
  const goesOn = resumes === true ? 'the next run of the same command continues from there' : resumes;
  const next = goesOn ? `; ${goesOn}` : '';
  flow.progress.warn(`context "${context}": ${writtenWords(journal)}${next}`);
  if (cause instanceof MeshctlError) {
    cause.details.rollback = [{ context, outcome: 'left', objects: leftObjects(journal) } satisfies ClusterRollback];
  }
}

/** Adds the clusters to which nothing was written, where others were not that lucky. */
function tellUntouched(flow: Flow, targets: readonly Target[], results: ClusterRollback[]): void {
  if (results.length === 0) return;
  const touched = new Set(results.map(({ context }) => context));
  const untouched = targets.map(({ client }) => client.context).filter((context) => !touched.has(context));
  if (untouched.length === 0) return;
  flow.progress.info(`${untouched.join(', ')}: nothing was written there`);
  results.push(...untouched.map((context): ClusterRollback => ({ context, outcome: 'untouched', objects: [] })));
}

function countOf({ entries }: Journal): string {
  const count = new Set(entries.map(({ ref }) => describeRef(ref))).size;
  return count === 1 ? 'one object' : `${count} objects`;
}
