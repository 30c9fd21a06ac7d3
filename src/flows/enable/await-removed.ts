import type { ClusterClient } from '../../kube/client.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { describeRef, type KubeObject, refOf } from '../../mesh/objects/kube-object.ts';
import { beingDeleted, heldBy, isGoing } from '../../mesh/plan/going.ts';
import type { Step } from '../../mesh/plan/plan.ts';
import { during, type Flow } from '../flow.ts';

const LOOK_INTERVAL_MS = 1000;

/**
 * What has a finalizer is still there after it was deleted, until whoever has set that is done: a load balancer's Service,
 * say, until the cloud has taken the load balancer away.
 * @throws MeshctlError `Timeout`, with who holds it
 */
export async function awaitRemoved(
  flow: Flow,
  client: ClusterClient,
  removals: readonly Step[],
  waitMs: number,
): Promise<void> {
  const held = removals.flatMap(({ before }) => (before && isHeld(before) ? [before] : []));
  if (held.length === 0) return;
  const text = `${client.context}: waiting for what is deleted to be gone`;
  await during(flow, { doing: text, done: `${client.context}: what was deleted is gone` }, async (task) => {
    const end = flow.clock.ms() + waitMs;
    for (const object of held) {
      for (;;) {
        const live = await client.get(refOf(object), { signal: flow.signal });
        if (!live || live.metadata.uid !== object.metadata.uid) break;
        const words = `${describeRef(refOf(object))} to be gone${heldBy(live)}`;
        if (flow.clock.ms() >= end) throw stillThere(client.context, live, { words, waitMs });
        task.update(`${client.context}: waiting for ${words}`);
        await flow.clock.sleep(LOOK_INTERVAL_MS, flow.signal);
      }
    }
  });
}

function isHeld(object: KubeObject): boolean {
  return isGoing(object) || (object.metadata.finalizers ?? []).length > 0;
}

function stillThere(
  context: string,
  live: KubeObject,
  { words, waitMs }: { words: string; waitMs: number },
): MeshctlError {
  const { hint, details } = beingDeleted(context, live);
  const message = `context "${context}": waited ${waitMs / 1000} s for ${words}`;
  return new MeshctlError('Timeout', message, { hint, details: { ...details, timeoutMs: waitMs } });
}
