import { isRolledOut } from '../../mesh/apiserver/deployment.ts';
import { hostPort, reachableEndpoints } from '../../mesh/apiserver/endpoints.ts';
import { apiserverDeployment } from '../../mesh/apiserver/live.ts';
import type { ClusterSnapshot } from '../../mesh/cluster-snapshot.ts';
import { keyOf, refOf } from '../../mesh/objects/kube-object.ts';
import { apiserverDeploymentRef, apiserverServiceRef } from '../../mesh/objects/names.ts';
import { effectsAt, type PeerEffect } from '../../mesh/plan/peer-effects.ts';
import { readApiserverPods, readNodes } from '../../snapshot/nodes.ts';
import type { Flow, Target } from '../flow.ts';
import { orWithout } from '../where-it-succeeds.ts';

/** What of a cluster tells at which addresses its Service is reached. */
type Served = Pick<ClusterSnapshot, 'objects' | 'nodes' | 'apiserverPods' | 'namespace'>;

/** A cluster's Service, nodes and pods of the clustermesh-apiserver as they are by now. @throws MeshctlError what the client throws */
async function readServed({ client, namespace }: Target): Promise<Served> {
  const refs = [apiserverServiceRef(namespace), apiserverDeploymentRef(namespace)];
  const [nodes, apiserverPods, ...read] = await Promise.all([
    readNodes(client),
    readApiserverPods(client, namespace),
    ...refs.map((ref) => client.get(ref)),
  ]);
  const objects = new Map(read.flatMap((object) => (object ? [[keyOf(refOf(object)), object] as const] : [])));
  return { objects, nodes, apiserverPods, namespace };
}

/**
 * A snapshot with the nodes, and the pods on them, that there are once pods have been replaced. As it was where they may not be read.
 */
export async function withPodsNow(flow: Flow, target: Target, snapshot: ClusterSnapshot): Promise<ClusterSnapshot> {
  const { nodes, apiserverPods } = await orWithout<Pick<Served, 'nodes' | 'apiserverPods'>>(
    flow,
    readServed(target),
    snapshot,
  );
  return { ...snapshot, nodes, apiserverPods };
}

/**
 * Looks where pods have come up that a run has replaced, and warns of each peer that dials an address at which none answers now, with
 * what connects it again; and of each of which that cannot be told yet.
 * @param effects of the plan that was carried out
 * @returns the warnings
 */
export async function warnOfMovedPods(
  flow: Flow,
  targets: readonly Target[],
  effects: readonly PeerEffect[],
): Promise<string[]> {
  const told = await Promise.all(
    targets.map(async (target): Promise<string[]> => {
      const own = effects.filter(
        ({ cluster, movedPods }) => cluster === target.client.context && movedPods !== undefined,
      );
      if (own.length === 0) return [];
      const served = await orWithout(flow, readServed(target), undefined);
      return effectsAt(served ? addressesOf(served) : [], own).flatMap(movedWords);
    }),
  );
  const warnings = told.flat();
  for (const words of warnings) flow.progress.warn(words);
  return warnings;
}

/** For another failure to go on its way, or Ctrl-C, by which the run's own signal is no more good. Milliseconds. */
const LOOK_TIMEOUT_MS = 30_000;

/**
 * The same of a run that has failed, or was stopped: what it has replaced by then, or put back, may have come up elsewhere too. Never throws.
 */
export async function warnOfMovedPodsAfter(
  flow: Flow,
  targets: readonly Target[],
  effects: readonly PeerEffect[],
): Promise<void> {
  const own = { ...flow, signal: AbortSignal.timeout(LOOK_TIMEOUT_MS) };
  await warnOfMovedPods(own, targets, effects).catch(() => undefined);
}

/** Of pods that are still being replaced nobody knows yet where they will be. */
function addressesOf(served: Served): string[] {
  const deployment = apiserverDeployment(served);
  if (!deployment || !isRolledOut(deployment)) return [];
  return reachableEndpoints(served)?.map(({ host, port }) => hostPort(host, port)) ?? [];
}

function movedWords({ cluster, peer, becomes, why, mend }: PeerEffect): string[] {
  if (becomes !== 'cut' && becomes !== 'unknown' && becomes !== 'lost') return [];
  const what = becomes === 'cut' ? 'is cut off' : 'may be cut off';
  return [`${cluster}: peer ${peer} ${what}: ${why}${mend === undefined ? '' : ` → ${mend}`}`];
}
