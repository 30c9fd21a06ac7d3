import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { type KubeObject, refOf } from '../../src/mesh/objects/kube-object.ts';
import { secretTexts } from '../../src/mesh/objects/secret-data.ts';
import { ApiError } from '../../src/sandbox/apiserver/errors.ts';
import { failureOf, jsonOf } from '../support/cli.ts';
import { type ConnectClusters, startConnectClusters } from '../support/connect-clusters.ts';
import { meshctlWith } from '../support/e2e-cli.ts';
import { printedCommands } from '../support/printed-commands.ts';
import { found, refs } from '../support/sandbox-mesh.ts';
import { serviceObjects } from '../support/service-clusters.ts';

let clusters: ConnectClusters;
let before: Record<string, unknown>;

beforeAll(async () => {
  // Kubelets that are not told take their time, as they do.
  clusters = await startConnectClusters(3, { timings: { secretSyncMs: 60_000 } });
  before = clusters.objects();
});

afterAll(async () => {
  expect(clusters?.errors).toEqual([]);
  await clusters?.close();
});

beforeEach(() => {
  clusters.fault = undefined;
});

const connect = (...more: string[]) => clusters.meshctl(['clustermesh', 'connect', ...more]);
const disconnect = (...more: string[]) => clusters.meshctl(['clustermesh', 'disconnect', ...more]);

async function ok(run: ReturnType<typeof connect>): Promise<Record<string, unknown>> {
  const result = await run;
  expect(result.exitCode, result.stderr).toBe(0);
  return result.stdout.startsWith('{') ? jsonOf(result) : {};
}

/** The peers that a cluster's agents dial. */
function dials(context: string): string[] {
  const { store } = found(
    clusters.clusters.find((cluster) => cluster.context === context),
    context,
  );
  return Object.keys(secretTexts(store.get(refs.secret('cilium-clustermesh')))).sort();
}

