import type { Candidate } from './candidates.ts';

/**
 * A line as bash splits it into words. Bash gives a completion its words with their quotes, and broken at more than spaces;
 * scripts that have the shell evaluate them run what is typed (`$(…)`) at each TAB. Nothing is evaluated here.
 */
export interface BashLine {
  /** All words, without quotes; the last one, which may be empty, is under the cursor. */
  words: readonly string[];
  /** How many characters of the last word, without quotes, stay when bash puts in a completion. */
  kept: number;
  /** The quote that is open at the cursor. */
  quote: '' | "'" | '"';
}

/**
 * @param line up to the cursor
 * @param breaks bash's COMP_WORDBREAKS: the last of these in a word is where bash begins to complete
 */
export function splitBashLine(line: string, breaks: string): BashLine {
  const words: string[] = [];
  let word: string | undefined;
  let kept = 0;
  // Within a quote, bash completes what comes after it.
  let opened = 0;
  let quote: BashLine['quote'] = '';
  for (let index = 0; index < line.length; index++) {
    const char = line[index] ?? '';
    const next = line[index + 1] ?? '';
    if (quote === '' && /\s/.test(char)) {
      if (word !== undefined) words.push(word);
      word = undefined;
      kept = 0;
      continue;
    }
    word ??= '';
    if (quote === '' && (char === "'" || char === '"')) {
      quote = char;
      opened = word.length;
    } else if (char === quote) {
      quote = '';
    } else if (char === '\\' && (quote === '' || (quote === '"' && /[$`"\\]/.test(next)))) {
      word += next;
      index += 1;
    } else {
      // Readline goes on after a break, and at an @, which for it begins the name of a host (bash, hostcomplete).
      if (quote === '' && breaks.includes(char)) kept = word.length + (char === '@' ? 0 : 1);
      word += char;
    }
  }
  return { words: [...words, word ?? ''], kept: quote === '' ? kept : opened, quote };
}

/**
 * Candidates as bash puts them in for what it completes.
 * @param lead what stands before them in the word under the cursor, as in {@link TypedLine}
 */
export function asBashReplies(
  candidates: readonly Candidate[],
  { kept, quote }: Pick<BashLine, 'kept' | 'quote'>,
  lead: string,
): Candidate[] {
  return candidates.map((candidate) => ({
    ...candidate,
    value: quoted((lead + candidate.value).slice(kept), quote, kept === 0),
  }));
}

function quoted(text: string, quote: BashLine['quote'], begins: boolean): string {
  if (quote === "'") return text.replaceAll("'", "'\\''");
  if (quote === '"') return text.replace(/[$`"\\]/g, '\\$&');
  const escaped = text.replace(/[^\p{L}\p{N}_@%+=:,./~^-]/gu, '\\$&');
  // A home directory is meant only where a word begins so.
  return begins ? escaped.replace(/^~/, '\\~') : escaped;
}
