import { expect, it } from 'vitest';
import type { Flow, Target } from '../../src/flows/flow.ts';
import { askedBeforeRollback } from '../../src/flows/write/before-rollback.ts';
import { RELIANCE_UNSEEN, whileAtWork } from '../../src/flows/write/working-run.ts';
import type { ClusterClient } from '../../src/kube/client.ts';
import { mergePatch } from '../../src/kube/merge-patch.ts';
import type { Clock } from '../../src/mesh/clock.ts';
import { type ErrorCode, MeshctlError } from '../../src/mesh/errors.ts';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { applyLeaseRef } from '../../src/mesh/objects/names.ts';
import { markedRuns } from '../../src/mesh/working-runs.ts';
import { briskClock, NEVER_BACK } from '../support/brisk-clock.ts';
import { NOW } from '../support/snapshots.ts';
import { woundClock } from '../support/wound-clock.ts';

/** A run that begins its rollback while the first so many requests fail. @returns where something is left, why, and whether its mark says it */
async function beginning(code: ErrorCode, failing: number) {
  let lease: KubeObject | undefined;
  let [left, said] = [0, ''];
  const answer = () => {
    left -= 1;
    if (left >= 0) throw new MeshctlError(code, 'no answer', { details: { code: 'ECONNREFUSED' } });
  };
  const write = async (object: unknown) => {
    answer();
    lease = object as KubeObject;
    return lease;
  };
  const client = {
    context: 'one',
    clock: woundClock(),
    now: () => NOW,
    get: async () => {
      answer();
      return lease;
    },
    create: write,
    patch: async (_ref: unknown, patch: object) => write(mergePatch(lease, patch)),
    delete: async () => true,
  };
  const target = { client: client as unknown as ClusterClient, namespace: 'kube-system' } satisfies Target;
  const progress = { info: (text: string) => (said = text), warn: (text: string) => (said = text) };
  const flow = { now: () => NOW, progress, signal: new AbortController().signal } as unknown as Flow;
  const run = { command: 'connect', targets: [target], written: [target] } as const;
  return whileAtWork(flow, run, async ({ beginRollback }) => {
    left = failing;
    const inUse = Object.fromEntries(await beginRollback(new Set(['one'])));
    left = 0;
    return { inUse, isSaid: markedRuns(lease).some(({ isRollingBack }) => isRollingBack), said };
  });
}

const WAITS = 'context "one": waiting for its API server, before anything is rolled back';

it.each<[string, ErrorCode, number, Awaited<ReturnType<typeof beginning>>]>([
  [
    'goes on once an API server that was away is back',
    'ClusterUnreachable',
    20,
    { inUse: {}, isSaid: true, said: WAITS },
  ],
  ['goes on once one that failed does not', 'ApiFailure', 8, { inUse: {}, isSaid: true, said: WAITS }],
  [
    'leaves what is on one that does not come back',
    ...(['ClusterUnreachable', 1000] as const),
    { inUse: { one: RELIANCE_UNSEEN }, isSaid: false, said: WAITS },
  ],
  ['does not wait for who refuses it', 'Forbidden', 1, { inUse: { one: RELIANCE_UNSEEN }, isSaid: false, said: '' }],
])('a rollback %s', async (_what, code, failing, expected) => {
  expect(await beginning(code, failing)).toEqual(expected);
});

/** A rollback of as many clusters as were marked, all of which are gone by then: how many seconds it asks, and asks once more. */
async function secondsWithout(count: number, clock: Clock, isWritten: (context: string) => boolean = () => true) {
  let away = false;
  const asked = new Set<string>();
  const targetOf = (context: string): Target => {
    let lease: KubeObject | undefined;
    const answer = () => {
      if (!away) return;
      asked.add(context);
      throw new MeshctlError('ClusterUnreachable', 'refused', { details: { code: 'ECONNREFUSED' } });
    };
    const write = async (object: unknown) => {
      answer();
      lease = object as KubeObject;
      return lease;
    };
    const client = {
      ...{ context, clock, now: () => NOW, create: write, delete: async () => true },
      get: async () => {
        answer();
        return lease;
      },
      patch: async (_ref: unknown, patch: object) => write(mergePatch(lease, patch)),
    };
    return { client: client as unknown as ClusterClient, namespace: 'kube-system' };
  };
  const progress = { info: () => undefined, warn: () => undefined };
  const flow = { now: () => NOW, progress, signal: new AbortController().signal } as unknown as Flow;
  const targets = Array.from({ length: count }, (_, index) => targetOf(`c${index}`));
  const written = targets.filter(({ client }) => isWritten(client.context));
  const timed = async (work: () => Promise<unknown>) => {
    const since = clock.ms();
    await work();
    return (clock.ms() - since) / 1000;
  };
  return whileAtWork(flow, { command: 'connect', targets, written: targets }, async ({ beginRollback }) => {
    away = true;
    const begun = await timed(() => beginRollback(new Set(written.map(({ client }) => client.context))));
    const onceMore = await timed(() =>
      Promise.allSettled(
        written.map(({ client }) => askedBeforeRollback(client, () => client.get(applyLeaseRef('kube-system')))),
      ),
    );
    away = false;
    return { begun, onceMore, asked: [...asked] };
  });
}

it('forty clusters that are gone are waited for in one minute, and not once more', async () => {
  const { begun, onceMore, asked } = await secondsWithout(40, briskClock(NEVER_BACK));
  expect(asked).toHaveLength(40);
  expect(begun).toBeGreaterThanOrEqual(60);
  // In turn it would be five minutes.
  expect(begun).toBeLessThan(120);
  expect(onceMore).toBeLessThan(30);
});

it('a cluster on which no rollback hangs is not asked before one', async () => {
  const { asked } = await secondsWithout(3, woundClock(), (context) => context === 'c1');
  expect(asked).toEqual(['c1']);
});
