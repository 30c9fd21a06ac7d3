/** What a connectivity test writes at its client's Deployment, so that no other takes its namespace while it is at work. */

import type { KubeObject } from '../objects/kube-object.ts';
import { isRecord } from '../record.ts';

/** A run at work in a namespace. */
export interface Hold {
  /** Tells it from other runs. */
  run: string;
  /** The machine that it runs on. */
  host: string;
  since: Date;
  /** It says so again before that, unless it has died. On the clock of the cluster where the mark is. */
  until: Date;
}

/** So long a mark is good: after that, its run has died. */
export const HOLD_MS = 60_000;
/** So often a run says anew that it is at work: one answer may be late, or two lost. */
export const RENEW_MS = 15_000;

const ANNOTATION = 'meshctl.io/connectivity-test-run';
/** Replicas of an API server may differ by minutes; who names a later time is not believed. */
const LONGEST_MS = 10 * HOLD_MS;

/** The mark as annotations. */
export function holdAnnotations(hold: Hold): Record<string, string> {
  return { [ANNOTATION]: JSON.stringify(hold) };
}

/** What takes it away, for a patch. */
export const NO_HOLD: Readonly<Record<string, null>> = { [ANNOTATION]: null };

/** The object with the mark of a run. */
export function withHold(object: KubeObject, hold: Hold): KubeObject {
  const annotations = { ...object.metadata.annotations, ...holdAnnotations(hold) };
  return { ...object, metadata: { ...object.metadata, annotations } };
}

/** The run that an object is marked by, alive or not; undefined also where the mark cannot be read. */
export function holdOf(object: KubeObject | undefined): Hold | undefined {
  const text = object?.metadata.annotations?.[ANNOTATION];
  if (text === undefined) return undefined;
  try {
    const said: unknown = JSON.parse(text);
    if (!isRecord(said)) return undefined;
    const { run, host, since: from, until: to } = said;
    const [since, until] = [new Date(String(from)), new Date(String(to))];
    if (typeof run !== 'string' || typeof host !== 'string') return undefined;
    return Number.isNaN(since.getTime() + until.getTime()) ? undefined : { run, host, since, until };
  } catch {
    return undefined;
  }
}

/** The other run that is at work by an object's mark. @param run this one @param now by the cluster's clock */
export function otherRun(object: KubeObject | undefined, run: string, now: Date): Hold | undefined {
  const hold = holdOf(object);
  const leftMs = hold ? hold.until.getTime() - now.getTime() : 0;
  return hold && hold.run !== run && leftMs > 0 && leftMs <= LONGEST_MS ? hold : undefined;
}
