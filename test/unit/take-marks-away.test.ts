import { expect, it } from 'vitest';
import type { Target } from '../../src/flows/flow.ts';
import { takeMarksAwayElsewhere } from '../../src/flows/write/take-marks-away.ts';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { applyLeaseRef } from '../../src/mesh/objects/names.ts';
import { markedRuns, type WorkingRun, workingAnnotation } from '../../src/mesh/working-runs.ts';
import { briskClock } from '../support/brisk-clock.ts';

const SINCE = new Date('2026-12-01T01:00:00Z');
const NOW = new Date('2026-12-01T02:00:00Z');

/** A mark of a disable that began then, which has died unless it is `alive`. */
const mark = (run: string, peers: readonly string[], { since = SINCE, alive = false } = {}): WorkingRun => ({
  ...{ run, host: 'jumphost', since, command: 'disable', peers, isRollingBack: false },
  until: alive ? new Date(NOW.getTime() + 30_000) : SINCE,
});

/** A cluster with such marks, and which of them are left. */
function marked(context: string, ...runs: WorkingRun[]): { target: Target; left: () => string[] } {
  const ref = applyLeaseRef('kube-system');
  const annotations: Record<string, string | null> = Object.assign(
    {},
    ...runs.map((run) => workingAnnotation(run.run, run)),
  );
  let lease: KubeObject | undefined = { ...ref, metadata: { name: ref.name, annotations } } as KubeObject;
  const client = {
    context,
    clock: briskClock(),
    now: () => NOW,
    get: async () => lease,
    delete: async () => {
      lease = undefined;
    },
    patch: async (_ref: unknown, { metadata }: { metadata: { annotations: Record<string, string | null> } }) => {
      const kept = Object.entries({ ...annotations, ...metadata.annotations }).filter(([, text]) => text !== null);
      lease = { ...lease, metadata: { name: ref.name, annotations: Object.fromEntries(kept) } } as KubeObject;
    },
  };
  const target = { client, namespace: 'kube-system' } as unknown as Target;
  return { target, left: () => markedRuns(lease).map(({ run }) => run) };
}

const LATER = new Date('2026-12-01T01:30:00Z');

it.each<[what: string, atA: WorkingRun[], elsewhere: WorkingRun[], left: string[]]>([
  ['of its own former run', [mark('1', [])], [mark('2', ['a'])], []],
  ['of another run', [mark('1', [])], [mark('2', ['c'], { since: LATER })], ['2']],
  ['of one that only parted it from a cluster that is half disabled', [mark('1', ['b'])], [mark('2', [])], ['2']],
  ['of that one, at another peer of that cluster', [mark('1', ['b'])], [mark('2', ['b'])], ['2']],
  ['of one that is alive', [mark('1', [], { alive: true })], [mark('2', ['a'])], ['2']],
  ['that has come alive again there', [mark('1', [])], [mark('2', ['a'], { alive: true })], ['2']],
])('who has disabled a cluster takes away elsewhere, or leaves, a mark %s', async (_what, atA, there, left) => {
  const a = marked('a', ...atA);
  const other = marked('b', ...there);
  await takeMarksAwayElsewhere([a.target], { command: 'disable', peersOf: () => [] }, (look) => look([other.target]));
  expect(other.left()).toEqual(left);
});
