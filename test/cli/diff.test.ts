import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { WrittenSpec } from '../../src/mesh/file/document.ts';
import { serviceSpec } from '../../src/mesh/objects/service.ts';
import { failureOf, jsonOf } from '../support/cli.ts';
import { startConnectedMesh } from '../support/connected-mesh.ts';
import type { Meshctl } from '../support/e2e-cli.ts';
import { type MeshFolder, meshFolder, meshText } from '../support/mesh-files.ts';
import { refs, type TestSandbox } from '../support/sandbox-mesh.ts';
import { PACKAGE_ROOT } from '../support/schemas.ts';
import { serviceObjects } from '../support/service-clusters.ts';

let sandbox: TestSandbox;
let meshctl: Meshctl;
let folder: MeshFolder;

const clusters = ['mesh-1', 'mesh-2'].map((name) => ({ name }));
const BOTH: WrittenSpec = { clusters, topology: { type: 'mesh' } };
const diff = (spec: WrittenSpec, ...more: string[]) => meshctl(['diff', '-f', '-', ...more], { input: meshText(spec) });
const store = (index: number) => {
  const cluster = sandbox.clusters[index];
  if (!cluster) throw new Error('there is no such cluster');
  return cluster.store;
};

beforeAll(async () => {
  folder = await meshFolder();
  ({ sandbox, meshctl } = await startConnectedMesh({ clusters: 3, nodes: 1 }));
});

afterAll(async () => {
  expect(sandbox?.errors).toEqual([]);
  await sandbox?.close();
  await folder?.remove();
});

