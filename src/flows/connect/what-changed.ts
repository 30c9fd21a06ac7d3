import pLimit from 'p-limit';
import { runsKvstoremesh } from '../../mesh/apiserver/deployment.ts';
import { requireUnchanged } from '../../mesh/connect/changed-members.ts';
import { dialsThroughKvstoremesh } from '../../mesh/connect/direction.ts';
import { apiserverDeploymentRef, SERVER_CERT_SECRET } from '../../mesh/objects/names.ts';
import type { Step } from '../../mesh/plan/plan.ts';
import { readForConnecting } from '../../snapshot/read-for-connecting.ts';
import { warnOfUnmoved } from '../enable/move-peers.ts';
import type { Flow } from '../flow.ts';
import { orWithout } from '../where-it-succeeds.ts';
import type { PreparedConnect } from './plan-dials.ts';

/**
 * Looks once more at the clusters of a plan, as far as they are within reach: a question may have waited for its answer, a proof
 * for its etcd, and others have changed them.
 * @param done what this run has written of it
 * @param parallel clusters at a time
 * @throws MeshctlError `Conflict`, naming what the plan rests on and what is so no more
 */
export async function requireUnchangedSince(
  { targets, members }: PreparedConnect,
  done: readonly Step[],
  parallel: number,
): Promise<void> {
  const limit = pLimit(parallel);
  const looks = members.flatMap((before) => {
    const { context } = before.snapshot;
    const target = targets.find(({ client }) => client.context === context);
    const isReissued = done.some(
      ({ cluster, action, object }) => cluster === context && action !== 'keep' && object.name === SERVER_CERT_SECRET,
    );
    return target
      ? [limit(async () => ({ before, now: await readForConnecting(target.client, before.snapshot), isReissued }))]
      : [];
  });
  requireUnchanged(await Promise.all(looks));
}

/** Warns where KVStoreMesh was switched on while files were written: what is written works, but for the agents alone. */
export async function warnOfSwitched(
  flow: Flow,
  { targets, members, directions }: PreparedConnect,
  parallel: number,
): Promise<string[]> {
  const limit = pLimit(parallel);
  const snapshots = members.map(({ snapshot }) => snapshot);
  const dialling = [...new Set(directions.map(({ client }) => client.snapshot))];
  const looks = dialling.map((snapshot) =>
    limit(async (): Promise<readonly string[]> => {
      if (dialsThroughKvstoremesh(snapshot)) return [];
      const target = targets.find(({ client }) => client.context === snapshot.context);
      const reading = target?.client.get(apiserverDeploymentRef(target.namespace));
      const deployment = reading && (await orWithout(flow, reading, undefined));
      const isSwitched = target && deployment && runsKvstoremesh(deployment);
      return isSwitched ? warnOfUnmoved(flow, target, snapshots) : [];
    }),
  );
  return (await Promise.all(looks)).flat();
}
