import { afterAll, beforeAll, expect, it } from 'vitest';
import { jsonOf, runCli } from '../support/cli.ts';
import {
  addService,
  namespaceObject,
  type ServiceClusters,
  startServiceClusters,
} from '../support/service-clusters.ts';

/** A namespace of mesh-2 that says it is not global, which Cilium heeds from 1.19 on. */
let clusters: ServiceClusters;

beforeAll(async () => {
  clusters = await startServiceClusters(['one', 'two']);
  const { one, two } = clusters.stores;
  one?.create(namespaceObject('shop'));
  two?.create(namespaceObject('shop', { 'clustermesh.cilium.io/global': 'false' }));
  addService(one, 'cart', { namespace: 'shop', ready: 0 });
  addService(two, 'cart', { namespace: 'shop', ready: 2 });
});
afterAll(() => clusters.close());

it.each([
  ['v1.18.4', true],
  ['v1.20.0', false],
])('with Cilium %s, its Services are shared: %s', async (tag, shared) => {
  const labels = { 'k8s-app': 'cilium' };
  const containers = [{ name: 'cilium-agent', image: `quay.io/cilium/cilium:${tag}` }];
  const ref = { apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'cilium', namespace: 'kube-system' };
  for (const store of [clusters.stores.one, clusters.stores.two]) {
    if (store?.get(ref)) store.delete(ref);
    store?.create({
      apiVersion: ref.apiVersion,
      kind: ref.kind,
      metadata: { name: ref.name, namespace: ref.namespace },
      spec: { selector: { matchLabels: labels }, template: { metadata: { labels }, spec: { containers } } },
    });
  }
  const argv = ['service', 'describe', 'cart', '-n', 'shop', '--context', 'one,two'];
  const env = { KUBECONFIG: clusters.kubeconfigPath };
  const { service } = jsonOf(await runCli([...argv, '-o', 'json'], { env })) as unknown as {
    service: { clusters: { cluster: string; definition: { published: boolean; uses: { cluster: string }[] } }[] };
  };
  const of = (name: string) => service.clusters.find(({ cluster }) => cluster === name)?.definition;
  expect(of('mesh-2')?.published).toBe(shared);
  expect(of('mesh-1')?.uses.map(({ cluster }) => cluster)).toEqual(shared ? ['mesh-2'] : []);
});
