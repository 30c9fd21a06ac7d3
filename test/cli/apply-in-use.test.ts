import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { WrittenSpec } from '../../src/mesh/file/document.ts';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { applyLeaseRef } from '../../src/mesh/objects/names.ts';
import { workingAnnotation } from '../../src/mesh/working-runs.ts';
import { ApiError } from '../../src/sandbox/apiserver/errors.ts';
import { type CliOptions, type CliResult, jsonOf } from '../support/cli.ts';
import { type ConnectClusters, type SeenRequest, startBareClusters } from '../support/connect-clusters.ts';
import { connect } from '../support/e2e-cli.ts';
import { kubeconfigVariants } from '../support/e2e-kubeconfig.ts';
import { meshText } from '../support/mesh-files.ts';
import { found, refs } from '../support/sandbox-mesh.ts';

/** Others who come to stand on what a run does, while it does it. */
let clusters: ConnectClusters;

const named = (...names: string[]) => names.map((name) => ({ name }));
const spec = (...names: string[]): WrittenSpec => ({ clusters: named(...names), topology: { type: 'mesh' } });
const mesh = (...argv: string[]) => ['clustermesh', ...argv];
const ok = (argv: readonly string[]) => clusters.meshctl.ok(argv);
const apply = (what: WrittenSpec, words: readonly string[] = [], options: CliOptions = {}) =>
  clusters.meshctl(['apply', '-f', '-', ...words], { input: meshText(what), ...options });
const storeOf = (index: number) => found(clusters.clusters[index], `cluster ${index}`).store;
const isEnabled = (index: number) => storeOf(index).get(refs.deployment('clustermesh-apiserver')) !== undefined;
const usersOf = (index: number) => JSON.stringify(storeOf(index).get(refs.configMap('clustermesh-remote-users'))?.data);
const refusal = () => new ApiError(422, 'Invalid', 'admission webhook said no');

afterEach(() => {
  clusters.fault = undefined;
});

