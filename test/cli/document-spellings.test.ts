import { describe, expect, it } from 'vitest';
import { runCli } from '../support/cli.ts';

/** However a document is asked for, a failure is one too, and nothing else is on stdout. */
const SPELLINGS = [
  '-o json',
  '-ojson',
  '-o=json',
  '--output json',
  '--output=json',
  '-qo json',
  '-qojson',
  '-qo=json',
  '-vvqo json',
  '-o text -o json',
  '-otext --output json',
  '--color never -o json',
];
/** Which is refused. */
const isTwice = (spelling: string) => spelling.includes('text');
const FAILING: [what: string, words: string, code: string][] = [
  ['before it is parsed', 'clustermesh status --no-such-flag', 'Usage'],
  ['because it is no command', 'clustermesh statu', 'Usage'],
  ['after that', 'clustermesh status --kubeconfig /no/such/file', 'KubeconfigMissing'],
];

describe.each(FAILING)('a command that fails %s', (_what, words, code) => {
  it.each(SPELLINGS)('with %s', async (spelling) => {
    const { stdout, stderr, exitCode } = await runCli([...words.split(' '), ...spelling.split(' ')], { env: {} });
    expect(stdout, stderr).toMatch(/^\{/);
    expect(JSON.parse(stdout)).toMatchObject({ kind: 'Error', error: { code: isTwice(spelling) ? 'Usage' : code } });
    expect(exitCode).toBe(2);
  });
});

it('one that is not asked for is none, also of a command that prints nothing else', async () => {
  const { stdout, stderr } = await runCli(['export', '--kubeconfig', '/no/such/file'], { env: {} });
  expect({ stdout, stderr }).toEqual({ stdout: '', stderr: expect.stringMatching(/^✖ /) });
});

it('a value of another flag, and what stands behind --, ask for no document', async () => {
  for (const line of ['clustermesh status --as -o -- -o json', 'clustermesh status -o json -o text --nope']) {
    const { stdout, exitCode } = await runCli(line.split(' '), { env: {} });
    expect({ stdout, exitCode }, line).toEqual({ stdout: '', exitCode: 2 });
  }
});
