import { afterAll, beforeAll, expect, it } from 'vitest';
import type { ConnectClusters } from '../support/connect-clusters.ts';
import { isLook, printedCommands } from '../support/printed-commands.ts';
import { startRebuiltMesh } from '../support/rebuilt-mesh.ts';

/** A mesh of three whose mesh-2 was rebuilt with another id, another CA and other ranges. */
let clusters: ConnectClusters;
let flags: string[];

beforeAll(async () => {
  ({ clusters, withoutFormer: flags } = await startRebuiltMesh({ id: 9 }));
  const { exitCode, stderr } = await clusters.meshctl(['clustermesh', 'enable', '--context', 'mesh-2', ...flags]);
  expect(exitCode, stderr).toBe(0);
});
afterAll(() => clusters?.close());

it('what check prints, typed from top to bottom, ends in a mesh that is well', async () => {
  const report = await clusters.meshctl(['clustermesh', 'check', '--context', 'mesh-1,mesh-2,mesh-3', ...flags]);
  expect(report.exitCode).toBe(1);
  const commands = printedCommands(report).filter((command) => !isLook(command));
  expect(commands, report.stdout).not.toEqual([]);
  for (const { argv, line } of commands) {
    const { exitCode, stderr } = await clusters.meshctl(argv, { answers: Array.from({ length: 9 }, () => 'y') });
    expect(exitCode, `${line}\n${stderr}`).toBe(0);
  }
  const status = await clusters.meshctl([
    'clustermesh',
    'status',
    '--context',
    'mesh-1,mesh-2,mesh-3',
    '--wait',
    ...flags,
  ]);
  expect(status.exitCode, status.stdout).toBe(0);
});
