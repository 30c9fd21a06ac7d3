import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { WrittenSpec } from '../../src/mesh/file/document.ts';
import { type ConnectClusters, startConnectClusters } from '../support/connect-clusters.ts';
import { meshText } from '../support/mesh-files.ts';
import { printedCommands } from '../support/printed-commands.ts';
import { clusterAt, found, refs, setUsers } from '../support/sandbox-mesh.ts';

/** mesh-1 and mesh-2 dial each other, and so do mesh-2 and mesh-4; mesh-3 dials mesh-1 one-way. */
let clusters: ConnectClusters;

const ALL = ['--context', 'mesh-1,mesh-2,mesh-3,mesh-4'];
const STATUS = ['clustermesh', 'status', ...ALL];
const MESH: WrittenSpec = {
  clusters: [1, 2, 3, 4].map((number) => ({ name: `mesh-${number}` })),
  topology: {
    type: 'pairs',
    pairs: [['mesh-1', 'mesh-2'], { from: 'mesh-3', to: 'mesh-1' }, ['mesh-2', 'mesh-4']],
  },
};
const BOTH_SECRETS = ['cilium-clustermesh', 'cilium-kvstoremesh'];

const meshctl = (...argv: string[]) => clusters.meshctl(argv);
const withFile = (...argv: string[]) => clusters.meshctl([...argv, '-f', '-'], { input: meshText(MESH) });
const ok = async (...argv: string[]) => {
  const result = await meshctl(...argv);
  expect(result.exitCode, `${argv.join(' ')}: ${result.stderr}${result.stdout}`).toBe(0);
  return result;
};
const storeOf = (name: string) => clusterAt(clusters, name).store;
const lose = (name: string, ...secrets: string[]) => {
  for (const secret of secrets) storeOf(name).delete(refs.secret(secret));
};
const marksOf = (name: string) => {
  const { annotations = {} } = storeOf(name).get(refs.secret('cilium-clustermesh'))?.metadata ?? {};
  return Object.entries(annotations)
    .filter(([key]) => key.startsWith('meshctl.io/mode.'))
    .map(([key, value]) => `${key.slice('meshctl.io/mode.'.length)}=${value}`);
};
const dialledBy = (name: string) =>
  Object.keys(storeOf(name).get(refs.secret('cilium-clustermesh'))?.data ?? {}).filter((key) =>
    key.startsWith('mesh-'),
  );
/** The commands of a kind that a result proposes. */
const proposed = (result: { stdout: string; stderr: string }, word: string): string[] =>
  printedCommands(result as never)
    .filter(({ argv }) => argv.includes(word))
    .map(({ argv }) => argv.join(' '));
const CONNECT = (from: string, to: string) => `clustermesh connect --context ${from} --destination-context ${to}`;

beforeAll(async () => {
  clusters = await startConnectClusters(4);
});
afterAll(async () => {
  expect(clusters?.errors).toEqual([]);
  await clusters?.close();
});
beforeEach(async () => {
  const applied = await withFile('apply', '--yes');
  expect(applied.exitCode, applied.stderr).toBe(0);
  await ok(...STATUS, '--wait');
  expect(marksOf('mesh-1')).toEqual(['mesh-3=served']);
  expect(marksOf('mesh-3')).toEqual(['mesh-1=unicast']);
});

describe('a cluster that has lost its peering files', () => {
  it.each([
    ['one-way', 'mesh-3', 'mesh-1'],
    ['both ways', 'mesh-4', 'mesh-2'],
  ])('is to be connected to those alone that something names as its peers: %s', async (_how, lost, peer) => {
    lose(lost, ...BOTH_SECRETS);
    await expect
      .poll(async () => (await meshctl(...STATUS)).stdout)
      .toContain(`${lost} ${lost === 'mesh-4' ? 'dials no cluster' : 'is connected to no cluster'}`);
    const told = [await meshctl(...STATUS), await meshctl('clustermesh', 'check', ...ALL, '--category', 'peers')];
    for (const result of told) {
      for (const line of proposed(result, 'connect')) {
        const asItIs = `${CONNECT(peer, lost)} --connection-mode unicast`;
        expect([CONNECT(lost, peer), CONNECT(peer, lost), asItIs], result.stdout).toContain(line);
      }
    }
    expect(told.map((result) => proposed(result, 'connect'))).toEqual(
      told.map(() => expect.arrayContaining([CONNECT(lost, peer)])),
    );
    // Where its peer is not among the clusters that are looked at, neither is who else is.
    const apart = await meshctl(
      'clustermesh',
      'status',
      '--context',
      `${lost},${lost === 'mesh-3' ? 'mesh-4' : 'mesh-1'}`,
    );
    if (lost === 'mesh-4') expect(proposed(apart, 'connect')).toEqual([CONNECT(lost, peer)]);
    await ok(...CONNECT(lost, peer).split(' '));
    await ok(...STATUS, '--wait');
    expect((await withFile('diff')).exitCode).toBe(0);
  });

  it('is exported with the one-way connection that is on record, and that is said', async () => {
    lose('mesh-3', ...BOTH_SECRETS);
    const { stdout } = await ok('export', ...ALL);
    expect(stdout).toContain('from: mesh-3');
    expect(stdout).toContain(
      '# mesh-3 does not dial mesh-1, which lets it in one-way, as chosen → before the mesh is exported, ',
    );
    const diff = await clusters.meshctl(['diff', '-f', '-'], { input: stdout });
    expect(diff.stdout).toContain('Secret kube-system/cilium-kvstoremesh');
    expect(diff.stdout).not.toContain('not in the file');
  });

  it('is exported without a pair of which both have lost them, and that is said', async () => {
    lose('mesh-3', ...BOTH_SECRETS);
    lose('mesh-4', ...BOTH_SECRETS);
    const { stdout } = await ok('export', '--context', 'mesh-3,mesh-4');
    expect(stdout).not.toContain('lets');
    lose('mesh-2', ...BOTH_SECRETS);
    const text = (await ok('export', ...ALL)).stdout;
    expect(text).toContain(
      '# mesh-2 lets mesh-4 in, and neither dials the other: that is left out → before the mesh is exported, ',
    );
  });
});

