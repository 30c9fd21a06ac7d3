import { describe, expect, it } from 'vitest';
import { during } from '../../src/flows/flow.ts';

function recorded() {
  const lines: string[] = [];
  const task = {
    update() {},
    tick() {},
    stop() {},
    done: (text: string) => lines.push(`done ${text}`),
    fail: (text = 'working') => lines.push(`fail ${text}`),
  };
  return { lines, flow: { progress: { start: () => task, warn() {}, info() {} } } };
}

describe('a piece of work under a progress line', () => {
  const words = (count: number) => `${count} failed`;
  const isGood = (count: number) => count === 0;

  it('ends it as done, or as failed when what came out is not good', async () => {
    const { lines, flow } = recorded();
    for (const count of [0, 2]) {
      expect(await during(flow, { doing: 'working', done: words, good: isGood }, async () => count)).toBe(count);
    }
    await during(flow, { doing: 'working', done: 'worked' }, async () => 3);
    expect(lines).toEqual(['done 0 failed', 'fail 2 failed', 'done worked']);
  });

  it('ends it as failed when the work throws', async () => {
    const { lines, flow } = recorded();
    await expect(
      during(flow, { doing: 'working', done: 'worked' }, () => Promise.reject(new Error('no'))),
    ).rejects.toThrow('no');
    expect(lines).toEqual(['fail working']);
  });
});
