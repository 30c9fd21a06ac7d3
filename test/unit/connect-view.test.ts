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
        probed: [],
      },
      ...more,
    },
    PLAIN,
  );
  return text;
}

const headline = (dials: string, more: Partial<ConnectedClusters>) => textOf(dials, more).split('\n')[0];

it.each<[dials: string, more: Partial<ConnectedClusters>, says: string]>([
  ['ab ba', {}, 'a and b are set up to dial each other'],
  ['ab', {}, 'a dials b'],
  ['ab ba ac ca', {}, 'a and each of b and c are set up to dial each other'],
  ['ab ba ac', {}, 'a and each of b and c are set up to dial each other, except that only a dials c'],
  ['ab ba ac ca bc cb', { mode: 'mesh' }, 'a, b and c are set up to dial each other, every pair of them'],
  [
    'ab ba ac ca bc',
    { mode: 'mesh' },
    'a, b and c are set up to dial each other, every pair of them, except that only b dials c',
  ],
])('%s, %j: %s', (dials, more, says) => {
  expect(headline(dials, more)).toBe(`✅ ${says}`);
});

it.each<[string, Partial<ConnectedClusters>, string | undefined]>([
  ['credentials that were proved', {}, undefined],
  ['nothing to change', { steps: [] }, undefined],
  [
    'a network that was probed between some nodes',
    {
      probed: [
        { context: 'a', name: 'a', nodes: 3, of: 5 },
        { context: 'b', name: 'b', nodes: 1, of: 1 },
      ],
    },
    '  • Network: probed between 3 of 5 nodes of a and 1 of 1 node of b',
  ],
  [
    'an address of which nobody knows who answers there',
    { unproved: [{ from: 'a', to: 'b', addresses: ['1.2.3.4:2379'] }] },
    '  • It is not known who answers a at 1.2.3.4:2379: the Service of b has no such address',
  ],
])('says of no clusters that they are connected, and how that is seen: with %s', (_what, more, line) => {
  const text = textOf('ab ba', more);
  expect(text).toContain('a and b are set up to dial each other');
  expect(text.replace('Whether they are connected', '')).not.toMatch(/connected/i);
  expect(text).toMatch(/\n {2}→ Whether they are connected: meshctl clustermesh status --context a,b --wait$/);
  if (line !== undefined) expect(text.split('\n')).toContain(line);
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
