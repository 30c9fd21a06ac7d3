/** Clusters of which nodes and pods have addresses of both families: what is well in one says nothing of the other. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { ProbeReport } from '../../src/mesh/probe/report.ts';
import { jsonOf } from '../support/cli.ts';
import { startConnectedMesh } from '../support/connected-mesh.ts';
import { type Meshctl, meshctlWith } from '../support/e2e-cli.ts';
import { untilHealthy } from '../support/open-look.ts';
import { startTestSandbox, type TestSandbox } from '../support/sandbox-mesh.ts';
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
    expect(found).toMatchObject({ severity: 'fail' });
    expect(found?.message).toContain('node http over IPv6 to fd00:18:2::11: Connection timed out');
    // Packets of pods travel in a tunnel of the other family.
    expect(found?.message).not.toMatch(/endpoint|IPv4/);
  });

  it.each([
    ['drop:mesh-1<>mesh-2:ipv6', ['path-blocked mesh-1<>mesh-2 everything over 6']],
    ['drop:mesh-1>mesh-2:ipv6', ['one-way mesh-1>mesh-2 everything over 6']],
    ['drop:mesh-1<>mesh-2:ipv6:tcp/4240', ['path-blocked mesh-1<>mesh-2 health over 6']],
    ['drop:mesh-1<>mesh-2:ipv4:udp/8472', ['path-blocked mesh-1<>mesh-2 tunnel over 4']],
    ['drop:mesh-1<>mesh-2:tcp/4240', ['path-blocked mesh-1<>mesh-2 health over both']],
    ['drop:mesh-1<>mesh-2', ['path-blocked mesh-1<>mesh-2 everything over both']],
    // The tunnel is over IPv4.
    ['drop:mesh-1<>mesh-2:ipv6:udp/8472', []],
    ['mtu:mesh-1<>mesh-2:1400:ipv6', []],
  ])('is told of by the probe, each thing once: %s', async (rule, failures) => {
    await meshctl.ok(['sandbox', 'break', rule]);
    expect(await probed(meshctl)).toEqual({ exitCode: failures.length > 0 ? 1 : 0, failures });
  });

  it('is named with the rules that let it through, of that family alone', async () => {
    await meshctl.ok(['sandbox', 'break', 'drop:mesh-1>mesh-2:ipv6:tcp/4240']);
    const { stdout } = await meshctl(['connectivity', 'probe', '--context', 'mesh-1,mesh-2']);
    expect(stdout).toContain('path-blocked: mesh-1 → mesh-2: health (tcp 4240) over IPv6');
    expect(stdout).toMatch(/let in {2}tcp 4240 from fd00:18:1::10\/\d+ to fd00:18:2::10\/\d+/);
    expect(stdout).not.toMatch(/let in {2}tcp 4240 from 172/);
    expect(stdout).toMatch(/HEALTH TCP 4240 IPV4 +HEALTH TCP 4240 IPV6/);
  });
});

describe('routed natively', () => {
  let native: TestSandbox;

  beforeAll(async () => {
    const cluster = { ipFamilies: [4, 6], routing: 'native' } as const;
    native = await startTestSandbox({ clusters: [cluster, cluster] });
  });

  afterAll(() => native?.close());

  it.each([
    ['mtu:mesh-1<>mesh-2:1400:ipv6', ['mtu-too-small mesh-1<>mesh-2 mtu over 6']],
    ['drop:mesh-1<>mesh-2:ipv6:tcp/61999', ['path-blocked mesh-1<>mesh-2 pod-to-pod over 6']],
    ['drop:mesh-1<>mesh-2:ipv6', ['path-blocked mesh-1<>mesh-2 everything over 6']],
  ])('packets of pods are sent in each family: %s', async (rule, failures) => {
    const at = meshctlWith(native.kubeconfigPath);
    await at.ok(['sandbox', 'break', rule]);
    expect((await probed(at)).failures.filter((one) => !one.includes('apiserver'))).toEqual(failures);
    await at.ok(['sandbox', 'mend', '--all']);
    expect(native.errors).toEqual([]);
  });
});

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
