import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CliResult } from '../support/cli.ts';
import { restoreInto } from '../support/cloned-cluster.ts';
import { type ConnectClusters, startBareClusters } from '../support/connect-clusters.ts';
import { connect } from '../support/e2e-cli.ts';
import { kubeconfigWithout } from '../support/e2e-kubeconfig.ts';
import { clusterAt, found, refs } from '../support/sandbox-mesh.ts';
import { good, mesh } from '../support/two-owners.ts';

/** mesh-1 and its peer mesh-2 are connected. `restored` is a backup of mesh-1 beside it, and its owner joins it with mesh-2 by messages. */
let clusters: ConnectClusters;
let folder: string;
let withoutLiving: string[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'accept-clone-'));
  clusters = await startBareClusters(0, {
    clusters: [
      { name: 'mesh-1', context: 'mesh-1', id: 1 },
      { name: 'mesh-2', context: 'mesh-2', id: 2 },
      { name: 'mesh-1', context: 'restored', id: 1 },
    ],
  });
  good(await clusters.meshctl(mesh('enable', '--context', 'mesh-1,mesh-2')));
  good(await clusters.meshctl(connect('mesh-1', 'mesh-2')));
  good(await clusters.meshctl(mesh('status', '--context', 'mesh-1,mesh-2', '--wait')));
  restoreInto(clusterAt(clusters, 'restored'), clusterAt(clusters, 'mesh-1'));
  good(await clusters.meshctl(mesh('status', '--context', 'restored', '--wait')));
  withoutLiving = ['--kubeconfig', await kubeconfigWithout(clusters.kubeconfigPath, 'mesh-1')];
});
afterAll(async () => {
  await clusters?.close();
  await rm(folder, { recursive: true });
});

/** Runs a command there, and puts down what it prints. */
async function send(file: string, argv: readonly string[]): Promise<CliResult> {
  const result = await clusters.meshctl(argv, { cwd: folder });
  await writeFile(join(folder, file), result.stdout);
  return result;
}
const accept = (context: string, file: string, ...more: string[]) =>
  mesh('accept', file, '--context', context, ...more);
/** Whom mesh-2 dials by the name of the two. */
const dialled = () => found(clusterAt(clusters, 'mesh-2').store.get(refs.secret('cilium-kvstoremesh')), 'it').data;

/** Sends the three messages, of which the last one has mesh-2 dial the one that invited. */
async function exchange(context: string, ...words: string[]): Promise<void> {
  good(await send('invitation', mesh('invite', '--context', context, ...words)));
  good(await send('reply', accept('mesh-2', 'invitation', '-y')));
  good(await send('confirmation', accept(context, 'reply', '-y', '--no-proof')));
}
const confirmed = (...more: string[]) => clusters.meshctl(accept('mesh-2', 'confirmation', ...more), { cwd: folder });

describe('a message of a restored backup', () => {
  beforeAll(() => exchange('restored'));

  it('is not taken for the living one: its plan names the context that is cut, and how it comes back', async () => {
    const before = dialled();
    const { stdout } = await confirmed('--dry-run');
    expect(stdout).toMatch(
      /✗ peer mesh-1 is cut off [^\n]*it is the cluster of context "mesh-1", whose place that of the message takes/,
    );
    expect(stdout).toContain('→ meshctl clustermesh connect --context mesh-2 --destination-context mesh-1\n');
    expect(await confirmed()).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining(
        'the cluster of context "mesh-1", is cut off, another cluster than that of the message',
      ),
    });
    expect(dialled()).toEqual(before);
  });

  it('is told by who answers where mesh-2 dials, where no context leads to the living one', async () => {
    const before = dialled();
    const { stdout } = await confirmed('--dry-run', ...withoutLiving);
    expect(stdout).toContain(
      'one of its name and certificate answers at 172.18.1.100:2379, which is no address that the message tells',
    );
    expect(await confirmed(...withoutLiving)).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('is cut off if it is another cluster than that of the message'),
    });
    expect(dialled()).toEqual(before);
  });
});

describe('a message of the cluster that is dialled', () => {
  it.each([
    ['within reach', () => []],
    ['not within reach', () => withoutLiving],
  ])('with its own address cuts nobody: %s', async (_, flags) => {
    await exchange('mesh-1');
    expect((await confirmed('--dry-run', ...flags())).stdout).toMatch(/~ peer mesh-1 reconnects: client certificate/);
  });

  it('with another address of it is known by its nodes, and asks only as that has not been tried', async () => {
    await exchange('mesh-1', '--endpoint', '172.18.9.9:2379');
    const { stdout } = await confirmed('--dry-run');
    expect(stdout).toMatch(/\? peer mesh-1 may be cut off: .*172\.18\.9\.9:2379 has not been tried from there\n/);
    expect(stdout).not.toContain('another cluster');
  });
});
