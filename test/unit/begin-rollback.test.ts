import { expect, it } from 'vitest';
import type { Flow, Target } from '../../src/flows/flow.ts';
import { RELIANCE_UNSEEN, whileAtWork } from '../../src/flows/write/working-run.ts';
import type { ClusterClient } from '../../src/kube/client.ts';
import { mergePatch } from '../../src/kube/merge-patch.ts';
import { type ErrorCode, MeshctlError } from '../../src/mesh/errors.ts';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { markedRuns } from '../../src/mesh/working-runs.ts';
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
    const inUse = Object.fromEntries(await beginRollback());
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
