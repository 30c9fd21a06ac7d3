import { planDial } from '../connect/dial-plan.ts';
import { planDirection } from '../connect/direction.ts';
import { connectEffects } from '../connect/effects.ts';
import type { Member } from '../connect/member.ts';
import { planServe } from '../connect/serve-plan.ts';
import { replacesPods } from '../peers/restarts/restart-effects.ts';
import type { PeerEffect } from '../plan/peer-effects.ts';
import type { Step } from '../plan/plan.ts';

/** What connecting two clusters does to what runs in them already. */
export interface Disturbance {
  /** Steps that replace pods. */
  restarts: readonly Step[];
  /** What becomes of other peers. */
  effects: readonly PeerEffect[];
}

/**
 * What the demo's connect does to pods that run already, and to other peers: Cilium before 1.20 may have to be told a host name.
 * @throws MeshctlError what keeps the clusters from being connected
 */
export function disturbanceOf(one: Member, other: Member, now: Date): Disturbance {
  const directions = [planDirection(one, other, { now }), planDirection(other, one, { now })];
  const steps = [...planServe(directions, now).steps, ...planDial(directions, now, []).steps];
  const effects = connectEffects([one.snapshot, other.snapshot], directions, steps);
  return { restarts: steps.filter(replacesPods), effects: effects.filter(({ becomes }) => becomes !== 'kept') };
}
