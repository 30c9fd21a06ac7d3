import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { ApiError } from '../../src/sandbox/apiserver/errors.ts';
import { jsonOf } from '../support/cli.ts';
import { type ConnectClusters, startBareClusters } from '../support/connect-clusters.ts';
import { connect, enable } from '../support/e2e-cli.ts';
import { clusterAt, refs } from '../support/sandbox-mesh.ts';

/** What `--dry-run=server` says of a run that is then refused, or may be. */
let clusters: ConnectClusters;

beforeAll(async () => {
  clusters = await startBareClusters(2);
});

afterEach(() => {
  clusters.fault = undefined;
});

afterAll(async () => {
  expect(clusters?.errors).toEqual([]);
  await clusters?.close();
});

const ENABLE = enable('mesh-1,mesh-2');

it('a binding of a role that is yet to be made is refused by it where nobody may bind, and by the run before it writes', async () => {
  clusters.fault = async ({ verb, resource }) => {
    if (resource !== 'clusterrolebindings' || verb === 'get') return undefined;
    const what = 'resource "clusterrolebindings" in API group "rbac.authorization.k8s.io" at the cluster scope';
    const says = `clusterrolebindings.rbac.authorization.k8s.io is forbidden: User "ann" cannot ${verb} ${what}`;
    throw new ApiError(403, 'Forbidden', says);
  };
  const tried = await clusters.meshctl([...ENABLE, '--dry-run=server']);
  expect(tried.exitCode, tried.stdout).toBe(3);
  expect(tried.stdout).toContain('the API server refuses 2 of the steps');
  const ran = await clusters.meshctl(ENABLE);
  expect(ran.exitCode, ran.stderr).toBe(3);
  expect(clusterAt(clusters, 'mesh-1').store.get(refs.service('clustermesh-apiserver'))).toBeUndefined();
});

it('a binding that cannot be tried is not called accepted', async () => {
  clusters.fault = async ({ verb, resource }) => {
    if (resource !== 'clusterrolebindings' || verb === 'get') return undefined;
    throw new ApiError(404, 'NotFound', 'clusterroles.rbac.authorization.k8s.io "clustermesh-apiserver" not found');
  };
  const tried = await clusters.meshctl([...ENABLE, '--dry-run=server']);
  expect(tried.exitCode, tried.stdout).toBe(0);
  expect(tried.stdout).toContain('the API server accepts what can be tried; only the run tries 2 of the steps');
});

it('connect says that it proves credentials only in the run', async () => {
  expect((await clusters.meshctl([...ENABLE, '--dry-run=server'])).stdout).toContain(
    'the API server accepts everything.',
  );
  expect((await clusters.meshctl(ENABLE)).exitCode).toBe(0);
  const tried = await clusters.meshctl([...connect('mesh-1', 'mesh-2'), '--dry-run=server', '-o', 'json']);
  expect(tried.exitCode, tried.stderr).toBe(0);
  expect(jsonOf(tried).untried).toEqual(['the proof of the credentials']);
  const without = [...connect('mesh-1', 'mesh-2'), '--dry-run=server', '--no-proof'];
  expect((await clusters.meshctl(without)).stdout).toContain('the API server accepts everything.');
});
