import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterEach, beforeEach, expect, it } from 'vitest';

const SCRIPT = fileURLToPath(new URL('../../.ci/capture.mjs', import.meta.url));

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'meshctl-test-'));
});

afterEach(async () => {
  await rm(directory, { recursive: true });
});

const capture = (program: string) =>
  execa('node', [SCRIPT, join(directory, 'out'), '--', 'node', '-e', program], { reject: false });

it('records what a command prints, with colours and times', async () => {
  const words = '\\u001b[1m$ \\u001b[22m\\u001b[1mls\\u001b[22m\\n\\u001b[32m<ok>\\u001b[39m & done\\n';
  expect((await capture(`process.stdout.write('${words}'); console.error('not this')`)).exitCode).toBe(0);
  const cast = (await readFile(join(directory, 'out.cast'), 'utf8')).trim().split('\n');
  const [header, ...events] = cast.map((line) => JSON.parse(line) as unknown);
  expect(header).toMatchObject({ version: 2, width: 110, height: 32 });
  expect(events).toEqual([
    [expect.any(Number), 'o', '\u001b[1m$ \u001b[22m\u001b[1mls\u001b[22m\r\n\u001b[32m<ok>\u001b[39m & done\r\n'],
  ]);
  const svg = await readFile(join(directory, 'out.svg'), 'utf8');
  expect(svg.match(/<text .*/g)).toEqual([
    '<text y="14"><tspan font-weight="bold">$ ls</tspan></text>',
    '<text y="32"><tspan fill="#7ec699">&lt;ok&gt;</tspan> &amp; done</text>',
  ]);
});

it('breaks lines as a terminal of its width does', async () => {
  await capture(`console.log('x'.repeat(250))`);
  const svg = await readFile(join(directory, 'out.svg'), 'utf8');
  expect([...svg.matchAll(/<text [^>]*>(x*)</g)].map(([, line]) => line?.length)).toEqual([110, 110, 30]);
});

it('breaks lines between words, whatever their colours', async () => {
  const words = `${'word '.repeat(21)}\\u001b[1mcluster\\u001b[22mmesh ends here`;
  await capture(`console.log('${words}')`);
  const svg = await readFile(join(directory, 'out.svg'), 'utf8');
  const lines = (svg.match(/<text .*/g) ?? []).map((line) => line.replace(/<[^>]*>/g, ''));
  expect(lines).toEqual(['word '.repeat(21), 'clustermesh ends here']);
  expect(svg).toContain('<tspan font-weight="bold">cluster</tspan>mesh ends here');
});

it('writes nothing when the command fails', async () => {
  expect(await capture('process.exit(3)')).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('exited 3') });
  expect(await readdir(directory)).toEqual([]);
});
