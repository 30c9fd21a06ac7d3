/**
 * What a run has made, and takes back when it fails, another run may have found whole by then: it writes nothing, so that nothing in the
 * objects tells of it. So who may take its work back says that it is at work, and who finds such work and stands on it says so there.
 */
import { hostname } from 'node:os';
import pLimit, { type LimitFunction } from 'p-limit';
import { MeshctlError } from '../../mesh/errors.ts';
import { describeRef, type KubeObject } from '../../mesh/objects/kube-object.ts';
import { applyLeaseRef } from '../../mesh/objects/names.ts';
import { MANAGED_BY } from '../../mesh/objects/ownership.ts';
import { FIELD_MANAGER } from '../../mesh/plan/plan.ts';
import {
  concernsPeers,
  type EndState,
  markedRuns,
  type WorkingRun,
  workingAnnotation,
  writesWhat,
} from '../../mesh/working-runs.ts';
import type { Flow, Target } from '../flow.ts';
import { allOrFirstError } from '../parallel.ts';
import {
  beginRun,
  heldByDetails,
  MARKED_AT_A_TIME,
  markAnew,
  markedBy,
  type RunMark,
  whileOthersWrite,
} from '../run-mark.ts';
import { askedBeforeRollback } from './before-rollback.ts';
import {
  type AboutPeers,
  finishedRunsBy,
  isDead,
  type OpenElsewhere,
  takeMarksAway,
  takeMarksAwayElsewhere,
} from './take-marks-away.ts';

/** A run that may take its work back. */
export interface WorkingClusters {
  run: string;
  /**
   * Before it takes anything back, says so where it was at work: who finds its work from then on is told.
   * @param among the contexts on which the rollback hangs: others are not waited for
   * @returns where another run stands on what it has made, as a clause, by context; it stays
   */
  beginRollback(among: ReadonlySet<string>): Promise<ReadonlyMap<string, string>>;
}

/**
 * Says in clusters that a run is at work there, for as long as it is. Where that cannot be written, the run goes on all the same, and
 * that is said.
 * @param run.written of its clusters those that it writes to, and may take that back
 * @param run.parallel clusters at a time
 * @param run.elsewhere opens clusters in which it has nothing to do any more, and in which one may have been that has died, and whose work
 * it finishes; absent where that one was nowhere else
 */
export async function whileAtWork<T>(
  flow: Flow,
  {
    targets,
    written,
    parallel = MARKED_AT_A_TIME,
    since = flow.now(),
    elsewhere,
    ...run
  }: {
    targets: readonly Target[];
    written: readonly Target[];
    parallel?: number;
    elsewhere?: OpenElsewhere | undefined;
  } & AboutWork,
  work: (clusters: WorkingClusters) => Promise<T>,
): Promise<T> {
  const limit = pLimit(Math.min(parallel, MARKED_AT_A_TIME));
  const done = await whileMarked(flow, written, { ...beginRun(flow), since, ...run }, limit, async (clusters) => {
    const result = await work(clusters);
    // Before they go here, by which it is known that they are elsewhere.
    if (elsewhere) await takeMarksAwayElsewhere(targets, run, elsewhere);
    return result;
  });
  // Where it had nothing to write; elsewhere they have gone with its own.
  const others = targets.filter((target) => !written.includes(target));
  await Promise.all(others.map((target) => limit(() => takeMarksAway(target, finishedRunsBy(run, target)))));
  return done;
}

interface AboutWork extends AboutPeers, Pick<WorkingRun, 'command'> {
  /** When the run began that this is a part of, by which both are told as one. Default: now. */
  since?: Date | undefined;
  /** What it is about, where its command does not say that to whoever finds its mark at another cluster. */
  doing?: string | undefined;
  /** Of each cluster the peers that it takes out although it wants others to be there. */
  partsOf?: ((context: string) => readonly string[]) | undefined;
}

type WorkingMark = RunMark & AboutWork;

