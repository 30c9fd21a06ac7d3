/** What a run writes at an object, so that no other of its kind is at work there at the same time. */

import type { KubeObject } from './objects/kube-object.ts';
import { isRecord } from './record.ts';

/** By which annotation, for each kind of run. */
const ANNOTATIONS = {
  /** At the Deployment of the test's client. */
  'connectivity-test': 'meshctl.io/connectivity-test-run',
  /** At a Lease in Cilium's namespace. */
  rotation: 'meshctl.io/rotation-run',
} as const;

/** A kind of run of which there is to be one at a time. */
export type HeldFor = keyof typeof ANNOTATIONS;

/** A run at work in a namespace. */
export interface Hold {
  /** Tells it from other runs. */
  run: string;
  /** The machine that it runs on. */
  host: string;
  since: Date;
  /** It says so again before that, unless it has died. On the clock of the cluster where the mark is. */
  until: Date;
  /** How far it is, in words, where it says so: `Phase 2 of 5: …`. */
  doing?: string | undefined;
  /** Its process, where that can be told from all others: who is on its machine sees by it that it has ended. */
  process?: string | undefined;
}

/** So long a mark is good: after that, its run has died. */
export const HOLD_MS = 60_000;
/** So often a run says anew that it is at work: one answer may be late, or two lost. */
export const RENEW_MS = 15_000;

/** Replicas of an API server may differ by minutes; who names a later time is not believed. */
const LONGEST_MS = 10 * HOLD_MS;

/** The mark as annotations. */
export function holdAnnotations(what: HeldFor, hold: Hold): Record<string, string> {
  return { [ANNOTATIONS[what]]: JSON.stringify(hold) };
}

/** What takes it away, for a patch. */
export function noHold(what: HeldFor): Readonly<Record<string, null>> {
  return { [ANNOTATIONS[what]]: null };
}

/** The object with the mark of a run. */
export function withHold(what: HeldFor, object: KubeObject, hold: Hold): KubeObject {
  const annotations = { ...object.metadata.annotations, ...holdAnnotations(what, hold) };
  return { ...object, metadata: { ...object.metadata, annotations } };
}

/** The run that an object is marked by, alive or not; undefined also where the mark cannot be read. */
export function holdOf(what: HeldFor, object: KubeObject | undefined): Hold | undefined {
  const text = object?.metadata.annotations?.[ANNOTATIONS[what]];
  return text === undefined ? undefined : parseHold(text);
}

/** A mark as it is written down; undefined where it is none. */
export function parseHold(text: string): Hold | undefined {
  try {
    const said: unknown = JSON.parse(text);
    if (!isRecord(said)) return undefined;
    const { run, host, since: from, until: to, doing, process } = said;
    const [since, until] = [new Date(String(from)), new Date(String(to))];
    if (typeof run !== 'string' || typeof host !== 'string') return undefined;
    if (Number.isNaN(since.getTime() + until.getTime())) return undefined;
    return {
      ...{ run, host, since, until },
      ...(typeof doing === 'string' ? { doing } : {}),
      ...(typeof process === 'string' ? { process } : {}),
    };
  } catch {
    return undefined;
  }
}

/**
 * The other run that is at work by an object's mark.
 * @param run this one
 * @param now by the cluster's clock
 * @param hasEnded whether a run is known to have ended, however good its mark still is
 */
export function otherRun(
  what: HeldFor,
  object: KubeObject | undefined,
  run: string,
  now: Date,
  hasEnded: (hold: Hold) => boolean = () => false,
): Hold | undefined {
  const hold = holdOf(what, object);
  return hold && hold.run !== run && isAlive(hold, now) && !hasEnded(hold) ? hold : undefined;
}

/** Whether a run is at work by its mark. @param now by the cluster's clock */
export function isAlive({ until }: Pick<Hold, 'until'>, now: Date): boolean {
  const leftMs = until.getTime() - now.getTime();
  return leftMs > 0 && leftMs <= LONGEST_MS;
}