describe('apply that fails', () => {
  beforeAll(async () => {
    clusters = await startBareClusters(3);
    await ok(mesh('enable', '--context', 'mesh-3'));
  });
  afterAll(() => clusters?.close());

  it('leaves a cluster that it has enabled, and that a peer has joined meanwhile', async () => {
    let joined = false;
    clusters.fault = async ({ verb, resource, context }) => {
      if (context !== 'mesh-2' || joined || resource !== 'deployments' || !['create', 'patch'].includes(verb))
        return undefined;
      joined = true;
      await expect
        .poll(() => storeOf(0).get(refs.deployment('clustermesh-apiserver'))?.status as unknown)
        .toMatchObject({ readyReplicas: 1 });
      await ok(connect('mesh-3', 'mesh-1'));
      throw refusal();
    };
    const { exitCode, stderr, stdout } = await apply(spec('mesh-1', 'mesh-2'), ['-o', 'json']);
    expect({ exitCode, joined }).toEqual({ exitCode: 1, joined: true });
    expect(stderr).toContain('left as it is, because it is in use by mesh-3');
    const { error } = jsonOf({ exitCode, stderr, stdout }) as { error: { details: { rollback: object[] } } };
    expect(error.details.rollback).toContainEqual(expect.objectContaining({ context: 'mesh-1', outcome: 'left' }));
    expect([isEnabled(0), isEnabled(1)]).toEqual([true, false]);
    clusters.fault = undefined;
    await ok(mesh('status', '--context', 'mesh-1,mesh-3', '--wait'));
    await ok(mesh('disconnect', '--context', 'mesh-3', '--destination-context', 'mesh-1', '--yes', '--wait=false'));
  });

  it('says no longer that it is at work once it has ended, also where its Lease may not be deleted', async () => {
    clusters.fault = async ({ verb, resource, context }) => {
      if (resource === 'leases' && verb === 'delete') throw new ApiError(403, 'Forbidden', 'leases is forbidden');
      if (resource === 'deployments' && context === 'mesh-2' && verb !== 'get' && verb !== 'list') throw refusal();
      return undefined;
    };
    expect((await apply(spec('mesh-1', 'mesh-2'))).exitCode).toBe(1);
    for (const index of [0, 1]) {
      const lease = found(storeOf(index).get(applyLeaseRef('kube-system')), 'the Lease');
      expect(lease.metadata.annotations ?? {}).toEqual({});
      storeOf(index).delete(applyLeaseRef('kube-system'));
    }
  });

  it('takes the marks of runs of its own that have died away also where it finds nothing to change; no other run does', async () => {
    await ok(mesh('enable', '--context', 'mesh-1,mesh-2'));
    const ref = applyLeaseRef('kube-system');
    const marked = (run: string, leftMs: number) => {
      const until = new Date(Date.now() + leftMs);
      const hold = { run, host: 'jumphost', since: new Date(Date.now() - 120_000), until };
      return workingAnnotation(run, { command: 'apply', ...hold, isRollingBack: false }) as Record<string, string>;
    };
    const lease = (annotations: Record<string, string>) =>
      ({
        apiVersion: ref.apiVersion,
        kind: ref.kind,
        metadata: { name: ref.name, namespace: 'kube-system', annotations },
      }) as KubeObject;
    const nothing = async () => {
      const { exitCode, stdout } = await apply(spec('mesh-1'));
      expect({ exitCode, stdout }).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('Nothing to change') });
      return storeOf(0).get(ref);
    };
    storeOf(0).create(lease(marked('dead', -60_000)), 'meshctl');
    // One that writes, one that has nothing to do, and one that fails.
    const parting = ['--context', 'mesh-1', '--destination-context', 'mesh-2', '--yes'];
    await ok(connect('mesh-1', 'mesh-2'));
    for (let times = 0; times < 2; times += 1) await ok(mesh('disconnect', ...parting));
    clusters.fault = async ({ verb, resource, context }) => {
      if (resource === 'deployments' && context === 'mesh-1' && verb === 'patch') throw refusal();
      return undefined;
    };
    const more = { defaults: { enable: { replicas: 2 } } };
    expect((await apply({ ...spec('mesh-1'), ...more }, ['--yes'])).exitCode).toBe(1);
    clusters.fault = undefined;
    expect(Object.keys(storeOf(0).get(ref)?.metadata.annotations ?? {})).toEqual(['meshctl.io/apply-run.dead']);
    expect(await nothing()).toBeUndefined();
    storeOf(0).create(lease({ ...marked('dead', -60_000), ...marked('alive', 50_000) }), 'meshctl');
    expect(Object.keys((await nothing())?.metadata.annotations ?? {})).toEqual(['meshctl.io/apply-run.alive']);
    storeOf(0).delete(ref);
    await ok(mesh('disable', '--context', 'mesh-1,mesh-2', '--yes'));
  });

  it.each([
    ['takes a cluster back that it has enabled once it can be seen who uses it', 3, [false, false]],
    ['leaves a cluster that it has enabled where it cannot be seen who uses it', undefined, [true, false]],
  ])('%s', async (_what, outage, enabled) => {
    let [failed, looks] = [false, 0];
    clusters.fault = async ({ verb, resource, context, name }) => {
      if (failed && context === 'mesh-1' && verb === 'get' && name === 'clustermesh-remote-users') {
        looks += 1;
        if (outage === undefined) throw refusal();
        if (looks <= outage) throw new ApiError(503, 'ServiceUnavailable', 'restarting');
      }
      if (context !== 'mesh-2' || resource !== 'deployments' || !['create', 'patch'].includes(verb)) return undefined;
      await expect.poll(() => isEnabled(0)).toBe(true);
      failed = true;
      throw refusal();
    };
    await ok(mesh('disable', '--context', 'mesh-1', '--yes'));
    const { exitCode, stderr } = await apply(spec('mesh-1', 'mesh-2'));
    expect(exitCode).toBe(1);
    const isUnseen = stderr.includes('it could not be seen whether another cluster uses it by now');
    expect(isUnseen, stderr).toBe(outage === undefined);
    expect([isEnabled(0), isEnabled(1)]).toEqual(enabled);
  });

  it('leaves the users by which another run has connected its clusters', async () => {
    await ok(mesh('enable', '--context', 'mesh-1,mesh-2'));
    await ok(connect('mesh-1', 'mesh-3'));
    let joined = false;
    clusters.fault = async ({ verb, resource, context }) => {
      if (verb !== 'patch' || resource !== 'secrets') return undefined;
      if (context === 'mesh-1' && !joined) {
        joined = true;
        await ok(connect('mesh-1', 'mesh-2'));
      }
      if (joined && context === 'mesh-3') throw refusal();
      return undefined;
    };
    const { exitCode, stderr } = await apply(spec('mesh-1', 'mesh-2'), ['--prune', '--yes']);
    expect({ exitCode, joined }).toEqual({ exitCode: 1, joined: true });
    expect(stderr).toContain('stays, because another run has connected a cluster with it');
    clusters.fault = undefined;
    // The half that the other run has written; what it found there and kept leaves no trace of it.
    expect(usersOf(1)).toContain('remote-mesh-1');
  });
});

