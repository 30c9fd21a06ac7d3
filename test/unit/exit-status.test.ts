import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { type ErrorCode, exitOf, exitOfAll } from '../../src/mesh/errors.ts';

describe('the exit status of what was found', () => {
  it.each([
    [{}, 0],
    [{ unseen: true }, 3],
    [{ failed: true }, 1],
    [{ failed: true, unseen: true }, 1],
    [{ unproved: true }, 1],
    [{ unproved: true, unseen: true }, 3],
  ])('of %j is %d: what is proved comes before what was not seen', (found, status) => {
    expect(exitOf(found)).toBe(status);
  });
});

describe('the exit status of several failures', () => {
  it.each<[codes: ErrorCode[], status: number]>([
    [[], 0],
    [['ClusterUnreachable', 'Forbidden'], 3],
    [['ClusterUnreachable', 'Conflict'], 1],
    [['Conflict', 'ClusterUnreachable'], 1],
    [['ClusterUnreachable', 'KubeconfigInvalid'], 3],
  ])('%j is %d: a cluster that cannot be asked does not hide what has failed in another one', (codes, status) => {
    expect(exitOfAll(codes.map((code) => ({ code })))).toBe(status);
  });
});

const COMMANDS = fileURLToPath(new URL('../../src/commands', import.meta.url));

/** Commands that say themselves whether they fail, and what is known to be wrong then. */
const KNOWN: Readonly<Record<string, string>> = {
  'clustermesh/certs/rotate.ts': 'what was asked for is not renewed',
  'clustermesh/invitations/list.ts': 'an invitation that is there cannot be read',
};

it('by the one rule each command tells what has failed from what was not seen', () => {
  const own = readdirSync(COMMANDS, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map(({ parentPath, name }) => join(parentPath, name))
    .filter((path) => /\bexitCode\b.*\? (?:0 : 1|1 : 0)/.test(readFileSync(path, 'utf8')))
    .map((path) => relative(COMMANDS, path).split(sep).join('/'));
  expect(own.sort()).toEqual(Object.keys(KNOWN).sort());
});
