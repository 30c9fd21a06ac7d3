import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { dataOf } from '../../src/mesh/objects/secret-data.ts';
import { SECRET_LIMIT } from '../../src/mesh/peers/file/secret-room.ts';
import type { CliResult } from '../support/cli.ts';
import { type ConnectClusters, startConnectClusters } from '../support/connect-clusters.ts';
import { connect } from '../support/e2e-cli.ts';
import { meshText } from '../support/mesh-files.ts';
import { found, refs } from '../support/sandbox-mesh.ts';

/** mesh-1 and mesh-2 are connected; the Secret of the peers of mesh-1 is almost full. */
let clusters: ConnectClusters;
let folder: string;
let reply: string;
const mesh = (...words: string[]) => clusters.meshctl(['clustermesh', ...words]);

beforeAll(async () => {
  clusters = await startConnectClusters(3);
  folder = await mkdtemp(join(tmpdir(), 'room-'));
  await clusters.meshctl.ok(connect('mesh-1', 'mesh-2'));
  const invitation = join(folder, 'invitation.yaml');
  await writeFile(invitation, (await mesh('invite', '--context', 'mesh-1', '--peer', 'mesh-3')).stdout);
  reply = join(folder, 'reply.yaml');
  await writeFile(reply, (await mesh('accept', invitation, '--context', 'mesh-3', '--yes')).stdout);
  const { store } = found(clusters.clusters[0], 'mesh-1');
  store.update(refs.secret('cilium-kvstoremesh'), (secret) => {
    const data = dataOf(secret);
    const used = Object.values(data).reduce((sum, value) => sum + Buffer.byteLength(value, 'base64'), 0);
    secret.data = { ...data, filling: Buffer.alloc(SECRET_LIMIT - used - 100, 'x').toString('base64') };
  });
});

afterAll(async () => {
  await clusters?.close();
  await rm(folder, { recursive: true });
});

const file = () => meshText({ clusters: [{ name: 'mesh-1' }, { name: 'mesh-3' }], topology: { type: 'mesh' } });

it.each<[string, () => Promise<CliResult>]>([
  ['connect', () => clusters.meshctl(connect('mesh-1', 'mesh-3', '--yes'))],
  ['connect --dry-run', () => clusters.meshctl(connect('mesh-1', 'mesh-3', '--dry-run'))],
  ['accept', () => mesh('accept', reply, '--context', 'mesh-1', '--yes')],
  ['apply', () => clusters.meshctl(['apply', '-f', '-', '--yes'], { input: file() })],
  ['certs rotate --ca', () => mesh('certs', 'rotate', '--ca', '--context', 'mesh-1,mesh-2', '--yes')],
])('%s is refused before anything is written where a Secret of peers has no room for it', async (_what, run) => {
  clusters.requests.length = 0;
  const { exitCode, stderr } = await run();
  expect(stderr).toMatch(
    /context "mesh-1": Secret kube-system\/cilium-kvstoremesh would have 10\d\d KiB for [12] peers?.*, and no Secret has more than 1024 KiB: there is room for about [01] of them\n.*: meshctl explain peer-secret-room\n/,
  );
  expect(exitCode).toBe(1);
  const written = clusters.requests.filter(
    ({ verb, resource }) => /create|update|patch|delete/.test(verb) && resource === 'secrets',
  );
  expect(written).toEqual([]);
});

it('what takes no more room is not refused', async () => {
  await clusters.meshctl.ok(['clustermesh', 'certs', 'rotate', '--context', 'mesh-1,mesh-2']);
  await clusters.meshctl.ok(connect('mesh-1', 'mesh-2'));
});
