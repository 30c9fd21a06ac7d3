import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { dataOf } from '../../src/mesh/objects/secret-data.ts';
import type { SandboxCluster } from '../../src/sandbox/sandbox.ts';
import { configure, edit } from '../support/check-scenarios.ts';
import { jsonOf } from '../support/cli.ts';
import { connect, enable, type Meshctl, meshctlWith } from '../support/e2e-cli.ts';
import { untilHealthy } from '../support/open-look.ts';
import { found, refs, startTestSandbox, type TestSandbox } from '../support/sandbox-mesh.ts';

/** mesh-1 and mesh-2 are parted; mesh-3, which only dials in, is no part of it. */
let sandbox: TestSandbox;
let meshctl: Meshctl;
let one: SandboxCluster;
const users = () =>
  dataOf(found(one.store.get(refs.configMap('clustermesh-remote-users')), 'the users'))['users.yaml'] ?? '';

beforeAll(async () => {
  sandbox = await startTestSandbox({ clusters: 3, nodes: 1 });
  meshctl = meshctlWith(sandbox.kubeconfigPath);
  one = found(sandbox.clusters[0], 'mesh-1');
  await meshctl.ok(enable('mesh-1,mesh-2,mesh-3'));
  await meshctl.ok(connect('mesh-1', 'mesh-2'));
  await meshctl.ok(connect('mesh-3', 'mesh-1', '--connection-mode', 'unicast'));
  // Somebody's, of a cluster that no context leads to, written in their own way.
  one.store.update(refs.configMap('clustermesh-remote-users'), (configMap) => {
    configMap.data = { 'users.yaml': `# ours\n${users()}- name: remote-elsewhere\n  role: remote # theirs\n` };
  });
});

afterAll(() => sandbox.close());

