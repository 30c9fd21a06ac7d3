import type { CommandSpec } from '../commands/command-spec.ts';
import { likeness } from '../commands/options/option-values.ts';
import { meshctlCommand } from '../mesh/command-line.ts';
import { probablyMeant } from '../mesh/nearest.ts';

/** Less alike than this, and not merely mistyped, a word is another one: `hubble` is no `enable`. */
const LEAST_LIKENESS = 0.5;
const MOST_SUGGESTIONS = 3;

/**
 * What was meant by a command line whose command is not there: the same word in another group (`status`), a word too few
 * (`clustermesh rotate`), or one that was mistyped, with all that follows it.
 * @returns whole command lines, the likeliest ones; empty where nothing is alike
 */
export function suggestCommands(
  commands: readonly CommandSpec[],
  aliases: Readonly<Record<string, string>>,
  argv: readonly string[],
): string[] {
  const paths = [...new Set(commands.flatMap(({ path }) => path.map((_, end) => path.slice(0, end + 1).join(' '))))];
  const [first = '', ...others] = argv;
  const typed = [Object.entries(aliases).find(([, alias]) => alias === first)?.[0] ?? first, ...others];
  const isPath = (words: readonly string[]) => paths.includes(words.join(' '));
  let known = 0;
  while (known < typed.length && isPath(typed.slice(0, known + 1))) known += 1;
  const group = typed.slice(0, known).join(' ');
  const rest = typed.slice(known);
  const candidates = paths.map((path) => {
    const words = path.split(' ');
    // `certs rotate` for `clustermesh certs rotate`: as many words as fit.
    const count = [2, 1].find((length) => words.slice(-length).join(' ') === rest.slice(0, length).join(' ')) ?? 0;
    const same = group === '' || path.startsWith(`${group} `) ? 1 : 0;
    const [word = '', last = ''] = [rest[0], words.at(-1)];
    const near = likeness(word, last);
    const isNear = near >= LEAST_LIKENESS || probablyMeant(word, [last]) !== undefined;
    const score = count > 0 ? 1 + count + same : isNear ? near + same : 0;
    return { path, score, after: rest.slice(Math.max(count, 1)) };
  });
  const best = Math.max(...candidates.map(({ score }) => score));
  if (best === 0) return [];
  return candidates
    .filter(({ score }) => score === best)
    .slice(0, MOST_SUGGESTIONS)
    .map(({ path, after }) => meshctlCommand(path, {}, after));
}
