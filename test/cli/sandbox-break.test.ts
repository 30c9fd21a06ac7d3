/** The network of a sandbox that runs is broken and mended by command lines. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { runCli } from '../support/cli.ts';
import { type Meshctl, meshctlWith } from '../support/e2e-cli.ts';
import { eventually, execIn, startTestSandbox, type TestSandbox } from '../support/sandbox-mesh.ts';

let sandbox: TestSandbox;
let meshctl: Meshctl;

beforeAll(async () => {
  sandbox = await startTestSandbox({ nodes: 1 });
  meshctl = meshctlWith(sandbox.kubeconfigPath);
});

afterAll(() => sandbox?.close());

afterEach(async () => {
  await meshctl.ok(['sandbox', 'mend', '--all']);
  expect(sandbox.errors).toEqual([]);
});

const ping = async () => {
  const words = ['perl', '-e', 'the program', 'send', '0123abcd', 'b/icmp/172.18.2.11///'];
  return (await execIn(sandbox, 'mesh-1', 'cilium', 'cilium-agent', words)).stdout.split(' ')[1]?.trimEnd();
};
const pings = (outcome: string) => eventually(ping, (said) => said === outcome, outcome);

describe('sandbox break', () => {
  it('breaks what is said, shows it, and mend takes it back', async () => {
    expect((await meshctl.ok(['sandbox', 'break'])).stdout).toBe(
      'Nothing is broken in the network between the clusters.\n',
    );
    const broken = await meshctl.ok(['sandbox', 'break', 'drop:mesh-1<>mesh-2:icmp,delay:mesh-1>mesh-2:5ms']);
    expect(broken.stdout).toBe(
      [
        'Broken between the clusters',
        '  delay:mesh-1>mesh-2:5ms',
        '  drop:mesh-1>mesh-2:icmp',
        '  drop:mesh-2>mesh-1:icmp',
        '',
      ].join('\n'),
    );
    await pings('silent');
    // What is broken already stays so.
    await meshctl.ok(['sandbox', 'break', 'drop:mesh-1>mesh-2:icmp']);
    await meshctl.ok(['sandbox', 'mend', 'drop:mesh-1<>mesh-2:icmp']);
    expect((await meshctl.ok(['sandbox', 'break'])).stdout).toBe(
      'Broken between the clusters\n  delay:mesh-1>mesh-2:5ms\n',
    );
    await pings('answered');
  });

  it.each([
    [['break', 'dropp:mesh-1>mesh-2'], 'Did you mean drop?'],
    [['break', 'drop:mesh-1>mesh-3'], 'Did you mean mesh-'],
    [['mend'], 'meshctl sandbox break'],
    [['mend', 'drop:mesh-1>mesh-2', '--all'], 'meshctl sandbox break'],
    [['mend', 'drop:mesh-1>mesh-2'], 'The network has no rules.'],
  ])('%j is a mistake of the command line', async (words, hint) => {
    const { exitCode, stderr } = await meshctl(['sandbox', ...words]);
    expect({ exitCode, stderr }).toEqual({ exitCode: 2, stderr: expect.stringContaining(hint) });
  });

  it('knows clusters by their names, whatever their contexts are called by now', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'meshctl-renamed-'));
    const kubeconfig = parse(await readFile(sandbox.kubeconfigPath, 'utf8')) as { contexts: { name: string }[] };
    const renamed = {
      ...kubeconfig,
      contexts: kubeconfig.contexts.map((entry) => ({ ...entry, name: entry.name.replace('mesh-', 'cloud-') })),
    };
    const path = join(folder, 'kubeconfig.yaml');
    await writeFile(path, stringify(renamed));
    const there = meshctlWith(path);
    const refused = await there(['sandbox', 'break', 'drop:cloud-1>cloud-2:icmp']);
    expect(refused).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('There are: mesh-1, mesh-2') });
    await there.ok(['sandbox', 'break', 'drop:mesh-1>mesh-2:icmp']);
    await pings('silent');
    await rm(folder, { recursive: true });
  });

  it('finds no sandbox where there is none', async () => {
    const nowhere = { HOME: '/nonexistent', KUBECONFIG: '/nonexistent/kubeconfig' };
    const { exitCode, stderr } = await runCli(['sandbox', 'break'], { env: nowhere });
    expect({ exitCode, stderr }).toEqual({
      exitCode: 2,
      stderr: expect.stringMatching(/clusters of \/nonexistent\/kubeconfig\n.*meshctl sandbox up --detach/),
    });
  });
});

it.each([
  [
    'gke,eks',
    /contexts +gke, eks\n[\s\S]* enable --context gke,eks\n +meshctl clustermesh connect --context gke --destination-context eks\n[\s\S]* status --context gke,eks --wait\n/,
  ],
  [
    'gke,eks,bare-metal',
    /contexts +gke, eks, bare-metal\n[\s\S]* enable --context gke,eks,bare-metal\n +meshctl clustermesh connect --all\n[\s\S]*--context bare-metal apply .*\n +meshctl clustermesh status --all --wait\n/,
  ],
  ['gke,gke', /contexts +mesh-1, mesh-2\n/],
])('sandbox up --provider %s names its contexts by them, and what it prints joins all', async (providers, says) => {
  const ctrlC = new AbortController();
  const onOutput = (text: string) => text.includes('Ctrl-C ends') && ctrlC.abort();
  const { stdout, stderr } = await runCli(['sandbox', 'up', '--nodes', '1', '--provider', providers], {
    signal: ctrlC.signal,
    onOutput,
  });
  expect(`${stdout}${stderr}`).toMatch(says);
});

it('sandbox up counts its clusters as one does', async () => {
  const ctrlC = new AbortController();
  const onOutput = (text: string) => text.includes('is up') && ctrlC.abort();
  const { stderr } = await runCli(['sandbox', 'up', '--clusters', '1', '--nodes', '1'], {
    signal: ctrlC.signal,
    onOutput,
  });
  expect(stderr).toContain('Starting 1 simulated cluster\n');
  expect(stderr).toMatch(/✔ 1 simulated cluster with Cilium \S+ is up/);
});
