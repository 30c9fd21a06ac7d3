import { afterAll, beforeAll, expect, it } from 'vitest';
import { jsonOf, runCli } from '../support/cli.ts';
import { addService, type ServiceClusters, startServiceClusters } from '../support/service-clusters.ts';

let clusters: ServiceClusters;

const meshctl = (...argv: string[]) =>
  runCli(['service', ...argv, '--context', 'one,two'], { env: { KUBECONFIG: clusters.kubeconfigPath } });

beforeAll(async () => {
  clusters = await startServiceClusters(['one', 'two']);
  const { one, two } = clusters.stores;
  const control = { taints: [{ key: 'node-role.kubernetes.io/control-plane', effect: 'NoSchedule' }] };
  const nodes = { 'node-0': control, 'node-1': {}, 'node-2': {}, 'node-3': {} };
  for (const [name, spec] of Object.entries(nodes)) {
    one?.create({ apiVersion: 'v1', kind: 'Node', metadata: { name }, spec });
  }
  addService(one, 'near', { ready: 2, spec: { internalTrafficPolicy: 'Local' } });
  addService(two, 'near', { ready: 1 });
});
afterAll(() => clusters.close());

it('counts, with internalTrafficPolicy Local, on no backend of another node, and on those of other clusters', async () => {
  const { stdout } = await meshctl('failover', 'near', '--drained');
  expect(stdout).toMatch(/ mesh-1 +yes +1 of 3 \(33 %\) +mesh-2 by itself \(1\)$/m);
  expect(stdout).toMatch(/ mesh-2 +NO .* mesh-1 by itself \(2\), but its port http from node-3 by nobody$/m);
  const described = await meshctl('describe', 'near');
  expect(described.stdout).toMatch(/^ {2}Type: +ClusterIP, internalTrafficPolicy Local$/m);
  expect(described.stdout).toMatch(/^ {2}Uses now: +mesh-1 \(2\), mesh-2 \(1, not verified\)$/m);
  const listed = await meshctl('list');
  expect(listed.stdout).toContain(
    'default/near: has internalTrafficPolicy Local in mesh-1: its pods use the backends of their own node and of other clusters, and none of other nodes',
  );
});

it('says from which nodes requests fail', async () => {
  const slice = { apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', namespace: 'default', name: 'near-abcde' };
  clusters.stores.two?.delete(slice);
  const result = jsonOf(await meshctl('list', '-o', 'json')) as { services: { warnings: { message: string }[] }[] };
  const messages = result.services.flatMap(({ warnings }) => warnings.map(({ message }) => message));
  expect(messages).toEqual([expect.stringMatching(/; requests fail: mesh-1 \(http from node-3\)$/)]);
  const described = await meshctl('describe', 'near');
  expect(described.stdout).toMatch(/^ {2}Uses now: +mesh-1 \(2\), but nothing for http from node-3$/m);
});

it.each([
  ['v1.17.9', 'false', false],
  ['v1.17.9', 'true', true],
  // From then on agents heed the policy whatever cilium-config says.
  ['v1.18.0', 'false', true],
])('with agents of %s, and enable-internal-traffic-policy %s, goes by it: %s', async (tag, option, heeded) => {
  const { one } = clusters.stores;
  const [namespace, labels] = ['kube-system', { 'k8s-app': 'cilium' }];
  const containers = [{ name: 'cilium-agent', image: `quay.io/cilium/cilium:${tag}` }];
  const spec = { selector: { matchLabels: labels }, template: { metadata: { labels }, spec: { containers } } };
  const agents = { apiVersion: 'apps/v1', kind: 'DaemonSet', metadata: { name: 'cilium', namespace } };
  const config = { apiVersion: 'v1', kind: 'ConfigMap', name: 'cilium-config', namespace };
  one?.create({ ...agents, spec });
  one?.update(config, (object) => Object.assign(object.data ?? {}, { 'enable-internal-traffic-policy': option }));
  const described = await meshctl('describe', 'near');
  one?.delete({ ...agents, ...agents.metadata });
  expect(described.stdout.includes('internalTrafficPolicy Local')).toBe(heeded);
  expect(described.stdout.includes('but nothing for http from node-3')).toBe(heeded);
});
