import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { jsonOf } from '../support/cli.ts';
import { type ConnectClusters, startConnectClusters } from '../support/connect-clusters.ts';
import { connect } from '../support/e2e-cli.ts';
import { meshText } from '../support/mesh-files.ts';
import { clusterAt, refs } from '../support/sandbox-mesh.ts';

/** A policy of mesh-1 that names no cluster: by Cilium's option it means pods of mesh-1, or of all clusters that mesh-1 dials. */
let clusters: ConnectClusters;

const POLICY = {
  apiVersion: 'cilium.io/v2',
  kind: 'CiliumNetworkPolicy',
  metadata: { namespace: 'default', name: 'rebel-base' },
  spec: {
    endpointSelector: { matchLabels: { name: 'rebel-base' } },
    ingress: [{ fromEndpoints: [{ matchLabels: { name: 'x-wing' } }] }],
  },
};
const NAMED = {
  ...POLICY,
  metadata: { namespace: 'default', name: 'named' },
  spec: {
    endpointSelector: {},
    ingress: [{ fromEndpoints: [{ matchLabels: { 'io.cilium.k8s.policy.cluster': 'mesh-1' } }] }],
  },
};
const SAYS =
  'context "mesh-1": selectors that name no cluster mean pods of mesh-2 too, in network policy default/rebel-base → ' +
  'meshctl clustermesh inspect-policy-default-local-cluster --context mesh-1 --all-namespaces';
const APPLY = ['apply', '-f', '-'];
const input = meshText({ clusters: [{ name: 'mesh-1' }, { name: 'mesh-2' }], topology: { type: 'mesh' } });

beforeAll(async () => {
  clusters = await startConnectClusters(2);
  const { store } = clusterAt(clusters, 'mesh-1');
  store.create(POLICY);
  store.create(NAMED);
});

afterAll(async () => {
  expect(clusters?.errors).toEqual([]);
  await clusters?.close();
});

const setLocal = (value: string) =>
  clusterAt(clusters, 'mesh-1').store.update(
    refs.configMap('cilium-config'),
    ({ data }) => void Object.assign(data as object, { 'policy-default-local-cluster': value }),
  );

beforeEach(() => void setLocal('false'));

const warningsOf = async (argv: readonly string[]) => {
  const planned = await clusters.meshctl([...argv, '--dry-run', '-o', 'json'], { input });
  expect(planned.exitCode, planned.stdout + planned.stderr).toBe(0);
  return ((jsonOf(planned).warnings ?? []) as string[]).filter((words) => words.includes('network polic'));
};

it.each([[connect('mesh-1', 'mesh-2')], [APPLY]])('%j names the policy, and the command shows it', async (argv) => {
  expect(await warningsOf(argv)).toEqual([SAYS]);
  const shown = await clusters.meshctl((SAYS.split('→ meshctl ')[1] ?? '').split(' '));
  expect(shown.stdout).toMatch(/default\/rebel-base/);
});

it('says nothing of it where it means pods of its own cluster, nor where mesh-1 does not dial', async () => {
  expect(await warningsOf(connect('mesh-2', 'mesh-1', '--connection-mode', 'unicast'))).toEqual([]);
  setLocal('true');
  expect(await warningsOf(connect('mesh-1', 'mesh-2'))).toEqual([]);
});

it('says it in the run, and not again where the connection is there', async () => {
  const ran = await clusters.meshctl(connect('mesh-1', 'mesh-2'));
  expect(ran.exitCode, ran.stderr).toBe(0);
  expect(ran.stderr).toContain(SAYS.split(' →')[0]);
  expect(await warningsOf(connect('mesh-1', 'mesh-2'))).toEqual([]);
});
