/** Clusters of which nodes and pods have addresses of both families: what is well in one says nothing of the other. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { ConnectivityReport } from '../../src/mesh/connectivity/connectivity.ts';
import type { ProbeReport } from '../../src/mesh/probe/report.ts';
import { jsonOf } from '../support/cli.ts';
import { startConnectedMesh } from '../support/connected-mesh.ts';
import { type Meshctl, meshctlWith } from '../support/e2e-cli.ts';
import { untilHealthy } from '../support/open-look.ts';
import { found, type TestSandbox } from '../support/sandbox-mesh.ts';
import { requireValid } from '../support/schemas.ts';

let sandbox: TestSandbox;
let meshctl: Meshctl;

beforeAll(async () => {
  const ipFamilies = [4, 6] as const;
  ({ sandbox, meshctl } = await startConnectedMesh({ clusters: [{ ipFamilies }, { ipFamilies }] }));
  await untilHealthy(sandbox, ['mesh-1', 'mesh-2']);
});

afterAll(() => sandbox?.close());

afterEach(async () => {
  await meshctl.ok(['sandbox', 'mend', '--all']);
  expect(sandbox.errors).toEqual([]);
});

describe('a network that lets one family through', () => {
  it('is told of by the check of nodes, with the address', async () => {
    const look = async () => {
      const { checks } = jsonOf(
        await meshctl(['clustermesh', 'check', '--context', 'mesh-1,mesh-2', '-o', 'json']),
      ) as unknown as { checks: { id: string; severity: string; message: string }[] };
      return checks.filter(({ id }) => id === 'node-health');
    };
    expect(await look()).toMatchObject([{ severity: 'pass' }]);
    await meshctl.ok(['sandbox', 'break', 'drop:mesh-1<>mesh-2:ipv6']);
    const [found] = await look();
    expect(found).toMatchObject({ severity: 'warn' });
    expect(found?.message).toContain('node http over IPv6 to fd00:18:2::11: Connection timed out');
    // Packets of pods travel in a tunnel of the other family.
    expect(found?.message).not.toMatch(/endpoint|IPv4/);
  });

  it.each([
    // The tunnel is over IPv4: over IPv6 there is what cilium-health reports, and nothing of pods.
    [0, 'drop:mesh-1<>mesh-2:ipv6', ['path-blocked mesh-1<>mesh-2 everything over 6']],
    [0, 'drop:mesh-1>mesh-2:ipv6', ['one-way mesh-1>mesh-2 everything over 6']],
    [0, 'drop:mesh-1<>mesh-2:ipv6:tcp/4240', ['path-blocked mesh-1<>mesh-2 health over 6']],
    [0, 'drop:mesh-1<>mesh-2:ipv6:udp/8472', []],
    [0, 'mtu:mesh-1<>mesh-2:1400:ipv6', []],
    [1, 'drop:mesh-1<>mesh-2:ipv4:udp/8472', ['path-blocked mesh-1<>mesh-2 tunnel over 4']],
    [1, 'drop:mesh-1<>mesh-2:tcp/4240', ['path-blocked mesh-1<>mesh-2 health over both']],
    [1, 'drop:mesh-1<>mesh-2', ['path-blocked mesh-1<>mesh-2 everything over both']],
  ])('is told of by the probe, each thing once; exit %i: %s', async (exitCode, rule, failures) => {
    await meshctl.ok(['sandbox', 'break', rule]);
    expect(await probed(meshctl)).toEqual({ exitCode, failures });
  });

  it('is no reason to refuse a connection whose packets travel in the other one, and is told', async () => {
    await meshctl.ok(['sandbox', 'break', 'drop:mesh-1<>mesh-2:ipv6']);
    const words = ['--context', 'mesh-1', '--destination-context', 'mesh-2', '--probe', '--yes'];
    const { exitCode, stderr } = await meshctl(['clustermesh', 'connect', ...words]);
    expect(stderr).toContain('path-blocked: mesh-1 ↔ mesh-2: everything over IPv6');
    expect(exitCode).toBe(0);
  });

  it('is named with the rules that let it through, of that family alone', async () => {
    await meshctl.ok(['sandbox', 'break', 'drop:mesh-1>mesh-2:ipv6:tcp/4240']);
    const { stdout } = await meshctl(['connectivity', 'probe', '--context', 'mesh-1,mesh-2']);
    expect(stdout).toContain('path-blocked: mesh-1 → mesh-2: health (tcp 4240) over IPv6');
    expect(stdout).toMatch(/let in {2}tcp 4240 from fd00:18:1::10\/\d+ to fd00:18:2::10\/\d+/);
    expect(stdout).not.toMatch(/let in {2}tcp 4240 from 172/);
    // A column for each family where they differ, one where they do not; each table within a terminal of ordinary width.
    expect(stdout).toMatch(
      /^FROM +TO +TUNNEL +HEALTH +HEALTH +PING .*\n +UDP 8472 +TCP 4240 +TCP 4240 .*\n +IPV4 +IPV4 +IPV6 +IPV4\+6 /m,
    );
    const [head = ''] = /^FROM .*(\n.*)*?\n\n/m.exec(stdout) ?? [];
    expect(Math.max(...head.split('\n').map((line) => line.length))).toBeLessThanOrEqual(120);
  });
});

describe('a connectivity test', () => {
  it('asks in each family, at the Service’s address of it', async () => {
    const { exitCode, scenarios } = await tested(meshctl);
    expect(scenarios.filter(({ result }) => result !== 'pass')).toEqual([]);
    expect(exitCode).toBe(0);
    const families = (scenario: string) =>
      scenarios.filter((one) => one.scenario === scenario && one.from === 'mesh-1').map(({ family }) => family);
    for (const scenario of ['global-service', 'spread', 'affinity-remote', 'affinity-local', 'failover', 'return'])
      expect([scenario, families(scenario)]).toEqual([scenario, [4, 6]]);
    expect(families('pod-to-pod')).toEqual([4, 6, 4, 6]);
    expect(families('policy')).toEqual([4, 6, 4, 6]);
  });
});

describe('an apiserver that is dialled in both families', () => {
  const CONNECT = ['clustermesh', 'connect', '--context', 'mesh-1', '--destination-context', 'mesh-2', '--yes'];
  let port: number;

  beforeAll(async () => {
    const service = await sandbox.client('mesh-2').get({
      ...{ apiVersion: 'v1', kind: 'Service', namespace: 'kube-system', name: 'clustermesh-apiserver' },
    });
    const { ports } = found(service, 'the Service').spec as { ports: { nodePort: number }[] };
    port = ports[0]?.nodePort ?? 0;
    const endpoints = ['172.18.2.11', '[fd00:18:2::11]'].flatMap((host) => [
      '--destination-endpoint',
      `${host}:${port}`,
    ]);
    await meshctl.ok([...CONNECT, ...endpoints]);
    await untilHealthy(sandbox, ['mesh-1', 'mesh-2']);
  });

  // etcd's client asks at whichever of them answers.
  it.each(['ipv4', 'ipv6'])('is connected over one, and told of the other: %s is blocked', async (family) => {
    await meshctl.ok(['sandbox', 'break', `drop:mesh-1>mesh-2:${family}:tcp/${port}`]);
    const { exitCode, stderr } = await meshctl([...CONNECT, '--probe']);
    const over = family === 'ipv4' ? 'IPv4' : 'IPv6';
    expect(stderr).toContain(
      `⚠ path-blocked: mesh-1 to mesh-2: apiserver (tcp ${port}) over ${over}: other packets arrive: `,
    );
    expect(exitCode).toBe(0);
    expect(await probed(meshctl)).toEqual({
      exitCode: 0,
      failures: [`path-blocked mesh-1>mesh-2 apiserver over ${family.slice(-1)}`],
    });
    const { stdout } = await meshctl(['connectivity', 'probe', '--context', 'mesh-1,mesh-2']);
    expect(stdout).toMatch(/⚠️ {2}path-blocked: mesh-1 → mesh-2: apiserver .*; another address of it is reached\n/);
    await meshctl.ok(['clustermesh', 'status', '--context', 'mesh-1,mesh-2']);
  });

  it('is refused where both are blocked', async () => {
    await meshctl.ok(['sandbox', 'break', `drop:mesh-1>mesh-2:tcp/${port}`]);
    const { exitCode, stderr } = await meshctl([...CONNECT, '--probe']);
    expect(stderr).toContain('nothing was changed: the network does not carry the mesh: path-blocked: mesh-1 → mesh-2');
    expect(exitCode).toBe(1);
  });
});

describe('routed natively', () => {
  let native: TestSandbox;

  beforeAll(async () => {
    const cluster = { ipFamilies: [4, 6], routing: 'native' } as const;
    ({ sandbox: native } = await startConnectedMesh({ clusters: [cluster, cluster] }));
    await untilHealthy(native, ['mesh-1', 'mesh-2']);
  });

  afterAll(() => native?.close());

  it.each([
    ['mtu:mesh-1<>mesh-2:1400:ipv6', ['mtu-too-small mesh-1<>mesh-2 mtu over 6']],
    ['drop:mesh-1<>mesh-2:ipv6:tcp/61999', ['path-blocked mesh-1<>mesh-2 pod-to-pod over 6']],
    ['drop:mesh-1<>mesh-2:ipv6', ['path-blocked mesh-1<>mesh-2 everything over 6']],
  ])('packets of pods are sent in each family: %s', async (rule, failures) => {
    const at = meshctlWith(native.kubeconfigPath);
    await at.ok(['sandbox', 'break', rule]);
    expect((await probed(at)).failures).toEqual(failures);
    await at.ok(['sandbox', 'mend', '--all']);
    expect(native.errors).toEqual([]);
  });

  it('a connectivity test fails in the family alone in which nothing arrives', async () => {
    const at = meshctlWith(native.kubeconfigPath);
    await at.ok(['sandbox', 'break', 'drop:mesh-1<>mesh-2:ipv6:tcp/8080']);
    // What fails takes all of it.
    const { exitCode, scenarios } = await tested(at, '--settle-duration', '4s');
    await at.ok(['sandbox', 'mend', '--all']);
    expect(exitCode).toBe(1);
    const of = (result: string, family: number) =>
      scenarios.filter((one) => one.result === result && one.family === family).map(({ scenario }) => scenario);
    expect(new Set(of('fail', 6))).toEqual(
      new Set(['pod-to-pod', 'global-service', 'spread', 'affinity-remote', 'failover']),
    );
    expect(new Set(of('pass', 6))).toEqual(new Set(['pod-to-pod', 'affinity-local', 'return']));
    expect([of('fail', 4), of('skip', 4)]).toEqual([[], []]);
    expect(new Set(of('skip', 6))).toEqual(new Set(['policy']));
  });
});

async function tested(
  at: Meshctl,
  ...flags: string[]
): Promise<Pick<ConnectivityReport, 'scenarios'> & { exitCode: number }> {
  const result = await at(['connectivity', 'test', '--context', 'mesh-1,mesh-2', ...flags, '-o', 'json']);
  const report = jsonOf(result);
  requireValid(report);
  return { exitCode: result.exitCode, scenarios: (report as unknown as ConnectivityReport).scenarios };
}

async function probed(at: Meshctl): Promise<{ exitCode: number; failures: string[] }> {
  const result = await at(['connectivity', 'probe', '--context', 'mesh-1,mesh-2', '-o', 'json']);
  const report = jsonOf(result);
  requireValid(report);
  const failures = (report as unknown as ProbeReport).failures.map(
    ({ verdict, from, to, isMutual, isEverything, packets, family = 'both' }) => {
      const what = isEverything ? 'everything' : packets.map(({ kind }) => kind).join('+');
      return `${verdict} ${from}${isMutual ? '<>' : '>'}${to} ${what} over ${family}`;
    },
  );
  return { exitCode: result.exitCode, failures };
}
