import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { type Invocation, parseCommandLine } from '../../src/cli/program.ts';
import { optionsOf } from '../../src/commands/options/shared-options.ts';
import { COMMAND_ALIASES, COMMAND_GROUPS, COMMANDS } from '../../src/commands/registry.ts';
import { blocksOf, commandLinesOf, docPages, patternOf, readPage, runsOf, wordsOf } from '../support/doc-blocks.ts';
import { PACKAGE_ROOT } from '../support/schemas.ts';

const pages = docPages();
const ROOT = fileURLToPath(PACKAGE_ROOT);

/** In prose: a command line in backticks; one with `…`, or without its arguments, is a word about it. */
const inProse = pages.flatMap((file) =>
  [
    ...readPage(file)
      .replaceAll(/^```[\s\S]*?^```$/gm, '')
      .matchAll(/`(meshctl [^`\n]+)`/g),
  ].map(([, text = '']) => text),
);
const blocks = pages.flatMap(blocksOf);
const typed = blocks.filter(({ language }) => language === 'sh').flatMap(commandLinesOf);

/** As meshctl itself reads it: commands, flags, choices and values. */
async function parsed(line: string): Promise<Invocation | undefined> {
  const sink = { write: () => undefined, isTty: false };
  const host = { stdout: sink, stderr: sink, env: {} } as unknown as Parameters<typeof parseCommandLine>[2];
  const texts = { version: '0', groups: COMMAND_GROUPS, aliases: COMMAND_ALIASES };
  return parseCommandLine(COMMANDS, texts, host, (await wordsOf(line)).slice(1));
}

async function misread(lines: readonly string[]): Promise<string[]> {
  const faults: string[] = [];
  for (const line of new Set(lines)) {
    await parsed(line).catch((error: unknown) =>
      faults.push(`${line}: ${error instanceof Error ? error.message : error}`),
    );
  }
  return faults;
}

describe('documentation', () => {
  it('has only command lines that can be typed', async () => {
    expect(typed.length).toBeGreaterThan(25);
    expect(await misread(typed)).toEqual([]);
  });

  it('has such ones in its prose, too', async () => {
    const lines = inProse
      .filter((text) => /\s--/.test(text) && !text.includes('…'))
      .flatMap((text) => commandLinesOf({ text }));
    expect(lines.length).toBeGreaterThan(60);
    expect(await misread(lines)).toEqual([]);
  });

  it('names only flags that there are', () => {
    const ofOthers = ['--help', '--previous'];
    const ours = COMMANDS.flatMap(optionsOf).flatMap((option) => [
      ...(option.flags.match(/--[a-z-]+/g) ?? []),
      ...(option.also ?? []),
    ]);
    const named = pages.flatMap((file) =>
      [...readPage(file).matchAll(/`(--[a-z-]+)[^`\n]*`/g)].map(([, flag = '']) => flag),
    );
    expect(named.length).toBeGreaterThan(100);
    expect(named.filter((flag) => ![...ours, ...ofOthers].includes(flag))).toEqual([]);
  });

  it('names this version where it names one', () => {
    const named = pages.flatMap((file) =>
      [...readPage(file).matchAll(/(?:meshctl@|\/|meshctl_)v?(\d+\.\d+\.\d+)(?=[/_\s\]])/g)].map(
        ([, version]) => version,
      ),
    );
    expect(named.length).toBeGreaterThan(3);
    expect([...new Set(named)]).toEqual([JSON.parse(readPage('package.json')).version]);
  });

  it("names the namespace in what kubectl is to do with what is Cilium's", () => {
    const ofCilium = pages
      .flatMap((file) => readPage(file).match(/\bkubectl (?!clustermesh)[^`\n]+/g) ?? [])
      .filter((line) =>
        /\b(get|describe|logs|patch|delete|edit|annotate|scale|exec|rollout) .*(cilium|clustermesh)/.test(line),
      );
    expect(ofCilium.length).toBeGreaterThan(8);
    expect(ofCilium.filter((line) => !/ (-n|--namespace) /.test(line))).toEqual([]);
  });

  it('calls peers by their names, and never by the contexts of the pages', () => {
    const lines = [...typed, ...inProse].filter((line) => /--peer[ =]/.test(line));
    expect(lines.length).toBeGreaterThan(8);
    expect(lines.filter((line) => /--peer[ =](gke|eks|onprem)\b/.test(line))).toEqual([]);
  });

  it('marks each block by what is done with it', () => {
    expect([...new Set(blocks.map(({ language }) => language))].sort()).toEqual(['console', 'sh', 'yaml']);
  });

  it('leads nowhere that there is not', () => {
    const dead = pages.flatMap((file) =>
      [...readPage(file).matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)/g)].flatMap(([, path = '', anchor]) => {
        const target = path === '' ? file : join(dirname(file), path);
        if (!existsSync(join(ROOT, target))) return [`${file}: ${path}`];
        return anchor === undefined || anchorsOf(target).includes(anchor) ? [] : [`${file}: ${path}#${anchor}`];
      }),
    );
    expect(dead).toEqual([]);
  });

  it('has every page in its index', () => {
    const index = readPage('docs/README.md');
    const others = pages.filter((file) => file.startsWith('docs/') && file !== 'docs/README.md');
    expect(others.filter((file) => !index.includes(`](${file.slice('docs/'.length)})`))).toEqual([]);
  });
});

/** As GitHub makes them of headings. */
function anchorsOf(file: string): string[] {
  return [...readPage(file).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

describe('a console block', () => {
  const block = {
    file: 'a.md',
    line: 3,
    language: 'console',
    text: '$ meshctl one\nfirst\n  …\nlast …\n$ meshctl two\n',
  };

  it('is commands with their output', () => {
    expect(runsOf(block)).toEqual([
      { where: 'a.md:3', command: 'meshctl one', output: 'first\n  …\nlast …' },
      { where: 'a.md:7', command: 'meshctl two', output: '' },
    ]);
  });

  it.each([
    ['first\nlast one\n', true],
    ['first\nx\ny\nlast one\n', true],
    ['first\nlast one\nmore\n', false],
    ['second\nlast one\n', false],
  ])('is compared with %j', (output, fits) => {
    expect(patternOf('first\n  …\nlast …').test(output)).toBe(fits);
  });
});
