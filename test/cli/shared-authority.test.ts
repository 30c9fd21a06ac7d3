import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ConnectClusters, startBareClusters } from '../support/connect-clusters.ts';
import { connect } from '../support/e2e-cli.ts';
import { found, refs } from '../support/sandbox-mesh.ts';

/** Clusters that were given one CA, as Cilium's own guide has it. */
let clusters: ConnectClusters;

const ok = async (...argv: string[]) => {
  const result = await clusters.meshctl(argv);
  expect(result.exitCode, `${argv.join(' ')}: ${result.stderr}`).toBe(0);
  return result;
};
const mesh = (...argv: string[]) => ok('clustermesh', ...argv);

describe.each([
  ['all have one', ['mesh-1', 'mesh-2', 'mesh-3']],
  ['one has its own', ['mesh-2', 'mesh-3']],
])('where %s', (_what, sharing) => {
  const all = ['mesh-1', 'mesh-2', 'mesh-3'];
  const ALL = ['--context', all.join()];

  beforeAll(async () => {
    clusters = await startBareClusters(3);
    const [first = '', ...others] = sharing;
    await mesh('enable', '--context', all.filter((name) => !others.includes(name)).join());
    await mesh('enable', '--context', others.join(), '--ca-from-context', first, '--replace-ca', '--yes');
    await mesh('connect', '--all');
  });
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
