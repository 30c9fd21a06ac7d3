import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { COMMAND_ALIASES, COMMAND_GROUPS, COMMANDS } from '../../src/commands/registry.ts';
import { describeCommand, kubectlCommand, meshctlCommand } from '../../src/mesh/command-line.ts';
import { ADVICE, adviceForFailure, type FailureClass } from '../../src/mesh/status/failure-reason.ts';

/**
 * Every command line that an error, a check, a view or the README tells the operator to type can be typed. Those of src/
 * are built by command-line.ts alone, so that what is checked here of its calls holds for all of them.
 */
const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const FLAG = /(?<![\w-])--?[a-z][a-z-]*/g;
/** Of each command that reaches clusters (cli/program.ts); and of every command. */
const SHARED = '--kubeconfig -n --namespace --as --as-group --request-timeout'.split(' ');
const ALWAYS = ['--debug', '--help', '-h', '--version'];
const BUILDERS = ['meshctlCommand', 'kubectlCommand', 'describeCommand'];
/** The builders themselves, and the room that finds their lines again. */
const BUILT_IN = ['mesh/command-line.ts', 'cli/run-flags.ts'];
/** A command line, as opposed to a word about a program. */
const BY_HAND =
  /\bmeshctl (clustermesh|mesh|service|connectivity|version)\b|\bkubectl (--?[a-z]|annotate|apply|config|create|delete|describe|edit|exec|get|label|logs|patch|rollout|scale)/;

interface Found {
  file: string;
  text: string;
}

const sources = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts') && !file.startsWith('sandbox/') && !BUILT_IN.includes(file))
  .map((file) => {
    const rows = readFileSync(join(ROOT, 'src', file), 'utf8').split('\n');
    return { file, code: rows.filter((row) => !/^\s*(\/?\*|\/\/)/.test(row)).join('\n') };
  });

