/** What the probe says of a sandbox's network, sound and broken in each way. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { ProbeReport, ReportedFailure } from '../../src/mesh/probe/report.ts';
import { jsonOf } from '../support/cli.ts';
import { connect, enable, type Meshctl, meshctlWith } from '../support/e2e-cli.ts';
import { kubeconfigWithDown } from '../support/e2e-kubeconfig.ts';
import { startTestSandbox, type TestSandbox } from '../support/sandbox-mesh.ts';
import { requireValid } from '../support/schemas.ts';

let sandbox: TestSandbox;
let meshctl: Meshctl;
const PROBE = ['connectivity', 'probe', '--context', 'mesh-1,mesh-2'];

beforeAll(async () => {
  sandbox = await startTestSandbox({ nodes: 2 });
  meshctl = meshctlWith(sandbox.kubeconfigPath);
});

afterAll(() => sandbox?.close());

afterEach(async () => {
  await meshctl.ok(['sandbox', 'mend', '--all']);
  expectNothingLeft();
  expect(sandbox.errors).toEqual([]);
});

function expectNothingLeft(): void {
  for (const { store } of sandbox.clusters) {
    expect(store.get({ apiVersion: 'v1', kind: 'Namespace', name: 'meshctl-probe' })).toBeUndefined();
    const pods = store.list({ apiVersion: 'v1', kind: 'Pod' });
    expect(pods.filter(({ metadata }) => metadata.namespace === 'meshctl-probe')).toEqual([]);
  }
}

async function probe(...flags: string[]): Promise<{ exitCode: number; report: ProbeReport; stderr: string }> {
  const result = await meshctl([...PROBE, '-o', 'json', ...flags]);
  const report = jsonOf(result);
  requireValid(report);
  return { exitCode: result.exitCode, report: report as unknown as ProbeReport, stderr: result.stderr };
}

/** What is not open, by cluster and kind, and the failures in short. */
function summary({ paths, failures }: ProbeReport) {
  return {
    cells: paths.flatMap(({ from, to, cells }) =>
      cells.filter(({ verdict }) => verdict !== 'open').map(({ kind, verdict }) => `${from} ${to} ${kind} ${verdict}`),
    ),
    failures: failures.map(inShort),
  };
}

function inShort({ verdict, lostAt, from, to, isMutual, isEverything, packets, pairs }: ReportedFailure): string {
  const what = isEverything ? 'everything' : packets.map(({ kind }) => kind).join('+');
  return [verdict, `${from}${isMutual ? '<>' : '>'}${to}`, what, `at ${lostAt}`, pairs].join(' ');
}

const PATHS = ['mesh-1 mesh-2', 'mesh-2 mesh-1'];
const both = (text: string) => PATHS.map((path) => `${path} ${text}`);
const NO_ROUTE = 'path-blocked mesh-1>mesh-2 everything at rejected 1';

type Case = readonly [rules: string, exitCode: number, cells: string[], failures: string[], mend: RegExp];
const BROKEN: readonly Case[] = [
  [
    'drop:mesh-1<>mesh-2:udp/8472',
    1,
    [
      'mesh-1 mesh-2 tunnel path-blocked',
      'mesh-1 mesh-2 mtu not-tested',
      'mesh-2 mesh-1 tunnel path-blocked',
      'mesh-2 mesh-1 mtu not-tested',
    ],
    ['path-blocked mesh-1<>mesh-2 tunnel at way 4'],
    /clustermesh firewall --context mesh-1,mesh-2 -o gcloud$/,
  ],
  [
    'drop:mesh-1>mesh-2:tcp/4240',
    1,
    ['mesh-1 mesh-2 health path-blocked'],
    ['path-blocked mesh-1>mesh-2 health at way 2'],
    /clustermesh firewall --context mesh-1,mesh-2 -o gcloud$/,
  ],
  [
    'reject:mesh-1>mesh-2/mesh-2-node-1:tcp/4240',
    1,
    ['mesh-1 mesh-2 health path-blocked'],
    ['path-blocked mesh-1>mesh-2 health at rejected 1'],
    /clustermesh firewall /,
  ],
  [
    'drop:mesh-1<>mesh-2:icmp',
    0,
    both('ping path-blocked'),
    ['path-blocked mesh-1<>mesh-2 ping at way 4'],
    /firewall /,
  ],
  [
    'drop:mesh-2>mesh-1',
    1,
    [
      'mesh-1 mesh-2 health one-way',
      'mesh-1 mesh-2 ping one-way',
      ...['tunnel', 'health', 'ping'].map((kind) => `mesh-2 mesh-1 ${kind} path-blocked`),
      'mesh-2 mesh-1 mtu not-tested',
    ],
    ['one-way mesh-2>mesh-1 everything at way 2'],
    /clustermesh routes --context mesh-1,mesh-2\n.*clustermesh firewall /,
  ],
  [
    'mtu:mesh-1<>mesh-2:1400',
    1,
    both('mtu mtu-too-small'),
    ['mtu-too-small mesh-1<>mesh-2 mtu at undefined 4'],
    /configmap cilium-config --type merge -p '\{"data":\{"mtu":"1400"\}\}' && kubectl .* rollout restart daemonset\/cilium$/m,
  ],
  [
    'no-route:mesh-1/mesh-1-node-1>mesh-2',
    1,
    [
      ...['tunnel', 'health', 'ping'].map((kind) => `mesh-1 mesh-2 ${kind} path-blocked`),
      ...['health', 'ping'].map((kind) => `mesh-2 mesh-1 ${kind} one-way`),
    ],
    [NO_ROUTE],
    /clustermesh routes --context mesh-1,mesh-2$/,
  ],
];

