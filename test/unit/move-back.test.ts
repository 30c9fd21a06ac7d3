import { expect, it } from 'vitest';
import { guardWayBack } from '../../src/flows/enable/move-back.ts';
import type { Flow, Target } from '../../src/flows/flow.ts';
import type { JournalEntry } from '../../src/kube/apply.ts';
import type { PeerMove } from '../../src/mesh/enable/effects/peer-move.ts';
import { type KubeObject, refOf } from '../../src/mesh/objects/kube-object.ts';
import { secretObject } from '../support/snapshots.ts';
import { woundClock } from '../support/wound-clock.ts';

const WAIT_MS = 60_000;
/** KVStoreMesh needs most of the time for its peer, and agents never read it there. */
const CACHE_TAKES_MS = 50_000;

const deployment: KubeObject = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'clustermesh-apiserver', namespace: 'kube-system', generation: 1 },
  spec: { replicas: 1, template: { spec: { containers: [{ name: 'kvstoremesh' }] } } },
  status: { observedGeneration: 1, replicas: 1, updatedReplicas: 1, readyReplicas: 1, availableReplicas: 1 },
};
const pod: KubeObject = {
  ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'pod', namespace: 'kube-system' } },
  status: { phase: 'Running', containerStatuses: [{ name: 'kvstoremesh', ready: true, state: { running: {} } }] },
};

it('a way back in vain takes no longer than one wait, whatever it waits for', async () => {
  const clock = woundClock();
  const warnings: string[] = [];
  const task = { update() {}, tick() {}, done() {}, fail() {}, stop() {} };
  const flow = {
    progress: { start: () => task, warn: (text: string) => warnings.push(text), info() {} },
    now: () => new Date(),
    clock,
    signal: new AbortController().signal,
  } as unknown as Flow;
  const client = {
    context: 'a',
    get: async () => deployment,
    patch: async () => pod,
    listAll: async () => [pod],
    async *listPages() {
      yield { items: [deployment], resourceVersion: '1' };
    },
    async *watch(_selection: unknown, _version: string, { signal }: { signal: AbortSignal }) {
      await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
      yield* [];
    },
    exec: async () => {
      const ready = clock.ms() >= CACHE_TAKES_MS;
      return { stdout: JSON.stringify([{ name: 'b', ready, connected: ready }]), stderr: '', exitCode: 0 };
    },
  };
  const agents: JournalEntry = {
    ...{ ref: refOf(secretObject('cilium-clustermesh', {})), before: undefined, after: undefined, certain: true },
  };
  const move = { to: 'agents', peers: ['b'], running: true } as unknown as PeerMove;
  const target = { client, namespace: 'kube-system' } as unknown as Target;
  guardWayBack(flow, target, { move, waitMs: WAIT_MS, written: [{ cluster: 'a', entries: [agents] }] });
  await agents.awaitBefore?.();
  expect(clock.ms()).toBeGreaterThanOrEqual(CACHE_TAKES_MS);
  await agents.awaitAfter?.();
  expect(warnings).toEqual([expect.stringContaining('has not reached b')]);
  expect(clock.ms()).toBeLessThanOrEqual(WAIT_MS);
});
