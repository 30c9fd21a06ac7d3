import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { ExecResult } from '../../src/kube/exec.ts';
import { readHealth } from '../../src/mesh/checks/shared/agent-answers.ts';
import { measureFailover, tally } from '../../src/mesh/connectivity/connectivity.ts';
import { echoPodsOf, endedAt, readSamples, requestCommand } from '../../src/mesh/connectivity/connectivity-requests.ts';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import type { SandboxCluster } from '../../src/sandbox/sandbox.ts';
import { echoWorkload } from '../support/echo-workload.ts';
import {
  enableByHand,
  eventually,
  execIn,
  found,
  peerByHand,
  startTestSandbox,
  type TestSandbox,
} from '../support/sandbox-mesh.ts';

const NAMES = ['mesh-1', 'mesh-2'];
const OPTIONS = { kvstoremesh: true };
/** Nothing is read again but when it is pushed. */
const HOUR_MS = 3_600_000;

let sandbox: TestSandbox;
let one: SandboxCluster;
let two: SandboxCluster;

beforeAll(async () => {
  sandbox = await startTestSandbox({ timings: { resyncMs: HOUR_MS } });
  one = found(sandbox.clusters[0], 'mesh-1');
  two = found(sandbox.clusters[1], 'mesh-2');
  const addresses = await Promise.all([one, two].map((cluster) => enableByHand(cluster, OPTIONS)));
  await peerByHand(one, two, found(addresses[1], 'address'), OPTIONS);
  await peerByHand(two, one, found(addresses[0], 'address'), OPTIONS);
  for (const cluster of [one, two]) {
    for (const object of echoWorkload(cluster.name)) cluster.store.create(object);
    await cluster.settled();
  }
  await eventually(() => askers('mesh-1', 10), isFrom('mesh-1', 'mesh-2'), 'answers from both');
  await eventually(() => askers('mesh-2', 10), isFrom('mesh-1', 'mesh-2'), 'answers from both');
});

afterAll(async () => {
  await sandbox?.close();
});

afterEach(() => {
  expect(sandbox.errors).toEqual([]);
});

async function podOf(context: string, app: string): Promise<KubeObject> {
  const selection = { apiVersion: 'v1', kind: 'Pod', namespace: 'default', labelSelector: `app=${app}` };
  return found((await sandbox.client(context).listAll(selection))[0], `a pod of ${app}`);
}

async function exec(context: string, command: readonly string[]): Promise<ExecResult> {
  const { name } = (await podOf(context, 'x-wing')).metadata;
  const where = { namespace: 'default', pod: name, container: 'x-wing' };
  return sandbox.client(context).exec({ ...where, command, timeoutMs: 20_000 });
}

/** Who answers requests from a cluster's x-wing. */
async function askers(context: string, count: number, host = 'rebel-base', port = 80) {
  const { stdout } = await exec(context, requestCommand({ host, port, count, timeoutMs: 1000 }));
  return tally(readSamples(stdout, { answererOf: echoPodsOf(NAMES) }));
}

const isFrom =
  (...clusters: string[]) =>
  ({ sent, answered, answeredBy }: Awaited<ReturnType<typeof askers>>) =>
    answered === sent && Object.keys(answeredBy).sort().join() === clusters.join();

function annotate(cluster: SandboxCluster, annotations: Record<string, string>) {
  cluster.store.update(
    { apiVersion: 'v1', kind: 'Service', namespace: 'default', name: 'rebel-base' },
    ({ metadata }) => {
      metadata.annotations = { 'service.cilium.io/global': 'true', ...annotations };
    },
  );
}

function scale(cluster: SandboxCluster, replicas: number) {
  const ref = { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'default', name: `echo-${cluster.name}` };
  cluster.store.update(ref, (deployment) => {
    (deployment.spec as { replicas: number }).replicas = replicas;
  });
}

/** Resolves with the time at which no endpoint of the cluster's rebel-base is ready. */
function endpointsGone(cluster: SandboxCluster): Promise<number> {
  return new Promise((done) => {
    const unsubscribe = cluster.store.subscribe(({ object }) => {
      if (object.kind !== 'EndpointSlice' || !object.metadata.name.startsWith('rebel-base')) return;
      const { endpoints } = object as unknown as { endpoints: { conditions: { ready: boolean } }[] };
      if (endpoints.some(({ conditions }) => conditions.ready)) return;
      unsubscribe();
      done(Date.now());
    });
  });
}

