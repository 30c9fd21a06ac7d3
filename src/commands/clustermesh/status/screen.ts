import { stripVTControlCharacters } from 'node:util';
import type { CommandContext } from '../../command.ts';

/** What a terminal is told: an empty screen; to the top; the rest of the line, or of the screen, is empty. */
const EMPTY_SCREEN = '\u001b[2J\u001b[H';
const TO_TOP = '\u001b[H';
const EMPTY_LINE = '\u001b[K';
const EMPTY_BELOW = '\u001b[J';

/**
 * Shows texts one after the other, each with the time of its look behind its first line, which is the verdict: on a terminal each one
 * in the place of the former, line by line, so that nothing flickers and nothing is left over, as far as it has lines for it; elsewhere
 * each one that differs, below the former.
 */
export function screenOf({
  print,
  interactive,
  env,
  theme,
  screenRows,
}: CommandContext): (text: string, at: Date) => void {
  const redraws = interactive && env.TERM !== 'dumb';
  let shown: string | undefined;
  return (text, at) => {
    if (text === shown && !redraws) return;
    const [verdict = '', ...rest] = text.split('\n');
    const lines = [`${verdict} ${theme.dim(`(as of ${at.toTimeString().slice(0, 8)})`)}`, ...rest];
    if (!redraws) print(shown === undefined ? `${lines.join('\n')}\n` : `\n${lines.join('\n')}\n`);
    else {
      const fitting = withinRows(lines, screenRows(), theme.columns);
      const drawn = fitting.map((line) => `${line}${EMPTY_LINE}\n`);
      print(`${shown === undefined ? EMPTY_SCREEN : TO_TOP}${drawn.join('')}${EMPTY_BELOW}`);
    }
    shown = text;
  };
}

/** The first lines, with a last one that counts those for which a screen has no room; a line that is too long takes several rows. */
export function withinRows(lines: readonly string[], rows: number | undefined, columns = Infinity): readonly string[] {
  if (rows === undefined || rows < 1) return lines;
  const rowsOf = (line: string) => Math.max(1, Math.ceil([...stripVTControlCharacters(line)].length / columns));
  // The cursor stands on a row of its own below.
  const room = rows - 1;
  const sums: number[] = [];
  for (const line of lines) sums.push((sums.at(-1) ?? 0) + rowsOf(line));
  if ((sums.at(-1) ?? 0) <= room) return lines;
  const fitting = sums.filter((sum) => sum <= room - 1).length;
  return [...lines.slice(0, fitting), `… ${lines.length - fitting} more lines: without --watch`];
}
