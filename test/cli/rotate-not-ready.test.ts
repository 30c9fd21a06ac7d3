import { afterAll, beforeAll, expect, it } from 'vitest';
import { lasting, serverCertificateSpec } from '../support/certificate-specs.ts';
import { type CliResult, jsonOf } from '../support/cli.ts';
import { type ConnectClusters, startConnectClusters } from '../support/connect-clusters.ts';
import { connect } from '../support/e2e-cli.ts';
import { serveWith } from '../support/fault-parts.ts';
import { found } from '../support/sandbox-mesh.ts';

/** Three clusters that are connected; no clustermesh-apiserver pod of mesh-2 becomes ready. */
let clusters: ConnectClusters;

const rotate = (...more: string[]): Promise<CliResult> =>
  clusters.meshctl(['clustermesh', 'certs', 'rotate', ...more, '--wait-duration', '10m']);

const LOOK = 'kubectl --context mesh-2 -n kube-system describe pods -l k8s-app=clustermesh-apiserver';

beforeAll(async () => {
  clusters = await startConnectClusters(3);
  for (const peer of ['mesh-2', 'mesh-3']) {
    const { exitCode, stderr } = await clusters.meshctl(connect('mesh-1', peer));
    expect(exitCode, stderr).toBe(0);
  }
  const cluster = found(clusters.clusters[1], 'mesh-2');
  const pods = cluster.store.list({ apiVersion: 'v1', kind: 'Pod', namespace: 'kube-system' });
  const pod = pods.find(({ metadata }) => metadata.labels?.['k8s-app'] === 'clustermesh-apiserver');
  cluster.stopPod('kube-system', found(pod, 'the pod').metadata.name);
});

afterAll(async () => {
  expect(clusters?.errors).toEqual([]);
  await clusters?.close();
});

it('--all leaves a cluster out at once that has no ready pod, renews the others, and exits 1', async () => {
  const before = clusters.objects();
  const plan = await rotate('--all', '--dry-run', '-o', 'json');
  const run = await rotate('--all', '-o', 'json');
  for (const result of [plan, run]) {
    expect(result.exitCode, result.stderr).toBe(1);
    expect(jsonOf(result)).toMatchObject({ unreachable: [{ context: 'mesh-2', hint: LOOK }] });
  }
  const { certificates } = jsonOf(run) as { certificates: { context: string }[] };
  expect(new Set(certificates.map(({ context }) => context))).toEqual(new Set(['mesh-1', 'mesh-3']));
  const after = clusters.objects();
  const changed = Object.keys(after).filter((key) => JSON.stringify(after[key]) !== JSON.stringify(before[key]));
  expect(changed.filter((key) => key.startsWith('mesh-2 Secret'))).toEqual([]);
  expect(changed).toContain('mesh-1 Secret/clustermesh-apiserver-server-cert');
});

it('--all --ca is refused at once, with what brings a pod up: the others cannot do without it', async () => {
  const before = clusters.objects();
  for (const more of [['--yes'], ['--dry-run']]) {
    const { exitCode, stdout, stderr } = await rotate('--all', '--ca', ...more);
    expect({ exitCode, stdout }, stderr).toEqual({ exitCode: 1, stdout: '' });
    expect(stderr).toContain('context "mesh-2": no clustermesh-apiserver pod is ready (not ready: ');
    expect(stderr).toContain(`→ ${LOOK}`);
  }
  expect(clusters.objects()).toEqual(before);
});

it.each([
  ['', ['--context', 'mesh-1,mesh-2']],
  [', and --all leaves it out no longer', ['--all']],
])(
  "a cluster's own certificate that cannot stay is renewed without a ready pod, which it may lack for it%s",
  async (_also, chosen) => {
    const cluster = found(clusters.clusters[1], 'mesh-2');
    await serveWith(cluster, serverCertificateSpec(cluster), { signer: cluster, options: lasting(-1) });
    const says =
      /context "mesh-2": no clustermesh-apiserver pod is ready \(not ready: .*\), and its own certificates cannot stay: new ones are written without being proved\n {2}→ kubectl/;
    const plan = await rotate(...chosen, '--older-than', '2000d', '--dry-run');
    expect(plan.exitCode, plan.stderr).toBe(0);
    expect(plan.stderr).toMatch(says);
    expect(plan.stderr).not.toContain('nothing is written before one is');
    const run = await rotate(...chosen, '--older-than', '2000d');
    expect(run.exitCode, run.stderr).toBe(0);
    expect(run.stderr).toMatch(says);
    expect(`${run.stdout}${run.stderr}`).toContain('Renewed 1 certificate');
    const again = await rotate(...chosen, '--older-than', '2000d');
    expect(again.exitCode, again.stderr).toBe(0);
    expect(again.stderr).not.toContain('no clustermesh-apiserver pod is ready');
  },
);
