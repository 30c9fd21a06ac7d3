import type { Ora } from 'ora';
import type { CommandContext } from '../../commands/command.ts';
import { hintLines, splitNote } from '../../views/hint-lines.ts';
import { printableSentence } from '../../views/printable.ts';
import type { Theme } from '../../views/theme.ts';
import type { TextSink } from './host.ts';

type Progress = CommandContext['progress'];

/** The next step of a note stands on a line of its own, as under an error: it is there to be copied. */
function noteOf(text: string, theme: Theme): string {
  const { says, next } = splitNote(printableSentence(text));
  return next === undefined ? says : [says, ...hintLines(next, theme, 2, Infinity)].join('\n');
}

/** After so long a silence is taken for a hang. Milliseconds. */
const SILENT_FOR_MS = 30_000;

/**
 * Only warnings, and what takes unusually long: for `--quiet`, and for `-o json|yaml`, where stdout is read by a program and
 * stderr by whoever looks into the log.
 */
export function quietProgress(sink: TextSink, theme: Theme): Progress {
  const { warn } = plainProgress(sink, theme);
  return {
    start(text) {
      let current = text;
      let told: string | undefined;
      const timer = setInterval(() => {
        if (current !== told) warn(`not done yet: ${current}`);
        told = current;
      }, SILENT_FOR_MS);
      timer.unref();
      const end = (): void => clearInterval(timer);
      const update = (next: string): void => {
        current = next;
      };
      return { update, tick() {}, done: end, fail: end, stop: end };
    },
    warn,
    info() {},
  };
}

const nothing = (): void => undefined;

/** A log has a line of what is mostly over at once only where it hangs. Milliseconds. */
const HUNG_MS = 3000;

/** A task with one line, of what it has come to by then, and none where it is over before. */
function onceLong(text: string, say: (current: string) => void): ReturnType<Progress['start']> {
  let current = text;
  const timer = setTimeout(() => say(current), HUNG_MS);
  timer.unref();
  const end = (): void => clearTimeout(timer);
  const update = (next: string): void => {
    current = next;
  };
  return { update, tick: nothing, done: end, fail: end, stop: end };
}

/** One plain line for each thing that ends or fails, for logs; and for each start, so that a hang shows where. */
export function plainProgress(sink: TextSink, theme: Theme): Progress {
  const line = (mark: string, text: string): void => sink.write(`${mark} ${printableSentence(text)}\n`);
  const note = (mark: string, text: string): void => sink.write(`${mark} ${noteOf(text, theme)}\n`);
  return {
    start(text, onlyLong) {
      if (onlyLong) return onceLong(text, (current) => line(theme.dim('…'), current));
      line(theme.dim('…'), text);
      let current = text;
      return {
        update(next) {
          if (next !== current) line(theme.dim('…'), next);
          current = next;
        },
        tick() {},
        done: (last = current) => line(theme.ok('✔'), last),
        fail: (last = current) => line(theme.fail('✖'), last),
        stop() {},
      };
    },
    warn: (text) => note(theme.warn('⚠'), text),
    info: (text) => note(theme.dim('ℹ'), text),
  };
}

/** What is mostly over at once is said after so long. Milliseconds. */
const LONG_MS = 1000;

/** A spinner per terminal line would fight for the cursor: one spinner shows the newest task, ended ones stay as lines. */
export async function spinnerProgress(stream: NodeJS.WriteStream, theme: Theme, colour: boolean): Promise<Progress> {
  const { default: ora } = await import('ora');
  const running: string[] = [];
  const spinner: Ora = ora({ stream, discardStdin: false, color: colour && 'cyan' });
  const show = (): void => {
    const last = running.at(-1);
    const newest = last === undefined ? undefined : printableSentence(last);
    if (newest === undefined) spinner.stop();
    else if (spinner.isSpinning) spinner.text = newest;
    else spinner.start(newest);
  };
  const leave = (symbol: string, text: string): void => {
    spinner.stop();
    stream.write(`${symbol} ${text}\n`);
    show();
  };
  return {
    start(text, onlyLong) {
      let current = text;
      let isShown = false;
      const begin = (): void => {
        isShown = true;
        running.push(current);
        show();
      };
      const timer = onlyLong && setTimeout(begin, LONG_MS);
      if (!timer) begin();
      const update = (next: string): void => {
        if (isShown) running[running.lastIndexOf(current)] = next;
        current = next;
        if (isShown) show();
      };
      const end = (): void => {
        if (timer) clearTimeout(timer);
        if (isShown) running.splice(running.lastIndexOf(current), 1);
      };
      return {
        update,
        tick: update,
        done(last = current) {
          end();
          leave(theme.ok('✔'), printableSentence(last));
        },
        fail(last = current) {
          end();
          leave(theme.fail('✖'), printableSentence(last));
        },
        stop() {
          end();
          show();
        },
      };
    },
    warn: (text) => leave(theme.warn('⚠'), noteOf(text, theme)),
    info: (text) => leave(theme.dim('ℹ'), noteOf(text, theme)),
  };
}
