import type { Theme } from './theme.ts';

/** A terminal of ordinary width. */
const COLUMNS = 100;
/** Words as a shell reads them, up to a semicolon between commands: one in quotes is the command's own. */
const COMMAND_LINE = String.raw`(?:meshctl|kubectl|helm|echo)(?: (?:\\'|[^\s';]|'[^']*')+)+`;
/** Where commands begin: alone, or behind a sentence or another one; they end with the text or at a semicolon. */
const COMMAND = new RegExp(`(^|: |(?<=; ))(${COMMAND_LINE})(?:; |$)`, 'g');
const ALONE = new RegExp(`^${COMMAND_LINE}$`);
/** What joins two commands; in quotes it is text. */
const JOINT = /('[^']*'|\\')|( (?:&&|\|)) /g;

/**
 * A next step under what it is for. One that is too long for a line has its sentence wrapped, and each command on a line of
 * its own, whole, so that it can be copied. One of several commands too: nothing stands behind a command on its line.
 * @param indent of the arrow, in spaces
 */
export function hintLines(hint: string, theme: Theme, indent = 3, columns = COLUMNS): string[] {
  // An arrow leads somewhere.
  if (hint === '') return [];
  const margin = ' '.repeat(indent);
  const arrow = `${margin}${theme.dim('→')} `;
  const parts = partsOf(hint);
  const endsWithCommand = parts.findIndex(({ isCommand }) => isCommand) === parts.length - 1;
  const isPlain = endsWithCommand || !parts.some(({ isCommand }) => isCommand);
  if (isPlain && indent + 2 + hint.length <= columns) return [`${arrow}${hint}`];
  const lines = parts.flatMap(({ text, isCommand }) =>
    isCommand ? commandLines(text, columns) : wrapped(text, columns - indent - 2),
  );
  // A command alone needs no sentence above it.
  if (parts.length === 1 && parts[0]?.isCommand) return [`${arrow}${hint}`];
  return lines.map((line, index) => (index === 0 ? `${arrow}${line}` : `${margin}  ${line}`));
}

/** Things one below the other, of which several in a row have the same next step: it stands once, below the last of them. */
export function withHintsOnce<T extends { hint: string }>(things: readonly T[]): T[] {
  return things.map((thing, index) => (thing.hint === things[index + 1]?.hint ? { ...thing, hint: '' } : thing));
}

/** A command somewhere, or a whole sentence: what a next step is. */
const NEXT_STEP = /(?:^|[ (])(?:meshctl|kubectl|helm|echo) |^[A-Z].*[.?!]$/s;

/**
 * A note and its next step, which stands behind the last arrow. An arrow is also in what others say, and in `mesh-1 → mesh-2`
 * or `2048 bit → 3072 bit`: what no step follows belongs to the note.
 */
export function splitNote(text: string): { says: string; next?: string } {
  const at = text.lastIndexOf(' → ');
  const next = text.slice(at + 3);
  return at >= 0 && NEXT_STEP.test(next) ? { says: text.slice(0, at), next } : { says: text };
}

interface Part {
  text: string;
  isCommand: boolean;
}

/** `sentence: command; sentence: command` as sentences with their colons, and commands. */
function partsOf(hint: string): Part[] {
  if (ALONE.test(hint)) return [{ text: hint, isCommand: true }];
  const parts: Part[] = [];
  let from = 0;
  for (const match of hint.matchAll(COMMAND)) {
    const sentence = hint.slice(from, match.index);
    if (sentence !== '') parts.push({ text: `${sentence}:`, isCommand: false });
    parts.push({ text: match[2] ?? '', isCommand: true });
    from = match.index + match[0].length;
  }
  if (from < hint.length) parts.push({ text: hint.slice(from), isCommand: false });
  return parts;
}

/** A shell goes on after `&&` or `|` at the end of a line. */
function commandLines(text: string, columns: number): string[] {
  const broken = (_all: string, quoted: string | undefined, joint: string) => quoted ?? `${joint}\n`;
  const lines = 4 + text.length > columns ? text.replaceAll(JOINT, broken).split('\n') : [text];
  return lines.map((line) => `    ${line}`);
}

/** A text in lines of so many columns; what stands in backticks is one word. */
export function wrapped(text: string, columns: number): string[] {
  const lines: string[] = [];
  for (const word of text.match(/(?:`[^`]*`|\S)+/g) ?? []) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= columns) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}
