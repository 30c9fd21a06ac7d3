import { describe, expect, it } from 'vitest';
import { withinRows } from '../../src/commands/clustermesh/status/screen.ts';
import { firstWords } from '../../src/flows/status/standstill.ts';
import { evaluateMesh } from '../../src/mesh/status/mesh-status.ts';
import type { StatusReport } from '../../src/mesh/status/status.ts';
import { meshStatusText } from '../../src/views/status/matrix-view.ts';
import type { Theme } from '../../src/views/theme.ts';
import { meshOf } from '../support/large-mesh.ts';
import { namesOf } from '../support/mesh-names.ts';
import { PLAIN } from '../support/plain-theme.ts';

const WIDE: Theme = { ...PLAIN, columns: 80 };
const shown = (reports: StatusReport[], theme: Theme = WIDE) =>
  meshStatusText(evaluateMesh(reports, []), theme).split('\n');
const tooWide = (lines: readonly string[]) =>
  lines.filter((line) => line.length > 80 && !/(?:^|[ (])(?:meshctl|kubectl) /.test(line));
const isOf5 = (from: string, to: string) => [from, to].includes('mesh-5');

describe('the status of forty clusters on a terminal of 80 columns', () => {
  it.each<[string, (from: string, to: string) => boolean]>([
    ['all is well', () => false],
    ['one that no other reaches', (_from, to) => to === 'mesh-5'],
    ['one that is cut off', isOf5],
    ['one connection', (from, to) => from === 'mesh-7' && to === 'mesh-9'],
    ['half of all clusters lack one', (from, to) => to === 'mesh-5' && Number(from.slice(5)) > 20],
  ])('fits, and has what is wrong: %s', (_what, lacks) => {
    const reports = meshOf(40, lacks);
    for (const theme of [WIDE, PLAIN]) {
      const lines = shown(reports, theme);
      expect(lines.length).toBeLessThanOrEqual(60);
      if (theme === WIDE) expect(tooWide(lines)).toEqual([]);
      expect(lines.filter((line) => /[✓✗!] \d+\/\d+/.test(line))).toEqual([]);
    }
  });

  it('says each connection that is not there once', () => {
    const connections = (lacks: (from: string, to: string) => boolean) => {
      const lines = shown(meshOf(40, lacks));
      const from = lines.findIndex((line) => line.startsWith('🔌')) + 1;
      return lines.slice(from, lines.indexOf('', from) < 0 ? undefined : lines.indexOf('', from));
    };
    expect(connections(isOf5)).toEqual([
      '  ✗ mesh-5 from all 39 others: not connected',
      '  ✗ mesh-5 to all 39 others: not connected',
      '  each connection: -o wide',
    ]);
    expect(connections((from, to) => from === 'mesh-7' && to === 'mesh-9')).toEqual([
      '  ✗ mesh-7 to mesh-9 (0/2): not connected',
      '  ✓ the other 38 clusters are connected to all of their peers',
      '  each connection: -o wide',
    ]);
    expect(connections(() => false)).toEqual(['  ✓ all of them, with each other']);
  });

  it('says of what nothing is known, and calls only what was read connected', () => {
    const linesOf = (reports: StatusReport[], away: readonly string[]) => {
      const unreachable = away.map((context) => ({
        context,
        code: 'ClusterUnreachable' as const,
        message: 'no answer',
      }));
      const lines = meshStatusText(evaluateMesh(reports, unreachable), WIDE).split('\n');
      const from = lines.findIndex((line) => line.startsWith('🔌')) + 1;
      const end = lines.indexOf('', from);
      return lines.slice(from, end < 0 ? undefined : end);
    };
    const reports = meshOf(40);
    expect(linesOf(reports.slice(1), ['gke'])).toEqual([
      '  ✓ all that were read, with each other',
      '  ? what 1 cluster that cannot be queried dials',
    ]);
    const slow = reports.map((report, index) => {
      const peers = report.peers.map((peer) => ({ ...peer, agents: { ...peer.agents, connected: 0, unasked: 2 } }));
      return index === 0
        ? { ...report, peers, nodes: { ...report.nodes, connected: 0, unasked: 2 }, healthy: false }
        : report;
    });
    expect(linesOf(slow, [])).toEqual([
      '  ? 39 connections of which nothing is known: no answer came in time',
      '  each connection: -o wide',
    ]);
  });

  it('has the table with -o wide, in a small mesh, and where it fits', () => {
    const mesh = evaluateMesh(meshOf(40), []);
    const rows = (text: string) => text.split('\n').filter((line) => line.includes('✓ 2/2')).length;
    expect(rows(meshStatusText(mesh, WIDE, undefined, { whole: true }))).toBe(40);
    expect(rows(meshStatusText(mesh, { ...PLAIN, columns: 1000 }))).toBe(40);
    for (const theme of [WIDE, PLAIN]) expect(rows(meshStatusText(evaluateMesh(meshOf(7), []), theme))).toBe(7);
  });

  it('is cut to the rows of a terminal while it is watched', () => {
    const lines = ['verdict', 'x'.repeat(170), ...namesOf(40)];
    expect(withinRows(lines, undefined)).toBe(lines);
    expect(withinRows(lines, 100, 80)).toBe(lines);
    const cut = withinRows(lines, 24, 80);
    expect(cut[0]).toBe('verdict');
    expect(cut).toHaveLength(21);
    expect(cut.at(-1)).toBe('… 22 more lines: without --watch');
    expect(withinRows(['\u001b[31mred\u001b[39m', 'two'], 3, 3)).toHaveLength(2);
  });

  it('is waited for in one line that can be read', () => {
    expect(firstWords(namesOf(40))).toBe('mesh-1; mesh-2; mesh-3; and 37 more');
    expect(firstWords(namesOf(4))).toBe('mesh-1; mesh-2; mesh-3; mesh-4');
  });

  it('names clusters, and not their pods, where it is so in many', () => {
    const reports = meshOf(40, (_from, to) => to === 'mesh-9');
    const [line] = shown(reports).filter((one) => one.startsWith('⚠️'));
    expect(line).toContain('mesh-9');
    expect(shown(reports).join(' ')).toMatch(/in\s+39\s+clusters:\s+mesh-1,\s+mesh-2,\s+mesh-3\s+and\s+36\s+more/);
    expect(shown(reports).filter((one) => one.includes('node-with-a-long-name'))).toEqual([]);
  });
});
