import type { SandboxCluster, SandboxOptions } from '../../src/sandbox/sandbox.ts';
import { connect, enable, type Meshctl, meshctlWith } from './e2e-cli.ts';
import { found, startTestSandbox, type TestSandbox } from './sandbox-mesh.ts';

/** Clusters of which meshctl has enabled and connected mesh-1 and mesh-2. */
export interface ConnectedMesh {
  sandbox: TestSandbox;
  meshctl: Meshctl;
  one: SandboxCluster;
  two: SandboxCluster;
}

/**
 * Starts a sandbox, and enables and connects its first two clusters. Whether agents know it yet, `untilHealthy` waits for.
 * @param enableFlags further flags of enable
 */
export async function startConnectedMesh(
  options: SandboxOptions = {},
  ...enableFlags: string[]
): Promise<ConnectedMesh> {
  const sandbox = await startTestSandbox(options);
  const meshctl = meshctlWith(sandbox.kubeconfigPath);
  const [one, two] = sandbox.clusters;
  try {
    await meshctl.ok(enable('mesh-1,mesh-2', ...enableFlags));
    await meshctl.ok(connect('mesh-1', 'mesh-2'));
  } catch (error) {
    await sandbox.close();
    throw error;
  }
  return { sandbox, meshctl, one: found(one, 'mesh-1'), two: found(two, 'mesh-2') };
}
