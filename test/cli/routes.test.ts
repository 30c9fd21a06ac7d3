import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { dataOf } from '../../src/mesh/objects/secret-data.ts';
import { edit } from '../support/check-scenarios.ts';
import { jsonOf } from '../support/cli.ts';
import { startConnectedMesh } from '../support/connected-mesh.ts';
import { connect, enable, type Meshctl } from '../support/e2e-cli.ts';
import { untilHealthy } from '../support/open-look.ts';
import { eventually, found, refs, type TestSandbox } from '../support/sandbox-mesh.ts';
import { requireValid } from '../support/schemas.ts';

let sandbox: TestSandbox;
let meshctl: Meshctl;
const BOTH = ['--context', 'mesh-1,mesh-2'];

beforeAll(async () => {
  ({ sandbox, meshctl } = await startConnectedMesh({ clusters: 3 }));
  await untilHealthy(sandbox, ['mesh-1', 'mesh-2']);
});

afterAll(() => sandbox.close());

describe('routes', () => {
  it('shows for each node the way to each remote pod range', async () => {
    const report = jsonOf(await meshctl.ok(['clustermesh', 'routes', ...BOTH, '-o', 'json']));
    expect(report).toMatchObject({ complete: true });
    expect((report.routes as unknown[]).length).toBe(2 * 2 * 2);
    const { stdout } = await meshctl.ok(['clustermesh', 'routes', ...BOTH]);
    expect(stdout).toContain('✅ All 4 nodes have a route to every remote pod range');
    expect(stdout).toMatch(/mesh-1 +mesh-1-node-1 +mesh-2 +10\.2\.0\.0\/24 .*tunnel/);
  });

  it('has only rows without headings; what they come to is on stderr where it is not well', async () => {
    const both = await meshctl.ok(['clustermesh', 'routes', ...BOTH, '--no-headers']);
    expect(both.stdout.trimEnd().split('\n')).toHaveLength(2 * 2 * 2);
    expect(both.stdout).not.toMatch(/CLUSTER|✅/);
    expect(both.stderr).not.toContain('⚠');
    const one = await meshctl(['clustermesh', 'routes', '--context', 'mesh-1', '--no-headers']);
    expect({ exitCode: one.exitCode, stdout: one.stdout.trim() }).toEqual({ exitCode: 1, stdout: '' });
    expect(one.stderr).toContain('There is nothing to compare');
    expect(one.stderr).toContain('→ meshctl clustermesh routes --all');
  });

  it.each<[what: string, node: RegExp, arrange: () => () => unknown]>([
    [
      'whose agent does not run',
      /mesh-1-node-late/,
      () => {
        const { store } = found(sandbox.clusters[0], 'mesh-1');
        const pod = { apiVersion: 'v1', kind: 'Pod', namespace: 'kube-system', name: 'cilium-late' };
        store.create({
          ...{ apiVersion: 'v1', kind: 'Pod' },
          metadata: { name: pod.name, namespace: pod.namespace, labels: { 'k8s-app': 'cilium' } },
          spec: { nodeName: 'mesh-1-node-late', containers: [] },
        });
        return () => store.delete(pod);
      },
    ],
    [
      'that has no agent, as where a quota refuses its pod',
      /mesh-1-node-\d/,
      () => {
        const { store } = found(sandbox.clusters[0], 'mesh-1');
        const agents = { apiVersion: 'v1', kind: 'Pod', namespace: 'kube-system', labels: { 'k8s-app': 'cilium' } };
        const { metadata } = found(store.list(agents)[0], 'an agent');
        const ref = { ...agents, name: metadata.name };
        const label = (name: string) =>
          store.update(ref, (pod) => {
            pod.metadata.labels = { ...metadata.labels, 'k8s-app': name };
          });
        label('gone');
        return () => label('cilium');
      },
    ],
  ])('name a node %s, and are not complete without it, in every face', async (_what, node, arrange) => {
    const undo = arrange();
    try {
      const run = (...more: string[]) => meshctl(['clustermesh', 'routes', ...BOTH, ...more]);
      const says = new RegExp(`mesh-1: skipped: ${node.source}: no agent that runs there told all its routes`);
      const { exitCode, stdout } = await run();
      expect({ exitCode, stdout }).toEqual({
        exitCode: 1,
        stdout: expect.stringContaining('but not all nodes were asked'),
      });
      expect(stdout).toMatch(says);
      const report = jsonOf(await run('-o', 'json'));
      requireValid(report);
      expect(report).toMatchObject({
        complete: false,
        untold: [{ from: 'mesh-1', node: expect.stringMatching(node) }],
      });
      for (const format of ['mermaid', 'dot', 'svg']) {
        const drawn = await run('-o', format);
        expect(drawn.exitCode).toBe(1);
        expect(drawn.stderr).toMatch(says);
        expect(drawn.stdout).toContain('not all routes told');
      }
    } finally {
      await undo();
    }
  });

  it('are drawn, with what goes through the tunnel and nothing that is cut', async () => {
    const { stdout } = await meshctl.ok(['clustermesh', 'routes', ...BOTH, '-o', 'mermaid']);
    expect(stdout).toContain('["mesh-1-node-1<br/>mesh-1"]');
    expect(stdout).toContain('["tunnel<br/>');
    expect(stdout).toContain('["10.2.0.0/24<br/>mesh-2"]');
    expect(stdout).not.toContain('-.->');
    const svg = await meshctl.ok(['clustermesh', 'routes', ...BOTH, '-o', 'svg']);
    expect(svg.stdout).toMatch(/^<svg [\s\S]+<\/svg>\n$/);
  });
});

