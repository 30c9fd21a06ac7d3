import { afterAll, beforeAll, expect, it } from 'vitest';
import { jsonOf } from '../support/cli.ts';
import { type ConnectClusters, startConnectClusters } from '../support/connect-clusters.ts';
import { connect } from '../support/e2e-cli.ts';
import { found, refs } from '../support/sandbox-mesh.ts';
import { requireValid } from '../support/schemas.ts';

let clusters: ConnectClusters;
const ROTATE = ['clustermesh', 'certs', 'rotate', '--context', 'mesh-1,mesh-2'];
const PARTED = 'mesh-2 dials mesh-1, which does not let it in any more, so the certificate for dialling mesh-1 stays';

beforeAll(async () => {
  clusters = await startConnectClusters(2);
  expect((await clusters.meshctl(connect('mesh-1', 'mesh-2'))).exitCode).toBe(0);
});
afterAll(() => clusters?.close());

it('a rotation that goes on names who has parted with whom since it stopped, and its end says so too', async () => {
  const interrupt = new AbortController();
  await clusters.meshctl([...ROTATE, '--ca', '--yes'], {
    signal: interrupt.signal,
    onOutput: (text) => {
      if (text.includes('Phase 3 of 5')) interrupt.abort();
    },
  });
  const forget = ['clustermesh', 'disconnect', '--context', 'mesh-1', '--peer', 'mesh-2', '--yes'];
  expect((await clusters.meshctl(forget)).exitCode).toBe(0);
  const stoppedAgain = new AbortController();
  const stopped = await clusters.meshctl(ROTATE, {
    signal: stoppedAgain.signal,
    onOutput: (text) => {
      if (text.includes('Phase 5 of 5')) stoppedAgain.abort();
    },
  });
  // Before it began, and where it stopped.
  expect(stopped.stderr.split(PARTED)).toHaveLength(3);
  const result = jsonOf(await clusters.meshctl([...ROTATE, '-o', 'json']));
  expect(result.parted).toMatchObject([{ context: 'mesh-2', peer: 'mesh-1', says: PARTED }]);
  const { stdout } = await clusters.meshctl(ROTATE);
  expect(stdout).toContain(`‼ mesh-2: ${PARTED}\n   → connect them again:`);
});

it('a cluster whose CA has its key elsewhere holds up no other, and is told of where anything of it is due', async () => {
  const { store } = found(clusters.clusters[0], 'mesh-1');
  store.update(refs.secret('cilium-ca'), (secret) => {
    delete (secret.data as Record<string, string>)['ca.key'];
  });
  expect((await clusters.meshctl([...ROTATE, '--older-than', '300d', '--dry-run'])).exitCode).toBe(0);
  const planned = await clusters.meshctl([...ROTATE, '--dry-run']);
  expect(planned.exitCode).toBe(1);
  expect(planned.stdout).toMatch(/\n✗ mesh-1: its due certificates are not renewed: [^→]*\n +→ [^→]*--ca-cert/);
  const { exitCode, ...rest } = await clusters.meshctl([...ROTATE, '-o', 'json']);
  const result = jsonOf({ exitCode, ...rest });
  requireValid(result);
  expect(exitCode).toBe(1);
  expect(result.unsigned).toMatchObject([{ context: 'mesh-1', hint: expect.stringContaining('--ca-cert') }]);
  const renewed = result.certificates as { context: string }[];
  expect([...new Set(renewed.map(({ context }) => context))]).toEqual(['mesh-2']);
});
