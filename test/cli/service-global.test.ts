import { readFile, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { ApiError } from '../../src/sandbox/apiserver/errors.ts';
import { type CliOptions, type CliResult, failureOf, jsonOf, runCli } from '../support/cli.ts';
import {
  addService,
  namespaceObject,
  type ServiceClusters,
  serviceObjects,
  startServiceClusters,
} from '../support/service-clusters.ts';

let clusters: ServiceClusters;
/** Contexts whose API server refuses to change Services. */
const readOnly = new Set<string>();
const CONTEXTS = ['one', 'two'];

const global = (argv: readonly string[], options: CliOptions = {}): Promise<CliResult> =>
  runCli(['service', 'global', ...argv], { ...options, env: { KUBECONFIG: clusters.kubeconfigPath } });
const BOTH = ['--context', 'one,two'];

function serviceIn(context: string, name = 'base'): KubeObject | undefined {
  return clusters.stores[context]?.get({ apiVersion: 'v1', kind: 'Service', namespace: 'default', name });
}

const annotationsIn = (context: string, name?: string) => serviceIn(context, name)?.metadata.annotations ?? {};

beforeAll(async () => {
  const refusing = (context: string) => ({
    async intercept({ httpMethod, resource }: { httpMethod: string; resource: string }): Promise<undefined> {
      if (readOnly.has(context) && resource === 'services' && httpMethod !== 'GET') {
        throw new ApiError(422, 'Invalid', 'admission said no');
      }
    },
  });
  clusters = await startServiceClusters(CONTEXTS, Object.fromEntries(CONTEXTS.map((name) => [name, refusing(name)])));
});
beforeEach(() => {
  readOnly.clear();
  for (const context of CONTEXTS) {
    const store = clusters.stores[context];
    for (const apiVersion of ['v1', 'discovery.k8s.io/v1']) {
      const type = { apiVersion, kind: apiVersion === 'v1' ? 'Service' : 'EndpointSlice', namespace: 'default' };
      for (const { metadata } of store?.list(type) ?? []) store?.delete({ ...type, name: metadata.name });
    }
    const [service] = serviceObjects('base', { mesh: {} });
    if (service) store?.create(service);
  }
});
afterAll(() => clusters.close());

describe('service global', () => {
  it.each([
    ['kubernetes', {}, 'leads pods to the API server of their own cluster'],
    ['dns', { 'k8s-app': 'kube-dns' }, 'answers for the names of this very cluster'],
    ['own-etcd', { 'k8s-app': 'clustermesh-apiserver' }, 'leads agents and peers to the etcd of this very cluster'],
  ])(
    'refuses a Service that each cluster has for itself, and tells of one that is global: %s',
    async (name, selector, why) => {
      const [service] = serviceObjects(name, { mesh: {} });
      if (!service) throw new Error('there is no Service to add');
      for (const context of CONTEXTS)
        clusters.stores[context]?.create({ ...service, spec: { ...(service.spec as object), selector } });
      for (const more of [[], ['--dry-run'], ['--create-missing']]) {
        const refused = failureOf(await global([`default/${name}`, ...BOTH, ...more]));
        expect(refused.exitCode).toBe(1);
        expect(refused.says).toContain(`context "one": Service default/${name} ${why}`);
      }
      expect(annotationsIn('one', name)).toEqual({});
      const ref = { apiVersion: 'v1', kind: 'Service', namespace: 'default', name };
      clusters.stores.one?.update(ref, (live) => {
        live.metadata.annotations = { 'service.cilium.io/global': 'true' };
      });
      const listed = await runCli(['service', 'list', ...BOTH], { env: { KUBECONFIG: clusters.kubeconfigPath } });
      expect(listed.stdout).toContain(`default/${name}: ${why}, and is global in`);
      expect(listed.stdout).toContain(`meshctl service global --context one default/${name} --remove`);
      expect(listed.stdout).not.toContain('annotations differ');
      expect(await global([`default/${name}`, '--context', 'one', '--remove', '-y'])).toMatchObject({ exitCode: 0 });
      expect(annotationsIn('one', name)).toEqual({});
    },
  );

  it('annotates the Service in all named clusters, and changes nothing the second time', async () => {
    const first = await global(['default/base', ...BOTH]);
    expect(first).toMatchObject({ exitCode: 0 });
    expect(first.stdout).toBe(
      [
        '✅ default/base is global in one, two',
        '  • one: service.cilium.io/global=true',
        '  • two: service.cilium.io/global=true',
        '',
      ].join('\n'),
    );
    for (const context of ['one', 'two'])
      expect(annotationsIn(context)).toEqual({ 'service.cilium.io/global': 'true' });
    const second = await global(['default/base', ...BOTH, '-o', 'json']);
    expect(jsonOf(second)).toMatchObject({
      kind: 'GlobalServiceResult',
      global: true,
      steps: [
        { cluster: 'one', action: 'keep' },
        { cluster: 'two', action: 'keep' },
      ],
    });
  });

  it('sets affinity and sharing, and leaves what is not given', async () => {
    await global(['default/base', ...BOTH, '--affinity', 'local', '--shared=false']);
    await global(['default/base', ...BOTH, '--affinity', 'remote']);
    expect(annotationsIn('two')).toEqual({
      'service.cilium.io/global': 'true',
      'service.cilium.io/shared': 'false',
      'service.cilium.io/affinity': 'remote',
    });
  });

  it('asks before it takes backends away that the other clusters use', async () => {
    await global(['default/base', ...BOTH]);
    const withheld = ['default/base', ...BOTH, '--shared=false'];
    const { exitCode, stderr } = await global(withheld);
    expect({ exitCode, stderr }).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('--yes') });
    expect(stderr).toContain('although other clusters lose the backends of default/base (one, two)');
    expect(annotationsIn('two')).toEqual({ 'service.cilium.io/global': 'true' });
    expect((await global([...withheld, '--yes'])).exitCode).toBe(0);
    expect(annotationsIn('two')).toHaveProperty('service.cilium.io/shared', 'false');
    // Nobody loses what was not there for them.
    expect((await global(withheld)).exitCode).toBe(0);
  });

  it.each([
    ['backends are withheld', 'one', ['--shared=false'], 'mesh-2'],
    ['it goes out of the mesh', 'one', ['--remove'], 'mesh-2'],
    ['a cluster that has none goes out of the mesh', 'two', ['--remove'], 'mesh-2'],
  ])('names the cluster that is left without any backend when %s, also where it is not named', async (...given) => {
    const [, context, how, stranded] = given;
    for (const [at, ready] of Object.entries({ one: 2, two: 0 })) {
      clusters.stores[at]?.delete({ apiVersion: 'v1', kind: 'Service', namespace: 'default', name: 'base' });
      addService(clusters.stores[at], 'base', { ready });
    }
    const words = ['default/base', '--context', context, ...how];
    const clause = `requests from ${stranded} for default/base fail, which no other backends serve`;
    expect((await global([...words, '--dry-run'])).stdout).toContain(`  ! ${clause}\n`);
    expect((await global(words)).exitCode).toBe(2);
    expect(annotationsIn(context)).toEqual({ 'service.cilium.io/global': 'true' });
    const asked = await global(words, { answers: ['no'] });
    expect(asked.exitCode).toBe(1);
    expect(asked.stderr).toContain(clause);
  });

  it('says that requests may fail where the context of a peer does not answer, by plan, document and question', async () => {
    clusters.stores.one?.delete({ apiVersion: 'v1', kind: 'Service', namespace: 'default', name: 'base' });
    addService(clusters.stores.one, 'base', { ready: 2 });
    const serving = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      namespace: 'kube-system',
      name: 'clustermesh-apiserver',
    };
    const { apiVersion, kind, ...metadata } = serving;
    clusters.stores.one?.create({ apiVersion, kind, metadata, spec: {} });
    const config = JSON.parse(await readFile(clusters.kubeconfigPath, 'utf8'));
    config.clusters[1].cluster.server = 'https://127.0.0.1:1';
    const path = `${clusters.kubeconfigPath}-half`;
    await writeFile(path, JSON.stringify(config), { mode: 0o600 });
    const run = (...more: string[]) =>
      runCli(['service', 'global', 'default/base', '--context', 'one', '--shared=false', ...more], {
        env: { KUBECONFIG: path },
      });
    const clause = 'requests from mesh-2 for default/base may fail: it was not read';
    const warning = 'context "two": it may lead to one of the clusters that were not read: ';
    const dry = await run('--dry-run');
    expect(dry.stdout).toContain(`  ! other clusters lose the backends of default/base\n  ! ${clause}\n`);
    expect(dry.stderr).toContain(warning);
    expect(jsonOf(await run('--dry-run', '-o', 'json'))).toMatchObject({
      clusters: [{ hazards: [expect.anything(), clause] }],
      warnings: [expect.stringContaining(warning)],
    });
    expect((await run()).stderr).toContain(`and ${clause} (one)`);
    const done = await run('--yes', '-o', 'json');
    expect(JSON.stringify(jsonOf(done).warnings)).toContain(clause);
    expect(done.stderr).toContain(clause);
    clusters.stores.one?.delete(serving);
  });

  it('renames annotations under their older names', async () => {
    clusters.stores.one?.update({ apiVersion: 'v1', kind: 'Service', namespace: 'default', name: 'base' }, (object) => {
      object.metadata.annotations = {
        'io.cilium/global-service': 'true',
        'io.cilium/service-affinity': 'local',
        'io.cilium/shared-service': 'false',
        'service.cilium.io/shared': 'true',
        'example.com/kept': 'yes',
      };
    });
    expect((await global(['default/base', '--context', 'one'])).exitCode).toBe(0);
    expect(annotationsIn('one')).toEqual({
      'service.cilium.io/global': 'true',
      'service.cilium.io/affinity': 'local',
      'service.cilium.io/shared': 'true',
      'example.com/kept': 'yes',
    });
  });

  it('shows the plan with --dry-run and writes nothing', async () => {
    const { exitCode, stdout } = await global(['default/base', ...BOTH, '--affinity', 'local', '--dry-run=server']);
    expect(exitCode).toBe(0);
    expect(stdout).toMatchInlineSnapshot(`
      "Context one:
        ~ update Service default/base (takes part in the mesh)
            metadata.annotations[service.cilium.io/global]: true
            metadata.annotations[service.cilium.io/affinity]: local
      Context two:
        ~ update Service default/base (takes part in the mesh)
            metadata.annotations[service.cilium.io/global]: true
            metadata.annotations[service.cilium.io/affinity]: local
      Plan: 2 to update.
      Nothing was changed (--dry-run=server): the API server accepts everything.
      "
    `);
    expect(annotationsIn('one')).toEqual({});
  });

  it('gives with -o manifests the Service as it will be, in each cluster', async () => {
    const { stdout, exitCode } = await global([
      'default/base',
      ...BOTH,
      '--affinity',
      'local',
      '--dry-run',
      '-o',
      'manifests',
    ]);
    expect(exitCode).toBe(0);
    const [, one, two, ...rest] = stdout.split('---\n');
    expect(rest).toEqual([]);
    expect(one?.split('# Context two')[0]).toBe(two);
    expect(two).toContain(
      'annotations:\n    service.cilium.io/global: "true"\n    service.cilium.io/affinity: local\n',
    );
    expect(stdout).not.toMatch(/left out|uid|resourceVersion|clusterIP|status/);
  });

  it('is mended by the very command that list prints where clusters differ', async () => {
    await global(['default/base', '--context', 'one', '--affinity', 'local', '--shared=false']);
    const list = () => runCli(['service', 'list', ...BOTH], { env: { KUBECONFIG: clusters.kubeconfigPath } });
    const [, line = ''] = /→ .*:\s+meshctl service global (.*)$/m.exec((await list()).stdout) ?? [];
    // One against one: nobody is most. What all have where it is global stays, and no hint takes the backends of one away.
    expect(line).toBe('--context one,two default/base --affinity local --shared=true');
    expect(await global(line.split(' '))).toMatchObject({ exitCode: 0 });
    expect((await list()).stdout).not.toContain('differ');
    expect(annotationsIn('two')).toEqual(annotationsIn('one'));
  });

  it('puts every cluster back when one refuses', async () => {
    readOnly.add('two');
    const result = await global(['default/base', ...BOTH]);
    expect(result.exitCode).toBe(1);
    expect(result.stderr).toMatch(/one: is as before/);
    expect(annotationsIn('one')).toEqual({});
    expect(annotationsIn('two')).toEqual({});
  });

  it('leaves what stands with --no-rollback, and says how to take it back', async () => {
    readOnly.add('two');
    const result = await global(['default/base', ...BOTH, '--no-rollback']);
    expect(result.exitCode).toBe(1);
    expect(result.stderr).toContain(
      'context "one": Service default/base stays as written (--no-rollback)\n  → to undo them: kubectl --context one -n default annotate --overwrite service base service.cilium.io/global-\n',
    );
    expect(annotationsIn('one')).toEqual({ 'service.cilium.io/global': 'true' });
    readOnly.clear();
    const again = await global(['default/base', ...BOTH]);
    expect(again.stdout).toContain('  • one: nothing to change\n  • two: service.cilium.io/global=true');
  });

  it('tells how to mend a cluster that cannot be put back', async () => {
    readOnly.add('two');
    const argv = ['default/base', ...BOTH, '--affinity', 'local'];
    // The first write to one succeeds; from then on it refuses too.
    const result = await global(argv, { onOutput: (text) => text.includes('rolling back') && readOnly.add('one') });
    expect(result.exitCode).toBe(1);
    expect(result.stderr).toContain(
      'kubectl --context one -n default annotate --overwrite service base service.cilium.io/global- service.cilium.io/affinity-',
    );
  });

  it('names the clusters that lack it, and touches none', async () => {
    addService(clusters.stores.one, 'lonely', { mesh: {} });
    const result = await global(['default/lonely', ...BOTH]);
    expect(result.exitCode).toBe(1);
    expect(result.stderr).toContain('no Service default/lonely in context "two"');
    expect(result.stderr).toContain('Add --create-missing');
    expect(annotationsIn('one', 'lonely')).toEqual({});
  });

  it('copies selector and ports with --create-missing', async () => {
    addService(clusters.stores.one, 'lonely', {
      mesh: {},
      annotations: { 'example.com/team': 'a' },
      spec: {
        type: 'NodePort',
        ipFamilyPolicy: 'RequireDualStack',
        ipFamilies: ['IPv4', 'IPv6'],
        ports: [{ name: 'http', port: 80, targetPort: 'web', nodePort: 30080 }],
      },
    });
    const argv = ['default/lonely', ...BOTH, '--create-missing', '--affinity', 'local'];
    expect((await global(argv)).exitCode).toBe(0);
    const copy = serviceIn('two', 'lonely');
    expect(copy?.metadata.annotations).toEqual({
      'service.cilium.io/global': 'true',
      'service.cilium.io/affinity': 'local',
    });
    expect(copy?.spec).toMatchObject({
      type: 'ClusterIP',
      ipFamilyPolicy: 'PreferDualStack',
      selector: { app: 'lonely' },
      ports: [{ name: 'http', port: 80, targetPort: 'web' }],
    });
    expect(JSON.stringify(copy?.spec)).not.toContain('nodePort');
    expect(jsonOf(await global([...argv, '-o', 'json']))).toMatchObject({
      steps: [{ action: 'keep' }, { action: 'keep' }],
    });
  });

  it('shows with --create-missing all that decides whom the copy leads to, before it is made', async () => {
    const mesh = { global: 'true', shared: 'false', affinity: 'remote' };
    addService(clusters.stores.one, 'lonely', { mesh, spec: { ports: [{ name: 'http', port: 80 }] } });
    const plan = await global(['default/lonely', ...BOTH, '--create-missing', '--dry-run']);
    const [, made = ''] = plan.stdout.split('Context two:');
    expect(made).toContain('+ create Service default/lonely (this cluster lacks it)');
    for (const [name, value] of Object.entries(mesh)) {
      expect(made).toContain(`metadata.annotations[service.cilium.io/${name}]: ${value}`);
    }
    expect(made).toContain('spec.selector: {"app":"lonely"}');
    expect(made).toContain('spec.ports: [{"name":"http","port":80');
    expect(plan.stderr).toContain('context "two": pods there with app=lonely come to serve default/lonely\n');
    const json = jsonOf(await global(['default/lonely', ...BOTH, '--create-missing', '--dry-run', '-o', 'json']));
    expect(json.warnings).toEqual(['context "two": pods there with app=lonely come to serve default/lonely']);
    const done = await global(['default/lonely', ...BOTH, '--create-missing', '--shared', '-y', '-o', 'json']);
    expect(serviceIn('two', 'lonely')?.spec).toMatchObject({ selector: { app: 'lonely' } });
    expect(JSON.stringify(jsonOf(done).warnings)).toContain('come to serve default/lonely, for other clusters too');
  });

  it.each([
    ['update', []],
    ['keep', ['again']],
  ])('has no tick for a Service in a namespace that takes no part: %s', async (what, again) => {
    const name = `apart-${what}`;
    const apart = namespaceObject(name, { 'clustermesh.cilium.io/global': 'false' });
    for (const context of CONTEXTS) {
      clusters.stores[context]?.create(context === 'one' ? apart : namespaceObject(name));
      addService(clusters.stores[context], 'web', { namespace: name, mesh: {} });
    }
    for (const _ of again) await global([`${name}/web`, ...BOTH]);
    const says = `namespace ${name} is not global there, so that other clusters get no backends of ${name}/web from it`;
    const mend = `kubectl --context one annotate --overwrite namespace ${name} clustermesh.cilium.io/global=true`;
    const warning = `context "one": ${says} → ${mend}`;
    for (const more of [['--dry-run'], []]) {
      const { stdout, stderr, exitCode } = await global([`${name}/web`, ...BOTH, ...more]);
      expect(exitCode).toBe(0);
      expect(stderr.replaceAll(/\s+/g, ' ')).toContain(warning);
      expect(stdout).not.toContain('✅');
      if (more.length === 0) {
        expect(stdout).toContain(`⚠️  ${name}/web is global in one, two, and not all of that is shared:\n`);
        expect(stdout).toContain(`  ‼ one: ${says}\n`);
      }
      const json = jsonOf(await global([`${name}/web`, ...BOTH, ...more, '-o', 'json']));
      expect(json.warnings).toEqual([warning]);
    }
    clusters.stores.one?.update({ apiVersion: 'v1', kind: 'Namespace', name }, (object) => {
      object.metadata.annotations = { 'clustermesh.cilium.io/global': 'true' };
    });
    expect((await global([`${name}/web`, ...BOTH])).stdout).toContain(`✅ ${name}/web is global in one, two\n`);
  });

  it('names the clusters that come to serve it and that were not named, before it is written', async () => {
    await global(['default/base', '--context', 'two']);
    const run = await global(['default/base', '--context', 'one', '-o', 'json']);
    const warning = 'context "one": requests for default/base may go to mesh-2 too';
    expect(jsonOf(run).warnings).toEqual([warning]);
    expect(run.stderr).toContain(warning);
    // It is so by now, and no news.
    expect(jsonOf(await global(['default/base', '--context', 'one', '-o', 'json'])).warnings).toEqual([]);
  });

  it('copies how backends are chosen, and says where no selector gives any', async () => {
    const choosing = { sessionAffinity: 'ClientIP', publishNotReadyAddresses: true, internalTrafficPolicy: 'Local' };
    addService(clusters.stores.one, 'by-hand', { mesh: {}, spec: { ...choosing, selector: {} } });
    const made = await global(['default/by-hand', ...BOTH, '--create-missing']);
    expect(made.exitCode).toBe(0);
    expect(made.stdout).toContain('two: created, with the ports that it has elsewhere; as there, no selector');
    expect(serviceIn('two', 'by-hand')?.spec).toMatchObject(choosing);
  });

  it('copies nothing into a namespace that is missing', async () => {
    clusters.stores.one?.create(namespaceObject('shop'));
    addService(clusters.stores.one, 'cart', { namespace: 'shop', mesh: {} });
    const result = await global(['shop/cart', ...BOTH, '--create-missing']);
    expect(result.exitCode).toBe(1);
    expect(result.stderr).toContain('no namespace shop in context "two"');
    expect(result.stderr).toContain('kubectl --context two create namespace shop');
  });

  it('asks before it takes the Service out of the mesh', async () => {
    await global(['default/base', ...BOTH, '--affinity', 'local']);
    const no = await global(['default/base', ...BOTH, '--remove'], { answers: ['n'] });
    expect(no.exitCode).toBe(1);
    expect(annotationsIn('one')).toMatchObject({ 'service.cilium.io/global': 'true' });
    const yes = await global(['default/base', ...BOTH, '--remove', '--yes']);
    expect(yes.exitCode).toBe(0);
    expect(yes.stdout).toContain('✅ default/base is no longer global in one, two');
    for (const context of ['one', 'two']) expect(annotationsIn(context)).toEqual({});
  });

  it.each([
    [['base/'], 2, '"base/" is not NAMESPACE/NAME'],
    [['default/base', '--remove', '--affinity', 'local'], 2, '--remove cannot be used with --affinity'],
    [['default/base', '--affinity', 'near'], 2, 'is not one of local, remote, none'],
    [['default/base', '-o', 'manifests'], 2, '-o manifests requires --dry-run'],
    [['default/absent', ...BOTH], 1, 'no Service default/absent in contexts "one", "two"'],
  ])('refuses %j', async (argv, exitCode, message) => {
    const result = await global(argv);
    expect(result.exitCode).toBe(exitCode);
    expect(result.stderr).toContain(message);
  });

  it('refuses a Service of type ExternalName, but to take it out', async () => {
    clusters.stores.one?.create({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'outside', namespace: 'default', annotations: { 'service.cilium.io/global': 'true' } },
      spec: { type: 'ExternalName', externalName: 'example.com' },
    });
    const result = await global(['default/outside', '--context', 'one']);
    expect(result.exitCode).toBe(1);
    expect(result.stderr).toContain('is of type ExternalName');
    const removed = await global(['default/outside', '--context', 'one', '--remove', '--yes']);
    expect(removed, removed.stderr).toMatchObject({ exitCode: 0 });
  });
});
