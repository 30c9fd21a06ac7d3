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

/** Who waits for clusters by a loop of its own, and what that does where an API server is away meanwhile. */
const BY_ITSELF: Readonly<Record<string, string>> = {
  'flows/etcd/ask-etcd.ts': 'it is what the others wait by',
  'flows/status/wait-for-health.ts': 'a cluster that does not answer is a part of what is seen',
  'flows/status/watch-status.ts': 'a cluster that does not answer is a part of what is seen',
  'flows/status/ask-pods.ts': 'a pod without a successor that could be seen has not answered',
  'flows/connectivity/connectivity-judge.ts': 'a request that could not be sent is lost, and counted',
  'flows/demo/rebel-base.ts': 'so does the demo',
  'flows/probe/pod-stations.ts': 'it takes its pods away at another attempt',
};

const files = readdirSync(SRC, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
  .map(({ parentPath, name }) => relative(SRC, join(parentPath, name)).split(sep).join('/'));
const having = (floors: RegExp, words: RegExp) =>
  files.filter((path) => floors.test(path) && words.test(readFileSync(join(SRC, path), 'utf8'))).sort();

it('what decides and does things waits by the clock that it is given, so that nobody waits for it in a test', () => {
  const waiting = having(/^(commands|flows|snapshot|mesh)\//, /\bsetTimeout\b|\bsetInterval\b/);
  expect(waiting).toEqual(Object.keys(BY_MACHINE).sort());
});

it('what waits until a time outlasts an API server that is away until then: it looks again by what does', () => {
  expect(having(/^flows\//, /\bawait \S*clock\.sleep\(/)).toEqual(Object.keys(BY_ITSELF).sort());
});