describe('diff', () => {
  it('exits 0 where nothing differs', async () => {
    const result = await diff(BOTH);
    expect(result.stdout).toBe('✅ mesh-1 and mesh-2 are as standard input says\n');
    expect(result.exitCode).toBe(0);
  });

  it('differs where a server is scaled to 0 that apply leaves so, until the line that it prints is typed', async () => {
    const ref = refs.deployment('clustermesh-apiserver');
    const scale = (replicas: number) =>
      store(0).update(ref, ({ spec }) => void Object.assign(spec as object, { replicas }), 'kubectl');
    const elsewhere: WrittenSpec = { ...BOTH, clusters: clusters.map((one) => ({ ...one, connectOnly: true })) };
    expect((await diff(elsewhere)).exitCode).toBe(0);
    scale(0);
    // Of its own Deployment meshctl makes what was chosen.
    expect((await diff(BOTH)).stdout).toContain('spec.replicas: 0 → 1');
    const told = await diff(elsewhere);
    expect(told).toMatchObject({ exitCode: 1, stdout: expect.stringContaining('has 0 replicas') });
    expect(told.stdout).toContain('1 difference.');
    const line = 'kubectl --context mesh-1 -n kube-system scale deployment/clustermesh-apiserver --replicas=1';
    expect(told.stdout).toMatch(/→ Scale it up:\n +kubectl --context mesh-1 .* --replicas=1$/m);
    const hint = `Scale it up: ${line}`;
    expect(jsonOf(await diff(elsewhere, '-o', 'json'))).toMatchObject({
      summary: { differences: 1 },
      notEnabled: [{ name: 'mesh-1', hint }],
    });
    expect((await diff(elsewhere, '-o', 'junit')).stdout).toContain('has 0 replicas');
    const applied = await meshctl(['apply', '-f', '-', '--yes', '-o', 'json'], { input: meshText(elsewhere) });
    expect(applied).toMatchObject({ exitCode: 1, stderr: expect.stringContaining(line) });
    expect(jsonOf(applied)).toMatchObject({ verified: false });
    scale(1);
    await meshctl.ok(['clustermesh', 'status', '--context', 'mesh-1,mesh-2', '--wait']);
    expect((await diff(elsewhere)).exitCode).toBe(0);
  });

  it('warns as apply does of what no file can say: a CA that is lost', async () => {
    const ref = refs.secret('cilium-ca');
    const { resourceVersion: _version, uid: _uid, ...metadata } = store(0).get(ref)?.metadata ?? { name: '' };
    const before = store(0).get(ref);
    store(0).delete(ref);
    const told = await diff(BOTH);
    const document = jsonOf(await diff(BOTH, '-o', 'json'));
    const junit = (await diff(BOTH, '-o', 'junit')).stdout;
    if (before) store(0).create({ ...before, metadata });
    expect(told).toMatchObject({ exitCode: 0, stderr: expect.stringContaining('cilium-ca is missing') });
    expect(document.warnings).toEqual([expect.stringContaining('cilium-ca is missing')]);
    expect(junit).toMatch(/\/>\n {4}<system-out>.*cilium-ca is missing.*<\/system-out>\n {2}<\/testsuite>/);
    const { reportOf } = await import(new URL('.ci/action/report.mjs', PACKAGE_ROOT).href);
    expect(reportOf(junit).findings).toEqual([
      { level: 'warning', where: 'warning', says: expect.stringContaining('cilium-ca is missing') },
    ]);
    expect((await diff(BOTH)).stderr).not.toContain('⚠');
  });

  it('warns of a key that a cluster keeps for itself, which check alone knew of', async () => {
    const [ref, key] = [refs.secret('cilium-kvstoremesh'), 'mesh-1.etcd-client.key'];
    store(0).update(ref, (secret) => {
      secret.data = { ...(secret.data as Record<string, string>), [key]: 'b3RoZXI=' };
    });
    const told = await diff(BOTH);
    store(0).update(ref, (secret) => {
      delete (secret.data as Record<string, string>)[key];
    });
    const words = `context "mesh-1": Secret cilium-kvstoremesh has ${key}, for the cluster itself`;
    expect(told.stderr).toContain(words);
    expect(told.stderr).toContain('meshctl clustermesh disconnect --context mesh-1 --peer mesh-1');
  });

  it('finds a field that was changed by hand, an option too, and a connection that is missing', async () => {
    store(0).update(refs.service('clustermesh-apiserver'), (service) => {
      service.metadata.annotations = { ...service.metadata.annotations, 'example.net/by-hand': 'yes' };
      (service.spec as { ports: { name: string }[] }).ports[0] = {
        ...(service.spec as { ports: { name: string }[] }).ports[0],
        name: 'etcd',
      };
    });
    store(1).update(refs.deployment('clustermesh-apiserver'), (deployment) => {
      (deployment.spec as { replicas: number }).replicas = 2;
    });
    const result = await diff({ ...BOTH, clusters: [...clusters, { name: 'mesh-3' }] });
    expect(result.stdout).toContain('spec.replicas: 2 → 1');
    expect(result.stdout).toContain('+ mesh-1 and mesh-3 dial each other, once they are as the file says');
    expect(result.stdout).toContain('To make it so, pipe the same document into apply (-f -).');
    expect(result.stdout).not.toContain('meshctl apply');
    expect(result.exitCode, result.stderr).toBe(1);
    const data = jsonOf(await diff(BOTH, '-o', 'json'));
    expect(data).toMatchObject({ kind: 'MeshDiff', unconnected: [] });
  });

  it('finds what is in the clusters and not in the file', async () => {
    const { stdout, exitCode } = await diff({ ...BOTH, topology: { type: 'pairs', pairs: [] } });
    expect(stdout).toContain('In the clusters, not in the file:\n  - mesh-1 and mesh-2 dial each other');
    expect(stdout).toContain('To make it so, pipe the same document into apply (-f -); with --prune, what is in no');
    expect(exitCode).toBe(1);
    const alone = await diff({ clusters: [{ name: 'mesh-1' }], topology: { type: 'mesh' } });
    expect(alone.stdout).toContain('  - peer mesh-2 of mesh-1 (--prune also disables Cluster Mesh there, where ');
  });

  it('calls half of a peering lost that is lost: export and apply too, and none of them offers to prune alone', async () => {
    const kept = ['cilium-kvstoremesh', 'cilium-clustermesh'].map((name) => {
      const before = store(0).get(refs.secret(name));
      store(0).update(refs.secret(name), (secret) => {
        const own = Object.entries(secret.data ?? {}).filter(([key]) => !key.startsWith('mesh-2'));
        secret.data = Object.fromEntries(own);
      });
      return { name, data: before?.data };
    });
    const back = 'meshctl clustermesh connect --context mesh-1 --destination-context mesh-2';
    const text = (await meshctl.ok(['export', '--context', 'mesh-1,mesh-2'])).stdout;
    expect(text).toContain(`perhaps half of it is lost → both ways again, and then export: ${back}`);
    await folder.write('half.yaml', text);
    const half = ['-f', 'half.yaml'];
    const { stdout, exitCode } = await meshctl(['diff', ...half], { cwd: folder.path });
    const says = 'mesh-2 lets mesh-1 in, but mesh-1 does not dial it, and no one chose that: half of a peering is lost';
    expect(stdout).toContain(`  - ${says}\n`);
    expect(stdout).not.toContain('mesh-1 dials mesh-2');
    expect(stdout).toMatch(new RegExp(`both ways in the file:\\n *${back}\\n.*one-way for good:[^]*--prune$`, 'm'));
    expect(exitCode).toBe(1);
    const planned = await meshctl(['apply', ...half, '--dry-run'], { cwd: folder.path });
    expect(planned.stderr).toMatch(new RegExp(`${back}\n[^]*left there: ${says}\n.*one-way for good:[^]*--prune`));
    const data = jsonOf(await meshctl(['diff', ...half, '-o', 'json'], { cwd: folder.path }));
    const hint = `Bring back what is lost, and write the pair both ways in the file: ${back}`;
    expect(data).toMatchObject({
      notInFile: {
        connections: [],
        letIn: [{ cluster: 'mesh-2', peer: 'mesh-1', isLost: true, isParted: false, hint }],
      },
    });
    const report = (await meshctl(['diff', ...half, '-o', 'junit'], { cwd: folder.path })).stdout;
    expect(report).toContain(`  - ${says}\n→ ${hint}\n→ Or remove what is in no file`);
    // Once it is chosen that mesh-2 alone dials, the user is a leftover.
    store(1).update(refs.secret('cilium-clustermesh'), ({ metadata }) => {
      metadata.annotations = { ...metadata.annotations, 'meshctl.io/mode.mesh-1': 'unicast' };
    });
    const chosen = await meshctl(['diff', ...half], { cwd: folder.path });
    expect(chosen.stdout).toContain('  - mesh-2 lets mesh-1 in, but mesh-1 does not dial it\n');
    expect(chosen.stdout).not.toContain('lost');
    expect(chosen.stdout).toContain('→ Remove what is in no file: meshctl apply -f half.yaml --prune');
    store(1).update(refs.secret('cilium-clustermesh'), ({ metadata }) => {
      delete metadata.annotations?.['meshctl.io/mode.mesh-1'];
    });
    for (const { name, data: before } of kept) {
      store(0).update(refs.secret(name), (secret) => {
        secret.data = before;
      });
    }
    // The file that has both ways sees nothing of it but what is to be written.
    expect((await meshctl(['diff', ...half], { cwd: folder.path })).stdout).toContain('  - mesh-1 dials mesh-2\n');
  });

  it('calls half of a peering parted with that one side has given up: export and apply too, with both ways out', async () => {
    const pair = ['clustermesh', 'connect', '--context', 'mesh-1', '--destination-context', 'mesh-2', '--yes'];
    const part = ['clustermesh', 'disconnect', '--peer', 'mesh-2', '--context', 'mesh-1', '--yes', '--no-wait'];
    await meshctl.ok(part);
    const join = 'meshctl clustermesh connect --context mesh-2 --destination-context mesh-1';
    const out = 'meshctl clustermesh disconnect --context mesh-2 --peer mesh-1';
    const ways = `connect them again: ${join}; or disconnect that side too: ${out}`;
    const written = 'Write the pair in the file as it is meant, and';
    const text = (await meshctl.ok(['export', '--context', 'mesh-1,mesh-2'])).stdout;
    expect(text).toContain(
      `mesh-2 dials mesh-1, which does not let it in any more → before the mesh is exported, ${ways}\n`,
    );
    expect(text).not.toContain('lost');
    await folder.write('parted.yaml', text);
    const half = ['-f', 'parted.yaml'];
    const { stdout } = await meshctl(['diff', ...half], { cwd: folder.path });
    expect(stdout).toContain('  - mesh-2 lets mesh-1 in, but mesh-1 neither dials it nor lets it in any more\n');
    expect(stdout.replaceAll(/\n +/g, ' ')).toContain(
      `→ ${written} connect them again: ${join} or disconnect that side too: ${out}`,
    );
    expect(stdout).not.toContain('lost');
    expect(stdout).toContain('→ Or remove what is in no file, which makes it one-way for good:');
    const planned = await meshctl(['apply', ...half, '--dry-run', 'client', '-y'], { cwd: folder.path });
    expect(planned.stderr).toContain('one-way for good: meshctl apply -f parted.yaml --prune\n');
    expect(planned.stderr.replaceAll(/\n +/g, ' ')).toContain(
      `⚠ mesh-2 dials mesh-1, which does not let it in any more → ${written} ${ways.replace(';', '')}\n`,
    );
    const data = jsonOf(await meshctl(['diff', ...half, '-o', 'json'], { cwd: folder.path }));
    const letIn = [{ cluster: 'mesh-2', peer: 'mesh-1', isLost: false, isParted: true, hint: `${written} ${ways}` }];
    expect(data).toMatchObject({ notInFile: { letIn } });
    const report = (await meshctl(['diff', ...half, '-o', 'junit'], { cwd: folder.path })).stdout;
    expect(report).toContain(`→ ${written} ${ways}\n`);
    await meshctl.ok(pair);
    expect((await diff(BOTH)).stderr).not.toContain('lets');
  });

  it('exits 2 for a file that is wrong, with every fault on a line', async () => {
    const path = await folder.write('bad.yaml', 'apiVersion: meshctl.io/v1alpha1\nkind: Mesh\nspec: {cluster: []}\n');
    const piped = await meshctl(['diff', '-f', '-'], {
      input: 'apiVersion: meshctl.io/v1alpha1\nkind: Mesh\nspec: {cluster: []}\n',
    });
    expect(failureOf(piped).says).toMatch(/^✖ standard input: 4 faults\nstandard input:/);
    const none = await meshctl(['diff', '-f', '-'], { input: '' });
    expect(failureOf(none).says).toContain('standard input:1:1: there is no document in it');
    const { exitCode, says } = failureOf(await meshctl(['diff', '-f', path]));
    expect(exitCode).toBe(2);
    expect(says).toBe(
      [
        `✖ ${path}: 4 faults`,
        `${path}:1:1: has no metadata`,
        `${path}:3:7: spec: has no clusters`,
        `${path}:3:7: spec: has no topology`,
        `${path}:3:8: spec.cluster: spec has no such field; did you mean clusters?`,
        '',
      ].join('\n'),
    );
    const data = jsonOf(await meshctl(['diff', '-f', path, '-o', 'json']));
    expect(data.error).toMatchObject({ code: 'Usage', details: { faults: { length: 4 } } });
  });

  it('has a next step for each case of a test report that fails, and skips in it the checks that it skipped itself', async () => {
    const ref = refs.configMap('cilium-config');
    const former = store(1).get(ref)?.data as Record<string, string>;
    const set = (data: Record<string, string>) =>
      store(1).update(ref, (config) => {
        config.data = data;
      });
    set({ ...former, 'max-connected-clusters': '511' });
    const services = [{ namespace: 'default', name: 'absent' }];
    await folder.write('lacking.yaml', meshText({ ...BOTH, services }));
    const topology = { type: 'pairs' as const, pairs: [{ from: 'mesh-1', to: 'mesh-2' }] };
    await folder.write('other.yaml', meshText({ ...BOTH, defaults: { enable: { replicas: 2 } }, topology }));
    const skip = ['--skip-checks', 'max-connected-clusters-equal'];
    const told = async (name: string, ...more: string[]) =>
      (await meshctl(['diff', '-f', name, ...skip, ...more], { cwd: folder.path })).stdout;
    const lacking = await told('lacking.yaml', '-o', 'junit');
    const apart = [await told('other.yaml'), await told('other.yaml', '-o', 'junit')];
    const data = jsonOf(await meshctl(['diff', '-f', 'lacking.yaml', ...skip, '-o', 'json'], { cwd: folder.path }));
    set(former);
    const create = 'kubectl --context mesh-1 -n default create service clusterip absent --tcp 80';
    expect(data.missingServices).toEqual([
      { service: 'default/absent', clusters: ['mesh-1', 'mesh-2'], hint: expect.stringContaining(create) },
    ]);
    expect(lacking).toContain(create);
    for (const report of [lacking, apart[1] ?? '']) {
      // What has to be agreed to is what a next step brings.
      const cases = report.split('<testcase ').filter((one) => !one.includes('name="apply asks for nothing'));
      const failures = cases.filter((one) => one.includes('<failure '));
      expect(failures.length).toBeGreaterThan(0);
      for (const failure of failures) expect(failure).toContain('\n→ ');
    }
    for (const text of apart) {
      expect(text).toContain(`→ Apply it: meshctl apply ${skip.join(' ')} -f other.yaml`);
      expect(text).toContain(`meshctl apply ${skip.join(' ')} -f other.yaml --prune`);
    }
  });

  it('takes a cluster that something else is to enable first for a difference, which no apply can mend', async () => {
    const spec: WrittenSpec = { ...BOTH, clusters: [...clusters, { name: 'mesh-3', connectOnly: true }] };
    const { stdout, stderr, exitCode } = await diff(spec);
    expect(exitCode, stderr).toBe(1);
    expect(stdout).toContain('  ! context "mesh-3": Cluster Mesh is not enabled\n');
    expect(stdout).toContain('  + mesh-1 and mesh-3 dial each other, once they are as the file says\n');
    const hint = 'make it with that, as before. To have meshctl make it, take connectOnly out';
    expect(stdout.replaceAll(/\n +/g, ' ')).toContain(hint);
    expect(stdout).not.toMatch(/meshctl clustermesh enable|into apply/);
    const data = jsonOf(await diff(spec, '-o', 'json'));
    const notEnabled = [{ name: 'mesh-3', context: 'mesh-3', hint: expect.stringContaining(hint) }];
    expect(data).toMatchObject({ notEnabled, unconnected: [{}, {}] });
    const junit = (await diff(spec, '-o', 'junit')).stdout;
    expect(junit).toMatch(/classname="cluster" name="mesh-3">\n *<failure type="drift" message="[^"]*is not enabled">/);
    expect(junit).toContain(hint);
    const alone: WrittenSpec = { ...spec, topology: { type: 'pairs', pairs: [['mesh-1', 'mesh-2']] } };
    expect((await diff(alone)).stdout).toContain('  ! context "mesh-3": Cluster Mesh is not enabled\n');
    const apply = (...more: string[]) => meshctl(['apply', '-f', '-', ...more], { input: meshText(spec) });
    for (const result of [await apply(), await apply('--dry-run')]) {
      expect(result.exitCode).toBe(1);
      expect(result.stderr).toContain('context "mesh-3": Cluster Mesh is not enabled');
      expect(result.stderr.replaceAll(/\n +/g, ' ')).toContain(hint);
    }
  });

  it.each<[string, () => void]>([
    [
      'a list of users that cannot be read',
      () => {
        store(0).update(refs.configMap('clustermesh-remote-users'), (list) => {
          list.data = { 'users.yaml': 'users: [' };
        });
      },
    ],
    ['no Service', () => store(0).delete(refs.service('clustermesh-apiserver'))],
  ])('takes %s for a difference, which apply mends before it connects', async (_what, breaks) => {
    breaks();
    const { exitCode, stdout, stderr } = await diff(BOTH);
    expect(exitCode, stderr).toBe(1);
    // They are enabled, and connected.
    expect(stdout).not.toContain('In the file, not in the clusters');
    const applied = await meshctl(['apply', '-f', '-', '--yes'], { input: meshText(BOTH) });
    expect(applied.exitCode, applied.stderr).toBe(0);
    expect((await diff(BOTH)).exitCode).toBe(0);
  });

  it('asks for an address that was chosen and that the file chooses no longer, and does not warn of it', async () => {
    const chosen = ['--destination-endpoint', 'mesh-2=203.0.113.9:2379', '--no-proof', '--yes'];
    const pair = ['clustermesh', 'connect', '--context', 'mesh-1', '--destination-context', 'mesh-2'];
    await meshctl.ok([...pair, ...chosen]);
    const service = await diff(BOTH);
    expect(service.stdout).toContain('meshctl.io/endpoint.mesh-2');
    expect(service.stderr).not.toContain('as chosen');
    expect(service.stdout).toContain('apply asks for confirmation:\n  ! mesh-2 may be cut off\n');
    const apply = (spec: WrittenSpec, ...words: string[]) =>
      meshctl(['apply', '-f', '-', ...words], { input: meshText(spec) });
    const planned = await apply(BOTH, '--dry-run');
    expect(planned.stdout).toContain(
      '? peer mesh-2 may be cut off: 203.0.113.9:2379 was chosen for it, which the file leaves out (endpoints), and 172.18.2.100:2379 has not been tried from there',
    );
    expect(planned.stdout).toContain(`→ meshctl ${pair.join(' ')} --destination-endpoint mesh-2=203.0.113.9:2379\n`);
    expect(await apply(BOTH)).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('mesh-2 may be cut off') });
    const file: WrittenSpec = { ...BOTH, endpoints: [{ to: 'mesh-2', addresses: ['203.0.113.9:2379'] }] };
    expect((await diff(file)).stderr).not.toContain('as chosen');
    expect((await diff(file)).stdout).not.toContain('apply asks for confirmation');
    expect((await apply(BOTH, '--yes')).exitCode).toBe(0);
    expect((await apply(BOTH)).stdout).toContain('Nothing to change');
    // Who names the Service has chosen it.
    await meshctl.ok([...pair, ...chosen]);
    await meshctl.ok([...pair, '--destination-endpoint', 'mesh-2=service']);
  });

  it('tells what apply asks for: a load balancer that the file opens to all, and backends that it takes from others', async () => {
    const ranges = () => serviceSpec(store(0).get(refs.service('clustermesh-apiserver'))).loadBalancerSourceRanges;
    await meshctl.ok([
      ...['clustermesh', 'enable', '--context', 'mesh-1', '--load-balancer-source-ranges', '172.18.0.0/16', '--yes'],
    ]);
    for (const object of serviceObjects('web')) store(0).create(object);
    const file: WrittenSpec = {
      ...BOTH,
      defaults: { enable: { loadBalancerSourceRanges: [] } },
      services: [{ namespace: 'default', name: 'web', shared: false }],
    };
    for (const object of serviceObjects('web', { ready: 0 })) store(1).create(object);
    const clauses = [
      'all clients get in, until now only those in 172.18.0.0/16 (mesh-1)',
      'other clusters lose the backends of default/web (mesh-1, mesh-2)',
      'requests from mesh-2 for default/web fail, which no other backends serve (mesh-1, mesh-2)',
    ];
    const told = await diff(file);
    expect(told.stdout).toContain(`apply asks for confirmation:\n${clauses.map((one) => `  ! ${one}\n`).join('')}`);
    expect(jsonOf(await diff(file, '-o', 'json'))).toMatchObject({ agreement: clauses });
    expect((await diff(file, '-o', 'junit')).stdout).toContain(`message="${clauses.join('; ')}"`);
    const alone: WrittenSpec = { ...file, clusters: [{ name: 'mesh-1' }], external: ['mesh-2'] };
    expect((await diff(alone)).stdout).toContain(clauses[2]?.replace(', mesh-2)', ')'));
    const apply = (...words: string[]) => meshctl(['apply', '-f', '-', ...words], { input: meshText(file) });
    const planned = jsonOf(await apply('--dry-run', '-o', 'json'));
    expect(planned).toMatchObject({
      clusters: [
        { hazards: [expect.anything(), ...clauses.slice(1).map((clause) => clause.replace(/ \(.*/, ''))] },
        {},
      ],
    });
    const asked = await apply();
    expect(asked.exitCode).toBe(2);
    for (const clause of clauses) expect(asked.stderr).toContain(clause);
    expect(ranges()).toEqual(['172.18.0.0/16']);
    const wider = ['clustermesh', 'enable', '--context', 'mesh-1', '--load-balancer-source-ranges', '172.0.0.0/8'];
    expect(await meshctl(wider)).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining(
        'clients in 172.0.0.0/8 get in too, until now only those in 172.18.0.0/16 (mesh-1)',
      ),
    });
    expect((await apply('--yes')).exitCode).toBe(0);
    expect(ranges()).toBeUndefined();
    expect((await apply()).stdout).toContain('Nothing to change');
    for (const { apiVersion, kind, metadata } of serviceObjects('web'))
      for (const at of [0, 1]) store(at).delete({ apiVersion, kind, ...metadata });
  });

  it('warns as apply does of a Service whose namespace takes no part in the mesh, also where nothing differs', async () => {
    const ofWeb = serviceObjects('web', { namespace: 'apart' });
    const apart = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'apart' } };
    const annotations = { 'clustermesh.cilium.io/global': 'false' };
    for (const at of [0, 1]) {
      store(at).create(at === 0 ? { ...apart, metadata: { name: 'apart', annotations } } : apart);
      for (const object of ofWeb) store(at).create(object);
    }
    const file: WrittenSpec = { ...BOTH, services: [{ namespace: 'apart', name: 'web' }] };
    const mend = 'kubectl --context mesh-1 annotate --overwrite namespace apart clustermesh.cilium.io/global=true';
    const warning = `context "mesh-1": namespace apart is not global there, so that other clusters get no backends of apart/web from it → ${mend}`;
    expect(jsonOf(await diff(file, '-o', 'json'))).toMatchObject({ warnings: [warning], summary: { differences: 0 } });
    const applied = await meshctl(['apply', '-f', '-'], { input: meshText(file) });
    expect(applied.exitCode).toBe(0);
    expect(applied.stderr.replaceAll(/\s+/g, ' ')).toContain(warning);
    store(0).update({ ...apart, name: 'apart' }, ({ metadata }) => {
      metadata.annotations = { 'clustermesh.cilium.io/global': 'true' };
    });
    expect((await diff(file)).stderr).not.toContain('namespace apart');
    for (const { apiVersion, kind, metadata } of ofWeb)
      for (const at of [0, 1]) store(at).delete({ apiVersion, kind, ...metadata });
  });

  it("passes over Services that Cilium's operator derives, as export and --prune do; service global refuses them", async () => {
    const name = 'derived-h1nr3c9j2k';
    const owner = { apiVersion: 'multicluster.x-k8s.io/v1beta1', kind: 'ServiceImport', name: 'web', uid: 'u' };
    const [derived, slice] = serviceObjects(name);
    if (!derived || !slice) throw new Error('a Service and its slice');
    derived.metadata.ownerReferences = [{ ...owner, controller: true, blockOwnerDeletion: true }];
    const ref = { apiVersion: 'v1', kind: 'Service', namespace: 'default', name };
    store(0).create(slice);
    // Only where it is exported the operator gives it a selector.
    const { selector: _selector, ...spec } = derived.spec as Record<string, unknown>;
    store(0).create(derived);
    store(1).create({ ...derived, spec });
    const file: WrittenSpec = { ...BOTH, services: [] };
    expect(await diff(file)).toMatchObject({ exitCode: 0 });
    const pruned = await meshctl(['apply', '-f', '-', '--prune', '--yes'], { input: meshText(file) });
    expect(pruned.stdout).toContain('Nothing to change');
    const contexts = ['--context', 'mesh-1,mesh-2'];
    expect((await meshctl.ok(['export', ...contexts])).stdout).not.toContain(name);
    // An older export has it.
    const named = { ...BOTH, services: [{ namespace: 'default', name, affinity: 'local' as const }] };
    expect((await diff(named)).stderr).toContain(`Take default/${name} out of the file (services).`);
    for (const more of [
      ['--affinity', 'local'],
      ['--remove', '--yes'],
    ]) {
      const says = expect.stringContaining(`Cilium's operator derives Service default/${name} from ServiceImport web`);
      const refused = await meshctl(['service', 'global', `default/${name}`, ...contexts, ...more]);
      expect(failureOf(refused)).toEqual({ exitCode: 1, says });
    }
    const listed = await meshctl.ok(['service', 'list', ...contexts]);
    expect(listed.stdout).toContain(`${name} (ServiceImport web)`);
    expect(listed.stdout).toContain('1 global service in mesh-1, mesh-2\n');
    const described = await meshctl.ok(['service', 'describe', `default/${name}`, ...contexts]);
    expect(described.stdout).toContain("\nCilium's operator derives it from ServiceImport web\n");
    expect(jsonOf(await meshctl.ok(['service', 'list', ...contexts, '-o', 'json']))).toMatchObject({
      services: [{ name, serviceImport: 'web', warnings: [] }],
    });
    expect(store(0).get(ref)?.metadata.annotations).toEqual({ 'service.cilium.io/global': 'true' });
    for (const index of [0, 1]) store(index).delete(ref);
    store(0).delete({ ...ref, apiVersion: slice.apiVersion, kind: slice.kind, name: slice.metadata.name });
  });

  it('exits 2 for a failure of its own', async () => {
    const wrong = failureOf(
      await diff({ clusters: [{ name: 'mesh-9', context: 'mesh-1' }], topology: { type: 'mesh' } }),
    );
    expect(wrong).toEqual({
      exitCode: 2,
      says: expect.stringContaining('context "mesh-1" leads to cluster "mesh-1", and the file calls it "mesh-9"'),
    });
  });
});

