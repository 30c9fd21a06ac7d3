import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { ApiError } from '../../src/sandbox/apiserver/errors.ts';
import { serverCertificateSpec } from '../support/certificate-specs.ts';
import { type ConnectClusters, startBareClusters } from '../support/connect-clusters.ts';
import { enable } from '../support/e2e-cli.ts';
import { issued, SERVER_CERT } from '../support/fault-parts.ts';
import { clusterAt, setSecret } from '../support/sandbox-mesh.ts';

const SHOWN = 'mesh-1: its etcd shows the new certificates';
let clusters: ConnectClusters;
const cluster = () => clusterAt(clusters, 'mesh-1');

beforeAll(async () => {
  // By itself no kubelet brings anything new to a pod that runs: it has to be told to.
  clusters = await startBareClusters(1, { timings: { secretSyncMs: 1e8 } });
  const first = await clusters.meshctl(enable('mesh-1'));
  expect(first).toMatchObject({ exitCode: 0, stderr: expect.not.stringContaining(SHOWN) });
});

afterAll(() => clusters.close());

/** The server certificate of a running clustermesh-apiserver lacks the address that peers dial, so it is reissued. */
beforeEach(async () => {
  clusters.fault = undefined;
  const spec = { ...serverCertificateSpec(cluster()), ipAddresses: ['127.0.0.1', '::1'] };
  const { certificate, privateKey } = await issued(spec, cluster());
  setSecret(cluster(), SERVER_CERT, { 'tls.crt': certificate, 'tls.key': privateKey });
});

it('waits until the etcd shows what it has reissued', async () => {
  const done = await clusters.meshctl(enable('mesh-1'));
  expect(done.exitCode, done.stderr).toBe(0);
  expect(done.stderr).toContain(SHOWN);
  expect((await clusters.meshctl(enable('mesh-1'))).stderr).not.toContain(SHOWN);
});

it('exits 1 where the etcd goes on with the former one, and says so', async () => {
  clusters.fault = async ({ resource, verb }) => {
    if (resource === 'pods' && verb === 'patch') throw new ApiError(403, 'Forbidden', 'pods is forbidden');
    return undefined;
  };
  const done = await clusters.meshctl([...enable('mesh-1'), '--wait-duration', '2s']);
  expect(done.exitCode, done.stderr).toBe(1);
  expect(done.stderr).not.toContain(SHOWN);
  expect(done.stderr).toContain('it shows another server certificate than the new one');
});

it('says so where it may not look', async () => {
  clusters.fault = async ({ path }) => {
    if (path.endsWith('/portforward')) throw new ApiError(403, 'Forbidden', 'pods/portforward is forbidden');
    return undefined;
  };
  const done = await clusters.meshctl(enable('mesh-1'));
  expect(done.exitCode, done.stderr).toBe(0);
  expect(done.stderr).toContain('mesh-1: whether its etcd shows the new certificates could not be looked at');
});
