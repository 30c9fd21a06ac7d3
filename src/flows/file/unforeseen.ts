import type { Direction } from '../../mesh/connect/direction.ts';
import { replacesPods } from '../../mesh/peers/restart-effects.ts';
import type { Concerns, Hazard } from '../../mesh/plan/agreement.ts';
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
  const known = new Set(agreed.effects.map(effectKey));
  const warnings = now.warnings.filter((words) => !agreed.warnings.includes(words));
  const untold = now.directions.filter((one) => aliasWarnings(one).some((words) => warnings.includes(words)));
  return {
    steps: [...now.serve.steps, ...now.dial.steps],
    warnings,
    effects: now.effects.filter((effect) => !known.has(effectKey(effect))),
    hazards: untold.flatMap((direction) => restartsBy(direction, now.dial.steps)),
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

function effectKey({ cluster, peer, becomes }: PeerEffect): string {
  return JSON.stringify([cluster, peer, becomes]);
}
