import { afterAll, beforeAll, expect, it } from 'vitest';
import type { ConnectClusters } from '../support/connect-clusters.ts';
import { plainWords, startRebuiltMesh } from '../support/rebuilt-mesh.ts';
import { found, refs } from '../support/sandbox-mesh.ts';

/** A mesh of three whose mesh-2 is gone, and rebuilt with another id: context `mesh-2` leads to that one. */
let clusters: ConnectClusters;
let flags: string[];

const mesh = (...argv: string[]) => ['clustermesh', ...argv];

beforeAll(async () => {
  ({ clusters, withoutFormer: flags } = await startRebuiltMesh({ id: 9, withoutCa: false }));
  const { store } = found(clusters.clusters[1], 'former');
  store.delete(refs.deployment('clustermesh-apiserver'));
  store.delete(refs.service('clustermesh-apiserver'));
});
afterAll(() => clusters?.close());

const run = async (...argv: string[]) => {
  const { exitCode, stdout, stderr } = await clusters.meshctl([...argv, ...flags]);
  return { exitCode, stdout: plainWords(stdout), stderr: plainWords(stderr) };
};
const status = (...more: string[]) => run(...mesh('status', '--context', 'mesh-1,mesh-2,mesh-3'), ...more);
const forget = (context: string) => `meshctl clustermesh disconnect --context ${context} --peer mesh-2`;
const FORGET_ALL = forget('mesh-1,mesh-3');

it('what mends the way to a peer that was rebuilt with another id forgets the former one first, without which connect refuses it', async () => {
  const ids = (context: string) => `(${context} knows a mesh-2 with the id 2, and this one has the id 9)`;
  const off = await status();
  expect(off.stdout).toContain(ids('mesh-1'));
  expect(off.stdout).toContain(
    `→ forget the former one: ${FORGET_ALL} or have this one take its place: ${FORGET_ALL} && ` +
      'meshctl clustermesh enable --context mesh-2 && ' +
      'meshctl clustermesh connect --context mesh-2 --destination-context mesh-1,mesh-3',
  );
  const enabled = await run(...mesh('enable', '--context', 'mesh-2'));
  expect(enabled.exitCode, enabled.stderr).toBe(0);

  const { stdout } = await status();
  const lines = [...stdout.matchAll(/→ (.*?) (?=⚠️|More:|$)/g)].map(([, hint = '']) => hint.trim());
  const anew = (context: string) =>
    `forget the former one, then connect this one: ${forget(context)} && meshctl clustermesh connect --context ${context} --destination-context mesh-2`;
  expect([...new Set(lines)].sort()).toEqual([anew('mesh-1'), anew('mesh-3')]);
  expect(stdout).toContain(ids('mesh-3'));

  const refused = await run(...mesh('connect', '--context', 'mesh-2', '--destination-context', 'mesh-1,mesh-3'));
  expect([refused.exitCode, refused.stderr]).toEqual([
    1,
    expect.stringContaining(`forget the former one: ${FORGET_ALL}`),
  ]);

  for (const context of ['mesh-1', 'mesh-3']) {
    for (const argv of [
      mesh('disconnect', '--context', context, '--peer', 'mesh-2', '--yes'),
      mesh('connect', '--context', context, '--destination-context', 'mesh-2'),
    ]) {
      const { exitCode, stderr } = await run(...argv);
      expect(exitCode, stderr).toBe(0);
      // Etcd knows a user by its name alone, and the former one's certificate is still good.
      const again = `context "${context}" lets whoever has the certificate of the former "mesh-2" in again as soon as a cluster of that name is connected to it`;
      expect(stderr.includes(again)).toBe(argv.includes('disconnect'));
    }
  }
  const { exitCode, stdout: mended } = await status('--wait');
  expect(exitCode, mended).toBe(0);
});
