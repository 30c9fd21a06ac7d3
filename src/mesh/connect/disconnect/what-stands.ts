import { clusterNameOf } from '../../cilium/identity.ts';
import { changedObjects } from '../../plan/changed-objects.ts';
import type { Plan } from '../../plan/plan.ts';
import type { Parting } from './disconnect-plan.ts';

/** What a disconnect that is only waited for has done in one cluster, by names of its peers. */
export interface WhatStands {
  context: string;
  undialled: readonly string[];
  unserved: readonly string[];
  /** What was written or removed there. */
  objects: readonly string[];
}

/**
 * What stands of a disconnect, in each cluster that something was taken out of: of the others there is nothing to say.
 * @param parted who dialled whom before, by name
 */
export function whatStands({
  partings,
  parted,
  plan,
}: {
  partings: readonly Pick<Parting, 'snapshot' | 'undialled' | 'unserved'>[];
  parted: readonly { from: string; to: string }[];
  plan: Plan;
}): WhatStands[] {
  const changed = new Map(changedObjects(plan.steps).map(({ context, objects }) => [context, objects]));
  return partings.flatMap(({ snapshot, ...own }): WhatStands[] => {
    const { context } = snapshot;
    const objects = changed.get(context);
    if (!objects) return [];
    const name = clusterNameOf(snapshot);
    const undialled = parted.flatMap(({ from, to }) => (from === name && own.undialled.includes(to) ? [to] : []));
    const unserved = parted.flatMap(({ from, to }) => (to === name && own.unserved.includes(from) ? [from] : []));
    return [{ context, undialled, unserved, objects }];
  });
}

/** Peers of a cluster that somebody has put back there since. */
export interface PutBack {
  context: string;
  /** Whom it dials again. */
  dialled: readonly string[];
  /** Whom it has a user for again. */
  served: readonly string[];
}

/** What stands without what was put back since. Of a cluster where nothing else was done there is nothing left to say. */
export function withoutPutBack(stands: readonly WhatStands[], putBack: readonly PutBack[]): WhatStands[] {
  return stands.flatMap((one) => {
    const { context, undialled, unserved } = one;
    const back = putBack.filter((other) => other.context === context);
    if (back.length === 0) return [one];
    const left = {
      undialled: undialled.filter((peer) => back.every(({ dialled }) => !dialled.includes(peer))),
      unserved: unserved.filter((peer) => back.every(({ served }) => !served.includes(peer))),
    };
    return left.undialled.length + left.unserved.length > 0 ? [{ ...one, ...left }] : [];
  });
}

/** The same for people. */
export function saysWhatStands({ context, undialled, unserved }: Omit<WhatStands, 'objects'>): string {
  const parts = [
    ...(undialled.length > 0 ? [`it does not dial ${undialled.join(', ')} any more`] : []),
    ...(unserved.length > 0 ? [`it has no user for ${unserved.join(', ')} any more`] : []),
  ];
  const what = parts.length > 0 ? parts.join(', and ') : 'what was left of former peers is removed';
  return `context "${context}": ${what}; that is kept, nothing is rolled back`;
}
