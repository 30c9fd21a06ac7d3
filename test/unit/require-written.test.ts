import { expect, it } from 'vitest';
import type { Target } from '../../src/flows/flow.ts';
import { requireWritten } from '../../src/flows/write/still-standing.ts';
import type { JournalEntry } from '../../src/kube/apply.ts';
import { type KubeObject, refOf } from '../../src/mesh/objects/kube-object.ts';

/** What a run finds at its end of one object that it has written to, perhaps several times, with others in between. */
interface Case {
  /** Before and after each write of the run. */
  writes: readonly (readonly [KubeObject | undefined, KubeObject | undefined])[];
  live: KubeObject | undefined;
  /** What is to be told; absent: all is as it was written. */
  says?: RegExp;
}

const metadata = { name: 'cilium-clustermesh', namespace: 'kube-system', uid: 'one' };
const secret = (data: Record<string, string>, uid = 'one'): KubeObject => ({
  ...{ apiVersion: 'v1', kind: 'Secret' },
  metadata: { ...metadata, uid },
  data,
});

const CASES: Record<string, Case> = {
  'what an owner put back before the second write': {
    writes: [
      [secret({}), secret({ b: 'x' })],
      [secret({}), secret({ d: 'y' })],
    ],
    live: secret({ d: 'y' }),
    says: /cilium-clustermesh has data\.b as before/,
  },
  'what the run took out, and was put back before the second write': {
    writes: [
      [secret({ b: 'x' }), secret({})],
      [secret({ b: 'x' }), secret({ b: 'x', d: 'y' })],
    ],
    live: secret({ b: 'x', d: 'y' }),
    says: /has data\.b as before/,
  },
  'what others added between two writes, and took back': {
    writes: [
      [secret({}), secret({ b: 'x' })],
      [secret({ b: 'x', c: 'z' }), secret({ b: 'x', c: 'z', d: 'y' })],
    ],
    live: secret({ b: 'x', d: 'y' }),
  },
  'what the run itself has put back': {
    writes: [
      [secret({ b: 'x' }), secret({ b: 'y' })],
      [secret({ b: 'y' }), secret({ b: 'x' })],
    ],
    live: secret({ b: 'x' }),
  },
  'an object that the run has made, and that lacks now what it has written': {
    writes: [[undefined, secret({ b: 'x' })]],
    live: secret({}, 'another'),
    says: /Secret kube-system\/cilium-clustermesh lacks data\.b: someone else has undone it meanwhile/,
  },
  'an object that the run has made, and others have added to': {
    writes: [[undefined, secret({ b: 'x' })]],
    live: secret({ b: 'x', c: 'z' }),
  },
  'an object that the run has deleted and made anew': {
    writes: [
      [secret({ a: 'w' }), secret({ a: 'w', b: 'x' })],
      [secret({ a: 'w', b: 'x' }), undefined],
      [undefined, secret({ c: 'z' }, 'another')],
    ],
    live: secret({ c: 'z' }, 'another'),
  },
  'an object that the run has made and deleted, and that is there again': {
    writes: [
      [undefined, secret({ b: 'x' })],
      [secret({ b: 'x' }), undefined],
    ],
    live: secret({ b: 'x' }, 'another'),
    says: /is there again/,
  },
  'an object that is gone': { writes: [[undefined, secret({ b: 'x' })]], live: undefined, says: /is gone/ },
};

it.each(Object.entries(CASES))('%s', async (_what, { writes, live, says }) => {
  const target = { client: { context: 'one', get: async () => live }, namespace: 'kube-system' } as unknown as Target;
  const entries = writes.map(
    ([before, after]): JournalEntry => ({ ref: refOf(secret({})), before, after, certain: true }),
  );
  const look = requireWritten([target], [{ cluster: 'one', entries }], 1);
  if (says) await expect(look).rejects.toThrow(says);
  else await expect(look).resolves.toEqual([]);
});