describe('modes', () => {
  it('unicast makes only the source dial, bidirectional joins it with each, and disconnect undoes either', async () => {
    await ok(connect('--context', 'mesh-1', '--destination-context', 'mesh-2,mesh-3', '--connection-mode', 'unicast'));
    expect([dials('mesh-1'), dials('mesh-2'), dials('mesh-3')]).toEqual([['mesh-2', 'mesh-3'], [], []]);

    const both = ['--connection-mode', 'bidirectional'];
    await ok(connect('--context', 'mesh-1', '--destination-context', 'mesh-?', ...both));
    expect([dials('mesh-1'), dials('mesh-2'), dials('mesh-3')]).toEqual([['mesh-2', 'mesh-3'], ['mesh-1'], ['mesh-1']]);

    await ok(
      disconnect('--context', 'mesh-1', '--destination-context', 'mesh-2', '--connection-mode', 'unicast', '--yes'),
    );
    expect([dials('mesh-1'), dials('mesh-2')]).toEqual([['mesh-3'], ['mesh-1']]);
    await ok(disconnect('--all', '--yes'));
    expect(clusters.objects()).toEqual(before);
  });

  it('what disconnect was told to make one-way stays so, from either side, until it is chosen otherwise', async () => {
    const pair = ['--context', 'mesh-1', '--destination-context', 'mesh-2'];
    await ok(connect(...pair));
    await ok(disconnect(...pair, '--connection-mode', 'unicast', '--yes'));
    for (const [from, to] of [
      ['mesh-1', 'mesh-2'],
      ['mesh-2', 'mesh-1'],
    ] as const) {
      const again = await connect('--context', from, '--destination-context', to, '--dry-run');
      expect(again.stderr).toContain('"mesh-2" dials "mesh-1" and not the other way round, as chosen');
      expect(again.stdout).toMatch(/Plan: \d to keep\./);
    }
    await ok(connect(...pair, '--connection-mode', 'bidirectional'));
    expect([dials('mesh-1'), dials('mesh-2')]).toEqual([['mesh-2'], ['mesh-1']]);
    await ok(disconnect(...pair, '--yes'));
    expect(clusters.objects()).toEqual(before);
  });

  it('destinations may be in another kubeconfig, but not under a name that the first one has', async () => {
    const other = join(dirname(clusters.kubeconfigPath), 'other.yaml');
    const text = await readFile(clusters.kubeconfigPath, 'utf8');
    await writeFile(other, text.replaceAll('mesh-2', 'elsewhere'), { mode: 0o600 });
    await ok(connect('--context', 'mesh-1', '--destination-context', 'elsewhere', '--destination-kubeconfig', other));
    expect(dials('mesh-2')).toEqual(['mesh-1']);
    const clash = await connect(
      '--context',
      'mesh-1',
      '--destination-context',
      'mesh-*',
      '--destination-kubeconfig',
      other,
    );
    expect(clash.exitCode, clash.stderr).toBe(0);
    const same = await connect(
      '--context',
      'mesh-1',
      '--destination-context',
      'mesh-1',
      '--destination-kubeconfig',
      other,
    );
    expect(same.exitCode).toBe(2);
    expect(same.stderr).toContain('rename-context');
    await ok(disconnect('--all', '--yes'));
  });

  it('with --all beside the source ends the connections of that one alone', async () => {
    await ok(connect('--all'));
    const plan = await disconnect('--context', 'mesh-1', '--all', '--dry-run');
    expect(plan.stdout).toContain('does not dial mesh-2, mesh-3 any more');
    expect(plan.stdout).not.toContain('does not dial mesh-1, mesh-3 any more');
    await ok(disconnect('--all', '--yes'));
  });

  it.each([
    [['--context', 'mesh-1'], 'no destination is named'],
    [['--context', 'mesh-1', '--destination-context', 'mesh-1'], 'is named twice'],
    [['--context', 'mesh-1', '--destination-context', 'prod-*'], 'matches "prod-*"'],
    [['--all', '--destination-context', 'mesh-2'], 'cannot be used together'],
    [['--all', '--connection-mode', 'unicast'], 'needs a cluster to start from'],
    [['--context', 'mesh-1', '--destination-context', 'mesh-2,mesh-3', '--destination-endpoint', 'h:1'], '2 clusters'],
  ])('%j is a usage error', async (argv, says) => {
    const result = await connect(...argv);
    expect(result.exitCode).toBe(2);
    expect(result.stderr).toContain(says);
  });
});

describe('global Services of two clusters', () => {
  const pair = ['--context', 'mesh-1', '--destination-context', 'mesh-2'];
  const says = (peer: string) => `requests for default/web may go to ${peer} too`;
  const stores = () => clusters.clusters.slice(0, 2).map(({ store }) => store);

  it('are named by the plan of a first connection, and not by that of a second run', async () => {
    const objects = serviceObjects('web');
    for (const store of stores()) for (const object of objects) store.create(object);
    const plan = jsonOf(await connect(...pair, '--dry-run', '-o', 'json'));
    expect(plan.warnings).toEqual([`context "mesh-1": ${says('mesh-2')}`, `context "mesh-2": ${says('mesh-1')}`]);
    const { exitCode, stderr } = await connect(...pair);
    expect(exitCode, stderr).toBe(0);
    expect(stderr).toContain(says('mesh-2'));
    await ok(connect(...pair, '--source-endpoint', 'lb.example:2379', '--dry-run'));
    expect((await connect(...pair, '--dry-run')).stderr).not.toContain('may go to');
    await ok(disconnect(...pair, '--yes'));
    for (const store of stores()) for (const object of objects) store.delete(refOf(object));
  });

  it('where they may not be listed, that is said, and is no error', async () => {
    clusters.fault = async ({ context, verb, resource, namespace }) => {
      if (context !== 'mesh-2' || verb !== 'list' || resource !== 'services' || namespace) return undefined;
      throw new ApiError(
        403,
        'Forbidden',
        'services is forbidden: User "ann" cannot list resource "services" in API group "" at the cluster scope',
      );
    };
    const { exitCode, stderr } = await connect(...pair, '--dry-run');
    expect(exitCode, stderr).toBe(0);
    expect(stderr).toContain(
      'context "mesh-2": its Services may not be listed, so it is not known which of them come to be shared',
    );
    expect(stderr).toContain('--verb=list --resource=services');
  });
});

