import { afterEach, expect, it } from 'vitest';
import type { WrittenEnable, WrittenSpec } from '../../src/mesh/file/document.ts';
import { ApiError } from '../../src/sandbox/apiserver/errors.ts';
import { type ConnectClusters, startBareClusters } from '../support/connect-clusters.ts';
import { meshText } from '../support/mesh-files.ts';

/** After a rollback the same file is applied again, and all is so as if the first run had come to its end. */
let clusters: ConnectClusters;
afterEach(async () => {
  expect(clusters?.errors).toEqual([]);
  await clusters?.close();
});

const spec = (names: readonly string[], enable: WrittenEnable = {}): WrittenSpec => ({
  clusters: names.map((name) => ({ name })),
  defaults: { enable },
  topology: { type: 'mesh' },
});
const apply = (what: WrittenSpec, ...more: string[]) =>
  clusters.meshctl(['apply', '-f', '-', '--yes', ...more], { input: meshText(what) });
const ok = async (run: Promise<{ exitCode: number; stdout: string; stderr: string }>) => {
  const { exitCode, stdout, stderr } = await run;
  expect(exitCode, stdout + stderr).toBe(0);
  return stdout;
};
const deployed = () =>
  Object.entries(clusters.objects())
    .filter(([key]) => /(Service|Deployment)\//.test(key))
    .map(([key, object]) => [key, (object as { spec: object }).spec]);

it.each<[string, WrittenSpec | undefined, WrittenEnable]>([
  ['clusters that were not enabled', undefined, {}],
  [
    'settings that were otherwise',
    spec(['mesh-1', 'mesh-2'], {
      replicas: 2,
      resources: { etcd: { requests: { cpu: '10m' }, limits: { cpu: '1' } } },
    }),
    { replicas: 1, resources: { etcd: { requests: { cpu: '20m' } } } },
  ],
])('apply that was rolled back comes to its end when it is run again: %s', async (_what, first, enable) => {
  clusters = await startBareClusters(3);
  if (first) await ok(apply(first));
  const wanted = spec(['mesh-1', 'mesh-2', 'mesh-3'], enable);
  const before = deployed();
  let failed = false;
  clusters.fault = async ({ context, verb, name }) => {
    if (context !== 'mesh-3' || !['create', 'patch'].includes(verb) || name !== 'cilium-clustermesh') return undefined;
    failed = true;
    throw new ApiError(422, 'Invalid', 'admission webhook said no');
  };
  const stopped = await apply(wanted);
  expect({ exitCode: stopped.exitCode, failed }, stopped.stderr).toEqual({ exitCode: 1, failed: true });
  for (const name of ['mesh-1', 'mesh-2', 'mesh-3']) expect(stopped.stderr).toContain(`${name}: is as before\n`);
  expect(deployed()).toEqual(before);

  clusters.fault = undefined;
  const planned = await ok(apply(wanted, '--dry-run'));
  await ok(apply(wanted));
  const limited = deployed().flatMap(([key, of]) => (JSON.stringify(of).includes('limits') ? [key] : []));
  expect(limited).toEqual([]);
  const again = JSON.parse(await ok(apply(wanted, '--dry-run', '-o', 'json'))) as { summary: object };
  expect(again.summary, planned).toMatchObject({ create: 0, update: 0, delete: 0 });
  await ok(clusters.meshctl(['clustermesh', 'status', '--context', 'mesh-1,mesh-2,mesh-3', '--wait']));
});
