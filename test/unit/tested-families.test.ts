import { describe, expect, it } from 'vitest';
import { testedFamilies } from '../../src/mesh/connectivity/tested-families.ts';

const cluster = (name: string, service: string[], pods: (4 | 6)[]) => ({ name, service, pods });
const FOUR = ['10.96.0.1'];
const DUAL = ['10.96.0.1', 'fd00::1'];
const ALL = ['a', 'b'];

describe('the families in which clients ask', () => {
  it.each([
    ['one everywhere: by the name', [FOUR, [4]], [FOUR, [4]], [{ clusters: ALL }]],
    ['IPv6 alone', [['fd00::1'], [6]], [['fd00::2'], [6]], [{ clusters: ALL }]],
    [
      'both: at each address',
      [DUAL, [4, 6]],
      [DUAL, [4, 6]],
      [
        { family: 4, address: '10.96.0.1', clusters: ALL },
        { family: 6, address: 'fd00::1', clusters: ALL },
      ],
    ],
    [
      'both, and the other cluster has one',
      [DUAL, [4, 6]],
      [FOUR, [4]],
      [
        { family: 4, address: '10.96.0.1', clusters: ALL },
        { family: 6, address: 'fd00::1', clusters: ['a'] },
      ],
    ],
    ['one, and the other cluster has both', [FOUR, [4]], [DUAL, [4, 6]], [{ family: 4, clusters: ALL }]],
    // Kubernetes gives the Service both, and Cilium the pods one.
    ['an address without pods is not asked', [DUAL, [4]], [DUAL, [4]], [{ clusters: ALL }]],
    // That nobody answers is a failure, and none to skip.
    ['no family in common', [FOUR, [4]], [['fd00::2'], [6]], [{ family: 4, clusters: ALL }]],
    ['no pods', [FOUR, []], [FOUR, []], [{ clusters: ALL }]],
  ] as [string, [string[], (4 | 6)[]], [string[], (4 | 6)[]], object[]][])('%s', (_what, a, b, expected) => {
    expect(testedFamilies([cluster('a', ...a), cluster('b', ...b)]).get('a')).toEqual(expected);
  });
});