describe('credentials and endpoints', () => {
  it('an address of one’s own is dialled and gets into the certificate', async () => {
    const name = ['--destination-endpoint', 'mesh-2=lb.example:2379', '--destination-endpoint', '172.18.2.100:2379'];
    const { connections } = await ok(
      connect(
        '--context',
        'mesh-1',
        '--destination-context',
        'mesh-2',
        '--connection-mode',
        'unicast',
        ...name,
        '-o',
        'json',
      ),
    );
    expect(connections).toEqual([
      {
        from: 'mesh-1',
        to: 'mesh-2',
        credential: 'per-peer',
        user: 'remote-mesh-1',
        endpoints: ['lb.example:2379', '172.18.2.100:2379'],
      },
    ]);
    await ok(disconnect('--all', '--yes'));
    // The certificate keeps the name: others may dial it.
    before = clusters.objects();
  });

  it('legacy hands out the remote’s own certificate, with a warning; --allow-mismatching-ca is explained', async () => {
    const argv = [
      '--context',
      'mesh-1',
      '--destination-context',
      'mesh-3',
      '--credentials',
      'legacy',
      '--allow-mismatching-ca',
    ];
    const result = await connect(...argv);
    expect(result.exitCode, result.stderr).toBe(0);
    expect(result.stderr).toContain('it cannot be cut off alone');
    expect(result.stderr).toContain('--allow-mismatching-ca is not needed');
    const status = ['clustermesh', 'status', '--context', 'mesh-1', '--wait', '--wait-duration', '30s'];
    await ok(clusters.meshctl(status));
    await ok(disconnect('--all', '--yes'));
  });

  it('the proof tells apart who keeps a peer out, without waiting for what does not come, and everything is put back', async () => {
    const mesh3 = found(clusters.clusters[2], 'mesh-3');
    const former = found(mesh3.store.get(refs.configMap('clustermesh-remote-users')), 'the users');
    const stop = mesh3.store.subscribe(({ object }) => {
      const { 'users.yaml': file = '' } = (object.data ?? {}) as Record<string, string>;
      if (object.metadata.name !== 'clustermesh-remote-users' || !file.includes('remote-mesh-1')) return;
      mesh3.store.update(refs.configMap('clustermesh-remote-users'), (live) => {
        live.data = former.data;
      });
    });
    const argv = ['--context', 'mesh-1', '--destination-context', 'mesh-3', '--wait-duration', '10h', '-o', 'json'];
    const result = await connect(...argv);
    stop();
    expect(result.exitCode).toBe(1);
    const { error } = jsonOf(result) as { error: { code: string; details: { reason: string } } };
    expect([error.code, error.details.reason]).toEqual(['CredentialRefused', 'user-missing']);
    expect(clusters.objects()).toEqual(before);

    const { warnings } = await ok(connect(...argv, '--no-proof'));
    expect(warnings).toEqual([expect.stringMatching(/^no credential was proved \(--no-proof\): /)]);
    await ok(disconnect('--all', '--yes'));
  });

  it('where port-forward is refused it says how to do without, and disconnect what it could not see', async () => {
    const argv = ['--context', 'mesh-1', '--destination-context', 'mesh-3'];
    for (const [exitCode, why, next] of [
      [
        1,
        `ValidatingAdmissionPolicy 'no-way' with binding 'all' denied request: no`,
        /validatingadmissionpolicy no-way/,
      ],
      [
        3,
        'User "operator" cannot get resource "pods/portforward" in API group "" in the namespace "kube-system"',
        /--resource=pods\/portforward/,
      ],
    ] as const) {
      clusters.fault = async ({ subresource }) => {
        if (subresource !== 'portforward') return undefined;
        throw new ApiError(403, 'Forbidden', `pods "clustermesh-apiserver" is forbidden: ${why}`);
      };
      const refused = await connect(...argv);
      expect(refused.exitCode, refused.stderr).toBe(exitCode);
      expect(refused.stderr).toContain('With --no-proof, credentials are distributed unverified: ');
      expect(refused.stderr).toMatch(next);
      expect(clusters.objects()).toEqual(before);
    }

    const unproved = await connect(...argv, '--no-proof');
    expect(unproved.stdout).toContain('✅ mesh-1 and mesh-3 are set up to dial each other\n');
    expect(unproved.stderr).toContain('⚠ no credential was proved (--no-proof): ');
    const parted = await disconnect('--all', '--yes');
    // Done, and not seen: a script must not take it for the same.
    expect(parted.exitCode, parted.stderr).toBe(3);
    expect(parted.stdout).toContain('⚠️  Disconnected, but this could not be verified everywhere\n');
    expect(parted.stderr).toContain('whether its etcd still lets "mesh-1" in could not be verified');
    // A second run has seen no more, and takes it for done as little.
    const again = await disconnect('--all', '--yes', '-o', 'json');
    expect(again.exitCode, again.stderr).toBe(3);
    expect(jsonOf(again)).toMatchObject({ disconnected: [], warnings: expect.any(Array) });
    expect(again.stderr).toContain('context "mesh-3": whether its etcd still lets "mesh-1", "mesh-2" in could not');
    clusters.fault = undefined;
  });
});

