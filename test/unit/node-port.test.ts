import { expect, it } from 'vitest';
import { defaultNodePort } from '../../src/mesh/enable/node-port.ts';

it('gives each cluster of the largest mesh its own port in the range', () => {
  const ports = Array.from({ length: 511 }, (_, index) => defaultNodePort(index + 1));
  expect(ports[0]).toBe(32379);
  expect(new Set(ports).size).toBe(511);
  expect(Math.min(...ports)).toBeGreaterThanOrEqual(30000);
  expect(Math.max(...ports)).toBeLessThanOrEqual(32767);
});
