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
  /** It says so again before that, unless it has died. */
  until: Date;
}

const ANNOTATION = 'meshctl.io/connectivity-test-run';
/** Nothing that a test waits for takes longer: who says so is not believed. */
const LONGEST_MS = 24 * 3_600_000;

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

/** The other run that is at work by an object's mark. @param run this one */
export function otherRun(object: KubeObject | undefined, run: string, now: Date): Hold | undefined {
  const hold = holdOf(object);
  const leftMs = hold ? hold.until.getTime() - now.getTime() : 0;
  return hold && hold.run !== run && leftMs > 0 && leftMs <= LONGEST_MS ? hold : undefined;
}
