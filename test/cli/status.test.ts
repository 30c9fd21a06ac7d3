import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { refOf } from '../../src/mesh/objects/kube-object.ts';
import type { MeshStatusReport } from '../../src/mesh/status/mesh-status.ts';
import { jsonOf } from '../support/cli.ts';
import { connect, enable, type Meshctl, meshctlWith, waitForStatus } from '../support/e2e-cli.ts';
import { untilHealthy } from '../support/open-look.ts';
import { eventually, found, refs, startTestSandbox, type TestSandbox } from '../support/sandbox-mesh.ts';
import { requireValid } from '../support/schemas.ts';

let sandbox: TestSandbox;
let meshctl: Meshctl;

beforeAll(async () => {
  sandbox = await startTestSandbox({ clusters: [{ nodes: 10 }, { nodes: 2 }, { nodes: 1 }] });
  meshctl = meshctlWith(sandbox.kubeconfigPath);
  await meshctl.ok(enable('mesh-1,mesh-2,mesh-3'));
  await meshctl.ok(connect('mesh-1', 'mesh-2'));
  await meshctl.ok(connect('mesh-2', 'mesh-3'));
  await untilHealthy(sandbox, ['mesh-1', 'mesh-2', 'mesh-3']);
});

afterAll(() => sandbox.close());

describe('status of several clusters', () => {
  it('is a matrix of who is connected to whom', async () => {
    const { stdout } = await meshctl.ok(['clustermesh', 'status', '--context', 'mesh-1,mesh-2,mesh-3']);
    expect(stdout).toBe(
      [
        '✅ All 13 nodes of 3 clusters are connected to all their peers (not peers of each other: mesh-1 and mesh-3)',
        '🔌 Cluster Connections (nodes of the row connected to the column):',
        '  FROM \\ TO  mesh-1  mesh-2   mesh-3',
        '  mesh-1     ·       ✓ 10/10  –',
        '  mesh-2     ✓ 2/2   ·        ✓ 2/2',
        '  mesh-3     –       ✓ 1/1    ·',
        '',
      ].join('\n'),
    );
  });

  it('warns of an agent whose image was changed in place', async () => {
    const { store } = found(sandbox.clusters[1], 'mesh-2');
    const [pod] = store.list({ apiVersion: 'v1', kind: 'Pod', labels: { 'k8s-app': 'cilium' } });
    const imageOf = (to?: string) => {
      let former = '';
      store.update(refOf(found(pod, 'an agent')), ({ spec }) => {
        const { containers } = spec as { containers: { name: string; image: string }[] };
        const agent = found(
          containers.find(({ name }) => name === 'cilium-agent'),
          'its container',
        );
        former = agent.image;
        agent.image = to ?? agent.image;
      });
      return former;
    };
    const former = imageOf('quay.io/cilium/cilium:v1.19.4');
    const look = (...more: string[]) => meshctl.ok(['clustermesh', 'status', '--context', 'mesh-1,mesh-2', ...more]);
    const [text, json] = [await look(), await look('-o', 'json')];
    imageOf(former);
    expect(text.stdout).toMatch(/‼ context "mesh-2": agents of 1\.19 and 1\.20 run side by side/);
    expect(text.stdout).toContain('meshctl clustermesh check --context mesh-2 --category versions');
    const { clusters } = jsonOf(json) as unknown as MeshStatusReport;
    expect(clusters.map(({ warnings }) => warnings?.length)).toEqual([undefined, 1]);
    requireValid(jsonOf(json));
  });

  it('asks for nothing twice', async () => {
    const { stderr } = await meshctl.ok(['clustermesh', 'status', '--context', 'mesh-2', '--debug']);
    const requests = stderr.split('\n').flatMap((line) => /^GET (\S+)/.exec(line)?.[1] ?? []);
    expect(requests.length).toBeGreaterThan(10);
    expect(requests.filter((one, index) => requests.indexOf(one) !== index)).toEqual([]);
  });

  it('--all takes the contexts that run Cilium', async () => {
    const result = await meshctl.ok(['clustermesh', 'status', '--all', '-o', 'json']);
    const report = jsonOf(result) as unknown as MeshStatusReport & { kind: string };
    expect(report.kind).toBe('MeshStatusReport');
    expect(report.clusters.map(({ context }) => context)).toEqual(['mesh-1', 'mesh-2', 'mesh-3']);
    expect(report.matrix.filter(({ state }) => state === 'connected')).toHaveLength(4);
  });

  it('is not green when a cluster cannot be queried, also with --all, and says what to do in it', async () => {
    const kubeconfig = parse(await readFile(sandbox.kubeconfigPath, 'utf8')) as {
      clusters: { name: string; cluster: { server: string } }[];
    };
    found(kubeconfig.clusters[1], 'mesh-2').cluster.server = 'https://127.0.0.1:9';
    const env = { KUBECONFIG: join(dirname(sandbox.kubeconfigPath), 'one-is-down.yaml') };
    await writeFile(env.KUBECONFIG, stringify(kubeconfig));
    const json = await meshctl(['clustermesh', 'status', '--all', '-o', 'json'], { env });
    expect(json.exitCode).toBe(3);
    const { unreachable } = jsonOf(json) as unknown as MeshStatusReport;
    expect(unreachable).toMatchObject([{ context: 'mesh-2', code: 'ClusterUnreachable' }]);
    const { exitCode, stdout } = await meshctl(['clustermesh', 'status', '--context', 'mesh-1,mesh-2'], { env });
    expect(exitCode).toBe(3);
    expect(stdout).toContain('❌ 1 of 2 clusters cannot be queried\n');
    expect(stdout).toContain('   → Is the cluster up');
  });

  it('refuses flags that cannot be used together', async () => {
    const all = await meshctl(['clustermesh', 'status', '--all', '--context', 'mesh-1']);
    expect([all.exitCode, all.stderr]).toEqual([2, expect.stringContaining('cannot be used together')]);
    const watch = await meshctl(['clustermesh', 'status', '--watch', '-o', 'json', '--context', 'mesh-1']);
    expect(watch.exitCode).toBe(2);
  });
});

