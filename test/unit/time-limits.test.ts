import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import config from '../../vitest.config.ts';

/** That of the configuration is only for what hangs. A shorter one of a test fails it on a machine that has other things to do. */
const LIMIT_MS = config.test?.testTimeout ?? 0;

/** As the last argument of a test or a hook, or in its options, or those of `expect.poll`. */
const OF_TESTS = [/^\s*\}, ([\d_]+)\);$/gm, /^\s+([\d_]+),\n\s*\);$/gm, /\{ timeout: ([\d_]+) \}[,)]/g];

it('no test has a time limit of its own that is shorter than that of all', () => {
  const root = join(import.meta.dirname, '..');
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.test.ts'));
  expect(files.length).toBeGreaterThan(400);
  const limits = files.flatMap((file) => {
    const text = readFileSync(join(root, file), 'utf8');
    return OF_TESTS.flatMap((pattern) => [...text.matchAll(pattern)]).map(([, ms = '']) => ({
      file,
      ms: Number(ms.replaceAll('_', '')),
    }));
  });
  expect(limits.length).toBeGreaterThan(3);
  expect(limits.filter(({ ms }) => ms >= 1000 && ms < LIMIT_MS)).toEqual([]);
});
