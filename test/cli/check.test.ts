/** What the command itself does; what each check finds is in check-<category>.test.ts. */
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { categoriesOf, MESH_CHECKS, PRE_CHECKS } from '../../src/mesh/checks/catalogue.ts';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { type CheckMesh, checkEntries, edit, restorerOf, startCheckMesh } from '../support/check-scenarios.ts';
import { jsonOf } from '../support/cli.ts';
import { enable } from '../support/e2e-cli.ts';
import { untilHealthy } from '../support/open-look.ts';
import { eventually, found, refs, setSecret, setUsers } from '../support/sandbox-mesh.ts';

const BOTH = 'mesh-1,mesh-2';

let mesh: CheckMesh;

beforeAll(async () => {
  mesh = await startCheckMesh({ state: 'connected', options: { nodes: 2 } });
});

afterAll(() => mesh.sandbox.close());

/** What this mesh does not have: it tunnels, and has load balancers. */
const NOT_THERE: [string, string][] = [
  ['cluster-id-of-eni', 'it does not take addresses of cloud interfaces (ENI)'],
  ['wireguard-of-nodes', 'it does not use WireGuard'],
  ['ipsec-keys', 'it does not use IPsec'],
  ['apiserver-pod-security', 'its namespace does not enforce "restricted"'],
  ['node-port-local', 'its clustermesh-apiserver has no NodePort'],
  ['native-routing-cidr', 'it does not route natively'],
  ['node-port-unique', 'its clustermesh-apiserver has no NodePort'],
  ['bgp-sessions', 'Cilium does not speak BGP there'],
  ['bgp-pod-cidrs', 'Cilium does not speak BGP there'],
  ['native-routes', 'it tunnels what goes to other nodes'],
];

const check = (contexts: string, ...flags: string[]) =>
  mesh.meshctl(['clustermesh', 'check', '--context', contexts, ...flags]);

it.each(categoriesOf(MESH_CHECKS))('the %s checks have scenarios by id', async (category) => {
  const file = await readFile(new URL(`check-${category}.test.ts`, import.meta.url), 'utf8');
  expect(file).toMatch(new RegExp(`^checkScenarios\\(\\n {2}'${category}',`, 'm'));
});

describe('check of a mesh that is well', () => {
  it('passes all that there is to look at, and says of the rest why it is not', async () => {
    const result = await check(BOTH, '-o', 'json');
    const entries = jsonOf(result).checks as { id: string; severity: string; args: { reason?: string } }[];
    const reasons = new Map(NOT_THERE);
    const wanted = MESH_CHECKS.flatMap(({ id }) => {
      const reason = reasons.get(id);
      return reason === undefined ? [[id, 'pass', undefined]] : [1, 2].map(() => [id, 'skip', reason]);
    });
    expect(entries.map(({ id, severity, args }) => [id, severity, args.reason])).toEqual(wanted);
    expect(result.exitCode).toBe(0);
  });

  it('passes who is connected through a load balancer, whichever categories are asked for', async () => {
    const annotation = 'service.beta.kubernetes.io/aws-load-balancer-security-groups';
    const undo = edit(mesh.two, refs.service('clustermesh-apiserver'), ({ metadata }) => {
      metadata.annotations = { ...metadata.annotations, [annotation]: 'sg-0123' };
    });
    const entries = await checkEntries(mesh.meshctl, BOTH, '--category', 'addresses');
    await undo();
    expect(entries.filter(({ id }) => id === 'source-ranges')).toMatchObject([
      { severity: 'pass', args: { samples: ['mesh-2: mesh-1 connected through it'] } },
    ]);
  });

  it('says one reason of several clusters once', async () => {
    const { stdout } = await check(BOTH, '--category', 'network');
    expect(stdout).toContain(
      '– BGP sessions are established\n    each of mesh-1, mesh-2: Cilium does not speak BGP there (bgp-sessions)\n',
    );
    expect(stdout).toContain('✅ Checks: 3 skipped, 1 passed');
  });

  it('passes nothing about one cluster alone, or of a namespace without Cilium', async () => {
    const alone = await checkEntries(mesh.meshctl, 'mesh-1', '--pre');
    const passed = new Set(alone.filter(({ severity }) => severity === 'pass').map(({ id }) => id));
    expect([...passed]).toEqual([
      ...['cluster-identity', 'cluster-id-unique', 'max-connected-clusters-running', 'mesh-size', 'peer-secret-room'],
      ...[
        'agents-run',
        'agents-placed',
        'ztunnel',
        'cilium-endpoints',
        'agents-version',
        'service-reachable',
        'apiserver-schedulable',
        'apiserver-policy',
        'tls-ca',
      ],
    ]);
    const { exitCode, stderr } = await check(BOTH, '--pre', '-n', 'default');
    expect(exitCode).toBe(2);
    expect(stderr).toContain('no Cilium in namespace default; it is in kube-system');
  });

  it('prints a table by category, and with -o short only what is not well', async () => {
    const { stdout } = await check(BOTH, '--category', 'tls,peers');
    expect(stdout).toContain(
      'tls\n---\n√ the CA exists and can sign\n√ clocks of clusters agree\n√ all certificates exist and can be read',
    );
    expect(stdout).toContain('✅ Checks: 21 passed');
    expect((await check(BOTH, '--category', 'tls,network', '-o', 'short')).stdout).toBe(
      '✅ Checks: 3 skipped, 14 passed\n',
    );
  });

  it('judges before enable and connect only what can be judged then', async () => {
    const entries = await checkEntries(mesh.meshctl, 'mesh-1,mesh-3', '--pre');
    expect([...new Set(entries.map(({ id }) => id))]).toEqual(PRE_CHECKS.map(({ id }) => id));
  });

  it('refuses a category or an id that does not exist', async () => {
    const category = await check('mesh-1', '--category', 'nonsense');
    expect([category.exitCode, category.stderr]).toEqual([2, expect.stringContaining('There are: identity')]);
    expect((await check('mesh-1', '--suppress', 'nonsense')).exitCode).toBe(2);
  });
});

