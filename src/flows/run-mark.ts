import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { setTimeout } from 'node:timers/promises';
import type { ClusterClient } from '../kube/client.ts';
import { outlasting } from '../kube/outlast.ts';
import { MeshctlError } from '../mesh/errors.ts';
import { HOLD_MS, type Hold, RENEW_MS } from '../mesh/hold.ts';
import type { KubeObject, ObjectRef } from '../mesh/objects/kube-object.ts';
import type { Flow, Target } from './flow.ts';
import { processMark } from './own-process.ts';

/** Clusters that are marked, or looked at for marks, at a time. */
export const MARKED_AT_A_TIME = 8;
/** For what is written once the run ends, whatever its own signal says: it may be why it ends. */
const END_TIMEOUT_MS = 30_000;
/** An API server that restarts is back soon, and the next run, which goes on from there, would be held off by the mark. */
const AT_END = { limitMs: END_TIMEOUT_MS, everyMs: 1_000 };

/** What a run marks by where it is at work. */
export interface RunMark {
  run: string;
  host: string;
  since: Date;
  /** How far it is, in words; whoever looks at its mark is told. */
  doing?: string | undefined;
  process?: string | undefined;
}

/** The mark of a run that begins. */
export function beginRun(flow: Pick<Flow, 'now'>): RunMark {
  return { run: randomBytes(4).toString('hex'), host: hostname(), since: flow.now(), process: processMark() };
}

/** The mark for a cluster, by its own clock: good until it has to be said anew. */
export function markedBy({ run, host, since, doing, process }: RunMark, { client }: Pick<Target, 'client'>): Hold {
  const until = new Date(client.now().getTime() + HOLD_MS);
  return {
    ...{ run, host, since, until },
    ...(doing === undefined ? {} : { doing }),
    ...(process === undefined ? {} : { process }),
  };
}

/** The facts of an error by which a run stops for another one. @param object what that one has marked */
export function heldByDetails(
  { context, object }: { context: string; object: string },
  { host, since, until }: Pick<Hold, 'host' | 'since' | 'until'>,
) {
  const heldBy = { host, since: since.toISOString(), until: until.toISOString() };
  return { context, object, heldBy, stop: true };
}

/** Of marking what changes just then. */
const TRIES = 5;

/**
 * Tries to mark anew where it came too late: Kubernetes writes a status, or another run takes, makes or removes what is marked.
 * @throws MeshctlError `Conflict` or `NotFound` where that goes on; what is refused for another reason, at once
 */
export async function whileOthersWrite(mark: () => Promise<void>): Promise<void> {
  for (let triesLeft = TRIES; ; triesLeft -= 1) {
    try {
      return await mark();
    } catch (error) {
      // What is there already is a conflict too; who holds it does not become another by asking again.
      const isLate = error instanceof MeshctlError && ['Conflict', 'NotFound'].includes(error.code);
      if (!isLate || error.details.heldBy !== undefined || triesLeft === 0) throw error;
    }
  }
}

/**
 * Where what is marked may not be deleted, the mark alone is taken away, which is but a patch: it would hold others off after the run.
 * @param withdraw takes it away
 * @throws MeshctlError `Conflict` of the deletion, which came too late: {@link whileOthersWrite} tries again
 */
export async function deletedOr(deletion: Promise<unknown>, withdraw: () => Promise<unknown>): Promise<void> {
  try {
    await deletion;
  } catch (error) {
    if (!(error instanceof MeshctlError) || error.code === 'Conflict') throw error;
    await withdraw();
  }
}

/**
 * Takes the mark of a run away at its end, also after Ctrl-C. It is no failure where that is not possible: the mark is good for a minute.
 * @param leave is given what is there, which others may write to meanwhile: then it is asked again
 */
export async function leaveMark(
  client: ClusterClient,
  ref: ObjectRef,
  leave: (live: KubeObject, signal: AbortSignal) => Promise<unknown>,
): Promise<void> {
  const signal = AbortSignal.timeout(END_TIMEOUT_MS);
  const withdraw = () =>
    whileOthersWrite(async () => {
      const live = await client.get(ref, { signal });
      if (live) await leave(live, signal);
    });
  try {
    await outlasting(client.clock, AT_END)(withdraw, signal);
  } catch (error) {
    if (!(error instanceof MeshctlError)) throw error;
  }
}

/**
 * From now on marks ever anew, so that the mark stands for as long as the run lives, whatever it waits for, and no longer. A mark that
 * fails is no failure of the run.
 * @param everyMs by the machine's own timers: the mark is on the cluster's clock, which no wait of the run's moves
 * @returns what ends it; afterwards nothing is written any more
 */
export function markAnew(mark: (signal: AbortSignal) => Promise<void>, everyMs = RENEW_MS): () => Promise<void> {
  const ending = new AbortController();
  const marking = (async () => {
    for (;;) {
      await setTimeout(everyMs, undefined, { signal: ending.signal }).catch(() => undefined);
      if (ending.signal.aborted) return;
      await mark(AbortSignal.any([ending.signal, AbortSignal.timeout(RENEW_MS)])).catch(() => undefined);
    }
  })();
  return () => {
    ending.abort();
    return marking;
  };
}
