import { execa } from 'execa';
import { afterAll, beforeAll, bench, describe } from 'vitest';
import { type InstalledMeshctl, installMeshctl } from '../support/installed.ts';

/** How much longer than a Node that does nothing. */
const MOST_OVERHEAD_MS = 25;
const RUNS = 20;

let installed: InstalledMeshctl;
const took = new Map<string, number[]>();

beforeAll(async () => {
  installed = await installMeshctl();
});

afterAll(async () => {
  await installed.remove();
  const median = (name: string) => (took.get(name) ?? []).sort((a, b) => a - b)[RUNS / 2] ?? Number.NaN;
  const node = median('node alone');
  for (const name of took.keys()) {
    if (median(name) - node > MOST_OVERHEAD_MS) {
      throw new Error(
        `${name}: ${Math.round(median(name) - node)} ms longer than node alone, not ${MOST_OVERHEAD_MS} ms`,
      );
    }
  }
});

async function run(name: string, argv: () => string[]): Promise<void> {
  const started = performance.now();
  await execa(process.execPath, argv(), { reject: false, extendEnv: false, env: { HOME: installed.root } });
  took.set(name, [...(took.get(name) ?? []), performance.now() - started]);
}

describe('cold start', () => {
  const options = { iterations: RUNS, time: 0, warmupIterations: 2, warmupTime: 0 };
  for (const [name, argv] of Object.entries({
    'node alone': () => ['-e', '0'],
    '--help': () => [installed.entry, '--help'],
    'connect --help': () => [installed.entry, 'clustermesh', 'connect', '--help'],
    'a usage error': () => [installed.entry, 'clustermesh', 'connect', '--no-such-flag'],
  })) {
    bench(name, () => run(name, argv), options);
  }
});
