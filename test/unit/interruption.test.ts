import { expect, test } from 'vitest';
import { ONE_WISH_MS, onInterrupt } from '../../src/cli/terminal/interruption.ts';

/** What a program does on signals that come at these moments. */
function after(moments: readonly number[]): string[] {
  const done: string[] = [];
  let now = 0;
  const stop = onInterrupt({ ms: () => now, abort: () => done.push('abort'), exit: () => done.push('exit') });
  for (const moment of moments) {
    now = moment;
    stop();
  }
  return done;
}

test.each([
  ['one', [5000], ['abort']],
  ['one that timeout sends to the program and to its group', [5000, 5000], ['abort']],
  ['one that npm passes on late', [5000, 5000 + ONE_WISH_MS], ['abort']],
  ['a second one of an operator who does not want to wait', [5000, 5000 + ONE_WISH_MS + 1], ['abort', 'exit']],
] as const)('on %s', (_what, moments, done) => {
  expect(after(moments)).toEqual(done);
});
