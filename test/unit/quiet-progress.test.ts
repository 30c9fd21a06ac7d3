import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { quietProgress } from '../../src/cli/terminal/progress.ts';
import { createTheme } from '../../src/cli/terminal/theme.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it('what is quiet says what takes long, each time that it changes, and nothing of what does not', async () => {
  const lines: string[] = [];
  const { start } = quietProgress(
    { write: (text: string) => lines.push(text), isTty: false } as never,
    await createTheme(false),
  );
  const short = start('Reading the clusters');
  const long = start('mesh-1: waiting for the clustermesh-apiserver');
  vi.advanceTimersByTime(10_000);
  short.done('read');
  vi.advanceTimersByTime(19_000);
  expect(lines).toEqual([]);
  vi.advanceTimersByTime(1_000);
  expect(lines).toEqual(['⚠ not done yet: mesh-1: waiting for the clustermesh-apiserver\n']);
  vi.advanceTimersByTime(300_000);
  expect(lines).toHaveLength(1);
  long.update('mesh-1: waiting for the clustermesh-apiserver: the image cannot be pulled');
  vi.advanceTimersByTime(30_000);
  expect(lines.slice(1)).toEqual([
    '⚠ not done yet: mesh-1: waiting for the clustermesh-apiserver: the image cannot be pulled\n',
  ]);
  long.fail();
  vi.advanceTimersByTime(60_000);
  expect(lines).toHaveLength(2);
});