describe('a disconnect of two clusters', () => {
  it('writes nothing where nobody can be shut out of a list that cannot be read', async () => {
    const ref = refs.configMap('clustermesh-remote-users');
    const before = users();
    one.store.update(ref, (configMap) => {
      configMap.data = { 'users.yaml': 'users: [' };
    });
    const parted = await meshctl([
      ...['clustermesh', 'disconnect', '--context', 'mesh-1', '--destination-context', 'mesh-2', '--yes'],
    ]);
    expect(parted.exitCode).toBe(1);
    expect(parted.stderr).toContain('the list of users cannot be read');
    expect(parted.stderr).toMatch(/→ meshctl clustermesh enable --context mesh-1/);
    expect(users()).toBe('users: [');
    // Nor where the list is gone: etcd goes on with the users that it has, and a new list has them again.
    one.store.delete(ref);
    for (const other of [
      ['--peer', 'mesh-2'],
      ['--destination-context', 'mesh-2'],
    ]) {
      const refused = await meshctl(['clustermesh', 'disconnect', '--context', 'mesh-1', ...other, '--yes']);
      expect(refused).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('so no peer can be shut out') });
      expect(refused.stderr).toMatch(/→ meshctl clustermesh enable --context mesh-1/);
    }
    one.store.create(
      {
        ...{ apiVersion: 'v1', kind: 'ConfigMap', data: {} },
        metadata: { name: ref.name, namespace: 'kube-system' },
      } as KubeObject,
      'kubectl',
    );
    one.store.update(ref, (configMap) => {
      configMap.data = { 'users.yaml': before };
    });
  });

  it('leaves the users of those that were not read as they are, and accuses none', async () => {
    const before = users();
    const parted = await meshctl.ok([
      ...['clustermesh', 'disconnect', '--context', 'mesh-1', '--destination-context', 'mesh-2', '--yes'],
    ]);
    expect(parted.stdout + parted.stderr).not.toMatch(/remote-(mesh-3|elsewhere)/);
    expect(users()).not.toContain('remote-mesh-2');
    const rest = before.split('\n').filter((line) => !line.includes('remote-mesh-2'));
    for (const line of rest) if (/our|mesh-3|elsewhere|their/.test(line)) expect(users()).toContain(line);
    await untilHealthy(sandbox, ['mesh-3']);
    const check = await meshctl([
      ...['clustermesh', 'check', '--context', 'mesh-1,mesh-2', '--category', 'tls', '-o', 'json'],
    ]);
    const { checks } = jsonOf(check) as { checks: { id: string; severity: string; cluster?: string }[] };
    const orphaned = checks.filter(({ id }) => id === 'tls-orphaned-users');
    expect(orphaned.map(({ severity }) => severity)).not.toContain('warn');
    expect(JSON.stringify(orphaned)).toContain('remote-elsewhere may belong to clusters outside this check');
  });

  it('names who else ends with the user, also when that is no part of it; not who logs in as itself or as everybody', async () => {
    await meshctl.ok(connect('mesh-1', 'mesh-2'));
    const [two, three] = [found(sandbox.clusters[1], 'mesh-2'), found(sandbox.clusters[2], 'mesh-3')];
    const part = (...more: string[]) =>
      meshctl.ok(['clustermesh', 'disconnect', '--context', 'mesh-1', ...more, '--dry-run']);
    const both = () => part('--destination-context', 'mesh-2');
    expect((await both()).stdout).not.toContain('mesh-3');
    // Copied by hand: it was the quickest way in.
    const held = dataOf(found(two.store.get(refs.secret('cilium-kvstoremesh')), 'the files of mesh-2'));
    three.store.update(refs.secret('cilium-kvstoremesh'), (secret) => {
      const taken = Object.entries(held).filter(([key]) => key.startsWith('mesh-1.'));
      secret.data = { ...dataOf(secret as KubeObject), ...Object.fromEntries(taken) };
    });
    for (const plan of [await both(), await part('--peer', 'mesh-2')]) {
      expect(plan.stdout).toContain(
        'peer mesh-3 is cut off until it is connected again: it logs in as remote-mesh-2, which is shut out',
      );
      expect(plan.stdout).toContain('meshctl clustermesh connect --context mesh-3 --destination-context mesh-1');
    }
    await meshctl.ok(connect('mesh-3', 'mesh-1', '--connection-mode', 'unicast', '--credentials', 'legacy'));
    expect((await both()).stdout).not.toContain('mesh-3');
  });

  it.each([
    ['by the mark of its pods', true],
    ['by a certificate alone, as Helm leaves it', false],
  ])(
    'a cluster that has got the name of another one, known %s: nobody is told to forget that one',
    async (_, marked) => {
      const three = found(sandbox.clusters[2], 'mesh-3');
      await meshctl.ok(enable('mesh-3'));
      await meshctl.ok(connect('mesh-3', 'mesh-1'));
      if (!marked) {
        edit(three, refs.deployment('clustermesh-apiserver'), ({ spec }) => {
          const { metadata } = (spec as { template: { metadata: KubeObject['metadata'] } }).template;
          delete metadata.annotations?.['meshctl.io/cluster'];
        });
        await three.settled();
      }
      const undo = configure(three, { 'cluster-name': 'mesh-2' });
      onTestFinished(() => void undo());
      const before = users();
      const pair = ['--context', 'mesh-3', '--destination-context', 'mesh-1'];
      for (const argv of [
        ['clustermesh', 'disconnect', ...pair, '--yes'],
        ['clustermesh', 'disconnect', '--all', '--yes'],
        ['clustermesh', 'disable', '--context', 'mesh-3', '--disconnect', '--yes'],
      ]) {
        const { exitCode, stderr } = await meshctl(argv);
        expect(exitCode, `${argv.join(' ')}\n${stderr}`).toBe(1);
        expect(stderr).toContain('context "mesh-3": its clustermesh-apiserver runs as "mesh-3"');
        expect(stderr).toContain(`--patch '{"data":{"cluster-name":"mesh-3"}}'`);
      }
      const { exitCode, stderr: spared } = await meshctl(['export', '--all']);
      expect(exitCode, spared).toBe(1);
      expect(spared).toContain('context "mesh-3" is left out: its clustermesh-apiserver runs as "mesh-3"');
      const all = (await meshctl(['clustermesh', 'disconnect', '--all', '--yes'])).stderr;
      expect(all).not.toContain('make everything follow');
      // Of what is left pointing there, the former name is the one that its peers know.
      const { stderr } = await meshctl.ok([
        'clustermesh',
        'disable',
        '--context',
        'mesh-3',
        '--disconnect=false',
        '--dry-run',
      ]);
      expect(stderr).toContain('meshctl clustermesh disconnect --context mesh-1 --peer mesh-3\n');
      expect(users()).toBe(before);
      undo();
      await meshctl.ok(['clustermesh', 'disconnect', ...pair, '--yes']);
      expect(users()).toContain('remote-mesh-2');
      await untilHealthy(sandbox, ['mesh-2']);
    },
  );

  it('warns of nobody where only what a cluster has for its own name is taken out', async () => {
    await meshctl.ok(connect('mesh-1', 'mesh-2'));
    const two = found(sandbox.clusters[1], 'mesh-2');
    const peers = refs.secret('cilium-kvstoremesh');
    const careless = dataOf(found(one.store.get(peers), 'its peers'));
    two.store.update(peers, (secret) => {
      secret.data = { ...(secret.data as object), 'mesh-2': btoa(careless['mesh-2'] ?? '') };
    });
    const { stdout, stderr } = await meshctl.ok([
      ...['clustermesh', 'disconnect', '--context', 'mesh-2', '--peer', 'mesh-2', '--yes'],
    ]);
    expect(stderr).not.toContain('⚠');
    expect(stdout).toContain('1 updated');
    expect(Object.keys(dataOf(found(two.store.get(peers), 'its peers')))).not.toContain('mesh-2');
    await untilHealthy(sandbox, ['mesh-2']);
  });

  it('is verified also where the etcd has another CA by now than one of the peers trusts', async () => {
    await meshctl.ok(connect('mesh-1', 'mesh-2'));
    await meshctl.ok(connect('mesh-3', 'mesh-1'));
    const three = found(sandbox.clusters[2], 'mesh-3');
    const other = dataOf(found(three.store.get(refs.secret('cilium-ca')), 'the CA of mesh-3'))['ca.crt'] ?? '';
    three.store.update(refs.secret('cilium-kvstoremesh'), (secret) => {
      secret.data = { ...(secret.data as object), 'mesh-1.etcd-client-ca.crt': btoa(other) };
    });
    const { stdout } = await meshctl.ok([
      ...['clustermesh', 'disconnect', '--context', 'mesh-1', '--destination-context', 'mesh-2,mesh-3', '--yes'],
    ]);
    expect(stdout).toContain('✅ Disconnected');
  });

  it('has nothing to verify where the server is scaled to 0: a new etcd has the users of the list', async () => {
    const { store } = found(sandbox.clusters[2], 'mesh-3');
    const scale = (replicas: number) =>
      store.update(refs.deployment('clustermesh-apiserver'), (deployment) => {
        deployment.spec = { ...(deployment.spec as object), replicas };
      });
    await meshctl.ok(connect('mesh-2', 'mesh-3'));
    scale(0);
    await sandbox.clusters[2]?.settled();
    for (const way of [
      ['--destination-context', 'mesh-2'],
      ['--peer', 'mesh-2'],
    ]) {
      const argv = ['clustermesh', 'disconnect', '--context', 'mesh-3', ...way, '--yes'];
      const { stdout, stderr } = await meshctl.ok(argv);
      expect(stdout).toMatch(/^✅/);
      expect(stderr).not.toMatch(/describe|could not be verified/);
    }
    // Once it is up, etcd is asked.
    scale(1);
    await sandbox.clusters[2]?.settled();
    const up = ['clustermesh', 'disconnect', '--context', 'mesh-3', '--destination-context', 'mesh-2', '--yes'];
    expect((await meshctl.ok(up)).stdout).toContain('✅ Nothing to do');
  });

  it('has nothing to verify where Cluster Mesh was switched off, and nobody to tell of it there', async () => {
    await meshctl.ok(connect('mesh-1', 'mesh-2'));
    const forget = ['clustermesh', 'disconnect', '--context', 'mesh-2', '--peer', 'mesh-1', '--dry-run'];
    expect((await meshctl.ok(forget)).stderr).toContain('disconnect --context mesh-1 --peer mesh-2');
    await meshctl.ok(['clustermesh', 'disable', '--context', 'mesh-1', '--disconnect=false', '--yes']);
    expect((await meshctl.ok(forget)).stderr).not.toContain('is not told');
    const argv = ['clustermesh', 'disconnect', '--context', 'mesh-1', '--destination-context', 'mesh-2', '--yes'];
    const parted = await meshctl.ok(argv);
    expect(parted.stdout).toContain('✅ Disconnected');
    expect(parted.stderr).not.toContain('verified');
  });
});
