import type { Concerns } from '../../mesh/plan/agreement.ts';
import { mergeEffects } from '../../mesh/plan/peer-effects.ts';
import type { PreparedMesh } from './prepare-mesh.ts';

/** What of a plan has to be agreed to: `apply` asks for it, and `diff` tells it. */
export function concernsOf({ drafts, connections, withdrawals }: PreparedMesh): Required<Concerns> {
  return {
    effects: mergeEffects([...drafts.flatMap(({ draft }) => draft.effects), ...connections.now.effects]),
    hazards: [
      ...drafts.flatMap(({ draft }) => draft.hazards),
      ...(connections.now.hazards ?? []),
      ...withdrawals.hazards,
    ],
    doubtful: drafts.some(({ draft }) => draft.doubts.length > 0),
  };
}
