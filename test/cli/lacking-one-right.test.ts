import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { checkEntries } from '../support/check-scenarios.ts';
import { jsonOf } from '../support/cli.ts';
import { type ConnectedMesh, startConnectedMesh } from '../support/connected-mesh.ts';
import { grantAnn } from '../support/lesser-rights.ts';
import { untilHealthy } from '../support/open-look.ts';
import { requireValid } from '../support/schemas.ts';
import { addService } from '../support/service-clusters.ts';

/** A user has the operator's roles, less one right: what that hides is no pass. */
let mesh: ConnectedMesh;

const AS = ['--as', 'ann'];
const BOTH = ['--context', 'mesh-1,mesh-2'];

beforeAll(async () => {
  mesh = await startConnectedMesh({ nodes: 1 });
  await untilHealthy(mesh.sandbox, ['mesh-1', 'mesh-2']);
});
afterEach(() => grant(undefined));
afterAll(() => mesh.sandbox.close());

const grant = (...of: [without: string | undefined, secrets?: readonly string[] | 'all']) =>
  grantAnn(mesh.sandbox.clusters, ...of);

it.each<[resource: string, says: string, checks: string[]]>([
  ['serviceaccounts', 'the account and the rights of its clustermesh-apiserver', ['access-missing']],
  ['clusterroles', 'the account and the rights of its clustermesh-apiserver', ['access-missing']],
  ['services', 'Service kube-system/clustermesh-apiserver', []],
])('without %s, status says what it does not know, and check skips it', async (resource, says, checks) => {
  grant(resource);
  const status = await mesh.meshctl(['clustermesh', 'status', ...BOTH, ...AS]);
  expect(status.stdout).toContain(`‼ mesh-2: no right to read, so nothing is known of: ${says}`);
  expect(status.stdout).not.toContain('‼ mesh-1');
  // What is seen of it is well.
  expect(status.exitCode).toBe(3);
  expect(status.stdout).toMatch(
    /^⚠️ {2}All 2 nodes of 2 clusters are connected to all clusters, as far as that may be read/,
  );
  const one = jsonOf(await mesh.meshctl(['clustermesh', 'status', '--context', 'mesh-2', ...AS, '-o', 'json']));
  expect(one.unread).toEqual([says]);
  if (checks.length === 0) return;
  const entries = await checkEntries(mesh.meshctl, 'mesh-1,mesh-2', ...AS);
  for (const id of checks) {
    expect(entries.filter((entry) => entry.id === id && entry.severity !== 'pass')).toMatchObject([
      { severity: 'skip', cluster: 'mesh-2' },
    ]);
  }
});

it('without ciliumnodes, routes does not judge by pools', async () => {
  grant('ciliumnodes');
  const report = jsonOf(await mesh.meshctl(['clustermesh', 'routes', ...BOTH, ...AS, '-o', 'json']));
  requireValid(report);
  const { complete, routes, clusters } = report;
  expect(complete).toBe(false);
  // The right that is lacking is in what is printed.
  const hint = expect.stringContaining('--verb=list --resource=ciliumnodes.cilium.io');
  expect((clusters as { name: string }[]).find(({ name }) => name === 'mesh-2')).toMatchObject({ hint });
  expect((clusters as { name: string }[]).find(({ name }) => name === 'mesh-1')).not.toHaveProperty('hint');
  expect((routes as { to: string }[]).filter(({ to }) => to === 'mesh-2')).toEqual([]);
});

it('without policies, check says in every face that it could not look, and does not pass', async () => {
  grant('networkpolicies');
  const check = ['clustermesh', 'check', ...BOTH, ...AS];
  const { exitCode, stdout } = await mesh.meshctl([...check, '-o', 'short']);
  expect(exitCode).toBe(3);
  expect(stdout).toMatch(/^\? network policies let peers in.*\n {4}context "mesh-2": its policies may not be listed/m);
  expect(stdout).toMatch(
    /^⚠️ {2}Checks: 1 could not be looked at, .*\n +mesh-2: Of the rights that meshctl needs to look at a cluster, user "ann" lacks list: networkpolicies/m,
  );
  const junit = await mesh.meshctl([...check, '-o', 'junit']);
  expect(junit.exitCode).toBe(3);
  expect(junit.stdout).toMatch(/<testsuites tests="\d+" failures="1"/);
  expect(junit.stdout).toMatch(/<failure (type|message)="[^"]*".*its policies may not be listed/s);
  // What a check that needs it did not see either is no less unseen by being asked for alone.
  grant('daemonsets');
  const alone = jsonOf(await mesh.meshctl([...check, '--category', 'config', '-o', 'json']));
  expect(alone.passed).toBe(false);
});

it('without ciliumnodes, routes says which right is lacking, and proves nothing', async () => {
  grant('ciliumnodes');
  const { exitCode, stdout } = await mesh.meshctl(['clustermesh', 'routes', ...BOTH, ...AS]);
  expect(exitCode).toBe(3);
  expect(stdout).toContain('mesh-1 → mesh-2: skipped: the pod ranges of mesh-2 may not be read');
});

