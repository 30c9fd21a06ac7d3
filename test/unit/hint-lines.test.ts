import { describe, expect, it } from 'vitest';
import { allOf, counted, partOf } from '../../src/mesh/counted.ts';
import { hintLines } from '../../src/views/hint-lines.ts';
import type { Theme } from '../../src/views/theme.ts';

const same = (text: string) => text;
const PLAIN: Theme = { bold: same, dim: same, ok: same, warn: same, fail: same };
const SENTENCE = 'check routes, VPN and firewalls from the nodes to the address of mesh-2 (TCP 2379), which this shows';
const COMMAND = `kubectl --context mesh-1 exec deploy/clustermesh-apiserver -c kvstoremesh -- ${'x'.repeat(60)}`;

describe('hintLines', () => {
  it('leaves what fits in a line', () => {
    expect(hintLines('renew it: meshctl clustermesh enable --context a', PLAIN)).toEqual([
      '   → renew it: meshctl clustermesh enable --context a',
    ]);
  });

  it('has each command of a longer one whole on its own line, and sentences within 100 columns', () => {
    const lines = hintLines(
      `${SENTENCE}: ${COMMAND}; or join it again, if that is what was meant: meshctl demo`,
      PLAIN,
    );
    expect(lines.filter((line) => !line.includes('kubectl')).every((line) => line.length <= 100)).toBe(true);
    expect(lines).toEqual([
      '   → check routes, VPN and firewalls from the nodes to the address of mesh-2 (TCP 2379), which this',
      '     shows:',
      `         ${COMMAND}`,
      '     or join it again, if that is what was meant:',
      '         meshctl demo',
    ]);
  });

  it('breaks commands that follow each other where a shell goes on', () => {
    expect(hintLines(`then: ${COMMAND} && meshctl demo`, PLAIN).slice(1)).toEqual([
      `         ${COMMAND} &&`,
      '         meshctl demo',
    ]);
  });

  it('leaves a command alone as it is', () => {
    expect(hintLines(COMMAND, PLAIN)).toEqual([`   → ${COMMAND}`]);
  });
});

it.each([
  [counted(1, 'cluster'), '1 cluster'],
  [counted(2, 'cluster'), '2 clusters'],
  [partOf(1, 1, 'node', ['is', 'are']), 'the only node is'],
  [partOf(1, 3, 'node', ['is', 'are']), '1 of 3 nodes is'],
  [partOf(2, 3, 'node', ['is', 'are']), '2 of 3 nodes are'],
  [allOf(1, 'node', ['is', 'are']), 'the only node is'],
  [allOf(2, 'node', ['is', 'are']), 'all 2 nodes are'],
])('%s', (words, wanted) => {
  expect(words).toBe(wanted);
});