describe('routes of a mesh in which not all are peers', () => {
  it('are complete without those of clusters that are not dialled, as chosen', async () => {
    await meshctl.ok(enable('mesh-3'));
    await meshctl.ok(connect('mesh-3', 'mesh-1', '--connection-mode', 'unicast'));
    await untilHealthy(sandbox, ['mesh-3']);
    const all = ['clustermesh', 'routes', '--all'];
    const { stdout } = await meshctl.ok(all);
    expect(stdout).toContain('✅ All 6 nodes have a route to every pod range of their peers');
    expect(stdout).toContain('Not to be connected, and skipped: mesh-1 → mesh-3, mesh-2 → mesh-3, mesh-3 → mesh-2\n');
    expect(jsonOf(await meshctl.ok([...all, '-o', 'json']))).toMatchObject({ complete: true, unpaired: { length: 3 } });
    // Who asks for two that are no peers is not told that all is well.
    const two = await meshctl(['clustermesh', 'routes', '--context', 'mesh-2,mesh-3']);
    expect(two).toMatchObject({ exitCode: 1, stdout: expect.stringContaining('mesh-2, mesh-3 are no peers of each') });
  });

  it.each([
    ['exits 3 where agents tell nothing of it', 'mesh-3', 3],
    ['passes where they are connected to it', 'mesh-2', 0],
  ])(
    'name a peer to which no context leads with --all, and forget none that may live: it %s',
    async (_how, peer, exit) => {
      const config = parse(await readFile(sandbox.kubeconfigPath, 'utf8'));
      config.contexts = config.contexts.filter(({ name }: { name: string }) => name !== peer);
      const path = join(dirname(sandbox.kubeconfigPath), `without-${peer}.yaml`);
      await writeFile(path, stringify(config));
      const env = { KUBECONFIG: path };
      const all = ['clustermesh', 'routes', '--all'];
      const seen = await meshctl(all, { env });
      expect(seen.exitCode, seen.stdout).toBe(exit);
      expect(seen.stdout.includes('✅')).toBe(exit === 0);
      const text = seen.stdout.replaceAll(/\s+/g, ' ');
      expect(text).toContain(`no context leads to "${peer}", a peer of mesh-1: no route between them was looked at`);
      expect(text).not.toContain('disconnect');
      const document = jsonOf(await meshctl([...all, '-o', 'json'], { env }));
      requireValid(document);
      expect(document).toMatchObject({ complete: exit === 0, outside: [peer] });
      expect(document.unheard).toEqual(exit === 0 ? undefined : [peer]);
      // Whoever names clusters asks for those alone.
      if (peer === 'mesh-3') await meshctl.ok(['clustermesh', 'routes', ...BOTH], { env });
    },
  );

  it('lack one where only one side has lost the other: nobody chose that', async () => {
    const one = found(sandbox.clusters[0], 'mesh-1');
    const undo = edit(one, refs.secret('cilium-kvstoremesh'), (secret) => {
      secret.data = Object.fromEntries(
        Object.entries(dataOf(secret as KubeObject)).filter(([key]) => !/^mesh-2/.test(key)),
      );
    });
    const agents = edit(one, refs.secret('cilium-clustermesh'), (secret) => {
      secret.data = Object.fromEntries(
        Object.entries(dataOf(secret as KubeObject)).filter(([key]) => !/^mesh-2/.test(key)),
      );
    });
    const report = await eventually(
      async () => jsonOf(await meshctl(['clustermesh', 'routes', ...BOTH, '-o', 'json'])),
      ({ complete }) => complete === false,
      'the gap',
    );
    expect(report).not.toHaveProperty('unpaired');
    undo();
    agents();
    await untilHealthy(sandbox, ['mesh-1', 'mesh-2']);
  });
});

