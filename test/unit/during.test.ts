import { describe, expect, it } from 'vitest';
import { during } from '../../src/flows/flow.ts';

function recorded() {
  const lines: string[] = [];
  const task = {
    update() {},
    tick() {},
    stop() {},
    done: (text = 'work') => lines.push(`done ${text}`),
    fail: (text = 'work') => lines.push(`fail ${text}`),
  };
  return { lines, flow: { progress: { start: () => task, warn() {}, info() {} } } };
}

describe('a piece of work under a progress line', () => {
  const words = (count: number) => `${count} failed`;
  const isGood = (count: number) => count === 0;

  it('ends it as done, or as failed when what came out is not good', async () => {
    const { lines, flow } = recorded();
    for (const count of [0, 2]) {
      expect(await during(flow, 'work', async () => count, words, isGood)).toBe(count);
    }
    await during(flow, 'work', async () => 3);
    expect(lines).toEqual(['done 0 failed', 'fail 2 failed', 'done work']);
  });

  it('ends it as failed when the work throws', async () => {
    const { lines, flow } = recorded();
    await expect(during(flow, 'work', () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(lines).toEqual(['fail work']);
  });
});
