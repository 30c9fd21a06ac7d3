import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ConnectClusters, startBareClusters } from '../support/connect-clusters.ts';
import { connect } from '../support/e2e-cli.ts';

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

  it('a connect of some of them takes no living peer for the former name of another', async () => {
    await ok(...connect('mesh-3', 'mesh-1'));
    const { stdout } = await mesh('status', '--context', 'mesh-1,mesh-3');
    expect(stdout).not.toContain('former name');
  });
});