/** The same, where the apiserver is there to be dialled too. */
function expectAs([, , cells, failures]: Case, report: ProbeReport, more: readonly string[] = []): void {
  const found = summary(report);
  expect(found.cells.filter((cell) => !cell.includes('apiserver'))).toEqual(cells);
  expect(found.cells.filter((cell) => cell.includes('apiserver'))).toEqual(more);
  expect(found.failures).toEqual(failures);
}

describe('before enable', () => {
  it('all that can be tried is open, and what cannot be is told', async () => {
    const { exitCode, report } = await probe();
    expect(summary(report)).toEqual({ cells: [], failures: [] });
    expect(exitCode).toBe(0);
    expect(report.paths[0]?.cells.map(({ kind }) => kind)).toEqual(['tunnel', 'health', 'ping', 'mtu']);
    expect(report.paths[0]).toMatchObject({ pathMtu: 1460, roundTripMs: 0.4 });
    expect(report.clusters[0]).toMatchObject({ via: 'pods', nodes: 2 });
    expect(report.untested.map(({ why, kinds }) => [why, kinds])).toEqual(
      ['mesh-2', 'mesh-1'].map((name) => [
        `context "${name}": its clustermesh-apiserver has no address for peers to dial yet`,
        ['apiserver'],
      ]),
    );
  });

  it.each(BROKEN)('%s', async (...one) => {
    const [rules, exitCode, , , mend] = one;
    await meshctl.ok(['sandbox', 'break', rules]);
    const probed = await probe();
    expectAs(one, probed.report);
    expect(probed.report.failures.flatMap(({ hints }) => hints).join('\n')).toMatch(mend);
    expect(probed.exitCode).toBe(exitCode);
  });

  it('asks agents where pods cannot be, and finds the same', async () => {
    await meshctl.ok(['sandbox', 'break', 'drop:mesh-1>mesh-2:tcp/4240']);
    const { report } = await probe('--via', 'agents');
    expect(summary(report).failures).toEqual(['path-blocked mesh-1>mesh-2 health at way 2']);
    expect(report.clusters.map(({ via }) => via)).toEqual(['agents', 'agents']);
  });

  it('shows with -v what is run, and not the whole program', async () => {
    const { stderr } = await meshctl([...PROBE, '--via', 'agents', '-v']);
    expect(stderr).toMatch(/cilium-agent&\S+&command=send&command=\w+/);
    expect(Math.max(...stderr.split('\n').map((line) => line.length))).toBeLessThan(2000);
  });

  it('says of an image that nobody has what would help, and asks agents unless told not to', async () => {
    const image = ['--image', 'registry.example/no-such:1', '--wait-duration', '20s'];
    const { exitCode, stderr } = await meshctl([...PROBE, ...image, '--via', 'pods']);
    expect(stderr).toMatch(/no pod of the probe runs: pod probe-\w+-0: container probe: image \S+ cannot be pulled/);
    expect(stderr).toContain('--via agents creates no pods');
    expect(exitCode).toBe(1);
    expectNothingLeft();
    const asked = await probe(...image);
    expect(asked.exitCode).toBe(0);
    expect(asked.stderr).toContain('its agents are used instead');
  });

  it('takes as many nodes as it is told', async () => {
    const { report } = await probe('--nodes', '1');
    expect(report.clusters.map(({ places }) => places.filter(({ kind }) => kind === 'node').length)).toEqual([1, 1]);
    const { exitCode, stderr } = await meshctl([...PROBE, '--nodes', 'some']);
    expect({ exitCode, stderr }).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('--nodes all') });
  });
});

