import { afterAll, beforeAll, expect, it } from 'vitest';
import { ApiError } from '../../src/sandbox/apiserver/errors.ts';
import { type ConnectClusters, startBareClusters } from '../support/connect-clusters.ts';
import { enable } from '../support/e2e-cli.ts';
import { meshText } from '../support/mesh-files.ts';
import { clusterAt, refs } from '../support/sandbox-mesh.ts';

/** mesh-1 has no CA, and mesh-2 is to share the one that it gets. */
let clusters: ConnectClusters;
const BOTH = enable('mesh-1,mesh-2', '--ca-from-context', 'mesh-1');
const caOf = (context: string) => clusterAt(clusters, context).store.get(refs.secret('cilium-ca'))?.data;

beforeAll(async () => {
  clusters = await startBareClusters(2, { withoutCa: true });
});

afterAll(async () => {
  expect(clusters.errors).toEqual([]);
  await clusters.close();
});

const setId = (id: string) =>
  clusterAt(clusters, 'mesh-1').store.update(
    refs.configMap('cilium-config'),
    ({ data }) => void Object.assign(data as object, { 'cluster-id': id }),
    'helm',
  );

it('gives it to nobody else where the cluster that it is made for cannot be enabled, or does not get it', async () => {
  const says = 'context "mesh-2": it was to share the new CA of context "mesh-1", which has not got it';
  const expectNone = async (...more: string[]) => {
    const failed = await clusters.meshctl([...BOTH, ...more]);
    expect(failed.exitCode).toBe(1);
    expect(failed.stdout + failed.stderr).toContain(says);
    expect([caOf('mesh-1'), caOf('mesh-2')]).toEqual([undefined, undefined]);
  };
  setId('0');
  await expectNone('--dry-run');
  await expectNone();
  setId('1');
  clusters.fault = async ({ context, verb, resource }) => {
    if (context !== 'mesh-1' || verb !== 'create' || resource !== 'secrets') return undefined;
    throw new ApiError(422, 'Invalid', 'admission webhook said no');
  };
  await expectNone();
  clusters.fault = undefined;
  const enabled = await clusters.meshctl(BOTH);
  expect(enabled.exitCode, enabled.stdout + enabled.stderr).toBe(0);
  expect(caOf('mesh-1')).toEqual(caOf('mesh-2'));
});

it('is not made again where the others have it by now, whoever asks for it', async () => {
  const shared = caOf('mesh-2');
  expect((await clusters.meshctl(['clustermesh', 'disable', '--context', 'mesh-1', '--yes'])).exitCode).toBe(0);
  expect(caOf('mesh-1')).toBeUndefined();
  const input = meshText({
    clusters: [{ name: 'mesh-1' }, { name: 'mesh-2', enable: { caFrom: 'mesh-1' } }],
    topology: { type: 'mesh' },
  });
  const planned = await clusters.meshctl(['apply', '-f', '-', '--dry-run', '-o', 'json'], { input });
  expect(planned.stdout).toContain('of context \\"mesh-2\\"');
  const enabled = await clusters.meshctl(BOTH);
  expect(enabled.exitCode, enabled.stdout + enabled.stderr).toBe(0);
  expect(caOf('mesh-1')).toEqual(shared);
  expect(caOf('mesh-2')).toEqual(shared);
});

it("is marked as another cluster's, also where a Secret of Helm's gets it, and as its own again", async () => {
  const markOf = (context: string) =>
    clusterAt(clusters, context).store.get(refs.secret('cilium-ca'))?.metadata.annotations?.['meshctl.io/ca-origin'];
  const ok = (...argv: string[]) => clusters.meshctl.ok(argv);
  await ok(...enable('mesh-2', '--replace-ca', '--yes'));
  expect(markOf('mesh-2')).toBe('generated');
  await ok(...enable('mesh-2', '--replace-ca', '--ca-from-context', 'mesh-1', '--yes'));
  expect(caOf('mesh-2')).toEqual(caOf('mesh-1'));
  expect(markOf('mesh-2')).toBe('copied');
  await ok('clustermesh', 'certs', 'rotate', '--ca', '--context', 'mesh-2', '--yes');
  expect(markOf('mesh-2')).toBe('generated');
});
