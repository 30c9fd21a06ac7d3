import { expect, test } from 'vitest';
import type { ClusterClient } from '../../src/kube/client.ts';
import { MeshctlError } from '../../src/mesh/errors.ts';
import { readProbes } from '../../src/snapshot/probes.ts';

/** Answers lists of these apiVersions; others are not served. */
function clientServing(served: readonly string[]) {
  const asked: string[] = [];
  const listAll: ClusterClient['listAll'] = async ({ apiVersion, kind }) => {
    asked.push(`${apiVersion} ${kind}`);
    if (!served.includes(apiVersion)) throw new MeshctlError('NotFound', 'not served');
    return [{ apiVersion, kind, metadata: { name: 'one' } }];
  };
  return { client: { listAll } as ClusterClient, asked };
}

test.each([
  [['cilium.io/v2', 'cilium.io/v2alpha1'], ['cilium.io/v2']],
  [['cilium.io/v2alpha1'], ['cilium.io/v2', 'cilium.io/v2alpha1']],
])('of %j, a pool is asked for in the newest version, of which no API server warns', async (served, versions) => {
  const { client, asked } = clientServing(served);
  const found = await readProbes(client, ['cilium.io']);
  expect(found).toHaveLength(1);
  expect(asked.filter((line) => line.startsWith('cilium.io'))).toEqual(
    versions.map((version) => `${version} CiliumLoadBalancerIPPool`),
  );
});