describe('validation', () => {
  it('stops before anything is written, names every check, and leaves out those that do not count', async () => {
    const mesh2 = found(clusters.clusters[1], 'mesh-2');
    const config = found(mesh2.store.get(refs.configMap('cilium-config')), 'cilium-config').data as object;
    const set = (settings: Record<string, string>) =>
      mesh2.store.update(refs.configMap('cilium-config'), (live) => {
        live.data = { ...config, ...settings };
      });
    set({ 'tunnel-protocol': 'geneve', 'enable-ipsec': 'true' });
    const argv = ['--context', 'mesh-1', '--destination-context', 'mesh-2'];
    const refused = await connect(...argv, '-o', 'json');
    const { error } = jsonOf(refused) as { error: { code: string; details: { findings: { id: string }[] } } };
    expect([error.code, error.details.findings.map(({ id }) => id)]).toEqual(['Incompatible', ['tunnel-protocol']]);
    const skipped = await connect(...argv, '--skip-checks', 'tunnel-protocol', '--dry-run');
    expect(skipped.exitCode, skipped.stderr).toBe(0);
    expect(skipped.stderr).toContain('[encryption]');
    set({});
  });
});

describe('disconnect', () => {
  it('says of clusters that are not connected only that there is nothing to do', async () => {
    const idle = await disconnect('--all', '--yes');
    expect([idle.exitCode, idle.stdout]).toEqual([0, '✅ Nothing to do: they are not connected\n']);
    expect(idle.stderr).not.toMatch(/Taking|shut out|verified/);
  });

  it('names only what was there', async () => {
    await ok(connect('--context', 'mesh-1', '--destination-context', 'mesh-2'));
    const plan = await disconnect('--all', '--dry-run');
    expect(plan.stdout).toMatch(/does not dial mesh-2 any more/);
    expect(plan.stdout).not.toMatch(/mesh-3 any more|mesh-2, mesh-3/);
    const { stdout } = await disconnect('--all', '--yes');
    expect(stdout).toContain('  • mesh-1 and mesh-2\n');
    expect(stdout).not.toContain('mesh-3');
  });

  it('gives no manifests: it removes', async () => {
    const refused = await disconnect('--all', '--dry-run', '-o', 'manifests');
    expect(refused.exitCode).toBe(2);
  });

  it('asks on a terminal, and needs --yes without one', async () => {
    await ok(connect('--all'));
    const argv = ['clustermesh', 'disconnect', '--all'];
    expect((await clusters.meshctl(argv)).exitCode).toBe(2);
    const declined = await clusters.meshctl(argv, { isTty: true, answers: ['n'] });
    expect(declined.exitCode).toBe(1);
    expect(dials('mesh-1')).toEqual(['mesh-2', 'mesh-3']);
  });

  it('cleans this side when the remote is dead: with --force, or by the peer’s name', async () => {
    clusters.fault = async ({ context }) => {
      if (context === 'mesh-3') throw new ApiError(401, 'Unauthorized', 'Unauthorized');
      return undefined;
    };
    const argv = ['--context', 'mesh-1', '--destination-context', 'mesh-3', '--yes'];
    const refused = await disconnect(...argv);
    expect(refused.exitCode).toBe(3);
    expect(refused.stderr).toMatch(
      /; if that cluster is gone for good, forget it:\n *meshctl clustermesh disconnect --context mesh-1 --peer mesh-3\n|; if that cluster is gone for good, forget it: meshctl clustermesh disconnect --context mesh-1 --peer mesh-3\n/,
    );
    const forced = await disconnect(...argv, '--force');
    expect(forced.exitCode, forced.stderr).toBe(0);
    expect(forced.stdout).toContain('⚠️  Disconnected, but nothing changed in context "mesh-3", which did not answer\n');
    const untold = 'meshctl clustermesh disconnect --context mesh-3 --peer mesh-1';
    expect(forced.stderr).not.toContain(untold);
    expect(forced.stdout).toContain('\n  • mesh-1 neither dials mesh-3 any more nor lets it in\n  • context "mesh-3"');
    expect(forced.stdout).toContain(`${untold}\n`);
    expect(forced.stdout).not.toContain('mesh-1 and mesh-3');
    expect(forced.stderr).toContain(
      'context "mesh-1" refuses "mesh-3" once the user is gone from etcd, but a connection that is still open keeps receiving updates\n  → to end it too: kubectl --context mesh-1 -n kube-system rollout restart deployment/clustermesh-apiserver',
    );
    expect(dials('mesh-1')).toEqual(['mesh-2']);
    const again = await disconnect(...argv, '--force');
    expect([again.exitCode, again.stdout]).toEqual([
      0,
      '⚠️  Nothing left to take out, but nothing changed in context "mesh-3", which did not answer\n',
    ]);
    const mistyped = await disconnect('--context', 'mesh-2', '--peer', 'mesh-3,nope', '--yes');
    expect(failureOf(mistyped)).toEqual({
      exitCode: 1,
      says: '✖ context "mesh-2" knows no cluster "nope"; it knows mesh-1, mesh-3\n  → --peer takes names of clusters. Nothing was changed. Where a name may be forgotten already: meshctl clustermesh disconnect --context mesh-2 --peer mesh-3,nope --yes --ignore-not-found\n',
    });
    expect(dials('mesh-2')).toEqual(['mesh-1', 'mesh-3']);
    // Where nobody tells its kubelet, etcd has the user for now that the list has lost: a second run sees it too.
    const dead = clusters.fault;
    clusters.fault = async (request) => {
      const isServer = request.resource === 'pods' && request.name?.startsWith('clustermesh-apiserver');
      if (isServer && request.verb === 'patch') throw new ApiError(403, 'Forbidden', 'no');
      return dead(request);
    };
    for (const written of [true, false]) {
      const stands = await disconnect('--context', 'mesh-2', '--peer', 'mesh-3', '--yes', '--wait-duration', '10s');
      expect(stands.exitCode, stands.stderr).toBe(1);
      const agents = written ? '|agents still report' : '';
      expect(stands.stderr).toMatch(new RegExp(`✖ context "mesh-2": (its etcd still lets "mesh-3" in${agents})`));
      expect(stands.stderr.includes('⚠ this run has written nothing')).toBe(!written);
    }
    expect(dials('mesh-2')).toEqual(['mesh-1']);

    clusters.fault = undefined;
    const alone = await disconnect('--context', 'mesh-3', '--peer', 'mesh-1,mesh-2', '--yes', '-o', 'json');
    expect(alone.exitCode, alone.stderr).toBe(0);
    const peers = ['mesh-1', 'mesh-2'];
    expect(jsonOf(alone)).toMatchObject({
      disconnected: peers.map((to) => ({ from: 'mesh-3', to })),
      shutOut: peers.map((from) => ({ from, to: 'mesh-3' })),
    });
    const both = await disconnect('--all', '--yes');
    expect(both.exitCode, both.stderr).toBe(0);
    expect(both.stderr).not.toContain('still open');
    expect(clusters.objects()).toEqual(before);
  });
});

