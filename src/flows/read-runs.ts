import { applyLeaseRef, rotationLeaseRef } from '../mesh/objects/names.ts';
import { type RunAtWork, runsMarked } from '../mesh/runs-at-work.ts';
import type { Flow, Target } from './flow.ts';
import { hasEnded } from './own-process.ts';
import { orWithout } from './where-it-succeeds.ts';

/** The runs of meshctl that are at work in a cluster, or have died there, by its clock; none where their marks may not be read. */
export async function readRuns(flow: Pick<Flow, 'signal'>, { client, namespace }: Target): Promise<RunAtWork[]> {
  const read = (ref: ReturnType<typeof rotationLeaseRef>) => orWithout(flow, client.get(ref), undefined);
  const [rotation, apply] = await Promise.all([rotationLeaseRef(namespace), applyLeaseRef(namespace)].map(read));
  return rotation || apply ? runsMarked({ rotation, apply }, client.now(), hasEnded) : [];
}
