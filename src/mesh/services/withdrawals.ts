import type { Hazard } from '../plan/agreement.ts';
import type { Step } from '../plan/plan.ts';
import { readSharing } from './annotations.ts';
import { serviceKey } from './services.ts';

/** Of the steps about Services, those that take their backends away from the other clusters. */
export function withdrawals(steps: readonly Step[]): Hazard[] {
  return steps.filter(withdraws).map(({ cluster, object: { namespace = '', name } }) => {
    return { cluster, says: `other clusters lose the backends of ${serviceKey({ namespace, name })}` };
  });
}

/** Whether others have had backends there until now, and have none any more. */
function withdraws({ action, before, wanted }: Step): boolean {
  if (action === 'keep' || !before) return false;
  const [former, next] = [before, wanted].map((object) => readSharing(object?.metadata.annotations));
  const isOffered = (sharing: typeof former) => sharing?.global === true && sharing.shared;
  return isOffered(former) && !isOffered(next);
}