it.each([
  ['alone', [], []],
  ['beside one that answers', ['mesh-2'], ['--force']],
])(
  'a dead remote behind a context that is not called like it, %s, is forgotten by what is printed',
  async (_what, beside, force) => {
    await ok(connect('--all'));
    const kubeconfig = join(dirname(clusters.kubeconfigPath), 'old.yaml');
    const file = parse(await readFile(clusters.kubeconfigPath, 'utf8')) as { contexts: { name: string }[] };
    for (const one of file.contexts) one.name = one.name.replace('mesh-3', 'old');
    await writeFile(kubeconfig, stringify(file));
    const run = meshctlWith(kubeconfig);
    clusters.fault = async ({ context, user }) =>
      context === 'mesh-3' && !user.startsWith('system:serviceaccount:') ? 'drop' : undefined;
    const among = [
      '--context',
      'mesh-1',
      '--destination-context',
      [...beside, 'old'].join(),
      '--request-timeout',
      '2s',
    ];
    const refused = await run(['clustermesh', 'disconnect', ...among, ...force, '--yes']);
    expect(refused.exitCode, refused.stderr).toBe(force.length > 0 ? 2 : 3);
    // mesh-2, which is alive, is not offered.
    expect(refused.stderr.replaceAll(/\s+/g, ' ')).toMatch(/forget it by its name, if it is mesh-3: meshctl [^;]*$/);
    const lines = printedCommands(refused).filter(({ argv }) => argv.includes('disconnect'));
    for (const { argv } of lines) {
      const done = await run([...argv, '--yes', '--no-wait']);
      expect(done.exitCode, done.stderr).toBe(0);
    }
    expect(dials('mesh-1')).toEqual(['mesh-2'].filter((peer) => !beside.includes(peer)));
    clusters.fault = undefined;
    await ok(disconnect('--all', '--yes', '--no-wait'));
    await disconnect('--context', 'mesh-3', '--peer', 'mesh-1,mesh-2', '--yes', '--no-wait');
    expect(clusters.objects()).toEqual(before);
  },
);