describe('check names what is wrong', () => {
  it('with the command that mends it', async () => {
    const result = await check('mesh-3', '-o', 'json');
    const entries = jsonOf(result).checks as { id: string; severity: string; hint?: string }[];
    const failed = entries.filter(({ severity }) => severity === 'fail');
    expect(failed.map(({ id }) => id)).toEqual(['apiserver-deployed']);
    expect(failed[0]?.hint).toBe('meshctl clustermesh enable --context mesh-3');
    // One cause is one failure; asked for alone, it says the same.
    expect(entries.find(({ id }) => id === 'peers-connected')).toMatchObject({
      severity: 'skip',
      message: 'context "mesh-3": see apiserver-deployed',
    });
    const [alone] = await checkEntries(mesh.meshctl, 'mesh-3', '--category', 'peers');
    expect(alone).toMatchObject({ severity: 'fail', hint: 'meshctl clustermesh enable --context mesh-3' });
    expect(result.exitCode).toBe(1);
  });

  it('and of a cluster that is half enabled nothing that is not so', async () => {
    mesh.one.store.delete(refs.deployment('clustermesh-apiserver'));
    const entries = await checkEntries(mesh.meshctl, BOTH, '--category', 'tls,peers,standing,ownership');
    const severity = (id: string) => entries.filter((entry) => entry.id === id).map((entry) => entry.severity);
    expect([severity('tls-present'), severity('ownership-drift')]).toEqual([
      ['pass', 'skip'],
      ['pass', 'skip'],
    ]);
    // The agents' files are for the own cache, and KVStoreMesh's are as they were.
    const ofPeers = [
      'peers-mutual',
      'peering-file-missing',
      'peers-endpoint',
      'peers-certificate',
      'peers-user',
      'tls-ca-trust',
    ];
    expect(ofPeers.map(severity)).toEqual(ofPeers.map(() => ['pass']));
    setUsers(mesh.two, ['remote-other']);
    const [user] = (await checkEntries(mesh.meshctl, BOTH, '--category', 'peers')).filter(
      ({ id }) => id === 'peers-user',
    );
    expect(user).toMatchObject({ severity: 'fail', cluster: 'mesh-1' });
    setUsers(mesh.two, ['remote-mesh-1']);
    await mesh.meshctl.ok(enable('mesh-1'));
    await untilHealthy(mesh.sandbox, ['mesh-1', 'mesh-2']);
  });

  it('and says of a server that is scaled to 0 what the status says, once', async () => {
    const undo = edit(mesh.two, refs.deployment('clustermesh-apiserver'), ({ spec }) => {
      (spec as { replicas: number }).replicas = 0;
    });
    const entries = await eventually(
      () => checkEntries(mesh.meshctl, BOTH),
      (all) => all.some(({ id, args }) => id === 'peers-connected' && args.reason === 'see apiserver-ready'),
      'the peers lack it',
    );
    expect(entries.filter(({ severity }) => severity === 'fail').map(({ id }) => id)).toEqual(['apiserver-ready']);
    const peers = await checkEntries(mesh.meshctl, BOTH, '--category', 'peers', '--suppress', 'peers-endpoint');
    const failed = peers.filter(({ id, severity }) => id === 'peers-connected' && severity === 'fail');
    expect(failed.map(({ message }) => message).join()).toContain('its clustermesh-apiserver is scaled to 0');
    expect(failed[0]?.hint).toContain('scale deployment/clustermesh-apiserver --replicas=1');
    await undo();
    await untilHealthy(mesh.sandbox, ['mesh-1', 'mesh-2']);
  });

  it('and of a list or a certificate that cannot be read only that', async () => {
    const failing = async () =>
      (await checkEntries(mesh.meshctl, BOTH))
        .filter(({ severity }) => severity === 'fail' || severity === 'warn')
        .map(({ id }) => id);
    const undoUsers = restorerOf(mesh.two, refs.configMap('clustermesh-remote-users'));
    // The etcd that runs keeps its users; a new one, which another hint would make, would have none.
    edit(mesh.two, refs.configMap('clustermesh-remote-users'), (live) => {
      live.data = { 'users.yaml': 'users: [' };
    });
    expect(await failing()).toEqual(['users-unreadable', 'ownership-drift']);
    await undoUsers();
    const undoFiles = restorerOf(mesh.one, refs.secret('cilium-kvstoremesh'));
    for (const key of ['mesh-2.etcd-client.key', 'mesh-2.etcd-client-ca.crt']) {
      setSecret(mesh.one, 'cilium-kvstoremesh', { [key]: 'rubbish' });
      expect(await failing()).toEqual(['peer-certificate-unreadable']);
      await undoFiles();
    }
    await untilHealthy(mesh.sandbox, ['mesh-1', 'mesh-2']);
  });

  it('and with --wait until it is mended', async () => {
    const { two, meshctl } = mesh;
    const pods = two.store.list({ apiVersion: 'v1', kind: 'Pod', labels: { 'k8s-app': 'clustermesh-apiserver' } });
    const { name } = found(pods[0], 'the pod').metadata;
    two.stopPod('kube-system', name);
    const notReady = await eventually(
      () => check(BOTH, '--category', 'apiserver'),
      ({ exitCode }) => exitCode === 1,
      'a check fails',
    );
    expect(notReady.stdout).toContain('apiserver-ready');
    const waited = await meshctl.ok(
      ['clustermesh', 'check', '--context', BOTH, '--category', 'apiserver', '--wait', '--wait-duration', '2m'],
      {
        onOutput(text) {
          if (text.includes('Waiting until')) two.startPod('kube-system', name);
        },
      },
    );
    expect(waited.stderr).toContain('Waiting until all replicas of the clustermesh-apiserver are ready');
    await untilHealthy(mesh.sandbox, ['mesh-1']);
  });

  it('and a user of a cluster that was looked at and is no peer, whom the command that is printed shuts out', async () => {
    setUsers(mesh.two, ['remote-mesh-1', 'remote-mesh-3']);
    const look = async (contexts: string) =>
      (await checkEntries(mesh.meshctl, contexts, '--category', 'tls')).filter(({ id }) => id === 'tls-orphaned-users');
    // Of a user of a cluster that was not looked at, nothing can be said.
    expect(await look(BOTH)).toMatchObject([
      { severity: 'pass', args: { contexts: ['mesh-1'] } },
      { severity: 'skip', cluster: 'mesh-2', args: { reason: expect.stringMatching(/^remote-mesh-3 may be/) } },
    ]);
    const [orphan] = await look(`${BOTH},mesh-3`);
    expect(orphan).toMatchObject({ severity: 'warn', cluster: 'mesh-2', args: { user: 'remote-mesh-3' } });
    const [, line = ''] = /meshctl (clustermesh disconnect .*)$/.exec(orphan?.hint ?? '') ?? [];
    await mesh.meshctl.ok([...line.split(' '), '--yes']);
    const users = mesh.two.store.get(refs.configMap('clustermesh-remote-users'))?.data as Record<string, string>;
    expect(users['users.yaml']).toContain('remote-mesh-1');
    expect(users['users.yaml']).not.toContain('remote-mesh-3');
  });

  it('but nothing of a check that is suppressed', async () => {
    const undo = restorerOf(mesh.two, refs.configMap('clustermesh-remote-users'));
    setUsers(mesh.two, ['remote-other']);
    const flags = ['--category', 'peers', '--suppress', 'peers-connected'];
    const entries = await checkEntries(mesh.meshctl, BOTH, ...flags);
    undo();
    expect(entries.map(({ id }) => id)).not.toContain('peers-connected');
    expect(entries.find(({ id }) => id === 'peers-user')).toMatchObject({
      severity: 'fail',
      hint: 'meshctl clustermesh connect --context mesh-1 --destination-context mesh-2',
    });
  });

  it('and that nothing is left to look at', async () => {
    const all = MESH_CHECKS.filter(({ category }) => category === 'identity').map(({ id }) => id);
    const entries = await checkEntries(mesh.meshctl, BOTH, '--category', 'identity', '--suppress', all.join());
    const hint = 'Take one of them out of --suppress.';
    expect(entries).toMatchObject([{ id: 'nothing-checked', severity: 'fail', hint }]);
  });

  it('and warnings, which count with --fail-on warn', async () => {
    const change = ({ metadata }: KubeObject) => {
      metadata.annotations = { 'meta.helm.sh/release-name': 'cilium' };
    };
    const undo = edit(mesh.two, refs.secret('cilium-kvstoremesh'), change, 'helm');
    const lenient = await check(BOTH, '--category', 'ownership');
    const strict = await check(BOTH, '--category', 'ownership', '--fail-on', 'warn', '-o', 'junit');
    undo();
    expect([lenient.exitCode, strict.exitCode]).toEqual([0, 1]);
    expect(strict.stdout).toContain('<failure type="ownership-peers"');
  });

  it('as JUnit: a case for each finding, failures with their hint', async () => {
    const { stdout } = await check('mesh-3', '-o', 'junit');
    expect(stdout).toMatch(/^<\?xml version="1.0" encoding="UTF-8"\?>\n<testsuites tests="\d+" failures="1"/);
    expect(stdout).toContain('<failure type="apiserver-deployed"');
  });
});