async function whileMarked<T>(
  flow: Flow,
  targets: readonly Target[],
  mark: WorkingMark,
  limit: LimitFunction,
  work: (clusters: WorkingClusters) => Promise<T>,
): Promise<T> {
  const marked: { target: Target; end: () => Promise<void> }[] = [];
  let isDone = false;
  const begin = async (target: Target) => {
    const { context } = target.client;
    try {
      await writeOwn(target, mark, (own) => own);
      const end = markAnew((signal) => writeOwn(target, mark, (own) => own, signal));
      marked.push({ target, end });
    } catch (error) {
      if (!(error instanceof MeshctlError)) throw error;
      // What comes next ends by it, and says what stands.
      if (flow.signal.aborted) return;
      flow.progress.warn(
        `${error.message}: what another run finds in context "${context}" meanwhile would not be left to it, were this one rolled back`,
      );
    }
  };
  try {
    await allOrFirstError(
      targets.map((target) => limit(() => begin(target))),
      flow.progress,
    );
    const done = await work({
      run: mark.run,
      async beginRollback(among) {
        const asked = marked.filter(({ target }) => among.has(target.client.context));
        // All at a time: those that do not answer keep nobody from being asked.
        const looks = asked.map(({ target }) => whoReliesOn(flow, target, mark));
        return new Map((await Promise.all(looks)).flat());
      },
    });
    isDone = true;
    return done;
  } finally {
    await Promise.all(
      marked.map(({ target, end }) =>
        limit(async () => {
          await end();
          const isFinished = finishedRunsBy(mark, target);
          await takeMarksAway(target, (one) => one.run === mark.run || (isDone && isFinished(one)));
        }),
      ),
    );
  }
}

const RELIED_ON = (host: string) =>
  `left as it is, because another run, on ${host}, has found there meanwhile what is wanted, and counts on it`;
/** Why what a run has made stays, where a cluster does not tell. */
export const RELIANCE_UNSEEN = 'left as it is, because it could not be seen whether another run counts on it by now';

async function whoReliesOn({ progress }: Flow, target: Target, mark: WorkingMark): Promise<[string, string][]> {
  const { context } = target.client;
  let by: string | undefined;
  try {
    const say = (own: WorkingRun): WorkingRun => {
      by = own.reliedOnBy;
      return { ...own, isRollingBack: by === undefined };
    };
    await askedBeforeRollback(
      target.client,
      (signal) => writeOwn(target, mark, say, signal),
      () => progress.info(`context "${context}": waiting for its API server, before anything is rolled back`),
    );
  } catch (error) {
    if (!(error instanceof MeshctlError)) throw error;
    return [[context, RELIANCE_UNSEEN]];
  }
  return by === undefined ? [] : [[context, RELIED_ON(by)]];
}

/** Writes a run's own mark from what is there of it, at that very version: another run may say something in it. */
async function writeOwn(
  target: Target,
  mark: WorkingMark,
  edit: (own: WorkingRun) => WorkingRun,
  signal?: AbortSignal,
): Promise<void> {
  const { client, namespace } = target;
  const ref = applyLeaseRef(namespace);
  await whileOthersWrite(async () => {
    const live = await client.get(ref, { signal });
    const known = markedRuns(live).find(({ run }) => run === mark.run);
    const { command } = mark;
    const [peers, parts] = [mark.peersOf, mark.partsOf].map((of) => of?.(client.context));
    const said = { command, ...(peers ? { peers } : {}), ...(parts?.length ? { parts } : {}), isRollingBack: false };
    const own = edit({ ...said, ...known, ...markedBy(mark, target) });
    const annotations = workingAnnotation(mark.run, own);
    if (live) {
      await client.patch(
        ref,
        { metadata: { annotations } },
        { resourceVersion: live.metadata.resourceVersion, signal },
      );
      return;
    }
    const { apiVersion, kind, name } = ref;
    const metadata = { name, namespace, labels: { [MANAGED_BY]: FIELD_MANAGER }, annotations };
    await client.create({ apiVersion, kind, metadata } as KubeObject, { signal });
  });
}

