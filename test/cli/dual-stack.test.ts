/** Clusters of which nodes and pods have addresses of both families: what is well in one says nothing of the other. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { jsonOf } from '../support/cli.ts';
import { startConnectedMesh } from '../support/connected-mesh.ts';
import type { Meshctl } from '../support/e2e-cli.ts';
import { untilHealthy } from '../support/open-look.ts';
import type { TestSandbox } from '../support/sandbox-mesh.ts';

let sandbox: TestSandbox;
let meshctl: Meshctl;

beforeAll(async () => {
  const ipFamilies = [4, 6] as const;
  ({ sandbox, meshctl } = await startConnectedMesh({ clusters: [{ ipFamilies }, { ipFamilies }] }));
  await untilHealthy(sandbox, ['mesh-1', 'mesh-2']);
});

afterAll(() => sandbox?.close());

afterEach(async () => {
  await meshctl.ok(['sandbox', 'mend', '--all']);
  expect(sandbox.errors).toEqual([]);
});

describe('a network that lets one family through', () => {
  it('is told of by the check of nodes, with the address', async () => {
    const look = async () => {
      const { checks } = jsonOf(
        await meshctl(['clustermesh', 'check', '--context', 'mesh-1,mesh-2', '-o', 'json']),
      ) as unknown as { checks: { id: string; severity: string; message: string }[] };
      return checks.filter(({ id }) => id === 'node-health');
    };
    expect(await look()).toMatchObject([{ severity: 'pass' }]);
    await meshctl.ok(['sandbox', 'break', 'drop:mesh-1<>mesh-2:ipv6']);
    const [found] = await look();
    expect(found).toMatchObject({ severity: 'fail' });
    expect(found?.message).toContain('node http over IPv6 to fd00:18:2::11: Connection timed out');
    // Packets of pods travel in a tunnel of the other family.
    expect(found?.message).not.toMatch(/endpoint|IPv4/);
  });
});
