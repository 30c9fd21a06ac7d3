import { dialsThroughKvstoremesh } from '../../mesh/connect/direction.ts';
import { laterSteps } from '../../mesh/file/later-steps.ts';
import { isChange, type Step } from '../../mesh/plan/plan.ts';
import { clustersOfParting } from '../connect/prepare-disconnect.ts';
import type { Target } from '../flow.ts';
import { type PlannedCluster, plannedClusters } from '../write/require-none-joined.ts';
import type { PreparedMesh } from './prepare-mesh.ts';
import { type PreparedPrune, pruneSteps } from './prune.ts';

/** The clusters of all that is planned, each once, as they were read. */
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

/** The same, opened. */
export function targetsOf({ members }: PreparedMesh, { parting, leaving }: PreparedPrune): Target[] {
  const all = [
    ...members.map(({ target }) => target),
    ...(parting?.targets ?? []),
    ...leaving.map(({ target }) => target),
  ];
  return [...new Map(all.map((target) => [target.client.context, target])).values()];
}

/** Those of them to which anything is written. */
export function changedTargets(prepared: PreparedMesh, prune: PreparedPrune): Target[] {
  const { members, connections } = prepared;
  const dialling = new Set(connections.later.flatMap(({ from, to }) => [from, to]));
  const later = members.filter(({ wanted }) => dialling.has(wanted.name));
  const changes = stepsOfMesh(prepared, prune).filter(isChange);
  const changed = new Set([
    ...changes.map(({ cluster }) => cluster),
    ...later.map(({ target }) => target.client.context),
  ]);
  return targetsOf(prepared, prune).filter(({ client }) => changed.has(client.context));
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

/** What is written once clusters are enabled, as far as that is known. */
export function laterStepsOf({ members, enabled, drafts, connections }: PreparedMesh): Step[] {
  const clusters = members.map((member) => {
    const { client, namespace } = member.target;
    const snapshot = enabled.find((one) => one.context === client.context);
    const settings = drafts.find((one) => one.member === member)?.draft.settings;
    const kvstoremesh = settings?.kvstoremesh ?? (snapshot !== undefined && dialsThroughKvstoremesh(snapshot));
    return { name: member.wanted.name, context: client.context, namespace, kvstoremesh };
  });
  return laterSteps(connections.later, clusters);
}
