import { describe, expect, it } from 'vitest';
import { isAddress, isCidr, overlap, parseCidr } from '../../src/mesh/cilium/cidr.ts';

describe('parseCidr', () => {
  it.each([
    ['10.1.2.3/16', { family: 4, first: 0x0a010000n, last: 0x0a01ffffn }],
    ['10.1.2.3', { family: 4, first: 0x0a010203n, last: 0x0a010203n }],
    ['0.0.0.0/0', { family: 4, first: 0n, last: 0xffffffffn }],
    ['2001:DB8::/32', { family: 6, first: 0x20010db8n << 96n, last: (0x20010db9n << 96n) - 1n }],
    ['fd00::1', { family: 6, first: (0xfd00n << 112n) + 1n, last: (0xfd00n << 112n) + 1n }],
    [' 10.0.0.0/8 ', { family: 4, first: 0x0a000000n, last: 0x0affffffn }],
  ])('%s', (text, range) => {
    expect(parseCidr(text)).toEqual(range);
  });

  it.each([
    '',
    '10',
    '10/8',
    '0x7f.1',
    '10.0.0.256',
    '10.0.0',
    '10.0.0.0/33',
    '10.0.0.0/x',
    '::/129',
    'fe80::1%eth0',
    'a.b.c.d',
  ])('%j is none', (text) => {
    expect(parseCidr(text)).toBeUndefined();
  });
});

it('families never overlap, neighbours neither', () => {
  const of = (text: string) => parseCidr(text) ?? { family: 4 as const, first: 0n, last: 0n };
  expect(overlap(of('10.0.0.0/8'), of('10.255.255.255'))).toBe(true);
  expect(overlap(of('10.0.0.0/8'), of('11.0.0.0'))).toBe(false);
  expect(overlap(of('0.0.0.0/0'), of('::/0'))).toBe(false);
});

it.each([
  ['10.0.0.1', true, false],
  ['10.0.0.0/8', false, true],
  ['2001:db8::/32', false, true],
  ['10', false, false],
  ['10/8', false, false],
])('%s: an address %s, a range %s', (text, address, range) => {
  expect([isAddress(text), isCidr(text)]).toEqual([address, range]);
});
