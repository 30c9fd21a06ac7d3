import { expect, it } from 'vitest';
import { secretRef } from '../../src/mesh/objects/names.ts';
import { type ConnectedClusters, connectText } from '../../src/views/connect/connect-view.ts';
import { PLAIN } from '../support/plain-theme.ts';

/** Who dials whom, each a letter: `ab` is that a dials b. */
function headline(dials: string, more: Partial<ConnectedClusters> = {}): string | undefined {
  const names = [...new Set(dials.replaceAll(' ', ''))].sort();
  const connections = dials.split(' ').map(([from = '', to = '']) => ({
    ...{ from, to, credential: 'per-peer', endpoints: [`${to}:2379`] },
  }));
  const text = connectText(
    {
      mode: 'bidirectional',
      clusters: names.map((name) => ({ context: name, name })),
      ...{
        connections,
        steps: [{ cluster: 'a', action: 'update', object: secretRef('kube-system', 'x') }],
        unproved: [],
        agentless: false,
        proved: true,
        probed: false,
      },
      ...more,
    },
    PLAIN,
  );
  return text.split('\n')[0];
}

it.each<[dials: string, more: Partial<ConnectedClusters>, says: string]>([
  ['ab ba', {}, 'Connected a and b'],
  ['ab', {}, 'a dials b'],
  ['ab ba', { proved: false }, 'a and b are set up to dial each other'],
  ['ab ba', { agentless: true }, 'a and b are set up to dial each other'],
  ['ab ba ac ca', {}, 'Connected a with b and c'],
  ['ab ba ac', {}, 'Connected a with b and c, except that only a dials c'],
  ['ab ba ac', { proved: false }, 'a and each of b and c are set up to dial each other, except that only a dials c'],
  ['ab ba ac ca bc cb', { mode: 'mesh' }, 'Connected a, b and c, every pair of them'],
  ['ab ba ac ca bc', { mode: 'mesh' }, 'Connected a, b and c, every pair of them, except that only b dials c'],
])('%s, %j: %s', (dials, more, says) => {
  expect(headline(dials, more)).toBe(`✅ ${says}`);
});
