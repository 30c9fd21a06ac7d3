import { afterAll, beforeAll, expect, it } from 'vitest';
import { type CliOptions, jsonOf } from '../support/cli.ts';
import { type ConnectClusters, startBareClusters } from '../support/connect-clusters.ts';
import { connect } from '../support/e2e-cli.ts';
import { kubeconfigWithout } from '../support/e2e-kubeconfig.ts';
import { grantAnn } from '../support/lesser-rights.ts';
import { meshText } from '../support/mesh-files.ts';
import { found, refs } from '../support/sandbox-mesh.ts';
import { backendsOf, sharedService } from '../support/shared-service.ts';

/** A kubeconfig with a staging mesh (s1, s3) and a production mesh (p1, p2, p3), whose clusters have the same names. */
let clusters: ConnectClusters;

const CONTEXTS = ['s1', 's3', 'p1', 'p2', 'p3'];
const ok = (argv: readonly string[], options?: CliOptions) => clusters.meshctl.ok(argv, options);
const mesh = (...argv: string[]) => ['clustermesh', ...argv];

beforeAll(async () => {
  clusters = await startBareClusters(0, {
    clusters: CONTEXTS.map((context) => ({ name: `mesh-${context.slice(1)}`, context, id: Number(context.slice(1)) })),
  });
  await ok(mesh('enable', '--context', CONTEXTS.join()));
  await ok(connect('s1', 's3'));
  await ok(mesh('connect', '--context', 'p1', '--destination-context', 'p2,p3', '--connection-mode', 'mesh'));
});
afterAll(() => clusters?.close());

/** By context: whether it is enabled, and whom it dials. */
const standing = () =>
  Object.fromEntries(
    CONTEXTS.map((context, index) => {
      const { store } = found(clusters.clusters[index], context);
      const peers = Object.keys(store.get(refs.secret('cilium-kvstoremesh'))?.data ?? {}).filter(
        (key) => !key.includes('.'),
      );
      return [context, { enabled: store.get(refs.deployment('clustermesh-apiserver')) !== undefined, peers }];
    }),
  );

it('disable --disconnect plans nothing in the clusters of another mesh', async () => {
  const { stdout, stderr } = await clusters.meshctl(mesh('disable', '--context', 'p3', '--disconnect', '--dry-run'));
  for (const context of ['p1', 'p2', 'p3']) expect(stdout).toMatch(new RegExp(`\\b${context}\\b`));
  expect(stdout + stderr).not.toMatch(/\bs[13]\b/);
});

it('check says how it has judged clusters of two meshes, also in its document, and what it cannot of one cluster', async () => {
  const text = await clusters.meshctl(mesh('check', '--context', 's1,s3,p1,p2,p3'));
  const [, says = 'it does not say it'] = /^ℹ (.*)$/m.exec(text.stderr) ?? [];
  const document = jsonOf(await clusters.meshctl(mesh('check', '--context', 's1,s3,p1,p2,p3', '-o', 'json')));
  expect(document.warnings).toEqual([expect.stringContaining(says)]);
  const one = jsonOf(await clusters.meshctl(mesh('check', '--context', 's1', '--pre', '-o', 'json')));
  expect(one.warnings).toEqual([expect.stringMatching(/^with one cluster nothing is compared/)]);
  const none = jsonOf(await clusters.meshctl(mesh('check', '--context', 's1,s3', '-o', 'json')));
  expect(none).not.toHaveProperty('warnings');
});

it('export writes a file of one mesh, and names the clusters of each', async () => {
  const refused = await clusters.meshctl(['export', '--all']);
  expect([refused.exitCode, refused.stdout]).toEqual([2, '']);
  expect(refused.stderr).toContain('contexts "s1" and "p1" lead to different clusters of the name "mesh-1"');
  expect(refused.stderr).toMatch(/meshctl export --context s1,s3 &&\s+meshctl export --context p1,p2,p3\n/);
  for (const contexts of ['s1,s3', 'p1,p2,p3']) {
    const { stdout: input } = await clusters.meshctl(['export', '--context', contexts]);
    const diff = await clusters.meshctl(['diff', '-f', '-'], { input });
    expect(diff.exitCode, diff.stderr).toBe(0);
  }
  // Each name is there once, and the dial that a file would have of them is another one.
  const mixed = await clusters.meshctl(['export', '--context', 'p1,s3']);
  expect(mixed.exitCode, mixed.stdout).toBe(2);
  expect(mixed.stderr).toContain('the mesh-3 that context "p1" dials is another cluster than that of context "s3"');
});

