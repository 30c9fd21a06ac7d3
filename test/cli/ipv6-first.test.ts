/** A cluster of both families, whose Services have IPv6 addresses unless told otherwise, beside clusters whose pods have one alone. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { apiserverServiceRef } from '../../src/mesh/objects/names.ts';
import { jsonOf } from '../support/cli.ts';
import { enable, type Meshctl, meshctlWith } from '../support/e2e-cli.ts';
import { startTestSandbox, type TestSandbox } from '../support/sandbox-mesh.ts';

let sandbox: TestSandbox;
let meshctl: Meshctl;

beforeAll(async () => {
  sandbox = await startTestSandbox({
    nodes: 1,
    clusters: [
      { context: 'both', ipFamilies: [6, 4] },
      // What pods have not, nodes may have.
      { context: 'six', ipFamilies: [6], nodeFamilies: [4, 6] },
      { context: 'four', ipFamilies: [4] },
    ],
  });
  meshctl = meshctlWith(sandbox.kubeconfigPath);
  await meshctl.ok(enable('both,six,four'));
});

afterAll(async () => {
  expect(sandbox?.errors).toEqual([]);
  await sandbox?.close();
});

const DUAL_STACK = ['--set', 'Service/clustermesh-apiserver:spec.ipFamilyPolicy=PreferDualStack'];
const CONNECT = ['clustermesh', 'connect', '--context', 'both', '--destination-context', 'six,four', '--yes'];

it('Services have the first family of their cluster', () => {
  const families = sandbox.clusters.map(({ store }) => {
    const { spec, status } = store.get(apiserverServiceRef('kube-system')) as {
      spec?: { ipFamilies: string[] };
      status?: { loadBalancer: { ingress: { ip: string }[] } };
    };
    return [spec?.ipFamilies, status?.loadBalancer.ingress.map(({ ip }) => ip)];
  });
  expect(families).toEqual([
    [['IPv6'], ['fd00:18:1::100']],
    [['IPv6'], ['fd00:18:2::100']],
    [['IPv4'], ['172.18.3.100']],
  ]);
});

it('whoever has IPv4 alone is connected once the Service has both, and rules are for those families that are dialled', async () => {
  const refused = await meshctl(CONNECT);
  expect(refused.exitCode).toBe(1);
  expect(refused.stderr).toContain('have addresses of IPv4 only, and so cannot dial mesh-1 at fd00:18:1::100');
  await meshctl.ok(enable('both', ...DUAL_STACK, '--yes'));
  await meshctl.ok(CONNECT);
  await meshctl.ok(['clustermesh', 'status', '--context', 'both,six,four', '--wait', '--wait-duration', '60s']);
  const { rules } = jsonOf(
    await meshctl(['clustermesh', 'firewall', '--context', 'both,six,four', '-o', 'json']),
  ) as unknown as { rules: { kind: string; from: string; to: string; destinations: string[] }[] };
  const dialled = rules.filter((rule) => rule.kind === 'apiserver' && rule.to === 'mesh-1');
  expect(dialled.map(({ from, destinations }) => [from, destinations])).toEqual([
    ['mesh-2', ['fd00:18:1::100/128']],
    ['mesh-3', ['172.18.1.100/32']],
  ]);
});
