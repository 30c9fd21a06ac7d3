import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { imageOf } from '../../src/mesh/apiserver/deployment.ts';
import type { WrittenSpec } from '../../src/mesh/file/document.ts';
import { refOf } from '../../src/mesh/objects/kube-object.ts';
import { ApiError } from '../../src/sandbox/apiserver/errors.ts';
import { failureOf, jsonOf } from '../support/cli.ts';
import { type ConnectClusters, startBareClusters, statusIsGreen } from '../support/connect-clusters.ts';
import { meshText } from '../support/mesh-files.ts';
import { eventually, refs, setUsers } from '../support/sandbox-mesh.ts';
import { serviceObjects } from '../support/service-clusters.ts';

/** Nudges, port-forwards, reviews: no writes to what a mesh is made of. */
const OTHERS = ['leases', 'pods', 'selfsubjectrulesreviews', 'selfsubjectaccessreviews'];

let clusters: ConnectClusters;
/** All that was there before anything was applied. */
let before: Record<string, unknown>;

const named = (...names: string[]) => names.map((name) => ({ name }));
const ALL = ['mesh-1', 'mesh-2', 'mesh-3'];
const MESH: WrittenSpec = { clusters: named(...ALL), topology: { type: 'mesh' } };
const run = (words: string[], spec: WrittenSpec, more = {}) =>
  clusters.meshctl([...words, '-f', '-'], { input: meshText(spec), ...more });
const apply = (spec: WrittenSpec, ...words: string[]) => run(['apply', ...words], spec);
const differs = async (spec: WrittenSpec) => (await run(['diff'], spec)).exitCode;
const store = (index: number) => {
  const cluster = clusters.clusters[index];
  if (!cluster) throw new Error('there is no such cluster');
  return cluster.store;
};

beforeAll(async () => {
  clusters = await startBareClusters(3);
  before = clusters.objects();
});

afterEach(() => {
  clusters.fault = undefined;
});

afterAll(async () => {
  expect(clusters?.errors).toEqual([]);
  await clusters?.close();
});

