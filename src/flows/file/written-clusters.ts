import { isChange, type Step } from '../../mesh/plan/plan.ts';
import { clustersOfParting } from '../connect/prepare-disconnect.ts';
import type { Target } from '../flow.ts';
import { type PlannedCluster, plannedClusters } from '../write/require-none-joined.ts';
import type { PreparedMesh } from './prepare-mesh.ts';
import { type PreparedPrune, pruneSteps } from './prune.ts';

/** Every cluster that is written to, once, as it was read. */
export function clustersOfMesh(
  { members, snapshots }: PreparedMesh,
  { parting, leaving }: PreparedPrune,
): PlannedCluster[] {
  const all = [
    ...plannedClusters(
      members.map(({ target }) => target),
      snapshots,
    ),
    ...(parting ? clustersOfParting(parting) : []),
    ...leaving.map(({ target, draft }) => ({ target, snapshot: draft.snapshot })),
  ];
  return [...new Map(all.map((one) => [one.target.client.context, one])).values()];
}

/** Every cluster that is written to, once. */
export function targetsOf({ members }: PreparedMesh, { parting, leaving }: PreparedPrune): Target[] {
  const all = [
    ...members.map(({ target }) => target),
    ...(parting?.targets ?? []),
    ...leaving.map(({ target }) => target),
  ];
  return [...new Map(all.map((target) => [target.client.context, target])).values()];
}

/** The contexts to which anything is written. */
export function changedContexts(prepared: PreparedMesh, prune: PreparedPrune): string[] {
  const { members, connections } = prepared;
  const dialling = connections.later.flatMap(({ from, to }) => [from, to]);
  const later = members.filter(({ wanted }) => dialling.includes(wanted.name));
  return [
    ...stepsOfMesh(prepared, prune)
      .filter(isChange)
      .map(({ cluster }) => cluster),
    ...later.map(({ target }) => target.client.context),
  ];
}

/** All that is planned by now, unordered. */
export function stepsOfMesh(prepared: PreparedMesh, prune: PreparedPrune): Step[] {
  const { drafts, connections, services } = prepared;
  const { serve, dial } = connections.now;
  return [
    ...drafts.flatMap(({ draft }) => draft.plan.steps),
    ...serve.steps,
    ...dial.steps,
    ...services.steps,
    ...pruneSteps(prepared, prune),
  ];
}
