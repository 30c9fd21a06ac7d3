import type { Journal } from '../../kube/apply.ts';
import type { PeerMove } from '../../mesh/enable/effects/peer-move.ts';
import type { Step } from '../../mesh/plan/plan.ts';
import type { Flow, Target } from '../flow.ts';
import { awaitRollout } from './await-apiserver.ts';
import { guardWayBack } from './move-back.ts';
import { awaitCache, requireDiallersConnected, switchAgents } from './move-peers.ts';

interface MovingRun {
  apply: (steps: readonly Step[]) => Promise<void>;
  rest: readonly Step[];
  move: PeerMove;
  waitMs: number;
  journals: Journal[];
}

/**
 * With peers that go over to other diallers: those first get the files and are seen to be connected, then the former ones
 * let go. At every moment somebody dials (Cilium keeps a peer's state while its connection is made anew).
 */
export async function applyWithMove(flow: Flow, target: Target, run: MovingRun): Promise<void> {
  const { move, waitMs, journals } = run;
  await requireDiallersConnected(flow, target, move);
  const begun = journals.length;
  try {
    await applyInTurn(flow, target, run);
  } finally {
    guardWayBack(flow, target, { move, waitMs, written: journals.slice(begun) });
  }
}

async function applyInTurn(
  flow: Flow,
  target: Target,
  { apply, rest, move, waitMs, journals }: MovingRun,
): Promise<void> {
  const at = (step: Step) => rest.indexOf(step);
  await apply(rest.slice(0, at(move.before)));
  if (move.to === 'agents') {
    journals.push(await switchAgents(flow, target, move.before, { move, waitMs }));
    await apply(rest.slice(at(move.before) + 1, at(move.after)));
    await awaitRollout(flow, target, waitMs);
    await apply(rest.slice(at(move.after)));
    return;
  }
  await apply(rest.slice(at(move.before), at(move.after)));
  await awaitRollout(flow, target, waitMs);
  await awaitCache(flow, target, move, waitMs);
  journals.push(await switchAgents(flow, target, move.after, { move, waitMs }));
  await apply(rest.slice(at(move.after) + 1));
}
