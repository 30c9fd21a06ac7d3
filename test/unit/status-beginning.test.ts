import { describe, expect, it } from 'vitest';
import { unconnected } from '../../src/mesh/checks/shared/unconnected.ts';
import type { StatusReport } from '../../src/mesh/status/status.ts';
import { statusJunit } from '../../src/views/status/status-junit.ts';
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

const TWO = { ...report, context: 'three', cluster: { name: 'mesh-2', id: 2 } } as StatusReport;

describe('how a cluster that is alone begins', () => {
  it.each([
    ['the context that is known', [], new Map([['mesh-2', 'two']]), [], '--destination-context two'],
    ['those of the run', [TWO], new Map(), ['down'], '--destination-context three'],
    ['the one that did not answer', [], new Map(), ['down'], '"mesh-2" may be the cluster of context "down"'],
    ['nobody where nothing is known', [], new Map(), [], '<context of mesh-2>'],
  ])('names %s', (_title, more, contexts, silent, words) => {
    const reports = [report, ...more];
    const text = beginningLines(report, PLAIN, reports, { contexts, silent }).join(' ').replaceAll(/\s+/g, ' ');
    expect(text).toContain(words);
    if (silent.length > 0) expect(text).not.toContain('<context');
  });

  it.each([
    ['that is alone', {}, 'meshctl clustermesh connect --context one --destination-context two'],
    ['that is not enabled', { enabled: false }, 'meshctl clustermesh enable --context one'],
    [
      'that waits for its own side',
      { invitations: [{ id: 'i', next: 'meshctl clustermesh accept i' }] },
      'meshctl clustermesh accept i',
    ],
  ])('is in a JUnit report of one %s, and in check', (_what, more, next) => {
    const one = { ...report, onRecord: undefined, ...more } as StatusReport;
    expect(statusJunit([one], [], { others: ['two'] })).toContain(`\n→ ${next}</failure>`);
    const [finding] = unconnected([one]);
    expect(finding?.hint).toBe(next.replace('two', "'<context>'"));
  });
});
