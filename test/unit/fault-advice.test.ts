import { describe, expect, it } from 'vitest';
import type { Fault } from '../../src/mesh/faults/fault.ts';
import { FAULT_IDS, mendOf } from '../../src/mesh/faults/fault-advice.ts';

/** Of what one peer is dialled by: of a cluster that is gone all of it may be left. */
const OF_FILES = FAULT_IDS.filter((id) => /^peer(ing-file|-certificate)-/.test(id));

describe('what mends that by which a peer is dialled', () => {
  it.each(OF_FILES)('%s: connecting to a peer that is there, or forgetting one that is gone', (id) => {
    const place = { context: 'one', namespace: 'kube-system', component: 'agent', object: 'Secret x' } as const;
    const fault: Fault = { ...place, id, peer: 'b', outage: true, says: 'it is broken' };
    expect(mendOf(fault, new Map([['b', 'two']]))).toBe(
      'meshctl clustermesh connect --context one --destination-context two',
    );
    expect(mendOf(fault, new Map())).toBe(
      "meshctl clustermesh connect --context one --destination-context '<context of b>'; " +
        'or if it is gone, forget it: meshctl clustermesh disconnect --context one --peer b',
    );
  });
});

it('a cluster that has left is forgotten by all who dial it with one command, and by those whose context is not known apart from it', () => {
  const place = { context: 'one', namespace: 'kube-system', component: 'apiserver', object: 'Deployment x' } as const;
  const peers = ['b', 'c', 'd'];
  const fault: Fault = { ...place, id: 'mesh-disabled', peers, outage: true, says: 'it has left' };
  const contexts = ['a', 'b', 'c'].map((name, index) => [name, ['one', 'two', 'three'][index] ?? ''] as const);
  expect(mendOf(fault, new Map(contexts))).toContain(
    "forget it: meshctl clustermesh disconnect --context two,three --peer a && meshctl clustermesh disconnect --context '<context of d>' --peer a; or ",
  );
});