/** `line:` of an example, which a shell reads; `name:` of a test suite. */
const QUOTATION = /\b(line|name): (['`])/;
const examples: Found[] = sources.flatMap(({ file, code }) =>
  code.split('\n').flatMap((row) => (QUOTATION.test(row) ? [{ file, text: row }] : [])),
);
const readme: Found = { file: 'README.md', text: readFileSync(join(ROOT, 'README.md'), 'utf8') };

/** The text from an opening bracket to the one that closes it. */
function bracketed(code: string, start: number): string {
  let depth = 0;
  for (let at = start; at < code.length; at++) {
    if ('({['.includes(code[at] ?? '')) depth++;
    if (')}]'.includes(code[at] ?? '') && --depth === 0) return code.slice(start, at + 1);
  }
  return code.slice(start);
}

/** Command lines of examples and README. */
const lines: Found[] = [readme, ...examples].flatMap(({ file, text }) =>
  // Up to the end of the string, of the shell's command, or of the sentence.
  [
    ...text
      .replaceAll(/\$\{[^}]*\}/g, '<value>')
      .matchAll(/\bmeshctl ((?:clustermesh|mesh|service|connectivity|sandbox|demo|version)\b[^`'"\n#|;)]*)/g),
  ].map(([, words = '']) => ({ file, text: words.split(/[.,:]\s|\sand\s|\s&&\s|…|→/)[0]?.trim() ?? '' })),
);

function commandOf(text: string) {
  const [first = '', ...rest] = text.split(/\s+/);
  const alias = Object.entries(COMMAND_ALIASES).find(([, short]) => short === first)?.[0];
  const words = [alias ?? first, ...rest];
  const fitting = COMMANDS.filter(({ path }) => path.every((word, index) => words[index] === word));
  return fitting.sort((a, b) => b.path.length - a.path.length)[0];
}

function flagsOf(path: string): string[] {
  const command = commandOf(path);
  const own = (command?.options ?? []).flatMap(({ flags }) => flags.match(FLAG) ?? []);
  return [...own, ...ALWAYS, ...(command?.reachesClusters ? SHARED : [])];
}

/** Calls of meshctlCommand whose command stands there as text. */
const calls = sources.flatMap(({ file, code }) =>
  [...code.matchAll(/\bmeshctlCommand(?=\(\s*'([^']+)'(\s*,)?)/g)].map((match) => {
    const [name, path = '', place] = match;
    const text = bracketed(code, match.index + name.length);
    const flags = [...text.matchAll(/'(--?[a-z][a-z-]*)/g)].map(([, flag = '']) => flag);
    return { file, path, flags: place && !/^\(\s*'[^']+'\s*,\s*\{\}/.test(text) ? ['--context', ...flags] : flags };
  }),
);

/** Names of a file that stand for a command line: constants and functions that give what a builder gave. */
function namesOfCommands(code: string): string[] {
  const constants = code.matchAll(/const (\w+) = (?:\([^)]*\) =>\s*)?(?:meshctl|kubectl|describe)Command\(/g);
  const functions = code.matchAll(
    /\bfunction (\w+)\((?:(?!\n\}).)*?\breturn [^;`]*?(?:meshctl|kubectl|describe)Command\(/gs,
  );
  return [...BUILDERS, ...[...constants, ...functions].map(([, name = '']) => name)];
}

/** What follows a command in the text that it stands in. */
const behind = sources.flatMap(({ file, code }) => {
  const names = namesOfCommands(code);
  return [...code.matchAll(/\$\{(\w+)/g)].flatMap(({ index, 1: name = '' }) => {
    const after = code.slice(index + 1 + bracketed(code, index + 1).length);
    return names.includes(name) ? [{ file, name, text: after.split(/`|\$\{/)[0] ?? '' }] : [];
  });
});

/** A command line as a shell takes it, word by word. */
function words(line: string): string[] {
  return execFileSync('sh', ['-c', `printf '%s\\n' ${line}`], { encoding: 'utf8' })
    .split('\n')
    .slice(0, -1);
}

describe('command lines in src', () => {
  it('are built in one place', () => {
    const byHand = sources.flatMap(({ file, code }) =>
      code.split('\n').flatMap((row) => (BY_HAND.test(row) && !QUOTATION.test(row) ? [{ file, row: row.trim() }] : [])),
    );
    expect(byHand).toEqual([]);
    expect(calls.length).toBeGreaterThan(40);
  });

  it('describe one object by kind/name: kubectl takes a name alone for the beginning of others, too', () => {
    const place = { context: 'a', namespace: 'kube-system' };
    expect(describeCommand(place, 'service', { name: 'clustermesh-apiserver' })).toBe(
      'kubectl --context a -n kube-system describe service/clustermesh-apiserver',
    );
    expect(describeCommand(place, 'pods', { selector: 'k8s-app=cilium' })).toBe(
      'kubectl --context a -n kube-system describe pods -l k8s-app=cilium',
    );
    const byHand = sources.flatMap(({ file, code }) => (/\[\s*'describe',/.test(code) ? [file] : []));
    expect(byHand).toEqual([]);
  });

  it('are whole where a sentence names them: no flags of a command that is not there', () => {
    const fragments = sources.flatMap(({ file, code }) =>
      [...code.matchAll(/['"`(](?:[^'"`\n]* )?\((?:enable|connect|disable|disconnect) --[a-z-]+ [^)]*\)/g)].map(
        ([text]) => ({ file, text }),
      ),
    );
    expect(fragments).toEqual([]);
  });

  it('name commands that exist', () => {
    expect(calls.filter(({ path }) => commandOf(path)?.path.join(' ') !== path)).toEqual([]);
  });

  it('have only flags that the command has', () => {
    const wrong = calls.flatMap(({ file, path, flags }) =>
      flags.filter((flag) => !flagsOf(path).includes(flag)).map((flag) => ({ file, path, flag })),
    );
    expect(wrong).toEqual([]);
  });

  it('stand last, so that they can be typed as they are printed', () => {
    expect(behind.length).toBeGreaterThan(20);
    expect(behind.filter(({ text }) => !/^($|; or |\\n| && $| \| )/.test(text))).toEqual([]);
  });
});

describe('command lines in examples and README', () => {
  it('name commands that exist', () => {
    expect(lines.length).toBeGreaterThan(60);
    expect(lines.filter(({ text }) => !commandOf(text) && !(text in COMMAND_GROUPS))).toEqual([]);
  });

  it('have only flags that the command has', () => {
    expect(lines.filter(({ text }) => (text.match(FLAG) ?? []).some((flag) => !flagsOf(text).includes(flag)))).toEqual(
      [],
    );
  });
});

describe('a shell', () => {
  const context = "admin@prod b (old)'s $HOME; `ls` <x> *";

  it('reads the words that were meant', () => {
    expect(words(meshctlCommand('clustermesh enable', { context }, ['--peer', 'a b', '']))).toEqual([
      'meshctl',
      'clustermesh',
      'enable',
      '--context',
      context,
      '--peer',
      'a b',
      '',
    ]);
    expect(words(kubectlCommand({ context, namespace: 'a b' }, ['get', 'pods']))).toEqual([
      'kubectl',
      '--context',
      context,
      '-n',
      'a b',
      'get',
      'pods',
    ]);
    expect(words(meshctlCommand('clustermesh enable', { context: ['a', context] }))).toContain(`a,${context}`);
  });

  const places = (['agent', 'kvstoremesh'] as const).flatMap((component) =>
    [true, false].map((kvstoremesh) => ({ component, kvstoremesh })),
  );
  it.each(Object.keys(ADVICE) as FailureClass[])(
    'reads the contexts and namespaces of the advice for %s',
    (failure) => {
      for (const place of places) {
        const where = {
          context,
          namespace: 'its own',
          peer: 'mesh-2',
          peerContext: 'b c',
          peerNamespace: "the peer's",
        };
        const { hint } = adviceForFailure(failure, { ...where, ...place });
        for (const line of hint.slice(hint.search(/(meshctl|kubectl) /)).split(/ && |; or [^:]*: /)) {
          if (!BY_HAND.test(line)) continue;
          const read = words(line);
          const at = read[read.indexOf('--context') + 1];
          expect([context, 'b c', `${context},b c`]).toContain(at);
          if (read[0] === 'kubectl')
            expect(read[read.indexOf('-n') + 1]).toBe(at === context ? 'its own' : "the peer's");
        }
      }
    },
  );
});