it('what a cluster loses is not made up by the namesake of another peer', async () => {
  const web = { apiVersion: 'v1', kind: 'Service', namespace: 'default', name: 'web' };
  const backed = ['p2', 's3'];
  const stores = ['p1', ...backed].map((context) => found(clusters.clusters[CONTEXTS.indexOf(context)], context).store);
  for (const [index, store] of stores.entries()) {
    store.create(sharedService('default', 'web'));
    if (index > 0) store.create(backendsOf('default', 'web'));
  }
  const part = mesh('disconnect', '--context', 'p1', '--destination-context', 'p2', '--dry-run');
  const fails = '! requests from mesh-1 for default/web fail, which no other backends serve';
  expect((await clusters.meshctl(part)).stdout).toContain(`${fails}\n`);
  const { stdout } = await clusters.meshctl([
    ...part,
    '--kubeconfig',
    await kubeconfigWithout(clusters.kubeconfigPath, 'p3'),
  ]);
  expect(stdout).toContain(`${fails}, as far as is known without mesh-3\n`);
  for (const store of stores) store.delete(web);
});

it('a hint names no context where a name leads to two clusters', async () => {
  const { stderr } = await clusters.meshctl(mesh('disable', '--context', 'p2', '--dry-run'));
  expect(stderr).not.toMatch(/--context s/);
});

it('connect asks before the namesake of a peer takes its place', async () => {
  const before = standing();
  const { exitCode, stderr } = await clusters.meshctl(
    mesh('connect', '--context', 's1', '--destination-context', 'p3'),
  );
  expect(exitCode).toBe(2);
  for (const [peer, from, is, to] of [
    ['mesh-3', 's1', 's3', 'p3'],
    ['mesh-1', 'p3', 'p1', 's1'],
  ]) {
    expect(stderr).toContain(
      `the ${peer} that context "${from}" dials, the cluster of context "${is}", is cut off, another cluster than that of context "${to}"`,
    );
  }
  expect(standing()).toEqual(before);
});

it('disconnect and disable --disconnect part no cluster from the namesake of its peer', async () => {
  const before = standing();
  for (const [one, other, name, peer] of [
    ['s1', 'p3', 'mesh-3', 's3'],
    ['p2', 's1', 'mesh-1', 'p1'],
  ] as const) {
    const argv = mesh('disconnect', '--context', one, '--destination-context', other, '--yes');
    const { exitCode, stderr } = await clusters.meshctl(argv);
    expect(exitCode).toBe(2);
    const words = `context "${other}" leads to another cluster of the name "${name}" than context "${one}" dials or lets in`;
    expect(stderr).toContain(words);
    expect(stderr).toContain(`disconnect --context ${one} --destination-context ${peer}`);
  }
  const changedBy = async (...argv: string[]) => {
    const result = await clusters.meshctl([...mesh(...argv), '--dry-run', '-o', 'json']);
    expect(result.exitCode, result.stderr).toBe(0);
    const plan = jsonOf(result) as { clusters: { context: string; steps: { action: string }[] }[] };
    const changed = plan.clusters.filter(({ steps }) => steps.some(({ action }) => action !== 'keep'));
    return { changed: changed.map(({ context }) => context).sort(), stderr: result.stderr };
  };
  const all = await changedBy('disconnect', '--context', 's1', '--all');
  expect(all.changed).toEqual(['s1', 's3']);
  expect(all.stderr).toContain('nothing is disconnected between them');
  const leaving = await changedBy('disable', '--context', 's1,p3', '--disconnect');
  expect(leaving.changed).toEqual(['p1', 'p2', 'p3', 's1', 's3']);
  expect(standing()).toEqual(before);
});

it('certs rotate takes no certificate of one mesh for that of the other, and has a line for each', async () => {
  const { exitCode, stderr } = await clusters.meshctl(mesh('certs', 'rotate', '--all', '--older-than', '300d'));
  expect(exitCode).toBe(2);
  const line = (contexts: string) => `meshctl clustermesh certs rotate --context ${contexts} --older-than 300d`;
  const hint = stderr.replaceAll(/\s+/g, ' ').replaceAll(/ --kubeconfig \S+/g, '');
  expect(hint).toContain(`Rotate each mesh by itself: ${line('s1,s3')} && ${line('p1,p2,p3')}`);
});

