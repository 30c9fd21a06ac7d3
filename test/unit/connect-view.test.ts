import { expect, it } from 'vitest';
import { secretRef } from '../../src/mesh/objects/names.ts';
import { type ConnectedClusters, connectText } from '../../src/views/connect/connect-view.ts';
import { PLAIN } from '../support/plain-theme.ts';

/** Who dials whom, each a letter: `ab` is that a dials b. */
function textOf(dials: string, more: Partial<ConnectedClusters> = {}): string {
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
  return text;
}

const headline = (dials: string, more: Partial<ConnectedClusters>) => textOf(dials, more).split('\n')[0];

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

it.each<[string, object, string]>([
  ['an address', {}, '  • b is dialled at 10.0.0.1:2379'],
  [
    'its name, where a certificate covers no address',
    { hostname: 'b.mesh.cilium.io' },
    '  • b is dialled at b.mesh.cilium.io, which stands for 10.0.0.1:2379',
  ],
])('tells at what is dialled: %s', (_what, more, line) => {
  const connections = [{ from: 'a', to: 'b', credential: 'per-peer', endpoints: ['10.0.0.1:2379'], ...more }];
  expect(textOf('ab', { connections })).toContain(line);
});

it('calls no CA shared that may be another one beside it in a bundle', () => {
  const connections = ['ab', 'ba'].map(([from = '', to = '']) => ({
    from,
    to,
    credential: 'shared-ca',
    endpoints: [],
  }));
  const text = textOf('ab ba', { connections });
  expect(text).toContain('Credentials: the common certificate of each cluster');
  expect(text).not.toContain('CA');
});
