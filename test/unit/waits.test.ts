import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const SRC = fileURLToPath(new URL('../../src', import.meta.url));

/** Who goes by the machine's own timers, and why. */
const BY_MACHINE: Readonly<Record<string, string>> = {
  'flows/run-mark.ts': 'what other machines judge by its time goes by that of the cluster',
  'flows/adaptive-limit.ts': 'how long a cluster takes to answer is measured, and not waited for',
  'commands/complete.ts': 'a shell waits for completions',
  'commands/demo/scene.ts': 'an audience reads',
  'commands/demo/story.ts': 'an audience reads',
};

it('what decides and does things waits by the clock that it is given, so that nobody waits for it in a test', () => {
  const files = readdirSync(SRC, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map(({ parentPath, name }) => relative(SRC, join(parentPath, name)).split(sep).join('/'))
    .filter((path) => /^(commands|flows|snapshot|mesh)\//.test(path));
  const waiting = files.filter((path) => /\bsetTimeout\b|\bsetInterval\b/.test(readFileSync(join(SRC, path), 'utf8')));
  expect(waiting.sort()).toEqual(Object.keys(BY_MACHINE).sort());
});
