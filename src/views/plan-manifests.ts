import { describeRef, type KubeObject, refOf } from '../mesh/kube-object.ts';
import type { Step } from '../mesh/plan.ts';

/** The objects of a plan for GitOps. */
export interface PlanManifests {
  clusters: readonly {
    context: string;
    /** As they should be, in the order in which they are applied. */
    objects: readonly KubeObject[];
    /** What is not there and why, in words. */
    leftOut: readonly string[];
  }[];
}

/**
 * The objects that a plan wants, the kept ones too. Secrets are left out: what is in them is made in the cluster, and a
 * repository is no place for private keys. So are objects to which meshctl only adds something.
 */
export function planManifests(steps: readonly Step[]): PlanManifests {
  const contexts = [...new Set(steps.map(({ cluster }) => cluster))];
  return {
    clusters: contexts.map((context) => {
      const own = steps.filter(({ cluster, action }) => cluster === context && action !== 'delete');
      const objects = own.flatMap((step) => manifestOf(step) ?? []);
      const present = new Set(objects.map((object) => describeRef(refOf(object))));
      const missing = own.map(({ object }) => object).filter((ref) => !present.has(describeRef(ref)));
      return {
        context,
        objects,
        leftOut: missing.map(
          (ref) => `${describeRef(ref)}: ${ref.kind === 'Secret' ? 'holds private keys or peers' : 'holds the peers'}`,
        ),
      };
    }),
  };
}

function manifestOf({ object, write, wanted }: Step): KubeObject | undefined {
  if (object.kind === 'Secret') return undefined;
  if (wanted) return wanted;
  return write?.method === 'apply' || write?.method === 'create' ? write.object : undefined;
}
