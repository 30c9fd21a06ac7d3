/** A cluster whose cilium-config has the name of one of its peers by now. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type CheckMesh, configure, startCheckMesh } from '../support/check-scenarios.ts';
import { jsonOf } from '../support/cli.ts';
import { untilHealthy } from '../support/open-look.ts';

let mesh: CheckMesh;
let report: Record<string, unknown>;
beforeAll(async () => {
  mesh = await startCheckMesh({ state: 'connected' });
  // KVStoreMesh has copied what the peer says of itself.
  await untilHealthy(mesh.sandbox, ['mesh-1', 'mesh-2']);
  configure(mesh.one, { 'cluster-name': 'mesh-2' });
  report = jsonOf(await mesh.meshctl(['clustermesh', 'check', '--context', 'mesh-1', '-o', 'json']));
});
afterAll(() => mesh.sandbox.close());

it('is not said to run as that peer, of which its etcd has a copy', () => {
  const checks = report.checks as { id: string; severity: string; args: object }[];
  expect(checks.filter(({ severity }) => severity === 'fail')).toMatchObject([
    {
      id: 'identity-running',
      args: {
        wanted: 'mesh-2, id 1',
        reasons: ['the clustermesh-apiserver runs as mesh-1, id 1', 'agents run as mesh-1 (mesh-1-node-1)'],
      },
    },
  ]);
});

it('is read beside the peer by the command that is told, although both have the name', () => {
  expect(report.oneSided).toEqual({
    peers: ['mesh-2'],
    hint: expect.stringMatching(/^Read both: meshctl clustermesh check .*--context mesh-1,mesh-2$/),
  });
});