describe('status of one cluster', () => {
  it('-o wide shows KVStoreMesh and each node', async () => {
    const { stdout } = await meshctl.ok(['clustermesh', 'status', '--context', 'mesh-2', '-o', 'wide']);
    expect(stdout).toMatch(/• mesh-1: +1\/1 configured, 1\/1 connected/);
    expect(stdout).toMatch(/NODE +MESH-1 +MESH-3\n/);
    expect(stdout).toMatch(/mesh-2-node-1 +connected +connected/);
  });

  it('-o wide of several clusters has one headline, and details under the name of their cluster', async () => {
    const { stdout } = await meshctl.ok(['clustermesh', 'status', '--context', 'mesh-2,mesh-3', '-o', 'wide']);
    expect(stdout.match(/✅/g)).toHaveLength(1);
    expect(stdout).toContain('\n\nmesh-2:\n🗄️  KVStoreMesh replicas:\n');
    expect(stdout).toMatch(/\n\nmesh-3:\n/);
    expect(stdout).toMatch(/\n {2}mesh-3-node-1 +connected\n/);
  });

  it('-o junit has a case for each peer', async () => {
    const { stdout } = await meshctl.ok(['clustermesh', 'status', '--context', 'mesh-2', '-o', 'junit']);
    expect(stdout).toContain('<testsuite name="mesh-2" tests="3" failures="0" skipped="0">');
    expect(stdout).toContain('<testcase classname="clustermesh.mesh-2" name="all nodes are connected to mesh-1"/>');
  });

  it('--sample asks some of the nodes and says so', async () => {
    const { stdout } = await meshctl.ok(['clustermesh', 'status', '--context', 'mesh-1', '--sample', '30%']);
    expect(stdout).toContain('All 3 sampled nodes are connected to all clusters (a sample of 30%: 3 of 10 nodes)');
    const report = jsonOf(
      await meshctl.ok(['clustermesh', 'status', '--context', 'mesh-1', '--sample', '1%', '-o', 'json']),
    );
    expect(report.sample).toEqual({ percent: 1, asked: 1, nodes: 10 });
    expect((await meshctl(['clustermesh', 'status', '--context', 'mesh-1', '--sample', '0%'])).exitCode).toBe(2);
  });

  it('--watch goes on until Ctrl-C, which says nothing of the mesh: 130; on a terminal it redraws in place', async () => {
    const end = new AbortController();
    const result = await meshctl(['clustermesh', 'status', '--context', 'mesh-2', '--watch'], {
      isTty: true,
      signal: end.signal,
      onOutput: changing(end),
    });
    expect(result.exitCode).toBe(130);
    const [first = '', ...redrawn] = result.stdout.split('\u001b[H').slice(1);
    expect(result.stdout.startsWith('\u001b[2J\u001b[H✅ All 2 nodes')).toBe(true);
    expect(redrawn.length).toBeGreaterThan(0);
    expect(first.match(/\u001b\[2J/)).toBeNull();
    for (const screen of [first, ...redrawn]) {
      // Nothing of a former, longer line or screen is left.
      expect(screen.endsWith('\u001b[J')).toBe(true);
      for (const line of screen.split('\n').slice(0, -1)) expect(line.endsWith('\u001b[K')).toBe(true);
    }
  });

  it.each([
    ['a pipe', { isTty: false }],
    ['a terminal that cannot redraw', { isTty: true, env: { TERM: 'dumb' } }],
  ])('--watch shows each change once below the former on %s', async (_what, options) => {
    const end = new AbortController();
    const result = await meshctl(['clustermesh', 'status', '--context', 'mesh-2', '--watch'], {
      ...options,
      signal: end.signal,
      onOutput: changing(end),
    });
    expect(result.exitCode).toBe(130);
    const blocks = result.stdout.trimEnd().split('\n\n');
    expect(blocks.length).toBeGreaterThan(1);
    expect(blocks.every((block, index) => block !== blocks[index - 1])).toBe(true);
    expect(result.stdout).not.toContain('\u001b[H');
  });

  it('follows a pod that is replaced during the poll', async () => {
    await untilHealthy(sandbox, ['mesh-1']);
    const cluster = found(sandbox.clusters[0], 'mesh-1');
    const pods = cluster.store.list({ apiVersion: 'v1', kind: 'Pod' });
    const agents = pods.filter(({ metadata }) => metadata.labels?.['k8s-app'] === 'cilium');
    let answer: Promise<unknown> | undefined;
    for (const { metadata } of agents.slice(0, 3)) {
      answer ??= meshctl.status('mesh-1');
      cluster.store.delete({ apiVersion: 'v1', kind: 'Pod', namespace: 'kube-system', name: metadata.name });
    }
    // No node is lost or counted twice, whether its first pod or the next one answered.
    expect(await answer).toMatchObject({ nodes: { total: 10 } });
    await untilHealthy(sandbox, ['mesh-1']);
  });

  it('--wait says what it waits for, once for each change', async () => {
    const two = found(sandbox.clusters[1], 'mesh-2');
    const scale = (replicas: number) =>
      two.store.update(refs.deployment('clustermesh-apiserver'), (deployment) => {
        deployment.spec = { ...(deployment.spec as object), replicas };
      });
    scale(0);
    await eventually(
      () => meshctl.status('mesh-3'),
      ({ healthy }) => !healthy,
      'mesh-3 notices',
    );
    const waiting = meshctl(waitForStatus('mesh-3', '20s'), {
      onOutput(text) {
        if (text.includes('Waiting for')) scale(1);
      },
    });
    const { exitCode, stderr } = await waiting;
    expect(exitCode).toBe(0);
    const said = stderr.split('\n').filter((line) => line.includes('Waiting for'));
    expect(said.length).toBeGreaterThan(0);
    expect(new Set(said).size).toBe(said.length);
  });
});

/** Breaks mesh-2 when it is shown to be well, mends it when that is shown, and ends the watch when it is well again. */
function changing(end: AbortController): (text: string) => void {
  const two = found(sandbox.clusters[1], 'mesh-2');
  const users = refs.configMap('clustermesh-remote-users');
  const before = found(two.store.get(users), 'the users').data;
  const setUsersFile = (data: unknown) => two.store.update(users, (object) => Object.assign(object, { data }));
  let seen: 'well' | 'broken' | undefined;
  return (text) => {
    if (seen === undefined && text.includes('✅ All 2 nodes')) {
      seen = 'well';
      setUsersFile({ 'users.yaml': 'users: nobody' });
    } else if (seen === 'well' && text.includes('would not come back')) {
      seen = 'broken';
      setUsersFile(before);
    } else if (seen === 'broken' && text.includes('✅ All 2 nodes')) end.abort();
  };
}
