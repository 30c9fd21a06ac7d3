import { afterAll, beforeAll, expect, it } from 'vitest';
import { jsonOf } from '../support/cli.ts';
import { connect } from '../support/e2e-cli.ts';
import { meshText } from '../support/mesh-files.ts';
import { clusterAt, found, refs } from '../support/sandbox-mesh.ts';
import { good, mesh, startTwoOwners, type TwoOwners } from '../support/two-owners.ts';

/** mesh-1 allows pods of mesh-2 by address: not any more once it dials mesh-2. */
let two: TwoOwners;

const POLICY = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { namespace: 'default', name: 'from-east' },
  spec: {
    podSelector: {},
    policyTypes: ['Ingress'],
    ingress: [{ from: [{ ipBlock: { cidr: '10.0.0.0/8', except: ['10.1.0.0/16'] } }] }],
  },
};
const SAYS =
  'network policy default/from-east allows traffic with pods of mesh-2 by address, and no longer does so once it is dialled';
const ADVICE =
  'context "mesh-1": rules by address do not mean pods and nodes of mesh-2 once dialled → In policies that';
const input = meshText({ clusters: [{ name: 'mesh-1' }, { name: 'mesh-2' }], topology: { type: 'mesh' } });

/** With the default of Cilium 1.20, by which selectors mean the own cluster only. */
const OF_NODES = {
  apiVersion: 'cilium.io/v2',
  kind: 'CiliumClusterwideNetworkPolicy',
  metadata: { name: 'from-nodes' },
  spec: { endpointSelector: {}, ingress: [{ fromEntities: ['cluster'] }] },
};
const GAINED = 'context "mesh-1": entity cluster means nodes of mesh-2 too, in network policy from-nodes';

beforeAll(async () => {
  two = await startTwoOwners(2);
  clusterAt(two.clusters, 'mesh-1').store.create(POLICY);
  clusterAt(two.clusters, 'mesh-1').store.create(OF_NODES);
});

afterAll(async () => {
  expect(two?.clusters.errors).toEqual([]);
  await two?.close();
});

type Planned = { clusters: { context: string; hazards?: string[] }[]; warnings?: string[] };

it.each([[connect('mesh-1', 'mesh-2')], [['apply', '-f', '-']]])('%j tells it, and asks', async (argv) => {
  const planned = await two.clusters.meshctl([...argv, '--dry-run', '-o', 'json'], { input });
  const { clusters, warnings = [] } = jsonOf(planned) as unknown as Planned;
  expect(clusters.flatMap(({ context, hazards = [] }) => hazards.map((says) => [context, says]))).toEqual([
    ['mesh-1', SAYS],
  ]);
  expect(warnings.filter((words) => words.startsWith(ADVICE))).toHaveLength(1);
  expect(warnings).toContain(GAINED);
  const ran = await two.clusters.meshctl(
    argv.filter((word) => word !== '--yes' && word !== '-y'),
    { input },
  );
  expect(ran.exitCode, ran.stderr).toBe(2);
  expect(ran.stderr).toContain('--yes');
});

it('diff tells which traffic policies no longer allow', async () => {
  const shown = await two.clusters.meshctl(['diff', '-f', '-'], { input });
  expect(shown.stdout + shown.stderr).toContain(SAYS);
});

it('a cluster whose pods have addresses of another plugin is judged by those that they have', async () => {
  const { store } = clusterAt(two.clusters, 'mesh-2');
  const setIpam = (ipam: string | undefined) =>
    store.update(refs.configMap('cilium-config'), (config) => {
      config.data = { ...(config.data as object), ...(ipam === undefined ? {} : { ipam }) };
    });
  const { ipam } = (store.get(refs.configMap('cilium-config'))?.data ?? {}) as { ipam?: string };
  setIpam('delegated-plugin');
  const endpoint = { apiVersion: 'cilium.io/v2', kind: 'CiliumEndpoint', namespace: 'default', name: 'shop' };
  store.create({
    apiVersion: endpoint.apiVersion,
    kind: endpoint.kind,
    metadata: { namespace: endpoint.namespace, name: endpoint.name },
    status: { networking: { addressing: [{ ipv4: '10.1.0.77' }] } },
  });
  const refused = await two.clusters.meshctl([...connect('mesh-1', 'mesh-2'), '--dry-run']);
  expect(refused.exitCode).toBe(1);
  expect(refused.stderr).toContain('pods have the same addresses (10.1.0.0/24 and 10.1.0.77)');
  store.delete(endpoint);
  setIpam(ipam ?? 'cluster-pool');
});

it('accept tells it where mesh-1 comes to dial mesh-2, and connect no more after that', async () => {
  const [a, b] = ['mesh-1', 'mesh-2'].map((name) => found(two.owners[name], name));
  if (!a || !b) throw new Error('there are two owners');
  const invitation = await two.save('invitation.yaml', good(await a(mesh('invite'))));
  const reply = await two.save('reply.yaml', good(await b(mesh('accept', invitation, '--yes'))));
  const planned = await a(mesh('accept', reply, '--dry-run', '-o', 'json'));
  expect(jsonOf(planned)).toMatchObject({ clusters: [{ context: 'mesh-1', hazards: [SAYS] }] });
  const accepted = await a(mesh('accept', reply, '--yes'));
  good(accepted);
  expect(accepted.stderr).toContain(`context "mesh-1": ${SAYS}`);
  const again = await two.clusters.meshctl([...connect('mesh-1', 'mesh-2'), '--dry-run', '-o', 'json']);
  expect((jsonOf(again) as unknown as Planned).clusters.flatMap(({ hazards = [] }) => hazards)).toEqual([]);
});
