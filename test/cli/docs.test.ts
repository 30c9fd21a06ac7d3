import { afterAll, beforeAll, expect, it } from 'vitest';
import { DEMO_FILES } from '../../src/flows/demo/rebel-base.ts';
import { readTemplate } from '../../src/manifests/load.ts';
import { runCli } from '../support/cli.ts';
import { blocksOf, docPages, patternOf, runsOf, TWO_OWNERS, wordsOf } from '../support/doc-blocks.ts';
import { type KubeconfigVariants, kubeconfigVariants } from '../support/e2e-kubeconfig.ts';
import { startTestSandbox, type TestSandbox } from '../support/sandbox-mesh.ts';
import { CHECKOUT } from '../support/schemas.ts';

/** Pages whose commands go on from what those before them did. The others begin where they need not care. */
const IN_ORDER = ['two-clouds', 'mesh-file', 'gitops', 'on-prem', 'many-clusters', 'rotate', 'move-out'].map(
  (name) => `docs/${name}.md`,
);
const CONTEXTS: Readonly<Record<string, string>> = { 'mesh-1': 'gke', 'mesh-2': 'eks', 'mesh-3': 'onprem' };

let sandbox: TestSandbox;
let kubeconfigs: KubeconfigVariants;
let kubeconfig: string;

beforeAll(async () => {
  sandbox = await startTestSandbox({
    clusters: [{ provider: 'gce' }, { provider: 'aws' }, { provider: 'bare-metal' }],
  });
  kubeconfigs = await kubeconfigVariants(sandbox.kubeconfigPath);
  kubeconfig = await kubeconfigs.write('docs', (file) => {
    for (const context of file.contexts) context.name = CONTEXTS[context.name] ?? context.name;
    file['current-context'] = 'gke';
  });
  const objects = await Promise.all(DEMO_FILES.map((file) => readTemplate(CHECKOUT, file)));
  for (const cluster of sandbox.clusters.slice(0, 2)) {
    for (const object of objects) cluster.store.create(structuredClone(object));
    await cluster.settled();
  }
});

afterAll(async () => {
  expect(sandbox.errors).toEqual([]);
  await kubeconfigs.remove();
  await sandbox.close();
});

const consoleRuns = (file: string) =>
  blocksOf(file)
    .filter(({ language }) => language === 'console')
    .flatMap(runsOf);
const others = docPages().filter((page) => ![...IN_ORDER, TWO_OWNERS, 'README.md'].includes(page));
const runs = [...IN_ORDER, ...others].flatMap(consoleRuns);
const printed = new Map<string, string>();

it.each(runs.map((run) => [run.where, run] as const))('%s prints what stands there', async (_where, run) => {
  const [program, ...words] = await wordsOf(run.command);
  expect(program).toBe('meshctl');
  const { exitCode, stdout, stderr } = await runCli(words, { env: { KUBECONFIG: kubeconfig } });
  expect(stdout, stderr).toMatch(patternOf(run.output));
  expect(exitCode).toBe(run.output.startsWith('❌') ? 1 : 0);
  if (!printed.has(run.command)) printed.set(run.command, stdout);
});

// It begins as the first page does.
it.each(consoleRuns('README.md').map((run) => [run.where, run] as const))('%s is what was printed', (_where, run) => {
  expect(printed.get(run.command)).toMatch(patternOf(run.output));
});
