import pLimit from 'p-limit';
import { stillEnabled } from '../../mesh/enable/staying.ts';
import type { AppliedMesh } from '../../mesh/file/applied-mesh.ts';
import { partedFrom } from '../../mesh/peers/joined-peers.ts';
import type { ReadyWrite, Step } from '../../mesh/plan/plan.ts';
import { type DisableOptions, disableCluster } from '../enable/disable.ts';
import type { Flow, Target } from '../flow.ts';
import { allOrFirstError } from '../parallel.ts';
import { createClusterWriter } from '../write/apply-clusters.ts';
import type { FileOptions } from './prepare-mesh.ts';
import type { PreparedPrune } from './prune.ts';

/**
 * Takes away what was enabled in clusters that have gone from the file, one after the other.
 * @param options `parted`: the connections that were ended before; `disabled` gets the names of those that it came to
 */
export async function disableInTurn(
  flow: Flow,
  { leaving }: PreparedPrune,
  {
    parted,
    disabled,
    ...options
  }: Pick<FileOptions, 'waitMs'> & { parted: readonly { from: string; to: string }[]; disabled: string[] },
): Promise<{ removed: Step[]; still: AppliedMesh['stillEnabled'] }> {
  const removed: Step[] = [];
  const still: AppliedMesh['stillEnabled'][number][] = [];
  for (const { target, draft } of leaving) {
    const final = await disableCluster(flow, target, draft, {
      ...leaveOptions(options),
      parted: partedFrom(draft.name, parted),
    });
    disabled.push(draft.name);
    removed.push(...final.steps);
    const why = stillEnabled(final.snapshot, final.steps);
    if (why) still.push({ cluster: draft.name, ...why });
  }
  return { removed, still };
}

/** Takes away what was written down of clusters that leave, for a run that comes to no end. */
export async function clearMarks(
  flow: Flow,
  targets: readonly Target[],
  { clearing }: PreparedPrune,
  parallel: number,
): Promise<void> {
  const limit = pLimit(parallel);
  // It has come to be since the plan was made.
  const asItIs = clearing.map((step) =>
    limit(async () => {
      const target = targets.find(({ client }) => client.context === step.cluster);
      const before = await target?.client.get(step.object, { signal: flow.signal });
      return before ? [{ ...step, before }] : [];
    }),
  );
  await createClusterWriter(flow, targets, parallel).write(
    (await allOrFirstError(asItIs, flow.progress)).flat(),
    async ({ write }) => write as ReadyWrite,
    async () => undefined,
  );
}

/** How clusters are disabled that have gone from the file. */
export function leaveOptions({ waitMs }: Pick<FileOptions, 'waitMs'>): DisableOptions {
  return { keepCertificates: false, waitMs, resumes: false };
}
