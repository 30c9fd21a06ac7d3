/**
 * One rotation at a time in a cluster: what one has written and not proved yet, another would take back. Nor does anything else write
 * there meanwhile that a rotation stands on: CAs, certificates, peers, their users, and the clustermesh-apiserver.
 */
import pLimit from 'p-limit';
import { orRefusal } from '../../kube/unless-refused.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { HOLD_MS, type Hold, holdOf, noHold, otherRun, withHold } from '../../mesh/hold.ts';
import { describeRef, type KubeObject } from '../../mesh/objects/kube-object.ts';
import { rotationLeaseRef } from '../../mesh/objects/names.ts';
import { MANAGED_BY } from '../../mesh/objects/ownership.ts';
import { FIELD_MANAGER, isChange, type Step } from '../../mesh/plan/plan.ts';
import type { Flow, Target } from '../flow.ts';
import { hasEnded } from '../own-process.ts';
import { allOrFirstError } from '../parallel.ts';
import {
  beginRun,
  deletedOr,
  heldByDetails,
  leaveMark,
  MARKED_AT_A_TIME,
  markAnew,
  markedBy,
  type RunMark,
  whileOthersWrite,
} from '../run-mark.ts';
import { isDead } from '../write/take-marks-away.ts';

/** The clusters of a rotation, taken for it. */
export interface HeldClusters {
  /**
   * Sees that no other run has taken one of them meanwhile, as after this machine has slept.
   * @throws MeshctlError `Conflict`
   */
  requireHeld(): Promise<void>;
  /**
   * Writes down how far the run is, for whoever sees pods restart meanwhile. Where that cannot be written, the next mark says it.
   * @param doing in words
   * @throws MeshctlError `Conflict` where another one has taken a cluster
   */
  say(doing: string): Promise<void>;
}

/**
 * Takes clusters for a rotation while it works, by a Lease in Cilium's namespace that is marked anew again and again; the mark of a run that has died is taken over after a minute. Where it cannot be written, that is said, and the run goes on.
 * @param everyMs as of {@link markAnew}
 * @throws MeshctlError `Conflict` where another rotation is at work: nothing is written then
 */
export async function whileHeld<T>(
  flow: Flow,
  targets: readonly Target[],
  parallel: number,
  work: (held: HeldClusters) => Promise<T>,
  everyMs?: number,
): Promise<T> {
  const mark = beginRun(flow);
  const held: Target[] = [];
  const limit = pLimit(parallel);
  const take = async (target: Target) => {
    if (await takeCluster(flow, target, mark)) held.push(target);
  };
  // Of two that begin at once, one gets the first of them, and the other no further.
  const [first, ...others] = [...targets].sort((a, b) => compare(a.client.server, b.client.server));
  const leaving: (() => Promise<void>)[] = [];
  try {
    if (first) await take(first);
    await allOrFirstError(
      others.map((target) => limit(() => take(target))),
      flow.progress,
    );
    leaving.push(...held.map((target) => markAnew((signal) => markCluster(target, mark, signal), everyMs)));
    return await work({
      requireHeld: async () => {
        await allOrFirstError(
          held.map((target) => limit(() => requireNoOther(target, mark))),
          flow.progress,
        );
      },
      say: async (doing) => {
        mark.doing = doing;
        await allOrFirstError(
          held.map((target) => limit(() => unlessOther(markCluster(target, mark)))),
          flow.progress,
        );
      },
    });
  } finally {
    await Promise.all(leaving.map((end) => end()));
    await Promise.all(held.map((target) => limit(() => leaveCluster(target, mark))));
  }
}

const compare = (one: string, other: string): number => (one < other ? -1 : Number(one > other));

/** Whether it has the mark by then. */
async function takeCluster(flow: Flow, target: Target, mark: RunMark): Promise<boolean> {
  try {
    await markCluster(target, mark);
    return true;
  } catch (error) {
    const isOther = error instanceof MeshctlError && error.details.heldBy !== undefined;
    if (isOther || !(error instanceof MeshctlError) || error.code === 'Interrupted') throw error;
    flow.progress.warn(
      `${error.message}: another rotation that begins in context "${target.client.context}" meanwhile would not be stopped`,
    );
    return false;
  }
}

/** What was not written is written by the next mark, unless another run is at work by then. */
async function unlessOther(marking: Promise<void>): Promise<void> {
  try {
    await marking;
  } catch (error) {
    if (!(error instanceof MeshctlError) || error.details.heldBy !== undefined) throw error;
  }
}

