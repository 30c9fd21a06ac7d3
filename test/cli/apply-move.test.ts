import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { WrittenSpec } from '../../src/mesh/file/document.ts';
import { ApiError } from '../../src/sandbox/apiserver/errors.ts';
import { type ConnectClusters, type SeenRequest, startConnectClusters } from '../support/connect-clusters.ts';
import { connect } from '../support/e2e-cli.ts';
import { meshText } from '../support/mesh-files.ts';
import { agentReports, kvstoremeshReports } from '../support/peer-reports.ts';
import { found, refs } from '../support/sandbox-mesh.ts';

/** `apply` that switches KVStoreMesh in mesh-1, which mesh-2 is connected with, and then fails because of mesh-3. */
let clusters: ConnectClusters;

const mesh = (...argv: string[]) => ['clustermesh', ...argv];
const ok = (argv: readonly string[]) => clusters.meshctl.ok(argv);
const wait = (...names: string[]) => ok(mesh('status', '--context', names.join(), '--wait'));
const switching = (kvstoremesh: boolean): WrittenSpec => ({
  clusters: [{ name: 'mesh-1', enable: { kvstoremesh } }, { name: 'mesh-2' }, { name: 'mesh-3' }],
  topology: { type: 'mesh' },
});
const apply = (kvstoremesh: boolean) =>
  clusters.meshctl(['apply', '-f', '-', '--yes'], { input: meshText(switching(kvstoremesh)) });
const refuse = () => {
  throw new ApiError(422, 'Invalid', 'admission webhook said no');
};
const refusesDialling = ({ context, verb, name }: SeenRequest) =>
  context === 'mesh-3' && ['create', 'patch'].includes(verb) && name === 'cilium-kvstoremesh';
const storeOf = (index: number) => found(clusters.clusters[index], `cluster ${index}`).store;

/** What makes the mesh: pods, and what only says when something was done, are left out. */
const standing = () =>
  Object.fromEntries(
    Object.entries(clusters.objects())
      .filter(([key]) => /(Secret|ConfigMap)\//.test(key))
      .map(([key, object]) => [key, (object as { data?: object }).data]),
  );
const podSpec = () => {
  const { spec } = found(storeOf(0).get(refs.deployment('clustermesh-apiserver')), 'the Deployment');
  return (spec as { template: { spec: object } }).template.spec;
};
const isConnected = (reports: readonly { name: string; ready?: boolean }[]) =>
  reports.some(({ name, ready }) => name === 'mesh-2' && ready === true);

beforeEach(async () => {
  clusters = await startConnectClusters(3);
});
afterEach(async () => {
  expect(clusters?.errors).toEqual([]);
  await clusters?.close();
});

describe('apply that fails after it has switched KVStoreMesh', () => {
  it.each([
    ['off', false],
    ['on', true],
  ])(
    '%s takes all of it back in an order that loses no peer, and works when it is run again',
    async (_, kvstoremesh) => {
      if (kvstoremesh) await ok(mesh('enable', '--context', 'mesh-1', '--enable-kvstoremesh=false'));
      await ok(connect('mesh-1', 'mesh-2'));
      await wait('mesh-1', 'mesh-2');
      const before = [standing(), podSpec()];

      let failed = false;
      const readers: boolean[] = [];
      clusters.fault = async (request) => {
        const { context, verb, resource, name } = request;
        if (refusesDialling(request)) {
          failed = true;
          refuse();
        }
        if (!failed || context !== 'mesh-1' || verb === 'get') return undefined;
        // Whoever is to be read from or to dial has the peer before the other one goes.
        if (!kvstoremesh && name === 'cilium-clustermesh')
          readers.push(await kvstoremeshReports(clusters, 'mesh-1').then(isConnected, () => false));
        if (kvstoremesh && resource === 'deployments') {
          const reports = await agentReports(clusters, 'mesh-1');
          readers.push(isConnected(reports) && reports.every(({ config }) => config?.kvstoremesh !== true));
        }
        return undefined;
      };
      const first = await apply(kvstoremesh);
      expect({ exitCode: first.exitCode, failed }).toEqual({ exitCode: 1, failed: true });
      expect(first.stderr).toContain('mesh-1: is as before\n');
      expect(first.stderr).not.toContain('another run');
      // What was connected besides is taken back before.
      expect(readers.at(-1)).toBe(true);
      expect([standing(), podSpec()]).toEqual(before);

      clusters.fault = undefined;
      const again = await apply(kvstoremesh);
      expect(again.exitCode, again.stderr).toBe(0);
      await wait('mesh-1', 'mesh-2', 'mesh-3');
    },
  );

  it('off leaves the agents as they are where KVStoreMesh does not come back, says so, and works when it is run again', async () => {
    await ok(connect('mesh-1', 'mesh-2'));
    await wait('mesh-1', 'mesh-2');
    let failed = false;
    clusters.fault = async (request) => {
      const { context, verb, resource } = request;
      if (refusesDialling(request)) {
        failed = true;
        refuse();
      }
      if (failed && context === 'mesh-1' && verb === 'patch' && resource === 'deployments') refuse();
      return undefined;
    };
    const first = await apply(false);
    expect(first.exitCode).toBe(1);
    expect(first.stderr).toContain('mesh-1: could not roll back Deployment kube-system/clustermesh-apiserver');
    expect(first.stderr.replaceAll(/\s+/g, ' ')).toContain(
      'has no KVStoreMesh, so the agents go on dialling mesh-2 themselves → See whether they are connected: meshctl clustermesh status --context mesh-1',
    );
    clusters.fault = undefined;
    await wait('mesh-1', 'mesh-2');
    const again = await apply(false);
    expect(again.exitCode, again.stderr).toBe(0);
    await wait('mesh-1', 'mesh-2', 'mesh-3');
  });
});
