import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeText } from '../../src/mesh/objects/secret-data.ts';
import { jsonOf } from '../support/cli.ts';
import { type ConnectClusters, startBareClusters } from '../support/connect-clusters.ts';
import { connect, enable } from '../support/e2e-cli.ts';
import { meshText } from '../support/mesh-files.ts';
import { discrepanciesOf } from '../support/planned-writes.ts';
import { clusterAt, refs } from '../support/sandbox-mesh.ts';

/** One after the other, each upon what the former has left. */
let clusters: ConnectClusters;

const mesh = (...argv: string[]) => ['clustermesh', ...argv];
const store = (context: string) => clusterAt(clusters, context).store;

const GKE = 'networking.gke.io/load-balancer-type';
const DISCONNECT = (...argv: string[]) =>
  mesh('disconnect', '--context', 'mesh-1', '--destination-context', 'mesh-2', ...argv);

beforeAll(async () => {
  clusters = await startBareClusters(3, { provider: 'gce' });
});

afterAll(async () => {
  expect(clusters?.errors).toEqual([]);
  await clusters?.close();
});

/** Keys that cert-manager needs for an issuer. */
const addTlsKeys = () => {
  store('mesh-3').update(
    refs.secret('cilium-ca'),
    ({ data }) => void Object.assign(data as object, { 'tls.crt': encodeText('a'), 'tls.key': encodeText('b') }),
    'kubectl-patch',
  );
};

const PAIR = meshText({
  clusters: [{ name: 'mesh-1' }, { name: 'mesh-2' }, { name: 'mesh-3', enable: { replicas: 2 } }],
  topology: { type: 'mesh' },
});
const LESS = meshText({ clusters: [{ name: 'mesh-1' }, { name: 'mesh-2' }], topology: { type: 'mesh' } });

describe('what a run writes is in its plan, and what its plan shows is written', () => {
  it.each<[name: string, argv: string[], more?: { input?: string; before?: () => void; yes?: boolean }]>([
    ['enable', enable('mesh-1,mesh-2'), { yes: false }],
    ['enable again', enable('mesh-1,mesh-2'), { yes: false }],
    ['a load balancer that may move', enable('mesh-1', '--service-annotation', `${GKE}=External`)],
    ['other options', enable('mesh-2', '--enable-kvstoremesh=false', '--replicas', '2', '--pod-disruption-budget')],
    ['connect', connect('mesh-1', 'mesh-2')],
    ['connect, with a choice', connect('mesh-1', 'mesh-2', '--connection-mode', 'bidirectional')],
    ['an end to one direction', DISCONNECT('--connection-mode', 'unicast')],
    ['a connection in both directions again', connect('mesh-1', 'mesh-2', '--connection-mode', 'bidirectional')],
    ['KVStoreMesh switched on', enable('mesh-2', '--enable-kvstoremesh')],
    ['new certificates', mesh('certs', 'rotate', '--context', 'mesh-1,mesh-2')],
    ['disconnect', DISCONNECT()],
    ['a CA of another cluster', enable('mesh-3', '--replace-ca', '--ca-from-context', 'mesh-1')],
    ['a CA of its own', enable('mesh-3', '--replace-ca'), { before: addTlsKeys }],
    ['disable', mesh('disable', '--context', 'mesh-3')],
    ['apply', ['apply', '-f', '-'], { input: PAIR }],
    ['apply --prune', ['apply', '-f', '-', '--prune'], { input: LESS }],
    ['disable with its connections', mesh('disable', '--context', 'mesh-1', '--disconnect')],
  ])('%s', async (_name, argv, { before, ...more } = {}) => {
    before?.();
    expect(await discrepanciesOf(clusters, argv, more)).toEqual({ unplanned: [], unwritten: [] });
  });
});

it('what only the run tells is said in it, and stands in its result', async () => {
  const { meshctl } = clusters;
  expect((await meshctl(enable('mesh-3'))).exitCode).toBe(0);
  store('mesh-3').update(
    refs.secret('cilium-ca'),
    ({ data }) => void delete (data as Record<string, string>)['ca.key'],
  );
  const argv = enable('mesh-3', '--service-annotation', `${GKE}=External`);
  const planned = await meshctl([...argv, '--dry-run']);
  expect(planned.stdout).toMatch(
    /keep Secret .*server-cert .*the Service may get another address, but nothing can sign/,
  );
  const ran = await meshctl([...argv, '--yes', '-o', 'json']);
  const says = expect.stringMatching(
    /^mesh-3: Secret kube-system\/\S+server-cert: .* does not cover \S+, but nothing can sign$/,
  );
  expect(jsonOf(ran).warnings).toContainEqual(says);
  expect(ran.stderr).toMatch(/does not cover \S+, but nothing can sign/);
});