/**
 * Says, of what a run has found as it wants it, that it counts on it, where another one is at work that may take it back. Whoever calls
 * this looks at it once more afterwards: that one may have been through with it by then. Of one that does the contrary it only warns.
 * @param options.wanted how it wants that to be: what is written otherwise, it does not count on
 * @param options.own this run, where it says itself that it is at work
 * @param options.peersOf the peers of each cluster by which it counts on anything; absent: on all that is there
 * @returns the contexts where it was said
 * @throws MeshctlError `Conflict` where another one is taking its work back
 */
export async function relyOn(
  flow: Flow,
  targets: readonly Target[],
  { parallel, peersOf, ...how }: { parallel: number; wanted: EndState; own?: string | undefined } & AboutPeers,
): Promise<readonly string[]> {
  const limit = pLimit(parallel);
  const said = await Promise.all(
    targets.map((target) =>
      limit(() => relyOnOthers(flow, target, { ...how, peers: peersOf?.(target.client.context) })),
    ),
  );
  return said.flat();
}

async function relyOnOthers(
  { progress }: Flow,
  target: Target,
  { wanted, own, peers }: { wanted: EndState; own?: string | undefined; peers: readonly string[] | undefined },
): Promise<string[]> {
  const { client, namespace } = target;
  const { context } = client;
  const ref = applyLeaseRef(namespace);
  const isOther = (one: WorkingRun) => one.run !== own && concernsPeers(one, peers) && !isDead(one, client);
  let working: WorkingRun[] = [];
  let contrary: WorkingRun[] = [];
  try {
    await whileOthersWrite(async () => {
      const live = await client.get(ref);
      const others = markedRuns(live).filter(isOther);
      const [rollingBack] = others.filter(({ isRollingBack }) => isRollingBack);
      if (rollingBack) throw takesBack(context, describeRef(ref), rollingBack);
      working = others.filter((one) => writesWhat(one, wanted, peers));
      contrary = others.filter((one) => !working.includes(one));
      const unsaid = working.filter(({ reliedOnBy }) => reliedOnBy === undefined);
      if (!live || unsaid.length === 0) return;
      const annotations = unsaid.map((one) => workingAnnotation(one.run, { ...one, reliedOnBy: hostname() }));
      const patch = { metadata: { annotations: Object.assign({}, ...annotations) as Record<string, string> } };
      await client.patch(ref, patch, { resourceVersion: live.metadata.resourceVersion });
    });
  } catch (error) {
    const isTold = error instanceof MeshctlError && error.details.heldBy === undefined && error.code !== 'Interrupted';
    if (!isTold) throw error;
    const [other] = working;
    // Whoever may not look at it learns nothing of it.
    if (other)
      progress.warn(
        `${error.message}: ${other.command}, on ${other.host}, is at work in context "${context}", and takes what it has made there away again if it fails → Wait until it has ended, then run the same command again.`,
      );
    return [];
  }
  for (const { command, host } of contrary)
    progress.warn(
      `context "${context}": another run, ${command} on ${host}, is at work there, and ${CONTRARY[wanted]} → Wait until it has ended, then run the same command again.`,
    );
  return working.length > 0 ? [context] : [];
}

/** What the other one does, by what this one wants. */
const CONTRARY: Record<EndState, string> = {
  there: 'may take away what is wanted here',
  gone: 'may bring what is not wanted here',
};

function takesBack(context: string, object: string, other: WorkingRun): MeshctlError {
  const { command, host, until } = other;
  return new MeshctlError(
    'Conflict',
    `context "${context}": another run, ${command} on ${host}, has failed and takes back what it has made there, which this one has found`,
    {
      hint: `Wait until it has ended, then run the same command again; one that was killed counts until ${until.toISOString()} at most.`,
      details: heldByDetails({ context, object }, other),
    },
  );
}