describe('diff of what others have set', () => {
  it('ends with what apply is refused without, where others have set what it would change, and not with that apply', async () => {
    const ref = refs.deployment('clustermesh-apiserver');
    const set = (replicas: number) =>
      store(0).update(
        ref,
        ({ spec, metadata }) => {
          Object.assign(spec as object, { replicas });
          metadata.annotations = { ...metadata.annotations, 'argocd.argoproj.io/tracking-id': 'cilium' };
          metadata.labels = { ...metadata.labels, 'app.kubernetes.io/managed-by': 'Helm' };
        },
        'argocd-controller',
      );
    set(2);
    const wanted: WrittenSpec = { ...BOTH, defaults: { enable: { replicas: 3 } } };
    const path = await folder.write('disputed.yaml', meshText(wanted));
    const told = await meshctl(['diff', '-f', path]);
    const refused = await meshctl(['apply', '-f', path, '--yes']);
    const piped = await diff(wanted);
    const ends = 'Set clustermesh.apiserver.replicas in the values of the chart of Argo CD, or take the fields over:';
    expect(told.stdout.replaceAll(/\s+/g, ' ')).toContain(`${ends} meshctl apply -f ${path} --force-conflicts mesh-1`);
    expect(told.stdout).not.toContain('Apply it');
    expect(refused).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('Set clustermesh.apiserver.replicas'),
    });
    expect(piped.stdout.replaceAll(/\s+/g, ' ')).toContain(
      'pipe the same document into apply (-f -) with --force-conflicts mesh-1',
    );
  });
});
