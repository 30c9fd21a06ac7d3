import type { ClusterClient } from '../../kube/client.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { describeRef, type KubeObject, refOf } from '../../mesh/objects/kube-object.ts';
import { beingDeleted, heldBy, isGoing, waitForEnd } from '../../mesh/plan/going.ts';
import type { Step } from '../../mesh/plan/plan.ts';
import { untilSettled } from '../etcd/ask-etcd.ts';
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
    const deadline = flow.clock.ms() + waitMs;
    for (const object of held) {
      await untilSettled(flow, { deadline, intervalMs: LOOK_INTERVAL_MS }, async (last) => {
        const live = await client.get(refOf(object), { signal: flow.signal });
        if (!live || live.metadata.uid !== object.metadata.uid) return true;
        const words = `${describeRef(refOf(object))} to be gone${heldBy(live)}`;
        if (last) throw await stillThere(client, live, held, { words, waitMs });
        task.update(`${client.context}: waiting for ${words}`);
        return undefined;
      });
    }
  });
}

function isHeld(object: KubeObject): boolean {
  return isGoing(object) || (object.metadata.finalizers ?? []).length > 0;
}

/** With the command that waits for all that is held, not for one after the other. */
async function stillThere(
  client: ClusterClient,
  live: KubeObject,
  held: readonly KubeObject[],
  { words, waitMs }: { words: string; waitMs: number },
): Promise<MeshctlError> {
  const { context } = client;
  const now = await Promise.all(held.map((object) => client.get(refOf(object))));
  const left = now.filter((object): object is KubeObject => isGoing(object));
  const { details } = beingDeleted({ context, object: live });
  return new MeshctlError('Timeout', `context "${context}": waited ${waitMs / 1000} s for ${words}`, {
    hint: `Run the same command again once ${left.length > 1 ? 'all of it' : 'it'} is gone: ${waitForEnd(context, left.length > 0 ? left : [live])}`,
    details: { ...details, timeoutMs: waitMs },
  });
}
