import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli } from '../support/cli.ts';
import { missingProgram, programAgainst } from '../support/e2e-programs.ts';
import { startTestSandbox, type TestSandbox } from '../support/sandbox-mesh.ts';

/**
 * kubectl asks the API server to validate strictly: unknown and duplicate fields are refused. The sandbox knows the fields
 * of Kubernetes 1.36; that a real API server of that version agrees is tried by hand on the rig.
 */
describe.skipIf(missingProgram('kubectl', 'version', '--client'))('what render prints', () => {
  let sandbox: TestSandbox;
  let kubectl: ReturnType<typeof programAgainst>;

  beforeAll(async () => {
    sandbox = await startTestSandbox({ clusters: 1, nodes: 0, withoutCa: true });
    kubectl = programAgainst(sandbox.kubeconfigPath, 'kubectl');
  });

  afterAll(async () => {
    await sandbox?.close();
  });

  const OPTIONS = [
    ...['--pod-disruption-budget', '--etcd-storage', 'memory', '--pull-secret', 'regcred', '--replicas', '2'],
    ...['--resources', 'requests.cpu=100m,limits.memory=1Gi', '--service-type', 'LoadBalancer'],
    ...['--load-balancer-class', 'x', '--load-balancer-ip', '10.0.0.1', '--load-balancer-source-ranges', '10.0.0.0/8'],
    ...['--set', 'Deployment:spec.template.spec.tolerations=[{operator: Exists}]'],
  ];

  async function render(version: string, more: readonly string[] = []): Promise<string> {
    const cluster = ['--cilium-version', version, '--cluster-name', 'mesh-1', '--cluster-id', '1'];
    const { stdout, exitCode, stderr } = await runCli(['clustermesh', 'render', ...cluster, ...more]);
    expect(exitCode, stderr).toBe(0);
    return stdout;
  }

  const apply = (manifests: string) =>
    kubectl(['apply', '--server-side', '--dry-run=server', '--validate=strict', '-f', '-'], manifests);

  it.each(['1.16.0', '1.17.0', '1.18.12', '1.19.0', '1.20.0', '1.21.0-pre.0'])(
    'for Cilium %s passes strict validation',
    async (version) => {
      const objects = async (...more: string[]) => (await apply(await render(version, more))).trim().split('\n');
      // Without the Secrets of certificates, which only the cluster knows.
      expect(await objects()).toHaveLength(9);
      expect(await objects('--certificates', 'inline')).toHaveLength(14);
      expect(await objects(...OPTIONS)).toHaveLength(10);
    },
  );

  it('would not pass with a field that does not exist', async () => {
    const wrong = (await render('1.20.0')).replace('priorityClassName:', 'priorityClasName:');
    await expect(apply(wrong)).rejects.toThrow(/priorityClasName/);
  });
});