describe('a fresh cluster that two runs enable at once', () => {
  const enable = mesh('enable', '--context', 'mesh-1');
  const file = ['apply', '-f', '-'];
  const run = (argv: readonly string[]) => clusters.meshctl(argv, { input: meshText(spec('mesh-1')) });
  const made = () => Object.keys(clusters.objects()).filter((key) => key.includes('clustermesh'));

  // Both write some objects alike; who makes the Secret of peers first comes to its end.
  it.each<[string, string[], string[]]>([
    ['enable beside enable', enable, enable],
    ['apply beside enable', file, enable],
    ['apply beside apply', file, file],
  ])('is enabled by one of them, and the other one leaves it so: %s', async (_what, argv, others) => {
    clusters = await startBareClusters(1);
    for (const name of ['clustermesh-apiserver-server-cert', 'clustermesh-apiserver-metrics']) {
      let other: CliResult | undefined;
      let theirs: string[] = [];
      clusters.fault = async (request) => {
        if (other || request.verb !== 'patch' || request.name !== name) return undefined;
        clusters.fault = undefined;
        other = await run(others);
        theirs = made();
        return undefined;
      };
      const failed = await run(argv);
      expect(other?.exitCode, other?.stderr).toBe(0);
      expect(failed.exitCode, failed.stderr).toBe(1);
      expect(failed.stderr).toContain('it was not there when the cluster was read\n  → Run the same command again.');
      if (argv === file) expect(failed.stderr).toContain('left as it is, because it is in use by another run');
      expect(made()).toEqual(expect.arrayContaining(theirs));
      const again = await run([...argv, '-o', 'json', '--dry-run']);
      expect(jsonOf(again)).toMatchObject({ summary: { create: 0, update: 0, delete: 0 } });
      await ok(mesh('disable', '--context', 'mesh-1', '--yes'));
    }
    await clusters.close();
  });
});

describe('what a run has found whole, and has written nothing to', () => {
  const enable = mesh('enable', '--context', 'mesh-1');
  const file = ['apply', '-f', '-'];
  const run = (argv: readonly string[]) => clusters.meshctl(argv, { input: meshText(spec('mesh-1')) });
  const untilEnabled = () =>
    expect
      .poll(() => storeOf(0).get(refs.deployment('clustermesh-apiserver'))?.status as unknown)
      .toMatchObject({ readyReplicas: 1 });
  const fails = ({ verb, resource, context }: SeenRequest) =>
    context === 'mesh-2' && resource === 'deployments' && ['create', 'patch'].includes(verb);

  beforeEach(async () => {
    clusters = await startBareClusters(2);
  });
  afterEach(async () => {
    for (const { store } of clusters.clusters) expect(store.get(applyLeaseRef('kube-system'))).toBeUndefined();
    await clusters?.close();
  });

  it.each([
    ['enable', enable],
    ['apply', file],
  ])('is left to it when the apply fails that has made it: %s', async (_name, argv) => {
    let other: CliResult | undefined;
    clusters.fault = async (request) => {
      if (!fails(request)) return undefined;
      await untilEnabled();
      other ??= await run(argv);
      throw refusal();
    };
    const failed = await apply(spec('mesh-1', 'mesh-2'));
    expect(other?.exitCode, other?.stderr).toBe(0);
    expect(failed.exitCode).toBe(1);
    expect(failed.stderr.replaceAll(/\s+/g, ' ')).toMatch(
      /mesh-1.* \(left as it is, because another run, on \S+, has found there meanwhile what is wanted, and counts on it\)/,
    );
    clusters.fault = undefined;
    expect(isEnabled(0)).toBe(true);
    const again = await run([...argv, '-o', 'json', '--dry-run']);
    expect(jsonOf(again)).toMatchObject({ summary: { create: 0, update: 0, delete: 0 } });
  });

  it.each([
    ['enable', enable],
    ['apply', file],
  ])('is not called well while it is being taken back: %s', async (_name, argv) => {
    let other: CliResult | undefined;
    clusters.fault = async (request) => {
      if (fails(request)) {
        await untilEnabled();
        throw refusal();
      }
      // All is still there.
      if (request.context === 'mesh-1' && request.verb === 'delete' && !other) {
        other = { exitCode: -1, stdout: '', stderr: '' };
        other = await run(argv);
      }
      return undefined;
    };
    const failed = await apply(spec('mesh-1', 'mesh-2'));
    expect(failed.exitCode).toBe(1);
    expect(other, failed.stderr).toMatchObject({ exitCode: 1 });
    expect(other?.stderr).toMatch(/another run, apply on \S+, has failed and takes back what it has made there/);
    expect(isEnabled(0)).toBe(false);
  });
});

