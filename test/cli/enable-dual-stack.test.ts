/** A load balancer of AWS is of IPv4 unless its Service says otherwise, whichever way that comes to have both families. */
import { afterEach, expect, it } from 'vitest';
import { keyOf } from '../../src/mesh/objects/kube-object.ts';
import { apiserverServiceRef } from '../../src/mesh/objects/names.ts';
import { jsonOf } from '../support/cli.ts';
import { enable, meshctlWith } from '../support/e2e-cli.ts';
import { found, startTestSandbox, type TestSandbox } from '../support/sandbox-mesh.ts';

const SERVICE = apiserverServiceRef('kube-system');
const ADDRESS_TYPE = 'service.beta.kubernetes.io/aws-load-balancer-ip-address-type';
const set = (field: string, value: string) => ['--set', `Service/clustermesh-apiserver:spec.${field}=${value}`];
const POLICY = set('ipFamilyPolicy', 'PreferDualStack');
const FAMILIES = [...set('ipFamilies', '[IPv4, IPv6]'), ...set('ipFamilyPolicy', 'RequireDualStack')];

let sandbox: TestSandbox;

afterEach(async () => {
  expect(sandbox?.errors).toEqual([]);
  await sandbox?.close();
});

it.each<[string, 'aws' | 'gce', readonly string[], readonly string[], string | undefined]>([
  ['a Service that is there, by its policy', 'aws', [], POLICY, 'dualstack'],
  ['a Service that is there, by its families', 'aws', [], FAMILIES, 'dualstack'],
  ['a new one', 'aws', POLICY, [], 'dualstack'],
  ['none that keeps its one family', 'aws', [], [], undefined],
  ['none of another cloud', 'gce', POLICY, [], undefined],
  ['none of which that was chosen', 'aws', ['--service-annotation', `${ADDRESS_TYPE}=ipv4`], POLICY, 'ipv4'],
])('enable tells it of %s, and the next run changes nothing', async (_what, provider, first, then, expected) => {
  sandbox = await startTestSandbox({ nodes: 1, provider, clusters: [{ ipFamilies: [4, 6] }] });
  const meshctl = meshctlWith(sandbox.kubeconfigPath);
  await meshctl.ok(enable('mesh-1', ...first));
  // It is waited for another address, which the load balancer of the sandbox does not get.
  await meshctl.ok(enable('mesh-1', ...then, '--yes', '--wait-duration', '3s'));
  const service = found(sandbox.clusters[0], 'mesh-1').store.get(SERVICE);
  expect(service?.metadata.annotations?.[ADDRESS_TYPE], keyOf(SERVICE)).toBe(expected);
  for (const words of [[], then]) {
    const again = jsonOf(await meshctl(enable('mesh-1', ...words, '--dry-run', '-o', 'json'))) as unknown as {
      clusters: { steps: { action: string; object: unknown; changes: unknown[] }[] }[];
    };
    expect(again.clusters.flatMap(({ steps }) => steps).filter(({ action }) => action !== 'keep')).toEqual([]);
  }
});
