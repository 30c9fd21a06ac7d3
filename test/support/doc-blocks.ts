import { readdirSync, readFileSync } from 'node:fs';
import { PACKAGE_ROOT } from './schemas.ts';

/** A fenced block of a page. */
export interface DocBlock {
  /** Below the root of the checkout. */
  file: string;
  /** Of its first line. */
  line: number;
  language: string;
  text: string;
}

/** A command of a `console` block, with what it is to print. */
export interface DocRun {
  where: string;
  command: string;
  output: string;
}

/** Its commands are those of two people, each with a kubeconfig of their own. */
export const TWO_OWNERS = 'docs/two-owners.md';

/** The pages that people write: README.md, and docs but for its reference, which is generated. */
export function docPages(): string[] {
  const pages = readdirSync(new URL('docs/', PACKAGE_ROOT)).filter((name) => name.endsWith('.md'));
  return ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', ...pages.sort().map((name) => `docs/${name}`)];
}

export function readPage(file: string): string {
  return readFileSync(new URL(file, PACKAGE_ROOT), 'utf8');
}

export function blocksOf(file: string): DocBlock[] {
  const text = readPage(file);
  return [...text.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map(({ index, 1: language = '', 2: content = '' }) => ({
    file,
    line: text.slice(0, index).split('\n').length + 1,
    language,
    text: content,
  }));
}

/** The commands of a `console` block: lines that begin with `$ `, each followed by its output. */
export function runsOf({ file, line, text }: DocBlock): DocRun[] {
  const lines = text.split('\n');
  const starts = lines.flatMap((one, index) => (one.startsWith('$ ') ? [index] : []));
  return starts.map((start, index) => ({
    where: `${file}:${line + start}`,
    command: (lines[start] ?? '').slice(2),
    output: lines
      .slice(start + 1, starts[index + 1])
      .join('\n')
      .trimEnd(),
  }));
}

/** What an output has to match: a line with only `…` stands for any lines, `…` within a line for any text. */
export function patternOf(output: string): RegExp {
  const lines = output.split('\n').map((line) => {
    if (line.trim() === '…') return '(?:.*\\n)*?';
    return `${line.split('…').map(escaped).join('.*')}\\n`;
  });
  return new RegExp(`^${lines.join('')}$`);
}

/** The command lines of meshctl in what one types into a shell, without what the shell does around them. */
export function commandLinesOf({ text }: Pick<DocBlock, 'text'>): string[] {
  return text
    .replaceAll(/\\\n\s*/g, ' ')
    .split('\n')
    .map((line) => line.replace(/(^|\s)#.*$/, ''))
    .flatMap((line) => line.split(/\s(?:&&|\|\|?)\s|;\s|\$\(|<\(|\)/))
    .map((piece) =>
      piece
        .trim()
        .replace(/^(do |\w+=\S* )+/, '')
        .replace(/\s\d?>+\s*\S+/, ''),
    )
    .filter((piece) => /^meshctl\s/.test(piece));
}

/** The words of a command line, as the GitHub Action splits them too. */
export async function wordsOf(line: string): Promise<string[]> {
  const { shellWords } = await import(new URL('.ci/action/shell-words.mjs', PACKAGE_ROOT).href);
  return shellWords(line);
}

function escaped(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
