import { describeRef } from '../objects/kube-object.ts';
import { isChange, type Step } from './plan.ts';

/** What was written or removed in one cluster; data for `-o json`. */
export interface ChangedObjects {
  context: string;
  /** `Secret kube-system/cilium-ca`. */
  objects: string[];
}

/** What steps that were done have changed, by cluster. Clusters of which everything was kept are left out. */
export function changedObjects(steps: readonly Step[]): ChangedObjects[] {
  const changed = steps.filter(isChange);
  return [...new Set(changed.map(({ cluster }) => cluster))].map((context) => ({
    context,
    objects: [
      ...new Set(changed.filter(({ cluster }) => cluster === context).map(({ object }) => describeRef(object))),
    ],
  }));
}
