/** Where a cluster is not connected, its pods cannot answer: what keeps it from connecting is told, and no network is blamed. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { CheckEntry } from '../../src/mesh/checks/catalogue.ts';
import { jsonOf } from '../support/cli.ts';
import { CATALOGUE } from '../support/fault-catalogue.ts';
import { type FaultMesh, startFaultMesh } from '../support/fault-mesh.ts';
import { CHECK } from '../support/follow-printed.ts';
import { eventually } from '../support/sandbox-mesh.ts';

let mesh: FaultMesh;
beforeAll(async () => {
  mesh = await startFaultMesh();
});
afterAll(() => mesh.close());

/** Where KVStoreMesh alone has lost the peer, agents go on with what its cache has, and may be reached for long. */
const UNCONNECTED = [
  'agents-secret-deleted',
  'both-secrets-deleted',
  'peer-in-replicas-secret-only',
  'one-way',
  'agents-of-another-id',
  'node-port-local-and-pod-moved',
];

it.each(CATALOGUE.filter(({ id }) => UNCONNECTED.includes(id)))('$id: no network is blamed', async (fault) => {
  await mesh.restore();
  await fault.arrange(mesh);
  mesh.redial();
  const look = async () => jsonOf(await mesh.meshctl([...CHECK, '-o', 'json'])).checks as CheckEntry[];
  // Until kubelets have refreshed what agents dial by, their pods answer.
  const checks = await eventually(
    look,
    (entries) =>
      entries.some(
        ({ id, severity, args }) => id === 'node-health' && (severity === 'fail' || /^see /.test(`${args.reason}`)),
      ),
    'the health endpoint is not reached',
  );
  const failed = checks.filter(({ severity }) => severity === 'fail');
  expect(failed).not.toEqual([]);
  for (const { hint = '' } of failed) expect(hint).not.toMatch(/firewall|VPN/);
  const health = checks.filter(({ id }) => id === 'node-health');
  const said = health.map(({ severity, args }) => [severity, args.reason]);
  expect(said).toContainEqual(['skip', expect.stringMatching(/^see /)]);
  const [, cause] =
    /^see (\S+)$/.exec(String(health.find(({ args }) => /^see /.test(`${args.reason}`))?.args.reason)) ?? [];
  expect(failed.map(({ id }) => id)).toContain(cause);
});