it('without services, a junit report has a case that was skipped', async () => {
  grant('services');
  const { stdout } = await mesh.meshctl(['clustermesh', 'status', '--context', 'mesh-2', ...AS, '-o', 'junit']);
  expect(stdout).toMatch(/name="all of it may be read".*\n?\s*<skipped message="may not be read: Service kube-system/);
});

it('without a Secret, certs list says what it does not list', async () => {
  grant('secrets', ['cilium-clustermesh', 'cilium-kvstoremesh', 'clustermesh-apiserver-server-cert']);
  const { exitCode, stderr } = await mesh.meshctl(['clustermesh', 'certs', 'list', ...BOTH, ...AS]);
  expect(exitCode).toBe(3);
  expect(stderr).toContain('context "mesh-2": no right to read, so not listed: Secret kube-system/');
  expect(stderr).toContain('Secret kube-system/cilium-ca');
  expect(stderr).not.toMatch(/server-cert|mesh-1/);
  grant('secrets', ['cilium-clustermesh']);
  const none = ['clustermesh', 'certs', 'list', '--context', 'mesh-2', ...AS];
  expect((await mesh.meshctl(none)).stdout).toContain('No certificates of Cluster Mesh that may be read');
  expect(jsonOf(await mesh.meshctl([...none, '-o', 'json']))).toMatchObject({
    unread: [{ context: 'mesh-2', secrets: expect.arrayContaining(['Secret kube-system/cilium-ca']) }],
  });
});

it('without a list of Secrets, status says that nothing is known of invitations', async () => {
  const all = mesh.sandbox.clusters.flatMap(({ store }) => store.list({ apiVersion: 'v1', kind: 'Secret' }));
  grant('secrets', [...new Set(all.map(({ metadata }) => metadata.name))]);
  const { exitCode, stdout } = await mesh.meshctl(['clustermesh', 'status', ...BOTH, ...AS]);
  expect(exitCode, stdout).toBe(0);
  expect(stdout).toContain('‼ mesh-2: its invitations could not be listed, so that nothing is known of them');
  expect(stdout).not.toContain('‼ mesh-1');
  const status = jsonOf(await mesh.meshctl(['clustermesh', 'status', '--context', 'mesh-2', ...AS, '-o', 'json']));
  requireValid(status);
  expect(status.invitationsUnread).toBe(true);
});

it.each([
  ['ciliumnodes', 'pod-cidr-overlap'],
  ['servicecidrs', 'service-address-overlap'],
])('without %s, %s is skipped', async (resource, check) => {
  grant(resource);
  const entries = await checkEntries(mesh.meshctl, 'mesh-1,mesh-2', '--category', 'addresses', ...AS);
  const own = entries.filter(({ id, severity }) => id === check && severity !== 'pass');
  expect(own).toMatchObject([{ severity: 'skip', cluster: 'mesh-2' }]);
});

it('without a Secret, failover does not promise what nobody saw', async () => {
  for (const { store } of mesh.sandbox.clusters) addService(store, 'shared', { ready: 1 });
  const gate = () =>
    mesh.meshctl(['service', 'failover', '--drained', 'default/shared', '--require-survivable', ...BOTH, ...AS]);
  grant(undefined);
  expect(await gate()).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('✅ 1 global service') });
  grant('secrets', ['cilium-clustermesh', 'cilium-kvstoremesh']);
  const { exitCode, stdout } = await gate();
  expect(exitCode).toBe(1);
  expect(stdout).toMatch(
    /❌ .*if nothing is wrong in mesh-2 with what may not be read: Secret kube-system\/clustermesh/,
  );
});

it('with all of them nothing is left out', async () => {
  grant(undefined);
  const status = await mesh.meshctl.ok(['clustermesh', 'status', ...BOTH, ...AS]);
  expect(status.stdout).not.toContain('‼');
});

it.each([
  ['disable', ['disable', '--context', 'mesh-2', '--disconnect=false'], 'those that are open stay'],
  [
    'a new CA',
    ['certs', 'rotate', '--ca', ...BOTH],
    'no answer to one that is open is accepted once the CA is replaced',
  ],
  ['disconnect', ['disconnect', '--context', 'mesh-2', '--peer', 'mesh-1'], 'one may have let mesh-1 in'],
])('without a list of Secrets, %s says that nothing is known of invitations', async (_what, words, says) => {
  if (words.includes('--peer')) {
    const oneWay = ['--destination-context', 'mesh-1', '--connection-mode', 'unicast', '--yes', '--no-wait'];
    await mesh.meshctl(['clustermesh', 'disconnect', '--context', 'mesh-2', ...oneWay]);
  }
  grant('secrets', 'all');
  const { exitCode, stdout, stderr } = await mesh.meshctl(['clustermesh', ...words, ...AS, '--dry-run']);
  expect(exitCode, stderr).toBe(0);
  const said = stdout + stderr;
  expect(said).toContain(`context "mesh-2": its invitations could not be listed: ${says}`);
  expect(said).toContain('meshctl clustermesh invitations list --as ann --context mesh-2');
  expect(said).not.toContain('context "mesh-1": its invitations');
});