/** Marks only what was looked at: another run may take it at the same time. */
async function markCluster(target: Target, mark: RunMark, signal?: AbortSignal): Promise<void> {
  const { client, namespace } = target;
  const ref = rotationLeaseRef(namespace);
  await whileOthersWrite(async () => {
    const live = await client.get(ref, { signal });
    const other = otherRun('rotation', live, mark.run, client.now(), hasEnded);
    if (other) throw atWork(target, other);
    const lease = leaseOf(target, mark);
    if (!live) {
      await client.create(lease, { signal });
      return;
    }
    const { metadata, spec } = lease;
    const patch = { metadata: { annotations: metadata.annotations }, spec };
    await client.patch(ref, patch, { resourceVersion: live.metadata.resourceVersion, signal });
  });
}

/** `kubectl get leases` shows its holder (coordination.k8s.io/v1). */
function leaseOf(target: Target, mark: RunMark): KubeObject {
  const { apiVersion, kind, name, namespace } = rotationLeaseRef(target.namespace);
  const lease = {
    apiVersion,
    kind,
    metadata: { name, ...(namespace === undefined ? {} : { namespace }), labels: { [MANAGED_BY]: FIELD_MANAGER } },
    spec: { holderIdentity: `${mark.host}_${mark.run}`, leaseDurationSeconds: HOLD_MS / 1000 },
  };
  return withHold('rotation', lease, markedBy(mark, target));
}

async function requireNoOther(target: Target, { run }: RunMark): Promise<void> {
  const { client, namespace } = target;
  const other = otherRun('rotation', await client.get(rotationLeaseRef(namespace)), run, client.now(), hasEnded);
  if (other) throw atWork(target, other);
}

function leaveCluster(target: Target, mark: RunMark): Promise<void> {
  return takeHoldAway(target, ({ run }) => run === mark.run);
}

/**
 * Takes away the mark of a rotation that has died in a cluster in which there is nothing left to rotate: no further one comes by there that
 * would. Where that is not possible, it is no failure.
 */
export function leaveDeadRotation(target: Target): Promise<void> {
  return takeHoldAway(target, (hold) => isDead(hold, target.client));
}

function takeHoldAway({ client, namespace }: Target, isOver: (hold: Hold) => boolean): Promise<void> {
  const ref = rotationLeaseRef(namespace);
  return leaveMark(client, ref, async (live, signal) => {
    const hold = holdOf('rotation', live);
    if (!hold || !isOver(hold)) return;
    const { uid, resourceVersion } = live.metadata;
    const patch = { metadata: { annotations: noHold('rotation') }, spec: { holderIdentity: null } };
    await deletedOr(client.delete(ref, { uid, resourceVersion, signal }), () =>
      client.patch(ref, patch, { resourceVersion, signal }),
    );
  });
}

/**
 * Sees, before a run writes what a rotation stands on, that none is at work in a cluster that it writes to. A mark that is good no longer
 * is no obstacle.
 * @param steps of the plan; absent where it writes to each of the targets, whatever its plan
 * @param options.onUnseen hears of clusters where marks may not be read, which are no obstacle either; absent where that was said before
 * @throws MeshctlError `Conflict`, as a second rotation does, of the first that is held; the others are said
 */
export async function requireNoRotation(
  flow: Pick<Flow, 'progress'>,
  targets: readonly Target[],
  steps?: readonly Pick<Step, 'cluster' | 'action'>[],
  {
    onUnseen = () => {},
    parallel = MARKED_AT_A_TIME,
  }: { onUnseen?: (words: string) => void; parallel?: number | undefined } = {},
): Promise<void> {
  const written = steps && new Set(steps.filter(isChange).map(({ cluster }) => cluster));
  const limit = pLimit(parallel);
  const looks = targets
    .filter(({ client }) => !written || written.has(client.context))
    .map((target) => limit(() => requireUnheld(target, onUnseen)));
  await allOrFirstError(looks, flow.progress);
}

async function requireUnheld(target: Target, onUnseen: (words: string) => void): Promise<void> {
  const { client, namespace } = target;
  const live = await orRefusal(client.get(rotationLeaseRef(namespace)));
  if (live instanceof MeshctlError) {
    onUnseen(`${live.message}: whether certs rotate is at work in context "${client.context}" is not known`);
    return;
  }
  const other = otherRun('rotation', live, '', client.now(), hasEnded);
  if (other) throw atWork(target, other);
}

function atWork({ client: { context }, namespace }: Target, hold: Hold): MeshctlError {
  const { host, since, until } = hold;
  const object = describeRef(rotationLeaseRef(namespace));
  return new MeshctlError(
    'Conflict',
    `context "${context}": another run, certs rotate on ${host}, is at work there at the same time, since ${since.toISOString()}`,
    {
      hint: `Wait until it has ended, then run the same command again; one that was killed holds the cluster until ${until.toISOString()} at most.`,
      details: heldByDetails({ context, object }, hold),
    },
  );
}
