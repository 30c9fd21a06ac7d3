import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { blocksOf, patternOf, runsOf, TWO_OWNERS, wordsOf } from '../support/doc-blocks.ts';
import { found } from '../support/sandbox-mesh.ts';
import { startTwoOwners, type TwoOwners } from '../support/two-owners.ts';

/** What the owners call their clusters' contexts, each in a kubeconfig that has no other one. */
const OWNERS: Readonly<Record<string, string>> = { a: 'mesh-1', b: 'mesh-2' };

let two: TwoOwners;

beforeAll(async () => {
  two = await startTwoOwners(2);
  for (const [context, name] of Object.entries(OWNERS)) {
    const path = join(two.folder, `${name}.kubeconfig`);
    const file = parse(await readFile(path, 'utf8')) as { 'current-context': string; contexts: { name: string }[] };
    for (const one of file.contexts) one.name = context;
    file['current-context'] = context;
    await writeFile(path, stringify(file));
  }
});
afterAll(() => two?.close());

const runs = blocksOf(TWO_OWNERS)
  .filter(({ language }) => language === 'console')
  .flatMap(runsOf);

/** A line with `> file` shows what goes to the terminal, in full; the others their result. */
it.each(runs.map((run) => [run.where, run] as const))('%s prints what stands there', async (_where, run) => {
  const [line = '', file] = run.command.split(' > ');
  const [program, ...words] = await wordsOf(line);
  expect(program).toBe('meshctl');
  const owner = found(OWNERS[words[words.indexOf('--context') + 1] ?? ''], 'an owner');
  const { exitCode, stdout, stderr } = await found(two.owners[owner], owner)(words, { answers: ['y'] });
  if (file !== undefined) await two.save(file, stdout);
  expect(file === undefined ? stdout : stderr, stderr).toMatch(patternOf(run.output));
  expect(exitCode).toBe(0);
});
