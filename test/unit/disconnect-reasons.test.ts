/** A step of a disconnect says what becomes of what was chosen, by what is written down before and after it. */
import { describe, expect, it } from 'vitest';
import { planDisconnect } from '../../src/mesh/connect/disconnect/disconnect-plan.ts';
import { marksFor, type PeerChoices } from '../../src/mesh/peers/peer-choices.ts';
import { secretObject, snapshotOf } from '../support/snapshots.ts';

const FILE = 'endpoints:\n- https://203.0.113.7:2379\n';
const CHOSEN: (PeerChoices | undefined)[] = [
  undefined,
  { mode: 'unicast' },
  { mode: 'served' },
  { access: 'let-in' },
  { mode: 'served', access: 'let-in', credentials: 'legacy' },
];
const parted = ['undialled', 'unserved', 'served', 'stillDialled'] as const;
/** Who parts how: both ways; this one ends its dial and is dialled still, or is let in only; the other one ends its dial. */
const PARTINGS = [
  { undialled: ['b'], unserved: ['b'] },
  { undialled: ['b'], served: ['b'] },
  { undialled: ['b'] },
  { unserved: ['b'], stillDialled: ['b'] },
  { unserved: ['b'] },
];

const CASES = PARTINGS.flatMap((parting) =>
  CHOSEN.flatMap((chosen) =>
    [true, false].flatMap((isDialled) => [true, false].map((hasUser) => ({ parting, chosen, isDialled, hasUser }))),
  ),
);

describe('the reason of a step', () => {
  it.each(CASES.map((one) => [JSON.stringify(one), one] as const))('%s', (_what, one) => {
    const secret = secretObject('cilium-clustermesh', { ...(one.isDialled ? { b: FILE } : {}), other: FILE });
    secret.metadata.annotations = { ...(one.chosen ? (marksFor('b', one.chosen) as Record<string, string>) : {}) };
    const remoteUsers = one.hasUser ? [{ name: 'remote-b', role: 'remote' }] : [];
    const whole = { ...Object.fromEntries(parted.map((kind) => [kind, [] as string[]])), ...one.parting };
    const steps = planDisconnect([
      {
        snapshot: snapshotOf({ live: [secret], remoteUsers }),
        partners: [],
        ...(whole as Record<(typeof parted)[number], string[]>),
      },
    ]).steps.filter(({ object }) => object.name === 'cilium-clustermesh');
    for (const { action, why, write } of steps) {
      if (action === 'keep' || write?.method !== 'edit') continue;
      const edit = write.edit(secret);
      if (typeof edit !== 'object') throw new Error('it is deleted');
      const { data = {}, metadata } = edit.patch as {
        data?: object;
        metadata?: { annotations?: Record<string, string | null> };
      };
      const { annotations = {} } = metadata ?? {};
      const values = Object.values(annotations);
      const says = (words: string) => why.includes(words);
      expect(says('does not dial b any more'), why).toBe('b' in data);
      expect(says('does not dial back'), why).toBe(annotations['meshctl.io/mode.b'] === 'unicast');
      expect(says('b dials this cluster one-way'), why).toBe(annotations['meshctl.io/mode.b'] === 'served');
      const adds = values.some((value) => value !== null);
      expect(says('records'), why).toBe(adds);
      expect(says('forgets'), why).toBe(values.includes(null) && !adds && !('b' in data));
      expect(why).not.toBe('');
    }
  });
});
