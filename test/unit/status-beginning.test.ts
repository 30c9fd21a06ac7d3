import { describe, expect, it } from 'vitest';
import type { StatusReport } from '../../src/mesh/status/status.ts';
import { whomToJoin } from '../../src/mesh/status/whom-to-join.ts';
import { beginningLines } from '../../src/views/status/status-view.ts';
import { PLAIN } from '../support/plain-theme.ts';

/** A cluster that dials nobody and lets mesh-2 in. */
const report = {
  context: 'one',
  namespace: 'kube-system',
  cluster: { name: 'mesh-1', id: 1 },
  enabled: true,
  problems: [],
  faults: [],
  peers: [],
  serves: [],
  admits: ['mesh-2'],
  onRecord: ['mesh-2'],
} as unknown as StatusReport;

describe('how a cluster that is alone begins', () => {
  it.each([
    ['the context that is known', [], new Map([['mesh-2', 'two']]), [], '--destination-context two'],
    ['those of the run', ['three'], new Map(), ['down'], '--destination-context three'],
    ['the one that did not answer', [], new Map(), ['down'], '"mesh-2" may be the cluster of context "down"'],
    ['nobody where nothing is known', [], new Map(), [], '<context of mesh-2>'],
  ])('names %s', (_title, others, contexts, silent, words) => {
    const destinations = others.length > 0 ? others : whomToJoin(report, [report], contexts);
    const text = beginningLines(report, PLAIN, destinations, silent).join(' ').replaceAll(/\s+/g, ' ');
    expect(text).toContain(words);
    if (silent.length > 0) expect(text).not.toContain('<context');
  });
});
