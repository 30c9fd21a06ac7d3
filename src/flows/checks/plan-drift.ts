import { loadTemplates } from '../../manifests/load.ts';
import type { ClusterObservation } from '../../mesh/checks/shared/mesh-input.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { describeRef } from '../../mesh/objects/kube-object.ts';
import { describeConflicts } from '../../mesh/objects/ownership.ts';
import { sourceEdits } from '../../mesh/objects/source-advice.ts';
import { draftEnable } from '../enable/draft-enable.ts';
import type { Flow, Target } from '../flow.ts';

/** What of it is planned, and whether the user may not read what that takes. */
export type PlannedDrift = Pick<
  ClusterObservation,
  'drift' | 'driftUnknown' | 'contested' | 'isContestedByForce' | 'contestedIn'
> & { isPlanRefused?: boolean };

/** What an enable that keeps all choices as they are would change, and what of that others have set. */
export async function planDrift(flow: Flow, target: Target): Promise<PlannedDrift> {
  try {
    const { plan } = await draftEnable(flow, target, await loadTemplates(flow.installation), { waitMs: 0 });
    const changes = plan.steps.filter(({ action }) => action !== 'keep');
    return {
      drift: changes.map(({ action, object }) => `${describeRef(object)} (${action})`),
      contested: changes.flatMap(({ object, conflicts = [], takenFrom = [] }) => {
        const ofOthers = [...conflicts, ...takenFrom];
        return ofOthers.length > 0 ? [describeConflicts(object, ofOthers)] : [];
      }),
      isContestedByForce: changes.some(({ conflicts = [] }) => conflicts.length > 0),
      contestedIn: sourceEdits(changes),
    };
  } catch (error) {
    flow.signal.throwIfAborted();
    if (!(error instanceof MeshctlError)) throw error;
    return { driftUnknown: error.message, isPlanRefused: error.code === 'Forbidden' };
  }
}
