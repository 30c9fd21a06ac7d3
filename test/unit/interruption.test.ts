import { expect, test } from 'vitest';
import { ONE_WISH_MS, onInterrupt, sayingWhatIsAwaited } from '../../src/cli/terminal/interruption.ts';
import { errorOfAbort } from '../../src/mesh/errors.ts';

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

/** What a command says that ends so long after Ctrl-C. */
async function saidUntil(endsMs: number): Promise<string[]> {
  const said: string[] = [];
  const ctrlC = new AbortController();
  let end = () => {};
  const clock = {
    ms: () => 0,
    sleep: (ms: number, signal: AbortSignal) =>
      new Promise<void>((resolve, reject) => {
        signal.addEventListener('abort', () => reject(errorOfAbort(signal)));
        if (ms <= endsMs) resolve();
      }),
  };
  const progress = { start: () => never(), info: never, warn: (text: string) => said.push(text) };
  const work = sayingWhatIsAwaited({ signal: ctrlC.signal, clock, progress }, ONE_WISH_MS, async () => {
    await new Promise<void>((resolve) => {
      end = resolve;
    });
    return 'done';
  });
  ctrlC.abort();
  await new Promise(setImmediate);
  end();
  expect(await work).toBe('done');
  return said;
}

function never(): never {
  throw new Error('it is a warning, which is heard also with --quiet');
}

test.each([
  ['at once', 0, []],
  ['once writes have ended and are taken back', ONE_WISH_MS + 1, [expect.stringContaining('another Ctrl-C stops')]],
])('a command that ends after Ctrl-C %s', async (_when, endsMs, said) => {
  expect(await saidUntil(endsMs)).toEqual(said);
});
