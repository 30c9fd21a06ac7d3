import { namesPeers } from '../../mesh/enable/deletion.ts';
import { describeRef, type KubeObject } from '../../mesh/objects/kube-object.ts';
import type { Step } from '../../mesh/plan/plan.ts';

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
 * repository is no place for private keys. So is the list of etcd users, whatever the plan makes it with: what syncs would put
 * that back, and shut out everyone who has come since. So are objects of others, to which meshctl only adds something.
 */
export function planManifests(steps: readonly Step[]): PlanManifests {
  const contexts = [...new Set(steps.map(({ cluster }) => cluster))];
  return {
    clusters: contexts.map((context) => {
      const own = steps.filter(({ cluster, action }) => cluster === context && action !== 'delete');
      const objects = own.flatMap((step) => manifestOf(step) ?? []);
      const missing = own.filter((step) => manifestOf(step) === undefined);
      const reasons = missing.map((step) => `${describeRef(step.object)}: ${reasonOf(step)}`);
      return { context, objects, leftOut: [...new Set(reasons)] };
    }),
  };
}

function manifestOf({ object, write, wanted }: Step): KubeObject | undefined {
  if (object.kind === 'Secret' || namesPeers(object)) return undefined;
  if (wanted) return wanted;
  return write?.method === 'apply' || write?.method === 'create' ? write.object : undefined;
}

function reasonOf({ object, write }: Step): string {
  if (object.kind === 'Secret') return 'holds private keys, which are made in the cluster and belong in no repository';
  if (namesPeers(object)) return 'lists the etcd users of peers, which connect and disconnect write in the cluster';
  switch (write?.method) {
    case 'restart':
      return 'only its pods are restarted';
    case undefined:
      return 'stays as it is in the cluster';
    default:
      return 'meshctl changes entries of it in the cluster, next to those of others';
  }
}
