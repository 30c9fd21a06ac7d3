import { withTexts } from '../mesh/nested-texts.ts';

/**
 * Characters that a terminal would obey or hide: controls (C0, DEL, C1), bidirectional overrides, invisible separators
 * and halves of surrogate pairs. Tabs and line ends too: everything that comes from a cluster is one line here.
 */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu;
/** Emoji are joined by ZWJ, which is harmless. */
const HARMLESS = '\u200d';

/**
 * A copy of plain data in which no text can do anything to a terminal. Agents' answers, certificates' names and error
 * messages are others' words; commands send what they show through here, for people and for `-o json` alike.
 */
export function printable<T>(data: T): T {
  return cleaned(data, HARMLESS) as T;
}

/** A copy of plain data that is safe for a terminal, where a text may have several lines, e.g. the value of a field in a plan, or a failure with its hint. */
export function printableLines<T>(data: T): T {
  return cleaned(data, `${HARMLESS}\n\t`) as T;
}

/** A sentence: whatever it quotes, it is one line, so that no value can look like a line of meshctl's own. */
export function printableSentence(text: string): string {
  return printable(text.trim().replace(/\s*[\r\n\u2028\u2029]+\s*/g, ' '));
}

function cleaned(value: unknown, harmless: string): unknown {
  const clean = (text: string) => text.replace(UNSAFE, (char) => (harmless.includes(char) ? char : '\ufffd'));
  return withTexts(value, clean, clean);
}