describe('what goes by the probe', () => {
  it('check --pre says what it only read', async () => {
    const check = ['clustermesh', 'check', '--pre', '--context', 'mesh-1,mesh-2'];
    const hint = 'meshctl connectivity probe --context mesh-1,mesh-2';
    expect((await meshctl.ok(check)).stdout).toMatch(
      new RegExp(`Network checks that read, but sent no packet: pod-cidr-overlap, .*\n.*${hint}`),
    );
    const report = jsonOf(await meshctl.ok([...check, '-o', 'json']));
    requireValid(report);
    expect(report.untried).toMatchObject({ hint: expect.stringContaining(hint) });
    // Of one cluster most is skipped, which a green line does not tell.
    const alone = await meshctl.ok(['clustermesh', 'check', '--pre', '--context', 'mesh-1', '-q']);
    expect(alone.stdout).not.toContain('sent no packet');
    expect(alone.stderr).toMatch(
      /^⚠ with one cluster nothing is compared, .*\n {2}→ Name the others .*: meshctl clustermesh check --pre --all\n$/,
    );
  });

  it('connect --probe writes nothing while something is blocked, and connects once it is not', async () => {
    await meshctl.ok(enable('mesh-1,mesh-2'));
    await meshctl.ok(['sandbox', 'break', 'drop:mesh-1>mesh-2:udp/8472']);
    const versions = () => sandbox.clusters.map(({ store }) => store.list({ apiVersion: 'v1', kind: 'Secret' }));
    const before = versions();
    const dry = await meshctl([...connect('mesh-1', 'mesh-2'), '--probe', '--dry-run']);
    expect(dry.stderr).toContain('--probe has probed nothing');
    expect(dry.stderr).toContain('meshctl connectivity probe --context mesh-1,mesh-2');
    const { exitCode, stderr } = await meshctl([...connect('mesh-1', 'mesh-2'), '--probe']);
    expect(stderr).toContain(
      'nothing was changed: the network does not carry the mesh: path-blocked: mesh-1 → mesh-2: tunnel (udp 8472)\n' +
        '  → What drops it, and the rules that fix it: meshctl connectivity probe --context mesh-1,mesh-2\n',
    );
    expect(exitCode).toBe(1);
    expect(versions()).toEqual(before);
    await meshctl.ok(['sandbox', 'mend', '--all']);
    const elsewhere = await meshctl([
      ...connect('mesh-1', 'mesh-2'),
      ...['--probe', '--destination-endpoint', '172.18.2.250:2379'],
    ]);
    expect(elsewhere.stderr).toContain('mesh-1 → mesh-2: apiserver (tcp 2379 at 172.18.2.250)');
    expect(versions()).toEqual(before);
    const { stdout } = await meshctl.ok([...connect('mesh-1', 'mesh-2'), '--probe']);
    expect(stdout).toContain('✅ mesh-1 and mesh-2 are set up to dial each other\n');
    expect(stdout).toMatch(/• Network: probed between \d of \d nodes? of mesh-1 and \d of \d nodes? of mesh-2\n/);
    expect(stdout).toContain('Whether they are connected: meshctl clustermesh status');
  });

  it('connect --probe warns of what the mesh works without, in a sentence with its next step', async () => {
    const clouds = await startTestSandbox({ nodes: 1, clusters: [{ provider: 'gce' }, { provider: 'aws' }] });
    try {
      const there = meshctlWith(clouds.kubeconfigPath);
      await there.ok(enable('mesh-1,mesh-2'));
      expect((await there.ok([...connect('mesh-1', 'mesh-2'), '--probe'])).stderr).toMatch(
        /mtu-too-small: mesh-2 to mesh-1: large packets: .*\n {2}→ What fixes it: meshctl connectivity probe --context mesh-1,mesh-2\n/,
      );
      // So has the document, and that a dry run probes nothing.
      const json = [...connect('mesh-1', 'mesh-2'), '--probe', '-o', 'json'];
      expect(jsonOf(await there.ok(json)).warnings).toContainEqual(
        expect.stringMatching(/^mtu-too-small: mesh-2 to mesh-1: .* → What fixes it: meshctl connectivity probe /),
      );
      expect(jsonOf(await there.ok([...json, '--dry-run'])).warnings).toContainEqual(
        expect.stringContaining('--probe has probed nothing → by itself: meshctl connectivity probe '),
      );
    } finally {
      await clouds.close();
    }
  });
});