describe('a choice of one way that one side has lost', () => {
  beforeEach(async () => {
    lose('mesh-1', 'cilium-clustermesh');
    await ok(...CONNECT('mesh-1', 'mesh-2').split(' '));
    await ok(...STATUS, '--wait');
    expect(marksOf('mesh-1')).toEqual([]);
  });

  const SAYS = 'mesh-3 dials mesh-1 one-way, as chosen, and only mesh-3 has that on record';

  it('is told, and comes back by the command that status and check print', async () => {
    const status = await ok(...STATUS);
    expect(status.stdout).toContain('one-way, as chosen: mesh-3 → mesh-1');
    expect(status.stdout).not.toContain('which no one chose');
    expect(status.stdout).toContain(SAYS);
    const check = await meshctl('clustermesh', 'check', ...ALL, '--category', 'peers');
    expect(check.stdout).toContain(SAYS);
    expect(proposed(check, 'connect')).toEqual(proposed(status, 'connect'));
    const [line = ''] = proposed(status, 'connect');
    await ok(...line.split(' '));
    expect([marksOf('mesh-1'), marksOf('mesh-3')]).toEqual([['mesh-3=served'], ['mesh-1=unicast']]);
    expect((await ok(...STATUS)).stdout).not.toContain(SAYS);
  });

  it('differs from the file, and comes back by apply', async () => {
    const diff = await withFile('diff');
    expect(diff.stdout).toContain('meshctl.io/mode.mesh-3');
    expect(diff.exitCode).toBe(1);
    expect((await withFile('apply', '--yes')).exitCode).toBe(0);
    expect(marksOf('mesh-1')).toEqual(['mesh-3=served']);
    expect((await withFile('diff')).exitCode).toBe(0);
  });

  it('is written down at both sides by the file alone, where the other side has lost it too', async () => {
    lose('mesh-3', 'cilium-clustermesh');
    expect((await withFile('apply', '--yes')).exitCode).toBe(0);
    expect([marksOf('mesh-1'), marksOf('mesh-3')]).toEqual([['mesh-3=served'], ['mesh-1=unicast']]);
    expect(dialledBy('mesh-1')).toEqual(['mesh-2']);
  });

  it('does not end without a word where nobody has it on record any more', async () => {
    lose('mesh-3', 'cilium-clustermesh');
    const { stderr } = await ok(...CONNECT('mesh-3', 'mesh-1').split(' '));
    expect(stderr).toContain('"mesh-1" starts to dial "mesh-3": until now that connection was one-way');
    const back = ['clustermesh', 'disconnect', '--context', 'mesh-1', '--destination-context', 'mesh-3'];
    await ok(...back, '--connection-mode', 'unicast', '--yes');
  });
});

describe('a list of users that leaves out a peer, read without that peer', () => {
  const LIST = refs.configMap('clustermesh-remote-users');
  const withUsers = async (name: string, users: string[], work: () => Promise<void>) => {
    const before = storeOf(name).get(LIST)?.data;
    setUsers(
      found(
        clusters.clusters.find((one) => one.name === name),
        name,
      ),
      users,
    );
    await work();
    storeOf(name).update(LIST, (list) => {
      list.data = before;
    });
  };
  const checkOf = (contexts: string) => meshctl('clustermesh', 'check', '--context', contexts, '--category', 'peers');

  it('is told of one that is let in as recorded, and mended by what is printed', async () => {
    await withUsers('mesh-1', ['remote-mesh-2'], async () => {
      const says = 'mesh-3 is to be let in, as recorded, and there is no user remote-mesh-3 with the role remote';
      for (const contexts of ['mesh-1', 'mesh-1,mesh-2']) {
        const check = await checkOf(contexts);
        expect(check).toMatchObject({ exitCode: 1, stdout: expect.stringContaining(says) });
        const status = await meshctl('clustermesh', 'status', '--context', contexts);
        expect(status).toMatchObject({ exitCode: 1, stdout: expect.stringContaining(says) });
        expect(proposed(status, 'connect')).toEqual([CONNECT('mesh-1', 'mesh-3')]);
      }
      await ok(...CONNECT('mesh-1', 'mesh-3').split(' '));
      expect((await checkOf('mesh-1')).stdout).not.toContain(says);
      expect([marksOf('mesh-1'), marksOf('mesh-3')]).toEqual([['mesh-3=served'], ['mesh-1=unicast']]);
    });
  });

  it('is told of one that this cluster dials and that cannot dial back, with both ways out', async () => {
    await withUsers('mesh-2', ['remote-mesh-1'], async () => {
      const says = 'mesh-4 cannot dial back, and there is no user remote-mesh-4 with the role remote';
      for (const contexts of ['mesh-2', 'mesh-1,mesh-2']) {
        expect((await checkOf(contexts)).stdout).toContain(says);
        expect((await meshctl('clustermesh', 'status', '--context', contexts)).stdout).toContain(says);
      }
      // Read too, it tells itself how it logs in.
      const both = await checkOf('mesh-2,mesh-4');
      expect(both.stdout).not.toContain(says);
      expect(both.exitCode).toBe(1);
    });
    for (const contexts of ['mesh-2', 'mesh-3', 'mesh-4', 'mesh-1,mesh-3']) {
      expect((await checkOf(contexts)).stdout).not.toContain('there is no user');
    }
  });
});