describe('a Secret of peers that was lost', () => {
  it.each([
    ['both ways', []],
    ['one-way', ['--connection-mode', 'unicast']],
  ])('is as enable makes it once connect has brought it back, and disconnect emptied it: %s', async (_what, mode) => {
    const pair = ['--context', 'mesh-1', '--destination-context', 'mesh-2'];
    await ok(connect(...pair, ...mode));
    const { store } = found(clusters.clusters[0], 'mesh-1');
    for (const name of ['cilium-clustermesh', 'cilium-kvstoremesh']) store.delete(refs.secret(name));
    await ok(connect(...pair));
    await ok(disconnect(...pair, '--yes'));
    for (const name of ['cilium-clustermesh', 'cilium-kvstoremesh']) {
      const { metadata, data = {} } = found(store.get(refs.secret(name)), name) as KubeObject & { data?: object };
      expect([metadata.labels, metadata.annotations ?? {}, data]).toEqual([
        { 'app.kubernetes.io/managed-by': 'meshctl' },
        {},
        {},
      ]);
    }
    const check = ['clustermesh', 'check', '--context', 'mesh-1', '--category', 'ownership', '-o', 'json'];
    const { checks } = jsonOf(await clusters.meshctl(check)) as { checks: { id: string; severity: string }[] };
    expect(checks.find(({ id }) => id === 'ownership-drift')?.severity).toBe('pass');
  });
});
