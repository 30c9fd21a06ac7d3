import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { ConnectClusters } from '../support/connect-clusters.ts';
import { meshText } from '../support/mesh-files.ts';
import { plainWords, startRebuiltMesh } from '../support/rebuilt-mesh.ts';

/** A mesh of three by a file; mesh-2 is gone, and a new cluster of its name is at its context, in which nothing is enabled yet. */
let clusters: ConnectClusters;
let file: string;
let kubeconfig: string[];

const NAMES = ['mesh-1', 'mesh-2', 'mesh-3'];
const run = (argv: string[], answers?: string[]) =>
  clusters.meshctl([...argv, ...kubeconfig], answers ? { answers } : {});
const apply = (...more: string[]) => run(['apply', '-f', file, ...more]);
const perhaps = (context: string) =>
  `the mesh-2 that context "${context}" dials is cut off if it is another cluster than that of context "mesh-2"`;

beforeAll(async () => {
  ({ clusters, withoutFormer: kubeconfig } = await startRebuiltMesh());
  file = join(dirname(clusters.kubeconfigPath), 'mesh.yaml');
  await writeFile(file, meshText({ clusters: NAMES.map((name) => ({ name })), topology: { type: 'mesh' } }));
});
afterAll(() => clusters?.close());

it('says that a new cluster may take the place of the one of its name, and nothing of peers that it never had', async () => {
  const before = clusters.objects();
  const { stdout } = await apply('--dry-run');
  const { stderr, exitCode } = await apply();
  const diff = await run(['diff', '-f', file]);
  expect(clusters.objects()).toEqual(before);
  expect(exitCode).toBe(2);
  expect(plainWords(stdout)).not.toMatch(/as before|the former CA|peer mesh-[13] (is|may be) cut off/);
  expect(plainWords(stderr)).not.toContain('mesh-1, mesh-3');
  for (const context of ['mesh-1', 'mesh-3']) {
    expect(plainWords(stderr)).toContain(perhaps(context));
    expect(plainWords(diff.stdout)).toContain(perhaps(context));
  }
  expect(plainWords(stdout)).toContain('nothing but the name tells that it is the cluster of context "mesh-2"');
});

it('asks once, and connects it', async () => {
  const { exitCode, stderr } = await run(['apply', '-f', file], ['y']);
  expect(exitCode, stderr).toBe(0);
  const status = await run(['clustermesh', 'status', '--context', NAMES.join(), '--wait']);
  expect(status.exitCode, status.stdout).toBe(0);
  expect((await apply()).stdout).toContain('Nothing to change');
});

it('says the same where it is the former one, of which everything was taken away', async () => {
  const disabled = await run(['clustermesh', 'disable', '--context', 'mesh-2', '--disconnect=false', '--yes']);
  expect(disabled.exitCode, disabled.stderr).toBe(0);
  const { stdout } = await apply('--dry-run');
  expect(plainWords(stdout)).not.toMatch(/as before|the former CA|is cut off|another cluster/);
  const applied = await apply('--yes');
  expect(applied.exitCode, applied.stderr).toBe(0);
  expect((await run(['clustermesh', 'status', '--context', NAMES.join(), '--wait'])).exitCode).toBe(0);
});
