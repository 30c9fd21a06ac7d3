import { describeRef } from '../objects/kube-object.ts';
import { groupBy } from '../pairs.ts';
import { isChange, type Step } from './plan.ts';

/** What was written or removed in one cluster; data for `-o json`. */
export interface ChangedObjects {
  context: string;
  /** `Secret kube-system/cilium-ca`. */
  objects: string[];
}

/** What steps that were done have changed, by cluster. Clusters of which everything was kept are left out. */
export function changedObjects(steps: readonly Step[]): ChangedObjects[] {
  return [...groupBy(steps.filter(isChange), ({ cluster }) => cluster)].map(([context, own]) => ({
    context,
    objects: [...new Set(own.map(({ object }) => describeRef(object)))],
  }));
}