describe('apply', () => {
  it('plans bare clusters, and changes nothing with --dry-run', async () => {
    const plan = await apply(MESH, '--dry-run', '-o', 'json');
    expect(plan.exitCode, plan.stderr).toBe(0);
    const data = jsonOf(plan);
    expect(data).toMatchObject({ kind: 'Plan', dryRun: 'client', unconnected: { length: 3 } });
    const server = await apply(MESH, '--dry-run=server');
    expect(server.stdout).toContain(
      'known only by then:\n  + mesh-1 and mesh-2 dial each other\n  + mesh-1 and mesh-3',
    );
    expect(server.stdout).toContain(
      '  Context mesh-1:\n    ~ update ConfigMap kube-system/clustermesh-remote-users (lets mesh-2, mesh-3 in)\n    ~ update Secret kube-system/cilium-kvstoremesh (dials mesh-2, mesh-3)\n',
    );
    expect(server.stdout).toContain(
      'only the run tries connections of clusters that are enabled first and the proof of the credentials',
    );
    expect(clusters.objects()).toEqual(before);
  });

  it('names the Services that come to be shared, also by connections that are planned only later', async () => {
    const objects = serviceObjects('web');
    for (const index of [0, 1]) for (const object of objects) store(index).create(object);
    const says = (peer: string) => `requests for default/web may go to ${peer} too`;
    const plan = jsonOf(await apply(MESH, '--dry-run', '-o', 'json'));
    expect(plan.warnings).toEqual(
      expect.arrayContaining([`context "mesh-1": ${says('mesh-2')}`, `context "mesh-2": ${says('mesh-1')}`]),
    );
    expect((await run(['diff'], MESH)).stderr).toContain(says('mesh-2'));
    for (const index of [0, 1]) for (const object of objects) store(index).delete(refOf(object));
    expect(clusters.objects()).toEqual(before);
  });

  it.each([
    ...[1, 6, 12, 18, 24, 30, 36, 40, 44, 47].map((write) => [write, 'Ctrl-C'] as const),
    [3, 'refused'],
    [38, 'refused'],
    [45, 'refused'],
  ] as const)('that is cut at write %i (%s) puts every cluster back, also what was enabled', async (write, kind) => {
    const abort = new AbortController();
    let seen = 0;
    clusters.fault = async ({ verb, resource, dryRun }) => {
      const isWrite =
        !dryRun && ['create', 'patch', 'update', 'delete'].includes(verb) && !OTHERS.includes(resource ?? '');
      if (!isWrite || ++seen !== write) return undefined;
      if (kind === 'refused') throw new ApiError(422, 'Invalid', 'admission webhook said no');
      abort.abort();
      return undefined;
    };
    const { exitCode, stdout, stderr } = await run(['apply'], MESH, { signal: abort.signal });
    clusters.fault = undefined;
    expect(seen).toBeGreaterThanOrEqual(write);
    expect({ exitCode, stdout }, stderr).toEqual({ exitCode: kind === 'refused' ? 1 : 130, stdout: '' });
    // Pods go once what made them is gone.
    await eventually(
      () => clusters.objects(),
      (now) => JSON.stringify(now) === JSON.stringify(before),
      'all as before',
    );
  });

  it('says of each cluster why it cannot be enabled, and of those that were stopped for that nothing', async () => {
    const arrived = new Set<string>();
    let bothThere = () => {};
    const both = new Promise<void>((resolve) => {
      bothThere = resolve;
    });
    clusters.fault = async ({ context, verb, resource }) => {
      if (context === 'mesh-1' || verb !== 'patch' || resource !== 'serviceaccounts') return undefined;
      if (arrived.add(context).size === 2) bothThere();
      await both;
      throw new ApiError(422, 'Invalid', 'a webhook said no');
    };
    const { exitCode, stderr } = await apply(MESH);
    clusters.fault = undefined;
    expect(exitCode).toBe(1);
    expect(stderr.match(/^[⚠✖] (context "mesh-\d"): cannot/gm)?.sort()).toEqual([
      '⚠ context "mesh-3": cannot',
      '✖ context "mesh-2": cannot',
    ]);
    await eventually(
      () => clusters.objects(),
      (now) => JSON.stringify(now) === JSON.stringify(before),
      'all as before',
    );
  });

  it('takes bare clusters to a mesh; the second run finds nothing to change', async () => {
    const plan = jsonOf(await apply(MESH, '--dry-run', '-o', 'json'));
    const [, toCreate, toUpdate] =
      /^Plan: (\d+) to create, \d+ to keep; then (\d+) to update\.$/m.exec((await apply(MESH, '--dry-run')).stdout) ??
      [];
    const first = await apply(MESH);
    expect(first.stdout).toContain(`Objects: ${toCreate} created, ${toUpdate} updated`);
    // What is written at addresses that nobody knows before is in the plan by its objects, and for whom.
    const later = plan.later as { context: string; steps: { object: { kind: string; name: string }; why: string }[] }[];
    const written = ALL.map((context, at) => ({
      context,
      steps: [
        refs.configMap('clustermesh-remote-users'),
        refs.secret('cilium-kvstoremesh'),
        refs.secret('cilium-clustermesh'),
      ].map((object) => ({ object, data: JSON.stringify(store(at).get(object)?.data) })),
    }));
    expect(later.map(({ context, steps }) => [context, steps.map(({ object }) => object.name)])).toEqual(
      written.map(({ context, steps }) => [context, steps.map(({ object }) => object.name)]),
    );
    for (const { context, steps } of written) {
      const planned = later.find((one) => one.context === context)?.steps ?? [];
      for (const peer of ALL.filter((name) => name !== context)) {
        for (const { why } of planned) expect(why).toContain(peer);
        for (const { data } of steps) expect(data).toContain(peer);
      }
    }
    expect(first.exitCode, first.stderr).toBe(0);
    expect(first.stdout).toContain('✅ mesh-1, mesh-2 and mesh-3 are as standard input says');
    expect(first.stdout).toContain('Connections: 3 pairs of clusters');
    expect((await statusIsGreen(clusters)).exitCode).toBe(0);
    const stands = clusters.objects();
    const again = await apply(MESH);
    expect(again.stdout).toBe('✅ Nothing to change: mesh-1, mesh-2 and mesh-3 are as standard input says\n');
    expect(again.exitCode).toBe(0);
    expect(clusters.objects()).toEqual(stands);
    expect(await differs(MESH)).toBe(0);
  });

  it('asks each cluster as much, however many there are', async () => {
    const readsOf = async (spec: WrittenSpec) => {
      clusters.requests.length = 0;
      expect((await run(['apply'], spec)).stdout).toContain('Nothing to change');
      return clusters.requests.filter(({ context }) => context === 'mesh-1').length;
    };
    const pair: WrittenSpec = { ...MESH, clusters: named('mesh-1', 'mesh-2'), external: ['mesh-3'] };
    const [few, all] = [await readsOf(pair), await readsOf(MESH)];
    expect(all).toBe(few);
    expect(all).toBeLessThan(60);
  });

  it('begins nothing where a Service that the file names is missing; a dry run says so, with the plan', async () => {
    const names = (clusters?: string[]): WrittenSpec => ({
      ...MESH,
      services: [{ name: 'absent', namespace: 'default', ...(clusters ? { clusters } : {}) }],
    });
    const hint =
      'Take out of the file what none of its clusters has (services: default/absent), or create it, here with port 80:';
    const create = 'kubectl --context mesh-1 -n default create service clusterip absent --tcp 80';
    for (const [spec, lacking] of [
      [names(), 'mesh-1, mesh-2, mesh-3'],
      [names(['mesh-1']), 'mesh-1'],
    ] as const) {
      const planned = await apply(spec, '--dry-run', '-o', 'json');
      for (const { exitCode, stderr } of [planned, await apply(spec)]) {
        expect(exitCode).toBe(1);
        expect(stderr.replaceAll(/\s+/g, ' ')).toContain(`no Service default/absent in ${lacking} → ${hint} ${create}`);
      }
      expect(jsonOf(planned).refused).toMatchObject({
        code: 'NotFound',
        message: `no Service default/absent in ${lacking}`,
        hint: `${hint} ${create}`,
      });
      const told = (await run(['diff'], spec)).stdout.replaceAll(/\s+/g, ' ');
      expect(told).toContain(`→ ${hint} ${create}`);
    }
  });

  it('tells how a Service that some clusters have is copied to those that are to have it, which mends it', async () => {
    const { namespace, name } = { namespace: 'default', name: 'copied' };
    const ref = { apiVersion: 'v1', kind: 'Service', namespace, name };
    const spec = { ports: [{ port: 80 }], selector: { app: name } };
    store(1).create({ apiVersion: 'v1', kind: 'Service', metadata: { namespace, name }, spec });
    const file: WrittenSpec = { ...MESH, services: [{ namespace, name, clusters: ['mesh-1', 'mesh-2'] }] };
    const refused = await apply(file);
    const [, words = ''] = /or copy it:\s+meshctl (.*)/.exec(refused.stderr) ?? [];
    expect(words).toBe('service global --context mesh-2,mesh-1 default/copied --create-missing');
    const copied = await clusters.meshctl(words.split(' '));
    expect(copied.exitCode, copied.stderr).toBe(0);
    expect(await differs(file)).toBe(0);
    for (const index of [0, 1]) store(index).delete(ref);
  });

  it('is not done, when it is run again, where what an earlier run wrote does not come up', async () => {
    const by = (image: string): WrittenSpec => ({
      ...MESH,
      clusters: [{ name: 'mesh-1', enable: { image } }, ...named('mesh-2', 'mesh-3')],
    });
    const former = imageOf(store(0).get(refs.deployment('clustermesh-apiserver'))) ?? '';
    const absent = by('registry.invalid/clustermesh-apiserver:v1.20.0');
    expect((await apply(absent, '--no-rollback')).exitCode).toBe(1);
    const again = await apply(absent, '-o', 'json');
    expect(again.exitCode, again.stderr).toBe(1);
    const warning = expect.stringMatching(
      /^context "mesh-1": Deployment kube-system\/clustermesh-apiserver is not ready after .*registry\.invalid/,
    );
    expect(jsonOf(again)).toMatchObject({ enabled: [], warnings: [warning] });
    expect((await apply(by(former))).exitCode).toBe(0);
  });

  it('mends what was changed by hand; a dry run, too, is refused while a server that no plan changes has no pod', async () => {
    const scale = (replicas: number) =>
      store(0).update(
        refs.deployment('clustermesh-apiserver'),
        ({ spec }) => void Object.assign(spec as object, { replicas }),
      );
    scale(0);
    store(1).update(refs.secret('cilium-kvstoremesh'), (secret) => {
      secret.data = Object.fromEntries(
        Object.entries(secret.data as Record<string, string>).filter(([key]) => !key.startsWith('mesh-1')),
      );
    });
    await eventually(
      () =>
        store(0)
          .list({ apiVersion: 'v1', kind: 'Pod', namespace: 'kube-system' })
          .map(({ metadata }) => metadata.name),
      (pods) => !pods.some((name) => name.startsWith('clustermesh-apiserver')),
      'the pods are gone',
    );
    const asIs: WrittenSpec = { ...MESH, clusters: ALL.map((name) => ({ name, connectOnly: true })) };
    const refused = await apply(asIs, '--dry-run');
    expect(refused.exitCode, refused.stderr).toBe(1);
    expect(refused.stdout).toContain('a run is refused');
    expect(refused.stderr).toContain('no clustermesh-apiserver pod is ready (its Deployment is scaled to 0)');
    scale(2);
    expect(await differs(MESH)).toBe(1);
    const mended = await apply(MESH);
    expect(mended.exitCode, mended.stderr).toBe(0);
    expect(await differs(MESH)).toBe(0);
  });

  it('changes options, which stay when they are gone from the file, until it says otherwise', async () => {
    const chosen: WrittenSpec = {
      ...MESH,
      defaults: { enable: { replicas: 2, set: { 'Deployment/clustermesh-apiserver:spec.minReadySeconds': 1 } } },
      credentials: 'per-peer',
    };
    const specOf = () => store(0).get(refs.deployment('clustermesh-apiserver'))?.spec as Record<string, unknown>;
    expect((await apply(chosen)).exitCode).toBe(0);
    expect(specOf()).toMatchObject({ replicas: 2, minReadySeconds: 1 });
    expect(await differs(chosen)).toBe(0);
    const marks = () => Object.keys(store(0).get(refs.secret('cilium-clustermesh'))?.metadata.annotations ?? {});
    expect(marks()).toContain('meshctl.io/credentials.mesh-2');
    expect(await differs(MESH)).toBe(0);
    expect((await apply(MESH)).stdout).toContain('Nothing to change');
    expect(specOf()).toMatchObject({ replicas: 2, minReadySeconds: 1 });
    // What was chosen stays so where a hand has changed it, and the file does not say.
    store(0).update(refs.deployment('clustermesh-apiserver'), (deployment) => {
      (deployment.spec as { replicas: number }).replicas = 3;
    });
    expect(await differs(MESH)).toBe(1);
    expect((await apply(MESH)).exitCode).toBe(0);
    expect(specOf()).toMatchObject({ replicas: 2, minReadySeconds: 1 });
    expect(await differs(MESH)).toBe(0);
    const back: WrittenSpec = { ...MESH, defaults: { enable: { replicas: 1, set: {} } } };
    expect(await differs(back)).toBe(1);
    expect((await apply(back)).exitCode).toBe(0);
    expect(specOf()).toMatchObject({ replicas: 1 });
    expect(specOf().minReadySeconds ?? 0).toBe(0);
    // With which certificates they log in stays as it was chosen until a file says otherwise.
    expect(marks()).toContain('meshctl.io/credentials.mesh-2');
    expect((await apply({ ...MESH, credentials: 'auto' })).exitCode).toBe(0);
    expect(marks()).not.toContain('meshctl.io/credentials.mesh-2');
  });

  it.each([2, 5])('puts a mesh that stands back as it was, when a change of it is cut at write %i', async (write) => {
    const stands = clusters.objects();
    const abort = new AbortController();
    let seen = 0;
    clusters.fault = async ({ verb, resource }) => {
      const isWrite = ['create', 'patch', 'update', 'delete'].includes(verb) && !OTHERS.includes(resource ?? '');
      if (isWrite && ++seen === write) abort.abort();
      return undefined;
    };
    const changed: WrittenSpec = {
      ...MESH,
      defaults: { enable: { replicas: 2, podDisruptionBudget: true } },
    };
    const { exitCode, stderr } = await run(['apply'], changed, { signal: abort.signal });
    clusters.fault = undefined;
    expect(exitCode, stderr).toBe(130);
    const comparable = (objects: Record<string, unknown>) =>
      JSON.stringify(Object.entries(objects).filter(([name]) => !/ (Pod|ReplicaSet|Deployment)\//.test(name)));
    await eventually(
      () => clusters.objects(),
      (now) => comparable(now) === comparable(stands),
      'all as before',
    );
    expect(await differs(MESH)).toBe(0);
    expect((await statusIsGreen(clusters)).exitCode).toBe(0);
  });

  it('leaves what no file has, until it is to be pruned, and asks before', async () => {
    const hub: WrittenSpec = { ...MESH, topology: { type: 'hub', hubs: ['mesh-2'] } };
    const without = await apply(hub);
    expect(without.stdout).toBe(
      '✅ Nothing to change: mesh-1, mesh-2 and mesh-3 are as standard input says, but for 1 thing that no file has\n',
    );
    // A pipe cannot be typed again.
    expect(without.stderr).toMatch(/in no file, and left there: mesh-1 and mesh-3 dial each other\n$/);
    for (const more of [['--dry-run'], []]) {
      const { warnings } = jsonOf(await apply(hub, ...more, '-o', 'json'));
      expect(warnings).toEqual([expect.stringMatching(/left there: mesh-1 and mesh-3 dial each other$/)]);
    }
    const folder = await mkdtemp(join(tmpdir(), 'meshctl-apply-'));
    await writeFile(join(folder, 'mesh.yaml'), meshText(hub));
    const planned = await clusters.meshctl(['apply', '-f', 'mesh.yaml', '--dry-run'], { cwd: folder });
    expect(planned.stderr).toMatch(
      /left there: mesh-1 and mesh-3 dial each other\n {2}→ Remove what is in no file: meshctl apply -f mesh.yaml --prune\n/,
    );
    await rm(folder, { recursive: true });
    expect(await differs(hub)).toBe(1);
    const unasked = failureOf(await apply(hub, '--prune'));
    expect(unasked.exitCode).toBe(2);
    expect(unasked.says).toContain('Apply this, which disconnects mesh-1 and mesh-3?');
    const pruned = await apply(hub, '--prune', '--yes');
    expect(pruned.exitCode, pruned.stderr).toBe(0);
    expect(pruned.stdout).toContain('Disconnected: mesh-1 and mesh-3');
    expect(await differs(hub)).toBe(0);
  });

  const base = { namespace: 'default', name: 'base' };
  const ofSome = (own: readonly string[], ...external: string[]): WrittenSpec => ({
    clusters: named(...own),
    topology: { type: 'mesh' },
    external,
    services: [],
  });
  it.each<[what: string, ready: (number | undefined)[], file: WrittenSpec, words: string[], whose: string]>([
    ['is taken out of the mesh', [1, 0], { ...MESH, services: [] }, ['--prune'], 'mesh-2'],
    [
      'is taken from a cluster that no file has',
      [undefined, 1, 0],
      ofSome(['mesh-2'], 'mesh-1', 'mesh-3'),
      ['--prune'],
      'mesh-3',
    ],
    [
      'is left to others by its own cluster',
      [undefined, 1, 0],
      ofSome(['mesh-3'], 'mesh-1', 'mesh-2'),
      ['--prune'],
      'mesh-3',
    ],
    [
      'is withheld from a cluster that no file has',
      [undefined, 1, 0],
      { ...ofSome(['mesh-1', 'mesh-2'], 'mesh-3'), services: [{ ...base, shared: false }] },
      [],
      'mesh-3',
    ],
    [
      'is withheld here and taken out there',
      [1, 0, 1],
      {
        ...MESH,
        services: [
          { ...base, clusters: ['mesh-1'], shared: false },
          { ...base, clusters: ['mesh-2'] },
        ],
      },
      ['--prune'],
      'mesh-2',
    ],
  ])('names whom a Service serves no more that %s, before it asks', async (_what, ready, file, words, whose) => {
    const own = ready.map((count) => (count === undefined ? [] : serviceObjects('base', { ready: count })));
    for (const [index, objects] of own.entries()) for (const object of objects) store(index).create(object);
    const { says, exitCode } = failureOf(await apply(file, ...words));
    const told = `requests from ${whose} for default/base fail, which no other backends serve`;
    const planned = await apply(file, ...words, '--dry-run');
    for (const [index, objects] of own.entries()) for (const object of objects) store(index).delete(refOf(object));
    expect({ exitCode, says }).toEqual({ exitCode: 2, says: expect.stringContaining(told) });
    expect(planned.stdout).toContain(told);
  });

  it('makes a connection one-way by cutting its other half, and both ways again', async () => {
    const pairs = (pair: readonly [string, string] | { from: string; to: string }): WrittenSpec => ({
      ...MESH,
      topology: { type: 'pairs', pairs: [['mesh-2', 'mesh-3'], pair] },
    });
    const [oneWay, both] = [pairs({ from: 'mesh-1', to: 'mesh-2' }), pairs(['mesh-1', 'mesh-2'])];
    expect(await differs(oneWay)).toBe(1);
    expect(failureOf(await apply(oneWay, '--prune')).says).toContain("Apply this, which ends mesh-2's way to mesh-1?");
    const cut = await apply(oneWay, '--prune', '--yes');
    expect(cut.stdout, cut.stderr).toContain('  • One-way: mesh-1 dials mesh-2, which does not dial back\n');
    expect(cut.stdout).not.toContain('Disconnected');
    expect(await differs(oneWay)).toBe(0);
    expect(await differs(both)).toBe(1);
    expect((await apply(both)).exitCode).toBe(0);
    expect(await differs(both)).toBe(0);
  });

  it('keeps clusters that have gone from the file as long as one they know stays, and says what else ends', async () => {
    expect((await apply(MESH)).exitCode).toBe(0);
    const one: WrittenSpec = { clusters: named('mesh-1'), topology: { type: 'mesh' } };
    const byHelm = (name: string | undefined) =>
      store(1).update(refs.secret('cilium-clustermesh'), ({ metadata }) => {
        const { 'meta.helm.sh/release-name': _before, ...own } = metadata.annotations ?? {};
        metadata.annotations = name === undefined ? own : { ...own, 'meta.helm.sh/release-name': name };
      });
    byHelm('cilium');
    const both = await apply(one, '--prune', '--dry-run');
    byHelm(undefined);
    // What Helm made stays, so that nothing of a peer may stay in it, also of one that leaves too.
    expect(both.stdout).toContain('Secret kube-system/cilium-clustermesh (does not dial mesh-1, mesh-3 any more)');
    expect(both.stdout.match(/- delete Deployment/g)).toHaveLength(2);
    expect(both.stdout).toContain('peer mesh-3 is cut off until it is connected again: both leave the mesh');
    expect(both.stdout).toContain('peer mesh-2 is cut off until it is connected again: both leave the mesh');
    const third = clusters.clusters[2];
    if (third) setUsers(third, ['remote-mesh-1', 'remote-mesh-2', 'remote-mesh-9']);
    const none = await apply(one, '--prune', '--dry-run');
    expect(none.stdout).not.toContain('delete');
    expect(none.stdout).not.toContain('both leave');
    if (third) setUsers(third, ['remote-mesh-1', 'remote-mesh-2']);
  });

  it('disables a cluster that has gone from the file, once it has no other peer', async () => {
    const two: WrittenSpec = { clusters: named('mesh-1', 'mesh-2'), topology: { type: 'mesh' } };
    const disables = '(--prune also disables Cluster Mesh there, where meshctl enabled it and it has no other peer)';
    const { warnings } = jsonOf(await apply(two, '--dry-run', '-o', 'json'));
    expect(warnings).toEqual([expect.stringContaining(`left there: peer mesh-3 of mesh-1 and mesh-2 ${disables}`)]);
    const plan = await apply(two, '--prune', '--dry-run');
    expect(plan.stdout).toContain('- delete Deployment kube-system/clustermesh-apiserver');
    // It is disconnected by then, so that no next run would find it: what is printed goes on.
    let refused = false;
    clusters.fault = async ({ context, verb, resource, dryRun }) => {
      if (refused || dryRun || context !== 'mesh-3' || verb !== 'delete' || resource !== 'services') return undefined;
      refused = true;
      throw new ApiError(422, 'Invalid', 'admission webhook said no');
    };
    const stopped = await apply(two, '--prune', '--yes');
    clusters.fault = undefined;
    expect(stopped.exitCode, stopped.stdout).toBe(1);
    expect(stopped.stderr).toContain('mesh-3: disconnected, and not disabled in full');
    expect(stopped.stderr).not.toContain('the next run of the same command');
    const [, disable = ''] = /→ meshctl (clustermesh disable .*)$/m.exec(stopped.stderr) ?? [];
    const disabled = await clusters.meshctl([...disable.split(' '), '--yes']);
    expect(disabled.exitCode, disabled.stderr).toBe(0);
    expect((await apply(MESH)).exitCode).toBe(0);
    const planned = await apply(two, '--prune', '--dry-run');
    expect(planned.stderr).not.toContain('if this run is killed');
    const pruned = await apply(two, '--prune', '--yes');
    expect(pruned.exitCode, pruned.stderr).toBe(0);
    expect(pruned.stdout).toContain('Disabled in mesh-3');
    // As many as the plan had: what is deleted has not been changed as well.
    const [, updates, deletions] = /^Plan: (\d+) to update, (\d+) to delete/m.exec(planned.stdout) ?? [];
    expect(pruned.stdout).toContain(`Objects: ${updates} updated, ${deletions} deleted`);
    expect(store(2).get(refs.deployment('clustermesh-apiserver'))).toBeUndefined();
    expect(await differs(two)).toBe(0);
  });

  it.each<[what: string, isCut: (verb: string, resource: string) => boolean, more: string[]]>([
    ['is parted and half removed', (verb, resource) => verb === 'delete' && resource === 'deployments', []],
    [
      'is parted by all but itself',
      (verb, resource) => verb === 'patch' && resource === 'configmaps',
      ['--no-rollback'],
    ],
  ])('goes on with a cluster that leaves and %s, where a run has said nothing any more', async (_, isCut, more) => {
    const two: WrittenSpec = { clusters: named('mesh-1', 'mesh-2'), topology: { type: 'mesh' } };
    expect((await apply(MESH)).exitCode).toBe(0);
    const known = [
      refs.configMap('clustermesh-remote-users'),
      refs.secret('cilium-kvstoremesh'),
      refs.secret('cilium-clustermesh'),
    ];
    const knowers = () =>
      [0, 1].flatMap((at) => known.filter((ref) => JSON.stringify(store(at).get(ref)?.data).includes('mesh-3')));
    clusters.fault = async ({ context, verb, resource, dryRun }) => {
      if (dryRun || context !== 'mesh-3' || !isCut(verb, resource)) return undefined;
      await eventually(knowers, (left) => left.length === 0, 'the others have parted');
      throw new ApiError(422, 'Invalid', 'admission webhook said no');
    };
    const cut = await apply(two, '--prune', '--yes', ...more, '-o', 'json');
    clusters.fault = undefined;
    expect(cut.exitCode, cut.stderr).toBe(1);
    expect(cut.stderr.includes('to continue: meshctl clustermesh disable')).toBe(more.length > 0);
    // All that a run that was killed there leaves: what it has written down tells the next one.
    const finished = await apply(two, '--prune', '--yes');
    expect(finished.exitCode, finished.stderr).toBe(0);
    expect(finished.stdout).toContain('Disabled in mesh-3');
    for (const kind of [refs.deployment, refs.service])
      expect(store(2).get(kind('clustermesh-apiserver'))).toBeUndefined();
  });

  it('leaves clusters alone that others look after', async () => {
    const one: WrittenSpec = { clusters: named('mesh-1'), topology: { type: 'mesh' }, external: ['mesh-2'] };
    expect(await differs(one)).toBe(0);
    expect((await apply(one, '--prune', '--yes')).stdout).toContain('Nothing to change');
    // Also where it is in another document of the same files.
    const other: WrittenSpec = { clusters: named('mesh-2'), topology: { type: 'mesh' } };
    const input = `${meshText(one, 'one')}---\n${meshText(other, 'other')}`;
    const both = (...words: string[]) => clusters.meshctl([...words, '-f', '-'], { input });
    expect((await both('diff')).stdout).toBe('✅ mesh-1 and mesh-2 are as standard input says\n');
    expect((await both('apply', '--prune', '--yes')).stdout).toContain('Nothing to change');
  });
});