describe('apply that is rolled back', () => {
  const TOUCH: Record<string, () => unknown> = {
    'somebody has given it resources': () =>
      storeOf(0).update(refs.deployment('clustermesh-apiserver'), ({ spec: of }) => {
        const { containers } = (of as { template: { spec: { containers: { resources?: object }[] } } }).template.spec;
        for (const container of containers) container.resources = { requests: { cpu: '100m' } };
      }),
    'somebody has set the policy of its Service': () =>
      storeOf(0).update(refs.service('clustermesh-apiserver'), ({ spec: of }) => {
        (of as { externalTrafficPolicy?: string }).externalTrafficPolicy = 'Local';
      }),
  };
  /** What is there of Cluster Mesh. */
  const left = () =>
    [0, 1].map((index) =>
      [refs.deployment('clustermesh-apiserver'), refs.service('clustermesh-apiserver')].filter((ref) =>
        storeOf(index).get(ref),
      ),
    );

  beforeAll(async () => {
    clusters = await startBareClusters(2);
  });
  afterAll(() => clusters?.close());

  it.each(Object.entries(TOUCH))('takes what it has made although %s', async (_what, touch) => {
    let touched = false;
    clusters.fault = async ({ verb, resource, context }) => {
      if (context !== 'mesh-2' || resource !== 'deployments' || !['create', 'patch'].includes(verb)) return undefined;
      await expect.poll(() => isEnabled(0)).toBe(true);
      if (!touched) touch();
      touched = true;
      throw refusal();
    };
    const { stderr } = await apply(spec('mesh-1', 'mesh-2'));
    expect(stderr).toContain('mesh-1: is as before');
    expect(left()).toEqual([[], []]);
  });

  it("says what is someone else's by then, and is not as before", async () => {
    const [service, secret] = [refs.service('clustermesh-apiserver'), refs.secret('cilium-ca')];
    clusters.fault = async ({ verb, resource, context }) => {
      if (context !== 'mesh-2' || resource !== 'deployments' || !['create', 'patch'].includes(verb)) return undefined;
      await expect.poll(() => isEnabled(0)).toBe(true);
      storeOf(0).update(service, ({ spec: of }) => {
        (of as { selector: object }).selector = { app: 'theirs' };
      });
      storeOf(0).update(secret, (live) => {
        live.data = { ...(live.data as object), mine: 'eA==' };
      });
      throw refusal();
    };
    storeOf(0).delete(secret);
    const { stderr } = await apply(spec('mesh-1', 'mesh-2'));
    expect(stderr).toContain(
      'Service kube-system/clustermesh-apiserver, Secret kube-system/cilium-ca stay: they were not there before, and their content is someone else',
    );
    expect(stderr).toContain('mesh-1: is as before, but for Service kube-system/clustermesh-apiserver');
    expect(left()).toEqual([[service], []]);
    const { data, metadata } = found(storeOf(0).get(secret), 'the Secret');
    expect({ data, labels: metadata.labels ?? {} }).toEqual({ data: { mine: 'eA==' }, labels: {} });
    for (const ref of [service, secret]) storeOf(0).delete(ref);
  });

  it('takes a Deployment whose making was never answered', async () => {
    clusters.fault = async ({ verb, resource, context }) =>
      context === 'mesh-2' && resource === 'deployments' && ['create', 'patch'].includes(verb)
        ? 'drop-answer'
        : undefined;
    const { exitCode, stderr } = await apply(spec('mesh-1', 'mesh-2'));
    expect(exitCode).toBe(3);
    expect(stderr).toContain('mesh-2: is as before');
    expect(left()).toEqual([[], []]);
  });

  it('takes back a change of a Deployment that was never answered', async () => {
    await ok(mesh('enable', '--context', 'mesh-1,mesh-2'));
    const specs = () => [0, 1].map((index) => storeOf(index).get(refs.deployment('clustermesh-apiserver'))?.spec);
    const before = specs();
    let lost = 0;
    // As often as the client tries; what takes it back is answered.
    clusters.fault = async ({ verb, resource, context }) =>
      context === 'mesh-2' && resource === 'deployments' && verb === 'patch' && ++lost <= 5 ? 'drop-answer' : undefined;
    const more = { defaults: { enable: { resources: { apiserver: { requests: { cpu: '250m' } } } } } };
    const { exitCode, stderr } = await apply({ ...spec('mesh-1', 'mesh-2'), ...more });
    expect({ exitCode, lost: lost >= 5 }).toEqual({ exitCode: 3, lost: true });
    expect(stderr).toContain('mesh-2: is as before');
    expect(specs()).toEqual(before);
  });
});

