import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { expect, it } from 'vitest';

const SRC = join(import.meta.dirname, '../../src');

/**
 * Who may read this machine's calendar: whatever else is judged or dated goes by the run's time (`Flow.now`, `Flow.issuing`) or by a
 * cluster's (`ClusterClient.now`), and waits by the one `Clock`.
 */
const MAY_READ_IT = new Map([
  ['cli/terminal/host.ts', "the source of a run's time"],
  ['kube/open-cluster.ts', "compares it with the API server's"],
  ['kube/http/transport.ts', 'stands for the time of a server that does not tell it'],
  ['pki/issue.ts', 'a default, for tests; each command says by which time'],
  ['pki/authority.ts', 'a default, for tests; each command says by which time'],
]);

function sources(): string[] {
  return readdirSync(SRC, { recursive: true, encoding: 'utf8' })
    .map((path) => path.split(sep).join('/'))
    .filter((path) => path.endsWith('.ts') && !path.startsWith('sandbox/'));
}

/** Lines of code, without comments, that say what matches. */
function linesWith(path: string, what: RegExp): string[] {
  const text = readFileSync(join(SRC, path), 'utf8').replaceAll(/\/\*[\s\S]*?\*\//g, '');
  return text.split('\n').filter((line) => what.test(line.replace(/\/\/.*$/, '')));
}

it("only few read this machine's calendar", () => {
  const readers = sources().filter((path) => linesWith(path, /\bDate\.now\b|\bnew Date\(\)/).length > 0);
  expect(readers.sort()).toEqual([...MAY_READ_IT.keys()].sort());
});

it('every certificate and CA that a command makes is dated by a time that it was given', () => {
  const makers = sources()
    .filter((path) => !path.startsWith('pki/'))
    .flatMap((path) => {
      const text = readFileSync(join(SRC, path), 'utf8');
      const calls = [...text.matchAll(/\b(createAuthority|issueCertificate|certifyKey)\(/g)];
      return calls.map(({ index }) => ({ at: relative('.', path), call: text.slice(index, index + 250) }));
    });
  expect(makers.length).toBeGreaterThan(3);
  expect(makers.filter(({ call }) => !/\bnow\b/.test(call))).toEqual([]);
});
