import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clientSpec } from '../../src/mesh/certificates/cluster-certificates.ts';
import { type ConnectClusters, startBareClusters } from '../support/connect-clusters.ts';
import { connect } from '../support/e2e-cli.ts';
import { printedCommands } from '../support/printed-commands.ts';
import { found, issueInto, refs, setUsers } from '../support/sandbox-mesh.ts';

/** Clusters that were given one CA, as Cilium's own guide has it. */
let clusters: ConnectClusters;

const ok = (...argv: string[]) => clusters.meshctl.ok(argv);
const mesh = (...argv: string[]) => ok('clustermesh', ...argv);

/** Three connected clusters. @param sharing those that have the CA of the first of them */
async function startSharing([first = '', ...others]: readonly string[]): Promise<void> {
  clusters = await startBareClusters(3);
  const apart = ['mesh-1', 'mesh-2', 'mesh-3'].filter((name) => !others.includes(name));
  await mesh('enable', '--context', apart.join());
  await mesh('enable', '--context', others.join(), '--ca-from-context', first, '--replace-ca', '--yes');
  await mesh('connect', '--all');
}

describe.each([
  ['all have one', ['mesh-1', 'mesh-2', 'mesh-3']],
  ['one has its own', ['mesh-2', 'mesh-3']],
])('where %s', (_what, sharing) => {
  const all = ['mesh-1', 'mesh-2', 'mesh-3'];
  const ALL = ['--context', all.join()];

  beforeAll(() => startSharing(sharing));
  afterAll(() => clusters?.close());

  it('certs rotate comes to its end, and has nothing left to do', async () => {
    await mesh('certs', 'rotate', ...ALL);
    const { stdout } = await mesh('certs', 'rotate', ...ALL, '--older-than', '1d');
    expect(stdout).toContain('No certificate was due');
    await mesh('status', ...ALL, '--wait');
  });

  it('a CA that is lost comes back from a cluster that has it, and nobody is cut', async () => {
    const [first = '', second = ''] = sharing;
    const cluster = found(clusters.clusters[all.indexOf(second)], second);
    cluster.store.delete(refs.secret('cilium-ca'));
    const { stdout } = await clusters.meshctl(['clustermesh', 'status', ...ALL]);
    const restore = `clustermesh enable --context ${second} --ca-from-context ${first}`;
    expect(stdout).toContain(restore);
    const plan = await ok(...restore.split(' '), '--dry-run');
    expect(plan.stdout).not.toContain('is cut off');
    await ok(...restore.split(' '));
    await mesh('status', ...ALL, '--wait');
  });

  it('a connect of some of them takes no living peer for the former name of another', async () => {
    await ok(...connect('mesh-3', 'mesh-1'));
    const { stdout } = await mesh('status', '--context', 'mesh-1,mesh-3');
    expect(stdout).not.toContain('former name');
  });
});

describe('a CA that all share', () => {
  beforeAll(() => startSharing(['mesh-1', 'mesh-2', 'mesh-3']));
  afterAll(() => clusters?.close());

  it('is rotated by what is printed, and all are connected after it as before', async () => {
    const all = ['--context', 'mesh-1,mesh-2,mesh-3'];
    const rotate = ['clustermesh', 'certs', 'rotate', '--ca', ...all, '--yes'];
    const refused = await clusters.meshctl(rotate);
    expect(refused.exitCode).toBe(1);
    const printed = printedCommands(refused);
    expect(printed.map(({ argv }) => argv.slice(0, 4).join(' '))).toEqual([
      'clustermesh enable --context mesh-2,mesh-3',
      'clustermesh connect --context mesh-2',
      'clustermesh connect --context mesh-3',
    ]);
    for (const { argv } of printed) await ok(...argv, ...(argv[1] === 'enable' ? ['--yes'] : []));
    await mesh('status', ...all, '--wait');
    await ok(...rotate);
    await mesh('status', ...all, '--wait');
    const check = await clusters.meshctl(['clustermesh', 'check', ...all, '--category', 'tls,standing,peers']);
    expect(check.exitCode, check.stdout).toBe(0);
  });
});

describe('a peer that logs in with what all of one CA share', () => {
  beforeAll(() => startSharing(['mesh-1', 'mesh-2', 'mesh-3']));
  afterAll(() => clusters?.close());

  it('is not called shut out by whom it goes on dialling, and what is printed shuts it out', async () => {
    const forget = ['clustermesh', 'disconnect', '--context', 'mesh-1', '--peer', 'mesh-2', '--yes'];
    const { exitCode, stderr } = await clusters.meshctl(forget);
    expect(exitCode).toBe(1);
    expect(stderr).not.toContain('shut out and forgotten\n✅');
    expect(stderr).toContain('"mesh-2" may log in with a certificate that all clusters of its CA share');
    const statusOf2 = async () => (await clusters.meshctl(['clustermesh', 'status', '--context', 'mesh-2'])).stdout;
    await expect.poll(statusOf2).toContain('mesh-1: 1/1 configured, 1/1 connected');

    // It has left no trace there: whoever plans by what the cluster knows of its peers would cut it unnamed.
    const plan = await ok('clustermesh', 'disable', '--context', 'mesh-1', '--disconnect=false', '--dry-run');
    for (const peer of ['mesh-2', 'mesh-3']) expect(plan.stdout).toMatch(new RegExp(`peer ${peer} .*cut off`));

    const replace = /→ replacing the CA here .*?: meshctl (.*)\n/.exec(stderr)?.[1] ?? '';
    await ok(...replace.split(' '), '--yes');
    clusters.network.cutLink('mesh-1', 'mesh-2');
    clusters.network.mendLink('mesh-1', 'mesh-2');
    await expect.poll(statusOf2).toContain('Cannot establish TLS connection to 172.18.1.100:2379');
  });
});

