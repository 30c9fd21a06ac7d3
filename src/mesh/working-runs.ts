/** What runs write down that may take their own work back, so that others who find it there can say that they rely on it. */
import { type Hold, parseHold } from './hold.ts';
import type { KubeObject } from './objects/kube-object.ts';
import { fieldsOf } from './record.ts';

/** At a Lease in Cilium's namespace; each run has its own, so that several may be at work. */
const PREFIX = 'meshctl.io/apply-run.';

/** A run at work in a cluster. */
export interface WorkingRun extends Hold {
  /** It has begun to take back what it wrote. */
  isRollingBack: boolean;
  /** The machine of a run that has found what is wanted there, and that stands on it. */
  reliedOnBy?: string | undefined;
}

/** The mark of a run as an annotation, null for one that is over. */
export function workingAnnotation(run: string, mark: WorkingRun | null): Record<string, string | null> {
  return { [`${PREFIX}${run}`]: mark && JSON.stringify(mark) };
}

/** All runs by whose marks an object is, alive or not. */
export function markedRuns(object: KubeObject | undefined): WorkingRun[] {
  return Object.entries(object?.metadata.annotations ?? {}).flatMap(([name, text]) => {
    const hold = name.startsWith(PREFIX) ? parseHold(text) : undefined;
    if (!hold) return [];
    const { isRollingBack, reliedOnBy } = fieldsOf(JSON.parse(text));
    const by = typeof reliedOnBy === 'string' ? { reliedOnBy } : {};
    return [{ ...hold, isRollingBack: isRollingBack === true, ...by }];
  });
}
