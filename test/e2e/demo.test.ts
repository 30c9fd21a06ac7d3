import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { type CliOptions, runCli } from '../support/cli.ts';
import { blocksOf, patternOf, runsOf } from '../support/doc-blocks.ts';
import { healthyText } from '../support/e2e-cli.ts';

/** The demo keeps to its own times, and makes the keys of two clusters. */
vi.setConfig({ testTimeout: 120_000 });

const ASK = "$ kubectl --context gke exec deploy/x-wing -- curl -s 'rebel-base?[1-20]'";

let directory: string;
let listeners: number;

/** Sockets that this process listens on. */
const listening = () => process.getActiveResourcesInfo().filter((name) => /^(TCP|Pipe)ServerWrap$/.test(name)).length;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'meshctl-test-'));
  vi.stubEnv('TMPDIR', directory);
  listeners = listening();
});

afterEach(async () => {
  vi.unstubAllEnvs();
  expect(await readdir(directory)).toEqual([]);
  expect(listening()).toBe(listeners);
  await rm(directory, { recursive: true });
});

it('shows each command as typed with its real output, and ends with both clusters connected', async () => {
  const { exitCode, stdout, stderr } = await runCli(['demo']);
  expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 });
  expect(stdout.match(/^\$ .*/gm)).toEqual([
    '$ meshctl connectivity probe --context gke,eks',
    '$ meshctl clustermesh check --pre --context gke,eks',
    '$ meshctl clustermesh enable --context gke,eks',
    '$ meshctl clustermesh connect --context gke --destination-context eks',
    '$ meshctl clustermesh status --context gke --wait',
    '$ meshctl clustermesh check --category network --context gke,eks',
    '$ kubectl apply -f rebel-base.yaml    # in both clusters',
    ASK,
    '$ meshctl service global default/rebel-base --context gke,eks',
    ASK,
    '$ meshctl service list --context gke,eks',
    '$ meshctl service global default/rebel-base --context gke,eks --affinity local',
    ASK,
    '$ kubectl --context gke scale deploy/rebel-base --replicas 0',
    '$ kubectl --context gke scale deploy/rebel-base --replicas 2',
    '$ meshctl clustermesh status --context gke --wait',
    '$ meshctl clustermesh status --context eks --wait',
  ]);
  const answers = [...stdout.matchAll(/((?: {2}mesh-\d .*\n)+) {2}(\d+ requests, .*)/g)].map(
    ([, bars = '', verdict]) => [...(bars.match(/mesh-\d/g) ?? []), verdict],
  );
  expect(answers).toEqual([
    ['mesh-1', '20 requests, none failed'],
    ['mesh-1', 'mesh-2', '20 requests, none failed'],
    ['mesh-1', '20 requests, none failed'],
    ['mesh-1', 'mesh-2', '150 requests, none failed'],
    ['mesh-1', '20 requests, none failed'],
  ]);
  expect(stdout).toContain('✅ mesh-1 and mesh-2 are set up to dial each other\n');
  expect(stdout).toContain(`\n$ meshctl clustermesh status --context gke --wait\n${healthyText(2, 'mesh-2')}`);
  expect(stdout.endsWith(`\n$ meshctl clustermesh status --context eks --wait\n${healthyText(2, 'mesh-1')}`)).toBe(
    true,
  );
  // The first page begins with the demo: its commands are there in this order, and both end alike.
  const readme = blocksOf('README.md').filter(({ language }) => language === 'console')[0];
  const shown = readme ? runsOf(readme) : [];
  const typed = stdout.split('\n').flatMap((line) => (line.startsWith('$ ') ? [line.slice(2)] : []));
  const places = shown.map(({ command }, index) => typed.indexOf(command, index));
  expect(places).toEqual(places.filter((place) => place >= 0).toSorted((one, other) => one - other));
  expect(typed.at(-1)).toBe(shown.at(-1)?.command);
  for (const { command, output } of shown) {
    const printed = stdout
      .split(`$ ${command}\n`)
      .slice(1)
      .map((rest) => rest.split(/\n(?:\n# .*\n)?\$ /)[0] ?? '');
    expect(printed.filter((text) => patternOf(output).test(`${text.trimEnd()}\n`))).not.toEqual([]);
  }
});

it.each<[string, string[], string]>([
  ['in the middle', ['demo'], '✅ Cluster Mesh is enabled in'],
  ['while it is kept up', ['demo', '--keep'], 'The sandbox stays up until Ctrl-C'],
])('leaves nothing behind after Ctrl-C %s', async (_when, argv, words) => {
  const ctrlC = new AbortController();
  const onOutput: CliOptions['onOutput'] = (text) => {
    if (text.includes(words)) ctrlC.abort();
  };
  const { exitCode, stderr } = await runCli(argv, { signal: ctrlC.signal, onOutput });
  expect(ctrlC.signal.aborted).toBe(true);
  expect({ exitCode, stderr }).toMatchObject({ exitCode: argv.includes('--keep') ? 0 : 130 });
});