describe('clusters of one CA that each log in as themselves (authMode cluster of the chart)', () => {
  const BOTH = ['--context', 'mesh-1,mesh-2'];
  const REMOTE_CERT = 'clustermesh-apiserver-remote-cert';
  const CHECK = ['clustermesh', 'check', ...BOTH, '--category', 'tls,standing,peers'];

  beforeAll(async () => {
    clusters = await startBareClusters(2);
    await mesh('enable', '--context', 'mesh-1');
    await mesh('enable', '--context', 'mesh-2', '--ca-from-context', 'mesh-1', '--replace-ca', '--yes');
    const signer = found(clusters.clusters[0], 'mesh-1');
    for (const cluster of clusters.clusters) {
      await issueInto(cluster, REMOTE_CERT, clientSpec(`remote-${cluster.name}`), {}, signer);
    }
    await ok(...connect('mesh-1', 'mesh-2'));
    await mesh('status', ...BOTH, '--wait');
  });
  afterAll(() => clusters?.close());

  it('are well, and stay so when their certificates are renewed', async () => {
    await ok(...CHECK);
    const { stdout } = await mesh('enable', ...BOTH, '--dry-run', '-o', 'json');
    const plan = JSON.parse(stdout) as { clusters: { steps: { action: string }[] }[] };
    const steps = plan.clusters.flatMap((cluster) => cluster.steps);
    expect(steps.filter(({ action }) => action !== 'keep')).toEqual([]);
    await mesh('certs', 'rotate', ...BOTH);
    await mesh('status', ...BOTH, '--wait');
    await ok(...CHECK);
  });

  it('are cut off when their user is gone, which status and check say, and what they print mends it', async () => {
    setUsers(found(clusters.clusters[1], 'mesh-2'), []);
    const status = await clusters.meshctl(['clustermesh', 'status', ...BOTH, '-o', 'json']);
    expect(status.stdout).toContain('mesh-1 logs in as remote-mesh-1, and there is no such user');
    const check = await clusters.meshctl(CHECK);
    expect(check.stdout).toContain('there is no etcd user remote-mesh-1');
    await ok(...connect('mesh-1', 'mesh-2'));
    await mesh('status', ...BOTH, '--wait');
    await ok(...CHECK);
  });

  it('are shut out by disconnect', async () => {
    const { stdout, stderr } = await mesh(
      'disconnect',
      '--context',
      'mesh-1',
      '--destination-context',
      'mesh-2',
      '--yes',
    );
    expect(`${stdout}${stderr}`).not.toContain('other clusters');
  });
});

describe('a stranger with the name of a peer that has the shared CA', () => {
  beforeAll(async () => {
    clusters = await startBareClusters(0, {
      clusters: ['p1', 'p2', 's2'].map((context) => ({
        name: `mesh-${context.slice(1)}`,
        ...{ context, id: Number(context.slice(1)) },
      })),
    });
    await mesh('enable', '--context', 'p1,s2');
    await mesh('enable', '--context', 'p2', '--ca-from-context', 'p1', '--replace-ca', '--yes');
    await ok(...connect('p1', 'p2'));
  });
  afterAll(() => clusters?.close());

  it('does not take its place by an invitation', async () => {
    const { stdout: input } = await mesh('invite', '--context', 's2', '--peer', 'mesh-1');
    const { exitCode, stderr } = await clusters.meshctl(['clustermesh', 'accept', '-', '--context', 'p1', '--yes'], {
      input,
    });
    expect(exitCode).toBe(1);
    expect(stderr).toContain('cluster "mesh-1" has a peer "mesh-2" already, with another CA');
  });
});

describe('one that has parted with another by itself', () => {
  beforeAll(async () => {
    clusters = await startBareClusters(2);
    await mesh('enable', '--context', 'mesh-1');
    await mesh('enable', '--context', 'mesh-2', '--ca-from-context', 'mesh-1', '--replace-ca', '--yes');
    await mesh('connect', '--all');
  });
  afterAll(() => clusters?.close());

  it('is not said to shut out who still logs in by the certificate that all share', async () => {
    const parting = ['clustermesh', 'disconnect', '--context', 'mesh-2', '--peer', 'mesh-1', '--yes'];
    expect((await clusters.meshctl(parting)).stderr.replaceAll(/\s+/g, ' ')).toContain('so it is not shut out');
    const { stdout, stderr } = await mesh('certs', 'rotate', '--context', 'mesh-1,mesh-2', '--dry-run');
    expect(`${stdout}${stderr}`).not.toContain('does not let it in');
  });
});
