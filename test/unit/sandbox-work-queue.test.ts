import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createWorkQueue } from '../../src/sandbox/controllers/work-queue.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate'] }));
afterEach(() => void vi.useRealTimers());

it('runs work after the change that asked for it, once per key', () => {
  const done: string[] = [];
  const queue = createWorkQueue(() => undefined);
  queue.add('a', () => done.push('a'));
  queue.add('a', () => done.push('a again'));
  queue.add('b', () => {
    done.push('b');
    queue.add('a', () => done.push('a later'));
  });
  expect(done).toEqual([]);
  vi.runAllTimers();
  expect(done).toEqual(['a', 'b', 'a later']);
});

it('goes on after an error, and tells it', () => {
  const errors: unknown[] = [];
  const done: string[] = [];
  const queue = createWorkQueue((error) => errors.push(error));
  queue.add('bad', () => {
    throw new Error('no');
  });
  queue.add('good', () => done.push('good'));
  vi.runAllTimers();
  expect(done).toEqual(['good']);
  expect(errors).toEqual([new Error('no')]);
});

it('delays, keeping the first request of a key', () => {
  const done: string[] = [];
  const queue = createWorkQueue(() => undefined);
  queue.addAfter(100, 'a', () => done.push('first'));
  vi.advanceTimersByTime(90);
  queue.addAfter(100, 'a', () => done.push('second'));
  vi.advanceTimersByTime(15);
  expect(done).toEqual(['first']);
});

it('does nothing more once closed', () => {
  const done: string[] = [];
  const queue = createWorkQueue(() => undefined);
  queue.add('a', () => done.push('a'));
  queue.addAfter(10, 'b', () => done.push('b'));
  queue.close();
  queue.add('c', () => done.push('c'));
  vi.runAllTimers();
  expect(done).toEqual([]);
  expect(vi.getTimerCount()).toBe(0);
});
