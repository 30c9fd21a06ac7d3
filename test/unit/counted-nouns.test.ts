/** Nothing is said to be of one nodes: a number goes with its noun by mesh/counted.ts, wherever it may be one. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { policiesNamed } from '../../src/mesh/connect/policies/policy-words.ts';
import { counted, shareOf } from '../../src/mesh/counted.ts';

const SRC = fileURLToPath(new URL('../../src/', import.meta.url));
const NOUNS =
  'addresses|agents|certificates|checks|clusters|connections|contexts|invitations|nodes|objects|packets|peers|pods|policies|replicas|requests|secrets|services|steps|tests|users|warnings|writes';
/** A number in a template literal with a noun of several behind it. */
const NUMBER = String.raw`\$\{(?!partOf\()[^{}]*(?:length|size|count|total|nodes|failed|replicas)[^{}]*\}`;
const UNCOUNTED = new RegExp(String.raw`${NUMBER} (?:${NOUNS})\b`, 'gi');
/** A list of names with a noun of several before it. */
const LISTED = new RegExp(String.raw`\b(?:${NOUNS}) \$\{(?:firstOf|enumerated)\(`, 'gi');

/** Where the number is never one, or the noun is a label of a ratio; by file. */
const NEVER_ONE: Readonly<Record<string, string>> = {
  'flows/enable/disable.ts': 'one is said in words',
  'flows/enable/enable.ts': 'one is said in words',
  'flows/invitation/prove-dialled.ts': 'a ratio',
  'flows/status/look-at-clusters.ts': 'a ratio',
  'flows/write/roll-back.ts': 'one is said in words',
  'mesh/enable/plan-disable.ts': 'more than three',
  'mesh/peers/endpoint-overrides.ts': 'several clusters',
  'views/checks/check-view.ts': 'a mark',
  'views/certificates/certs-view.ts': 'many peers',
  'views/checks/routes-view.ts': 'a part of several',
  'views/file/diff-view.ts': 'more than are named',
  'views/status/matrix-lines.ts': 'one is said in words',
  'views/status/matrix-view.ts': 'one is said in words',
  'views/status/status-junit.ts': 'a ratio',
  'views/status/status-view.ts': 'several clusters; scripts look for the line of status, whatever the number',
};

const found = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .map((file) => file.replaceAll('\\', '/'))
  .filter((file) => file.endsWith('.ts') && !file.startsWith('sandbox/') && file !== 'mesh/counted.ts')
  .flatMap((file) => {
    const code = readFileSync(join(SRC, file), 'utf8')
      .split('\n')
      .filter((row) => !/^\s*(\/?\*|\/\/)/.test(row))
      .join('\n');
    return [...code.matchAll(UNCOUNTED), ...code.matchAll(LISTED)].map(([text]) => ({ file, text }));
  });

describe('a number and its noun', () => {
  it('are put together by one function', () => {
    expect(found.filter(({ file }) => !(file in NEVER_ONE))).toEqual([]);
  });

  it('are excepted only where they stand', () => {
    expect(Object.keys(NEVER_ONE).filter((file) => !found.some((one) => one.file === file))).toEqual([]);
  });

  it('agree', () => {
    expect([counted(1, 'node'), counted(0, 'node'), shareOf(1, 1, 'node'), shareOf(1, 2, 'node')]).toEqual([
      ...['1 node', '0 nodes', 'the only node', '1 of 2 nodes'],
    ]);
    expect([policiesNamed(['a/b']), policiesNamed(['a/b', 'a/c'])]).toEqual([
      ...['network policy a/b', 'network policies a/b, a/c'],
    ]);
  });
});