describe('after enable and connect', () => {
  it('the clustermesh-apiserver is dialled from nodes and from pods', async () => {
    const { exitCode, report } = await probe();
    expect(summary(report)).toEqual({ cells: [], failures: [] });
    expect(exitCode).toBe(0);
    expect(report.untested).toEqual([]);
    const dialled = report.tests.filter(({ kind }) => kind === 'apiserver');
    expect(new Set(dialled.map(({ from }) => from.kind))).toEqual(new Set(['node', 'pod']));
  });

  it('agents see it from nodes, and say that no pod, as KVStoreMesh is one, has tried', async () => {
    const { exitCode, report } = await probe('--via', 'agents');
    expect({ exitCode, passed: report.passed, failures: report.failures }).toEqual({
      exitCode: 0,
      passed: true,
      failures: [],
    });
    expect(report.untested.map(({ kinds, sender }) => [kinds, sender])).toEqual(
      PATHS.map(() => [['apiserver'], 'pod']),
    );
    const { stdout, stderr } = await meshctl([...PROBE, '--via', 'agents']);
    const [, sent] = /Sent (\d+) tests between/.exec(stderr) ?? [];
    expect(stdout).toContain(`(${sent} of ${report.tests.length} tests)`);
    expect(stdout).toMatch(
      /^⚠️ .* carries all that the mesh needs, as far as nodes send it .* → meshctl connectivity probe --context mesh-1,mesh-2 --via pods -o wide$/m,
    );
  });

  /** From nodes, and from a pod as KVStoreMesh is one. */
  const twice = (cell: string) => [cell, cell];
  const APISERVERS: Readonly<Record<string, string[]>> = {
    'drop:mesh-2>mesh-1': [
      ...twice('mesh-1 mesh-2 apiserver one-way'),
      ...twice('mesh-2 mesh-1 apiserver path-blocked'),
    ],
    'no-route:mesh-1/mesh-1-node-1>mesh-2': [
      ...twice('mesh-1 mesh-2 apiserver path-blocked'),
      ...twice('mesh-2 mesh-1 apiserver one-way'),
    ],
  };

  it.each(BROKEN)('%s', async (...one) => {
    const [rules, exitCode] = one;
    await meshctl.ok(['sandbox', 'break', rules]);
    const probed = await probe();
    expectAs(one, probed.report, APISERVERS[rules]);
    expect(probed.exitCode).toBe(exitCode);
  });

  it('an apiserver behind a firewall is blocked, one that does not run is not, nor one that is gone', async () => {
    await meshctl.ok(['sandbox', 'break', 'drop:mesh-1>mesh-2:tcp/2379']);
    const blocked = await probe();
    expect(summary(blocked.report).failures).toEqual(['path-blocked mesh-1>mesh-2 apiserver at way 3']);
    await meshctl.ok(['sandbox', 'mend', '--all']);
    const deployment = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      namespace: 'kube-system',
      name: 'clustermesh-apiserver',
    };
    const client = sandbox.client('mesh-2');
    await client.patch(deployment, { spec: { replicas: 0 } });
    const { report, exitCode } = await probe();
    expect(summary(report).failures).toEqual(['service-unreachable mesh-1>mesh-2 apiserver at undefined 3']);
    expect(report.failures[0]?.hints).toEqual([
      expect.stringMatching(
        /^kubectl --context mesh-2 -n kube-system scale deployment\/clustermesh-apiserver --replicas/,
      ),
    ]);
    expect(exitCode).toBe(1);
    await client.patch(deployment, { spec: { replicas: 1 } });
    await meshctl.ok(['clustermesh', 'status', '--context', 'mesh-1,mesh-2', '--wait']);
    const store = sandbox.clusters[1]?.store;
    store?.delete({ apiVersion: 'v1', kind: 'Service', namespace: 'kube-system', name: 'clustermesh-apiserver' });
    for (const _what of ['Service', 'Deployment too']) {
      const gone = await probe();
      expect(summary(gone.report).failures).toEqual(['service-unreachable mesh-1>mesh-2 apiserver at undefined 3']);
      expect(gone.report.failures[0]).toMatchObject({
        likely: expect.stringMatching(
          /^no clustermesh-apiserver of mesh-2 answers, whatever the network does: its clustermesh-apiserver /,
        ),
        letThrough: [],
        hints: ['meshctl clustermesh enable --context mesh-2'],
      });
      expect(gone.exitCode).toBe(1);
      if (store?.get(deployment)) store.delete(deployment);
    }
    const firewall = await meshctl(['clustermesh', 'firewall', '--context', 'mesh-1,mesh-2', '-o', 'gcloud']);
    expect(firewall.stdout).not.toMatch(/^[^#]*2379.*172\.18\.2\.100/m);
    expect(firewall.stdout).toContain('-o gcloud\n');
    expect(firewall.stderr).toMatch(
      /there is no Service kube-system\/clustermesh-apiserver\n.*enable --context mesh-2/,
    );
    expect(firewall.exitCode).toBe(1);
    await meshctl.ok(enable('mesh-2'));
    await meshctl.ok(connect('mesh-1', 'mesh-2'));
    await meshctl.ok(['clustermesh', 'status', '--context', 'mesh-1,mesh-2', '--wait']);
  });

  it('source ranges of the load balancer come before the firewall of the cloud', async () => {
    const service = { apiVersion: 'v1', kind: 'Service', namespace: 'kube-system', name: 'clustermesh-apiserver' };
    const letIn = (ranges: string[] | null) =>
      sandbox.client('mesh-2').patch(service, { spec: { loadBalancerSourceRanges: ranges } });
    await letIn(['203.0.113.0/24']);
    const { report } = await probe();
    await letIn(null);
    expect(summary(report).failures).toEqual(['path-blocked mesh-1>mesh-2 apiserver at way 3']);
    expect(report.failures[0]).toMatchObject({
      likely: expect.stringMatching(
        /^the load balancer of mesh-2 lets in 203\.0\.113\.0\/24 alone, and no address of mesh-1-node-1, mesh-1-node-2 is within; else /,
      ),
      hints: [expect.stringContaining('--load-balancer-source-ranges 203.0.113.0/24,172.18.1.8/29'), expect.anything()],
    });
  });

  it('goes on without one of three that were named and does not answer, and not with one alone', async () => {
    const kubeconfig = await kubeconfigWithDown(sandbox.kubeconfigPath);
    const named = (contexts: string, ...flags: string[]) =>
      meshctl(['connectivity', 'probe', '--context', contexts, '--kubeconfig', kubeconfig, '--nodes', '1', ...flags]);
    const result = await named('mesh-1,mesh-2,down', '-o', 'json');
    const report = jsonOf(result) as unknown as ProbeReport;
    expect(result.exitCode).toBe(3);
    expect(report).toMatchObject({ passed: false, unreachable: [{ context: 'down', code: 'ClusterUnreachable' }] });
    expect(report.paths.map(({ from, to }) => `${from} ${to}`)).toEqual(PATHS);
    expect(result.stderr).toContain('down');
    const pair = await named('mesh-1,down');
    expect(pair).toMatchObject({ exitCode: 3, stdout: '', stderr: expect.stringContaining('context "down"') });
  });

  it('prints a matrix, each test with -o wide, and a report for pipelines', async () => {
    await meshctl.ok(['sandbox', 'break', 'drop:mesh-1>mesh-2:udp/8472']);
    const { stdout } = await meshctl([...PROBE, '-o', 'wide']);
    expect(stdout).toMatch(
      /^FROM +TO +TUNNEL +HEALTH +PING +APISERVER +APISERVER +MTU +ROUND TRIP\n +UDP 8472 +TCP 4240 +TCP 2379 +TCP 2379\n +\(POD\)$/m,
    );
    expect(stdout).toMatch(/^mesh-1 +mesh-2 +path-blocked +open +open +open +open +not tested +\d+\.\d ms$/m);
    expect(stdout).toMatch(/^mesh-1\/mesh-1-node-1 +mesh-2\/mesh-2-node-1 +tunnel udp 8472 +path-blocked$/m);
    expect(stdout).toMatch(/let in +udp 8472 from 172\.18\.1\.8\/29 to 172\.18\.2\.8\/29/);
    const junit = await meshctl([...PROBE, '-o', 'junit']);
    expect(junit.stdout).toContain('<failure type="path-blocked" message="path-blocked: 2 of 2">');
    expect(junit.exitCode).toBe(1);
  });

  it('one cluster alone is a mistake in use', async () => {
    const { exitCode, stderr } = await meshctl(['connectivity', 'probe', '--context', 'mesh-1']);
    expect({ exitCode, stderr }).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('only one is named') });
    // --all and --context cannot be used together.
    expect(stderr).toContain(': meshctl connectivity probe --all\n');
  });
});
