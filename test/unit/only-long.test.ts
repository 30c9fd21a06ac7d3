import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { plainProgress, spinnerProgress } from '../../src/cli/terminal/progress.ts';
import { createTheme } from '../../src/cli/terminal/theme.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it('on a terminal it is said for whom is waited once that has lasted a second, and who of them is left', async () => {
  const stream = new PassThrough();
  const said = () => String(stream.read() ?? '');
  const { start } = await spinnerProgress(stream as never, await createTheme(false), false);
  const short = start('Waiting for an answer of a, b', 'only-long');
  vi.advanceTimersByTime(900);
  short.update('Waiting for an answer of b');
  short.stop();
  vi.advanceTimersByTime(10_000);
  expect(said()).toBe('');
  const long = start('Waiting for an answer of a, b', 'only-long');
  long.update('Waiting for an answer of b');
  vi.advanceTimersByTime(1100);
  expect(said()).toContain('Waiting for an answer of b');
  long.stop();
  const other = start('Reading 2 clusters');
  expect(said()).toContain('Reading 2 clusters');
  other.done('Read 2 clusters');
  expect(said()).toContain('Read 2 clusters\n');
});

it('a log has no line of what is mostly over at once, and one of what hangs', async () => {
  const lines: string[] = [];
  const { start } = plainProgress(
    { write: (text: string) => lines.push(text), isTty: false },
    await createTheme(false),
  );
  start('Waiting for an answer of a', 'only-long').stop();
  start('Reading').done('Read');
  expect(lines.splice(0)).toEqual(['… Reading\n', '✔ Read\n']);
  const hung = start('Waiting for an answer of a, b', 'only-long');
  hung.update('Waiting for an answer of b');
  vi.advanceTimersByTime(10_000);
  hung.update('Waiting for an answer of c');
  vi.advanceTimersByTime(10_000);
  hung.stop();
  expect(lines).toEqual(['… Waiting for an answer of b\n']);
});
