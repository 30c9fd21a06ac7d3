import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startConnectedMesh } from '../support/connected-mesh.ts';
import { missingProgram, programAgainst } from '../support/e2e-programs.ts';
import type { TestSandbox } from '../support/sandbox-mesh.ts';

describe.skipIf(missingProgram('cilium', 'version', '--client'))("upstream's cilium on a sandbox", () => {
  let sandbox: TestSandbox;

  beforeAll(async () => {
    ({ sandbox } = await startConnectedMesh());
  });

  afterAll(async () => {
    await sandbox?.close();
  });

  it('finds every node and replica connected', async () => {
    const cilium = programAgainst(sandbox.kubeconfigPath, 'cilium');
    const text = await cilium(['clustermesh', 'status', '--context', 'mesh-1', '--wait', '--wait-duration', '20s']);
    expect(text).toContain('✅ Service "clustermesh-apiserver" of type "LoadBalancer" found');
    expect(text).toContain('  - 172.18.1.100:2379');
    expect(text).toContain('✅ All 2 nodes are connected to all clusters');
    expect(text).toContain('✅ All 1 KVStoreMesh replicas are connected to all clusters');
    expect(text).toContain('  - mesh-2: 2/2 configured, 2/2 connected - KVStoreMesh: 1/1 configured, 1/1 connected');
  });
});
