import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { COMMAND_ALIASES, COMMAND_GROUPS, COMMANDS } from '../../src/commands/registry.ts';

/** Every command line that an error, a check, a view or the README tells the operator to type can be typed. */
const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const FLAG = /(?<![\w-])--?[a-z][a-z-]*/g;
/** Of each command that reaches clusters (cli/program.ts); and of every command. */
const SHARED = '--kubeconfig -n --namespace --as --as-group --request-timeout'.split(' ');
const SHARED_WITH_VALUE = SHARED.map((flag) => `${flag} <value>`);
const ALWAYS = ['--debug', '--help', '-h', '--version'];

interface Line {
  file: string;
  text: string;
}

const sources = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .map((file) => join('src', file));

const lines: Line[] = ['README.md', ...sources].flatMap((file) => {
  const text = readFileSync(join(ROOT, file), 'utf8').replaceAll(/\$\{[^}]*\}/g, '<value>');
  // Up to the end of the string, of the shell's command, or of the sentence.
  return [...text.matchAll(/\bmeshctl ((?:clustermesh|mesh|service|connectivity|sandbox|demo)\b[^`'"\n#|;)]*)/g)].map(
    ([, words = '']) => ({ file, text: words.split(/[.,:]\s|\sand\s|\s&&\s|…|→/)[0]?.trim() ?? '' }),
  );
});

/** What follows a command up to the end of its string; examples in help, which a shell reads, are left out. */
const tails: Line[] = sources.flatMap((file) => {
  const code = readFileSync(join(ROOT, file), 'utf8')
    .split('\n')
    .filter((line) => !/^\s*(\/?\*|\/\/)|\bline:/.test(line))
    .join('\n')
    .replaceAll(/\$\{(?:[^{}]|\{[^{}]*\})*\}/g, '<value>')
    // A loop of the shell, printed as it is.
    .replaceAll('; done', '');
  const commands =
    /\b(?:meshctl (?:clustermesh|service|connectivity|sandbox) |kubectl (?:--context |(?:apply|config|create|describe|edit|exec|get|logs|rollout) ))[^`'"\n]*/g;
  return [...code.matchAll(commands)].map(([text]) => ({ file, text: text.trim() }));
});

/** Words that are neither of the command nor flags with their values. */
function strayWords(text: string): string[] {
  const [, ...words] = text.split(/\s+(?![^<]*>)/);
  const command = commandOf(words.join(' '));
  if (!command) return [];
  const withValue = [...command.options.map(({ flags }) => flags), ...SHARED_WITH_VALUE]
    .filter((flags) => /[<[]/.test(flags))
    .flatMap((flags) => flags.match(FLAG) ?? []);
  const rest = words.slice(command.path.length).filter((word, index, all) => {
    const before = all[index - 1] ?? '';
    return !word.startsWith('-') && !withValue.includes(before);
  });
  return rest.slice(command.arguments?.length ?? 0);
}

function commandOf(text: string) {
  const [first = '', ...rest] = text.split(/\s+/);
  const alias = Object.entries(COMMAND_ALIASES).find(([, short]) => short === first)?.[0];
  const words = [alias ?? first, ...rest];
  const fitting = COMMANDS.filter(({ path }) => path.every((word, index) => words[index] === word));
  return fitting.sort((a, b) => b.path.length - a.path.length)[0];
}

describe('command lines in messages', () => {
  it('are found', () => {
    expect(lines.length).toBeGreaterThan(60);
  });

  it('name commands that exist', () => {
    expect(lines.filter(({ text }) => !commandOf(text) && !(text in COMMAND_GROUPS))).toEqual([]);
  });

  it('stand last, so that they can be typed as they are printed', () => {
    const behind = tails.filter(
      ({ text }) =>
        /[.,;:!?)](\s|$)|\s[(→…]/.test(text) ||
        text.split(' && ').some((one) => one.startsWith('meshctl ') && strayWords(one).length > 0),
    );
    expect(tails.length).toBeGreaterThan(40);
    expect(behind).toEqual([]);
  });

  it('have only flags that the command has', () => {
    const wrong = lines.filter(({ text }) => {
      const command = commandOf(text);
      const own = (command?.options ?? []).flatMap(({ flags }) => flags.match(FLAG) ?? []);
      const known = [...own, ...ALWAYS, ...(command?.reachesClusters ? SHARED : [])];
      return (text.match(FLAG) ?? []).some((flag) => !known.includes(flag));
    });
    expect(wrong).toEqual([]);
  });
});