describe('routes where clusters route natively', () => {
  it('are not missed between two of which neither is to dial the other', async () => {
    const routing = 'native-bgp';
    const native = await startConnectedMesh({ nodes: 1, clusters: [{ routing }, { routing }, { routing }] });
    try {
      await native.meshctl.ok(enable('mesh-3'));
      await native.meshctl.ok(connect('mesh-2', 'mesh-3'));
      native.sandbox.routers.stopBgp('mesh-1', 'mesh-3');
      const { stdout } = await native.meshctl.ok(['clustermesh', 'routes', '--all']);
      expect(stdout).toContain('Not to be connected, and skipped: mesh-1 → mesh-3, mesh-3 → mesh-1\n');
    } finally {
      await native.sandbox.close();
    }
  });
});

describe('graph', () => {
  it('draws by default', async () => {
    const { stdout } = await meshctl.ok(['clustermesh', 'graph', ...BOTH]);
    expect(stdout).toMatch(/^(graph|flowchart) /);
    expect(stdout).toBe((await meshctl.ok(['clustermesh', 'graph', ...BOTH, '-o', 'mermaid'])).stdout);
  });

  it('has an edge for each direction, with its health', async () => {
    const graph = jsonOf(await meshctl.ok(['clustermesh', 'graph', ...BOTH, '-o', 'json']));
    expect(graph.edges).toEqual([
      { from: 'mesh-1', to: 'mesh-2', state: 'ok', label: '2/2' },
      { from: 'mesh-2', to: 'mesh-1', state: 'ok', label: '2/2' },
    ]);
    const { stdout } = await meshctl.ok(['clustermesh', 'graph', '--context', 'mesh-1', '-o', 'dot']);
    expect(stdout).toContain('"mesh-1" -> "mesh-2" [label="2/2", color="#2da44e"];');
    expect(stdout).toContain('style="rounded,dashed"');
    const svg = await meshctl.ok(['clustermesh', 'graph', ...BOTH, '-o', 'svg']);
    expect(svg.stdout).toMatch(/^<svg [\s\S]+<\/svg>\n$/);
  });
});

describe('where there is nothing to see', () => {
  it('one cluster alone is compared with none: exit 1', async () => {
    const { exitCode, stdout } = await meshctl(['clustermesh', 'routes', '--context', 'mesh-1']);
    expect(stdout).toContain('There is nothing to compare');
    expect(stdout).not.toContain('✅');
    expect(exitCode).toBe(1);
  });

  it('no tunnel is claimed to a cluster that is not connected: exit 1', async () => {
    await meshctl.ok(['clustermesh', 'disable', '--context', 'mesh-2', '--disconnect=false', '--yes']);
    // What mends is printed, whichever way mesh-1 notices, and does mend.
    const status = await meshctl(['clustermesh', 'status', ...BOTH]);
    expect(status.exitCode).toBe(1);
    expect(status.stdout).toContain('Cluster Mesh is not enabled there, and mesh-1 dials it');
    expect(status.stdout).not.toMatch(/firewalls|kubectl .* describe/);
    const [, forget = ''] = /meshctl (clustermesh disconnect .*)/.exec(status.stdout) ?? [];
    expect(forget).toBe('clustermesh disconnect --context mesh-1 --peer mesh-2');
    await meshctl.ok([...forget.split(' '), '--yes']);
    const { exitCode, stdout } = await meshctl(['clustermesh', 'routes', ...BOTH]);
    expect(stdout).toContain('not connected: mesh-1 → mesh-2, mesh-2 → mesh-1');
    expect(stdout).toMatch(/mesh-1-node-1 +mesh-2 +10\.2\.0\.0\/24 +- +- +✗ not connected/);
    expect(exitCode).toBe(1);
    const report = jsonOf(await meshctl(['clustermesh', 'routes', ...BOTH, '-o', 'json']));
    expect(report).toMatchObject({
      complete: false,
      routes: expect.arrayContaining([expect.objectContaining({ connected: false })]),
    });
  });
});