describe('apply --prune', () => {
  beforeAll(async () => {
    clusters = await startBareClusters(3);
    const { exitCode, stderr } = await apply(spec('mesh-1', 'mesh-2', 'mesh-3'));
    expect(exitCode, stderr).toBe(0);
  });
  afterAll(() => clusters?.close());

  it('turns a one-way connection round, and both sides write that down', async () => {
    const oneWay = (from: string, to: string): WrittenSpec => ({
      clusters: named('mesh-1', 'mesh-2', 'mesh-3'),
      topology: { type: 'pairs', pairs: [['mesh-2', 'mesh-3'], { from, to }] },
    });
    const good = async (what: WrittenSpec) => {
      const { exitCode, stderr } = await apply(what, ['--prune', '--yes']);
      expect(exitCode, stderr).toBe(0);
    };
    const marks = (index: number) => storeOf(index).get(refs.secret('cilium-clustermesh'))?.metadata.annotations ?? {};
    await good(oneWay('mesh-1', 'mesh-2'));
    const before = [marks(0), marks(1)];
    await good(oneWay('mesh-2', 'mesh-1'));
    const turned = (of: object) => JSON.stringify(of).replace(/mesh-[12]/g, 'peer');
    expect([marks(1), marks(0)].map(turned)).toEqual(before.map(turned));
    const plain = await clusters.meshctl([...connect('mesh-1', 'mesh-2'), '--dry-run']);
    expect(plain.stdout + plain.stderr).toContain('"mesh-2" dials "mesh-1" and not the other way round, as chosen');
    await good(spec('mesh-1', 'mesh-2', 'mesh-3'));
  });

  it('prunes nothing where one context is a cluster of the file, and in the other kubeconfig the one that has gone', async () => {
    const variants = await kubeconfigVariants(clusters.kubeconfigPath);
    const only = (file: string, of: string) =>
      variants.write(file, (kubeconfig) => {
        kubeconfig.contexts = kubeconfig.contexts
          .filter(({ name }) => name === of)
          .map((entry) => ({ ...entry, name: 'admin' }));
        kubeconfig['current-context'] = 'admin';
      });
    const [own, gone] = [await only('own', 'mesh-1'), await only('gone', 'mesh-3')];
    const two = { name: 'mesh-2', kubeconfig: clusters.kubeconfigPath };
    const what: WrittenSpec = {
      clusters: [{ name: 'mesh-1', context: 'admin', kubeconfig: own }, two],
      topology: { type: 'mesh' },
    };
    const before = [0, 1, 2].map((index) => [usersOf(index), isEnabled(index)]);
    const { exitCode, stderr } = await apply(what, ['--prune', '--yes', '--kubeconfig', gone]);
    await variants.remove();
    expect({ exitCode, stderr }).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('both kubeconfigs have a context "admin", so messages could not tell them apart'),
    });
    expect(stderr).toContain(`→ Rename one: kubectl --kubeconfig ${gone} config rename-context admin '<new name>'`);
    expect([0, 1, 2].map((index) => [usersOf(index), isEnabled(index)])).toEqual(before);
  });

  it('prunes nothing while a context is silent that may be the one that has gone', async () => {
    clusters.fault = async ({ context }) => {
      if (context === 'mesh-3') throw new ApiError(503, 'ServiceUnavailable', 'busy');
      return undefined;
    };
    const { exitCode, stderr } = await apply(spec('mesh-1', 'mesh-2'), ['--prune', '--yes']);
    expect(exitCode).not.toBe(0);
    expect(stderr).toMatch(/"mesh-3" may be the cluster of context "mesh-3", which answers with an error/);
    expect(stderr).toContain('disconnect --context mesh-1,mesh-2 --peer mesh-3');
    expect(usersOf(0)).toContain('remote-mesh-3');
  });

  it('interrupted while it waits, names what finishes it: no later run finds that cluster', async () => {
    const abort = new AbortController();
    let seen = '';
    const { exitCode, stderr } = await apply(spec('mesh-1', 'mesh-2'), ['--prune', '--yes'], {
      signal: abort.signal,
      onOutput(text: string) {
        seen += text;
        if (seen.includes('Removed the peers')) abort.abort();
      },
    });
    expect(exitCode).toBe(130);
    expect(isEnabled(2)).toBe(true);
    expect(stderr).toMatch(
      /mesh-3: disconnected, and not disabled .*\n?\s+→ meshctl clustermesh disable --context mesh-3/,
    );
    await ok(mesh('disable', '--context', 'mesh-3', '--yes'));
  });
});

