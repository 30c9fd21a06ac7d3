import { type MeshDifferences, missingDials, pairsOfDials } from '../../mesh/file/differences.ts';
import { isChange, type Step } from '../../mesh/plan/plan.ts';
import type { PreparedMesh } from './prepare-mesh.ts';

/** What a plan comes to as differences. */
export function differencesOf(prepared: PreparedMesh): MeshDifferences {
  const { members, snapshots, drafts, connections, services, extra } = prepared;
  const { serve, dial } = connections.now;
  const steps = [
    ...drafts.flatMap(({ draft }) => draft.plan.steps),
    ...serve.steps,
    ...dial.steps,
    ...services.steps,
  ].filter(isChange);
  return {
    steps: inOrder(
      members.map(({ target }) => target.client.context),
      steps,
    ),
    unconnected: pairsOfDials(missingDials(connections.later, snapshots)),
    missingServices: services.missing,
    unserved: [...connections.unserved, ...prepared.scaledDown],
    extra: {
      pairs: pairsOfDials(extra.dials.filter(({ isDialling }) => isDialling === 'yes')),
      letIn: extra.dials.filter(({ isDialling }) => isDialling !== 'yes'),
      strangers: extra.strangers,
      services: services.extra,
      halfLeft: [...new Set(extra.leaving.map(({ peer }) => peer))].filter(
        (name) => !extra.strangers.some(({ peer }) => peer === name),
      ),
    },
  };
}

/** A plan is read cluster by cluster, as the file has them. */
export function inOrder(contexts: readonly string[], steps: readonly Step[]): Step[] {
  return contexts.flatMap((context) => steps.filter(({ cluster }) => cluster === context));
}
