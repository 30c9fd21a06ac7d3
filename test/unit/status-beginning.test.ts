import { describe, expect, it } from 'vitest';
import { unconnected } from '../../src/mesh/checks/shared/unconnected.ts';
import type { StatusReport } from '../../src/mesh/status/status.ts';
import { howToBegin, joinAll } from '../../src/mesh/status/whom-to-join.ts';
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
  ])('names %s', (_title, more, contexts, unanswering, words) => {
    const silent = unanswering.map((context) => ({ context, code: 'ClusterUnreachable' as const }));
    const reports = [report, ...more];
    const text = beginningLines(report, PLAIN, reports, { contexts, silent }).join(' ').replaceAll(/\s+/g, ' ');
    expect(text).toContain(words);
    if (silent.length > 0) expect(text).not.toContain('<context');
  });

  it('says who has to type it where this user may not even read the other cluster', () => {
    const contexts = new Map([['mesh-2', 'lab']]);
    const next = (code: 'Forbidden' | 'ClusterUnreachable') =>
      howToBegin(report, [report], { contexts, silent: [{ context: 'lab', code }] });
    const connect = 'meshctl clustermesh connect --context one --destination-context lab';
    expect(next('Forbidden')).toBe(
      `This user may not read context "lab", so a command that names it is for someone who may. ${connect}`,
    );
    expect(next('ClusterUnreachable')).toBe(connect);
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
    const [finding] = unconnected([one], ['two']);
    expect(finding?.hint).toBe(next);
  });

  it('has no gap where nothing tells whom it is to be connected to', () => {
    const one = { ...report, onRecord: undefined } as StatusReport;
    expect(howToBegin(one, [one])).toBe(
      'Name the context of the cluster that it is to be connected to: "clustermesh connect" takes it with --destination-context; or, where no context leads to it, invite its owner: meshctl clustermesh invite --context one',
    );
    const off = { ...TWO, enabled: false } as StatusReport;
    expect(howToBegin(one, [one, off])).toMatch(
      /^meshctl clustermesh enable --context three && meshctl clustermesh connect --context one --destination-context three$/,
    );
  });
});

describe('how clusters begin none of which is connected to another', () => {
  const aloneAs = (id: number, onRecord?: string[]) =>
    ({
      ...report,
      context: `c${id}`,
      cluster: { name: `mesh-${id}`, id },
      admits: undefined,
      onRecord,
    }) as StatusReport;
  const STAR = 'meshctl clustermesh connect --context c1 --destination-context c2,c3';

  it.each<[what: string, onRecord: (string[] | undefined)[], all: string | undefined, own: string]>([
    ['two', [undefined, undefined], STAR.replace(',c3', ''), STAR.replace(',c3', '')],
    [
      'three of which nothing is known',
      [undefined, undefined, undefined],
      `${STAR} --connection-mode mesh`,
      `${STAR} --connection-mode mesh`,
    ],
    ['three that were a star', [['mesh-2', 'mesh-3'], ['mesh-1'], ['mesh-1']], STAR, STAR],
    // What was chosen for a pair stays where no mode is named.
    [
      'three that were all connected',
      [
        ['mesh-2', 'mesh-3'],
        ['mesh-1', 'mesh-3'],
        ['mesh-1', 'mesh-2'],
      ],
      undefined,
      STAR,
    ],
    ['three, one of which was none of them', [['mesh-2'], ['mesh-1'], undefined], undefined, STAR.replace(',c3', '')],
  ])('%s', (_what, records, all, own) => {
    const alone = records.map((onRecord, index) => aloneAs(index + 1, onRecord));
    const [first = report] = alone;
    expect(joinAll(alone)).toBe(all);
    expect(howToBegin(first, alone)).toBe(own);
  });

  it('is one command, for whichever of them it is told', () => {
    const both = [aloneAs(1), aloneAs(2)];
    expect(both.map((one) => howToBegin(one, both))).toEqual([STAR.replace(',c3', ''), STAR.replace(',c3', '')]);
  });

  it('is to see who is to have another name, where no one is there but those of one name, which no connect takes', () => {
    const green = { ...aloneAs(2), context: 'green' };
    const see = 'meshctl clustermesh check --context c2,green --category identity';
    expect(joinAll([aloneAs(2), green])).toBeUndefined();
    expect(howToBegin(green, [aloneAs(2), green])).toBe(see);
    const serving = { ...aloneAs(1), ofOtherMeshes: ['green'], peers: [{ name: 'mesh-2' }] } as unknown as StatusReport;
    const own = { ...green, ofOtherMeshes: ['c1'] } as StatusReport;
    expect(howToBegin(own, [serving, aloneAs(2), own])).toBe(see);
    // Who may be its peer is there too.
    expect(howToBegin(green, [aloneAs(2), green, aloneAs(3)])).toBe(
      'meshctl clustermesh connect --context green --destination-context c3',
    );
  });

  it('is not told to connect those with each other that have peers', () => {
    const joined = (id: number) => ({ ...aloneAs(id), peers: [{ name: 'mesh-9' }] }) as unknown as StatusReport;
    expect(howToBegin(aloneAs(1), [aloneAs(1), joined(2), joined(3)])).toBe(STAR);
  });
});
