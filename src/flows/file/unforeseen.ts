import type { Direction } from '../../mesh/connect/direction.ts';
import { replacesPods } from '../../mesh/peers/restarts/restart-effects.ts';
import { type Concerns, type Hazard, unforeseenHazards } from '../../mesh/plan/agreement.ts';
import type { PeerEffect } from '../../mesh/plan/peer-effects.ts';
import type { Step } from '../../mesh/plan/plan.ts';
import type { PreparedConnect } from '../connect/plan-dials.ts';
import { aliasWarnings } from '../connect/plan-dials.ts';

/** Steps of connecting, with what of them nobody has agreed to yet. */
export interface Unforeseen extends Required<Pick<Concerns, 'effects' | 'hazards'>> {
  steps: readonly Step[];
  /** What nobody was told. */
  warnings: readonly string[];
}

/** What a plan of connecting has, now that clusters are enabled, and had not when it was agreed to. */
export function unforeseenOf(agreed: PreparedConnect, now: PreparedConnect): Unforeseen {
  const known = new Set(agreed.effects.flatMap(effectKeys));
  const warnings = now.warnings.filter((words) => !agreed.warnings.includes(words));
  const untold = now.directions.filter((one) => aliasWarnings(one).some((words) => warnings.includes(words)));
  return {
    steps: [...now.serve.steps, ...now.dial.steps],
    warnings,
    effects: now.effects.filter((effect) => !effectKeys(effect).some((key) => known.has(key))),
    hazards: [
      ...unforeseenHazards(agreed.hazards ?? [], now.hazards ?? []),
      ...untold.flatMap((direction) => restartsBy(direction, now.dial.steps)),
    ],
  };
}

/** Pods of Cilium's that are replaced for a host name; those of a clustermesh-apiserver that was just enabled serve nobody yet. */
function restartsBy({ client, server }: Direction, steps: readonly Step[]): Hazard[] {
  const { context } = client.snapshot;
  return steps
    .filter((step) => step.cluster === context && step.object.kind === 'DaemonSet' && replacesPods(step))
    .map(({ object }) => {
      return {
        cluster: context,
        says: `all pods of DaemonSet ${object.name} are replaced to dial ${server.identity.name}`,
      };
    });
}

/** By what it becomes, or by who takes its place, also where that was not certain before. */
function effectKeys({ cluster, peer, becomes, replacedBy }: PeerEffect): string[] {
  const of = [becomes, ...(replacedBy === undefined ? [] : [`replaced by ${replacedBy}`])];
  return of.map((what) => JSON.stringify([cluster, peer, what]));
}