describe('other commands', () => {
  beforeAll(async () => {
    clusters = await startBareClusters(3);
    await ok(mesh('enable', '--all', '--replicas', '2'));
  });
  afterAll(() => clusters?.close());

  it('disable does not remove what says who is connected once that has changed', async () => {
    await ok(connect('mesh-1', 'mesh-2'));
    await ok(mesh('disconnect', '--context', 'mesh-1', '--destination-context', 'mesh-2', '--yes', '--wait=false'));
    let joined = false;
    clusters.fault = async ({ verb, resource, context }) => {
      if (context !== 'mesh-2' || verb !== 'delete' || resource !== 'secrets' || joined) return undefined;
      joined = true;
      await ok(connect('mesh-3', 'mesh-2'));
      return undefined;
    };
    const { exitCode, stderr } = await clusters.meshctl(mesh('disable', '--context', 'mesh-2', '--yes'));
    expect({ exitCode, joined }).toEqual({ exitCode: 1, joined: true });
    expect(stderr).toContain('mesh-3 was connected meanwhile');
    clusters.fault = undefined;
    await ok(mesh('status', '--context', 'mesh-2,mesh-3', '--wait'));
  });

  it('a disconnect is not verified where one of the etcds could not be asked', async () => {
    let first: string | undefined;
    clusters.fault = async ({ resource, name, context, subresource }) => {
      if (context !== 'mesh-2' || !/portforward/.test(`${resource}/${subresource}`)) return undefined;
      first ??= name;
      if (name === first) throw new ApiError(500, 'InternalError', 'kubelet is away');
      return undefined;
    };
    const { exitCode, stderr } = await clusters.meshctl(
      mesh('disconnect', '--context', 'mesh-2', '--peer', 'mesh-3', '--yes'),
    );
    expect(first).toBeDefined();
    expect(exitCode).toBe(3);
    expect(stderr).toContain(`could not be verified: that of ${first} could not be asked`);
  });
});
