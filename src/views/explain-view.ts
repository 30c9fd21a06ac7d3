import type { Explanation } from '../mesh/explain.ts';
import { wrapped } from './hint-lines.ts';
import type { Theme } from './theme.ts';

const COLUMNS = 100;

/** Paragraphs about ids, each id above its own. */
export function explanationText(explanations: readonly Explanation[], theme: Theme): string {
  return explanations
    .map(({ id, text }) => {
      const paragraphs = plain(text).split('\n\n');
      return [theme.bold(id), ...paragraphs.map((paragraph) => shown(paragraph, theme))].join('\n\n');
    })
    .join('\n\n\n');
}

/** How to read more about what was said, by its ids; nothing where nothing was. Not a next step: it mends nothing. */
export function explainLines(said: readonly { id: string }[], theme: Theme): string[] {
  const ids = [...new Set(said.map(({ id }) => id))];
  return ids.length > 0 ? [theme.dim(`More: meshctl explain ${ids.join(',')}`)] : [];
}

/** All ids, each with its first sentence. */
export function explanationList(explanations: readonly Explanation[], theme: Theme): string {
  const width = Math.max(...explanations.map(({ id }) => id.length));
  return explanations
    .flatMap(({ id, text }) => {
      const [first = ''] = plain(text)
        .replaceAll('\n', ' ')
        .split(/(?<=\.)\s/);
      const [line, ...more] = wrapped(first, COLUMNS - width - 2);
      return [
        `${theme.bold(id)}${' '.repeat(width - id.length)}  ${line}`,
        ...more.map((next) => ' '.repeat(width + 2) + next),
      ];
    })
    .join('\n');
}

/** Without links: of `[words](address)` the words. */
function plain(markdown: string): string {
  return markdown.replaceAll(/\[([^\]]*)]\([^)]*\)/g, '$1');
}

/** A command is not broken over lines, so that it can be copied. */
function shown(paragraph: string, theme: Theme): string {
  const lines = wrapped(paragraph.replaceAll('\n', ' '), COLUMNS);
  return lines.join('\n').replaceAll(/\*\*([^*]+)\*\*/g, (_all, words: string) => theme.bold(words));
}