describe("requests from a sandbox's pods", () => {
  it('go to a Service by each of its names and by its address', async () => {
    for (const host of [
      'rebel-base.default',
      'rebel-base.default.svc',
      'rebel-base.default.svc.cluster.local',
      '10.96.7.7',
    ]) {
      expect((await askers('mesh-1', 2, host)).answered, host).toBe(2);
    }
    const { stdout, stderr, exitCode } = await exec('mesh-1', ['curl', '-sS', '-m', '1', 'no-such-service']);
    expect({ stdout, stderr, exitCode }).toEqual({
      stdout: '',
      stderr: 'curl: (6) Could not resolve host: no-such-service\n',
      exitCode: 6,
    });
  });

  it('are answered as curl and wget would show it', async () => {
    const plain = await exec('mesh-1', ['curl', '-s', 'rebel-base']);
    expect(JSON.parse(plain.stdout)).toMatchObject({
      Galaxy: 'Alderaan',
      Cluster: expect.stringMatching(/^mesh-[12]$/),
    });
    const code = await exec('mesh-1', ['curl', '-so', '/dev/null', '-w', '%{http_code} %{remote_ip}\\n', 'rebel-base']);
    expect(code.stdout).toBe('200 10.96.7.7\n');
    const wget = await exec('mesh-1', ['wget', '-qO-', '-T3', 'http://rebel-base/hostname']);
    expect(wget.stdout).toMatch(/^echo-mesh-[12]-/);
    const unknown = await exec('mesh-1', ['curl', '--http3', 'rebel-base']);
    expect(unknown).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('--http3') });
  });

  it('reach pods of both clusters by address, and no port that nobody listens on', async () => {
    const { podIP = '' } = (await podOf('mesh-2', 'rebel-base')).status as { podIP?: string };
    expect(await askers('mesh-1', 2, podIP, 8080)).toMatchObject({ answeredBy: { 'mesh-2': 2 } });
    expect((await askers('mesh-1', 1, podIP, 81)).errors).toEqual({ 'connection refused or unreachable': 1 });
  });

  it.each([
    ['local', 'mesh-1'],
    ['remote', 'mesh-2'],
  ])('follow affinity %s', async (affinity, answering) => {
    annotate(one, { 'service.cilium.io/affinity': affinity });
    expect(await askers('mesh-1', 8)).toMatchObject({ answeredBy: { [answering]: 8 } });
    annotate(one, {});
  });

  it('do not use what a cluster keeps to itself', async () => {
    annotate(two, { 'service.cilium.io/shared': 'false' });
    await eventually(() => askers('mesh-1', 4), isFrom('mesh-1'), 'only local answers');
    expect(await askers('mesh-2', 4)).toMatchObject({ answered: 4 });
    annotate(two, {});
    await eventually(() => askers('mesh-1', 4), isFrom('mesh-1', 'mesh-2'), 'answers from both');
  });

  it('are dropped by a policy that allows one cluster only', async () => {
    const { podIP = '' } = (await podOf('mesh-2', 'rebel-base')).status as { podIP?: string };
    const policy = (cluster: string): KubeObject => ({
      apiVersion: 'cilium.io/v2',
      kind: 'CiliumNetworkPolicy',
      metadata: { name: cluster, namespace: 'default' },
      spec: {
        endpointSelector: { matchLabels: { app: 'rebel-base' } },
        ingress: [{ fromEndpoints: [{ matchLabels: { app: 'x-wing', 'io.cilium.k8s.policy.cluster': cluster } }] }],
      },
    });
    const policyRef = (name: string) => ({
      apiVersion: 'cilium.io/v2',
      kind: 'CiliumNetworkPolicy',
      namespace: 'default',
      name,
    });
    two.store.create(policy('mesh-2'));
    expect((await askers('mesh-1', 1, podIP, 8080)).errors).toEqual({ 'timed out': 1 });
    expect(await askers('mesh-2', 1, podIP, 8080)).toMatchObject({ answered: 1 });
    two.store.create(policy('mesh-1'));
    two.store.delete(policyRef('mesh-2'));
    expect(await askers('mesh-1', 1, podIP, 8080)).toMatchObject({ answered: 1 });
    expect((await askers('mesh-2', 1, podIP, 8080)).errors).toEqual({ 'timed out': 1 });
    two.store.delete(policyRef('mesh-1'));
  });

  it('time out over a cut link, while backends of the other side stay chosen', async () => {
    sandbox.network.cutLink('mesh-1', 'mesh-2');
    const cut = await askers('mesh-1', 4);
    expect(cut).toMatchObject({ answeredBy: { 'mesh-1': 2 }, errors: { 'timed out': 2 } });
    sandbox.network.mendLink('mesh-1', 'mesh-2');
    await eventually(() => askers('mesh-1', 4), isFrom('mesh-1', 'mesh-2'), 'answers from both');
  });

  it('time out where the tunnel is lost, in either direction, while agents stay connected', async () => {
    for (const [from, to] of [
      ['mesh-1', 'mesh-2'],
      ['mesh-2', 'mesh-1'],
    ] as const) {
      const ends = { from: { cluster: from }, to: { cluster: to } };
      sandbox.network.addRule({ id: 'tunnel', action: 'drop', ...ends, protocol: 'udp', port: 8472 });
      const lost = await askers('mesh-1', 4);
      expect(lost).toMatchObject({ answeredBy: { 'mesh-1': 2 }, errors: { 'timed out': 2 } });
      const { stdout } = await execIn(sandbox, 'mesh-1', 'cilium', 'cilium-agent', ['cilium', 'status', '-o', 'json']);
      expect(JSON.parse(stdout)['cluster-mesh'].clusters).toMatchObject([{ name: 'mesh-2', ready: true }]);
      sandbox.network.removeRule('tunnel');
    }
    expect((await askers('mesh-1', 4)).answered).toBe(4);
  });

  it('hang where answers are larger than what the network takes, and come where they are not', async () => {
    const { podIP } = (await podOf('mesh-2', 'rebel-base')).status as { podIP: string };
    const ask = () => exec('mesh-1', ['curl', '-s', '-m', '1', `http://${podIP}:8080/hostname`]);
    const ends = { from: { cluster: 'mesh-2' }, to: { cluster: 'mesh-1' } };
    sandbox.network.addRule({ id: 'mtu', action: 'mtu', ...ends, mtu: 1400 });
    expect(await ask()).toMatchObject({ exitCode: 0 });
    // Room for what opens a connection, in the tunnel, and hardly more.
    sandbox.network.addRule({ id: 'mtu', action: 'mtu', ...ends, mtu: 112 });
    expect(await ask()).toMatchObject({ exitCode: 28 });
    sandbox.network.removeRule('mtu');
  });

  it('are as much later as the rules say', async () => {
    const { podIP } = (await podOf('mesh-2', 'rebel-base')).status as { podIP: string };
    const ends = { from: { cluster: 'mesh-1' }, to: { cluster: 'mesh-2' } };
    sandbox.network.addRule({ id: 'delay', action: 'delay', ...ends, ms: 30 });
    const words = ['curl', '-so', '/dev/null', '-w', '%{time_connect}', `http://${podIP}:8080/`];
    expect(Number((await exec('mesh-1', words)).stdout)).toBeGreaterThanOrEqual(0.029);
    sandbox.network.removeRule('delay');
  });

  it('time out as cilium-health says', async () => {
    const problems = async () => {
      const { stdout } = await execIn(sandbox, 'mesh-1', 'cilium', 'cilium-agent', [
        'cilium-health',
        'status',
        '-o',
        'json',
      ]);
      const nodes = readHealth(JSON.parse(stdout)) ?? [];
      return Object.fromEntries(nodes.map(({ node, problems: found }) => [node, found.length]));
    };
    const nodes = ['mesh-1/mesh-1-node-1', 'mesh-1/mesh-1-node-2', 'mesh-2/mesh-2-node-1', 'mesh-2/mesh-2-node-2'];
    expect(await problems()).toEqual(Object.fromEntries(nodes.map((node) => [node, 0])));
    sandbox.network.cutLink('mesh-1', 'mesh-2');
    expect(await problems()).toEqual(
      Object.fromEntries(nodes.map((node) => [node, node.startsWith('mesh-2') ? 4 : 0])),
    );
    sandbox.network.mendLink('mesh-1', 'mesh-2');
    await eventually(() => askers('mesh-1', 4), isFrom('mesh-1', 'mesh-2'), 'answers from both');
  });

  it('meet a stopped pod until its endpoint is not ready any more', async () => {
    annotate(one, { 'service.cilium.io/affinity': 'local' });
    const { name } = (await podOf('mesh-1', 'rebel-base')).metadata;
    const stopped = new Promise<void>((done) => {
      const unsubscribe = one.store.subscribe(({ object }) => {
        if (object.kind !== 'EndpointSlice') return;
        unsubscribe();
        done();
      });
    });
    one.stopPod('default', name);
    await stopped;
    expect(await askers('mesh-1', 6)).toMatchObject({ answeredBy: { 'mesh-1': 6 } });
    one.startPod('default', name);
    await one.settled();
    annotate(one, {});
  });

  it('200 a second lose none once the local endpoints are gone', async ({ annotate: note }) => {
    annotate(one, { 'service.cilium.io/affinity': 'local' });
    // Four clients, so that one slow answer does not hold up the others.
    const [clients, perSecond] = [4, 50];
    // What is lost is refused at once; only what is slow takes long.
    const command = requestCommand({ host: 'rebel-base', port: 80, count: 150, timeoutMs: 30_000, perSecond });
    const ask = async () => {
      const { stdout } = await exec('mesh-1', command);
      return endedAt(readSamples(stdout, { answererOf: echoPodsOf(NAMES), perSecond }), Date.now());
    };
    const running = Promise.all(Array.from({ length: clients }, ask));
    await new Promise((done) => setTimeout(done, 1000));
    const gone = endpointsGone(one);
    const scaledAt = Date.now();
    scale(one, 0);
    const goneAt = await gone;
    const samples = (await running).flat().sort((a, b) => a.startMs - b.startMs);
    const times = measureFailover(samples, { own: 'mesh-1', scaledAt, goneAt });
    await note(`200 requests a second: ${JSON.stringify(times)}`);
    expect(tally(samples).answeredBy).toMatchObject({ 'mesh-1': expect.any(Number), 'mesh-2': expect.any(Number) });
    expect(times).toMatchObject({ sent: 600, lost: 0, lostAfterEndpointsGone: 0, outageMs: 0 });
    scale(one, 2);
    await one.settled();
    await eventually(() => askers('mesh-1', 4), isFrom('mesh-1'), 'local answers again');
    annotate(one, {});
  });
});