it('apply --prune lets the namesake of a peer alone, also where no context leads to the peer', async () => {
  const file = meshText({
    clusters: [
      { name: 'mesh-1', context: 'p1' },
      { name: 'mesh-2', context: 'p2' },
    ],
    topology: { type: 'mesh' },
  } as never);
  const prune = ['apply', '-f', '-', '--prune'];
  const staging = { s1: standing().s1, s3: standing().s3 };

  const kubeconfig = await kubeconfigWithout(clusters.kubeconfigPath, 'p3');
  const without = await clusters.meshctl([...prune, '--dry-run', '--kubeconfig', kubeconfig], { input: file });
  expect(without.stderr).toContain(
    'context "s3" leads to another cluster of the name "mesh-3" than context "p1", "p2" dials',
  );
  expect(without.stdout).not.toMatch(/s3|mesh-3 \(/);

  await ok([...prune, '--yes'], { input: file });
  expect(standing()).toEqual({
    ...staging,
    p1: { enabled: true, peers: ['mesh-2'] },
    p2: { enabled: true, peers: ['mesh-1'] },
    p3: { enabled: false, peers: [] },
  });
});

it('who dials a cluster that has another peer of its name is disconnected by itself', async () => {
  await ok(mesh('connect', '--context', 'p2', '--destination-context', 's1', '--yes'));
  const before = standing();
  expect([before.p1?.peers, before.p2?.peers]).toEqual([['mesh-2'], ['mesh-1']]);
  const kubeconfig = ['--kubeconfig', await kubeconfigWithout(clusters.kubeconfigPath, 's1')];
  const hint =
    'Only context "p1" dials the other one; to end that: meshctl clustermesh disconnect --context p1 --peer mesh-2';
  for (const argv of [
    mesh('disconnect', '--context', 'p2', '--destination-context', 'p1'),
    mesh('disconnect', '--context', 'p1', '--destination-context', 'p2'),
    mesh('disable', '--context', 'p2', '--disconnect'),
  ]) {
    const { exitCode, stderr } = await clusters.meshctl([...argv, '--yes', ...kubeconfig]);
    const said = stderr.replaceAll(/\s+/g, ' ').replaceAll(/ --kubeconfig \S+/g, '');
    expect([exitCode, said]).toEqual([2, expect.stringContaining(hint)]);
  }
  expect(standing()).toEqual(before);
  const { exitCode, stderr } = await clusters.meshctl(
    mesh('disconnect', '--context', 'p1', '--peer', 'mesh-2', '--yes'),
  );
  expect([exitCode, stderr]).toEqual([0, expect.not.stringContaining('goes on dialling')]);
  expect(standing()).toEqual({ ...before, p1: { enabled: true, peers: [] } });
  await ok(mesh('disable', '--context', 'p2', '--disconnect=false', '--yes', ...kubeconfig));
});

it('meshes with one CA behind NodePorts are each well by itself, also where nodes may not be read', async () => {
  const contexts = ['s1', 's2', 'p1', 'p2'];
  const started = await startBareClusters(0, {
    ...{ sharedCa: true },
    clusters: contexts.map((context) => ({ name: `mesh-${context.slice(1)}`, context, id: Number(context.slice(1)) })),
  });
  try {
    const enable = mesh('enable', '--context', contexts.join(), '--service-type', 'NodePort');
    for (const argv of [enable, connect('s1', 's2'), connect('p1', 'p2')]) {
      const { exitCode, stderr } = await started.meshctl(argv);
      expect(exitCode, stderr).toBe(0);
    }
    const status = await started.meshctl(mesh('status', '--all', '--wait', '--wait-duration', '30s'));
    expect(status.exitCode, status.stdout).toBe(0);
    const check = await started.meshctl(mesh('check', '--all', '--category', 'identity,peers'));
    expect(check.exitCode, check.stdout).toBe(0);
    const everywhere = started.clusters.map((cluster) => ({ ...cluster, name: 'mesh-2' }));
    grantAnn(everywhere, 'nodes');
    const unread = await started.meshctl(mesh('status', '--all', '--as', 'ann'));
    expect(unread.exitCode, unread.stdout).toBe(0);
  } finally {
    await started.close();
  }
});
