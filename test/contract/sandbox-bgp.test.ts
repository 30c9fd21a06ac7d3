import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RoutesReport } from '../../src/mesh/cilium/routes.ts';
import { jsonOf } from '../support/cli.ts';
import { type Meshctl, meshctlWith } from '../support/e2e-cli.ts';
import { execIn, startTestSandbox, type TestSandbox } from '../support/sandbox-mesh.ts';

const routing = 'native-bgp';
const BGP = ['cilium-dbg', 'bgp'];

let sandbox: TestSandbox;
let meshctl: Meshctl;

beforeAll(async () => {
  sandbox = await startTestSandbox({ clusters: [{ routing, nodes: 2 }, { routing, nodes: 1 }, { nodes: 1 }] });
  meshctl = meshctlWith(sandbox.kubeconfigPath);
});

afterAll(() => sandbox.close());

async function ask(context: string, ...command: string[]): Promise<unknown> {
  const { stdout, exitCode } = await execIn(sandbox, context, 'cilium', 'cilium-agent', command);
  expect(exitCode).toBe(0);
  return JSON.parse(stdout);
}

async function withoutBgp(look: () => Promise<void>): Promise<void> {
  sandbox.routers.stopBgp('mesh-1', 'mesh-2');
  await look();
  sandbox.routers.startBgp('mesh-1', 'mesh-2');
}

const routes = async (contexts: string) =>
  jsonOf(await meshctl(['clustermesh', 'routes', '--context', contexts, '-o', 'json'])) as unknown as RoutesReport;

describe('bgp peers', () => {
  it('has a session with the router of each other cluster that does BGP', async () => {
    expect(await ask('mesh-1', ...BGP, 'peers', '-o', 'json')).toMatchObject([
      {
        'local-asn': 64513,
        'peer-asn': 64514,
        'peer-address': '172.18.2.1',
        'session-state': 'established',
        families: [{ afi: 'ipv4', safi: 'unicast', received: 1, advertised: 1 }],
      },
    ]);
  });

  it('has one that does not get through when BGP is stopped, or the link is cut', async () => {
    const down = [{ 'peer-address': '172.18.2.1', 'session-state': 'active', families: [{ afi: 'ipv4' }] }];
    await withoutBgp(async () => {
      expect(await ask('mesh-1', ...BGP, 'peers', '-o', 'json')).toMatchObject(down);
    });
    sandbox.network.cutLink('mesh-1', 'mesh-2');
    expect(await ask('mesh-1', ...BGP, 'peers', '-o', 'json')).toMatchObject(down);
    sandbox.network.mendLink('mesh-1', 'mesh-2');
  });

  it('is no JSON where BGP is off, as in Cilium', async () => {
    const { stdout } = await execIn(sandbox, 'mesh-3', 'cilium', 'cilium-agent', [...BGP, 'peers', '-o', 'json']);
    expect(stdout).toBe('BGP Control Plane is disabled\n');
  });
});

describe('bgp routes', () => {
  const available = [...BGP, 'routes', 'available', 'ipv4', 'unicast', '-o', 'json'];

  it('are the own pod range, with path attributes as in BGP messages, and nothing that others tell', async () => {
    expect(await ask('mesh-2', ...available)).toEqual([
      {
        prefix: '10.2.0.0/24',
        'router-asn': 64514,
        paths: [
          {
            best: true,
            family: { afi: 'ipv4', safi: 'unicast' },
            nlri: { base64: Buffer.from([24, 10, 2, 0]).toString('base64') },
            'path-attributes': [
              [0x40, 1, 1, 0],
              [0x40, 2, 0],
              [0x40, 3, 4, 0, 0, 0, 0],
            ].map((bytes) => ({ base64: Buffer.from(bytes).toString('base64') })),
          },
        ],
      },
    ]);
  });

  it('are advertised only over a session', async () => {
    const advertised = [...BGP, 'routes', 'advertised', 'ipv4', 'unicast', '-o', 'json'];
    expect(await ask('mesh-2', ...advertised)).toMatchObject([{ neighbor: '172.18.1.1', prefix: '10.2.0.0/24' }]);
    await withoutBgp(async () => {
      expect(await ask('mesh-2', ...advertised)).toEqual([]);
      expect(await ask('mesh-2', ...available)).toMatchObject([{ prefix: '10.2.0.0/24' }]);
    });
  });
});

describe('clustermesh routes', () => {
  it('shows the ways that BGP gave, and the gaps when it is gone', async () => {
    const report = await routes('mesh-1,mesh-2');
    expect(report.complete).toBe(true);
    expect(report.routes).toContainEqual({
      ...{ from: 'mesh-1', node: 'mesh-1-node-2', to: 'mesh-2', podCidr: '10.2.0.0/24' },
      ...{ via: '172.18.1.1', device: 'eth0', source: 'bgp' },
    });
    await withoutBgp(async () => {
      const { complete, routes: gaps } = await routes('mesh-1,mesh-2');
      expect(complete).toBe(false);
      expect(gaps.every(({ source }) => source === undefined)).toBe(true);
    });
  });
});

describe('ip route', () => {
  it('leads through Cilium to pods, and has no default route', async () => {
    expect(await ask('mesh-3', 'ip', '-json', 'route', 'show')).toEqual([
      { dst: '172.18.3.0/24', dev: 'eth0', protocol: 'kernel', scope: 'link', prefsrc: '172.18.3.11', flags: [] },
      {
        ...{ dst: '10.3.0.0/24', gateway: '10.3.0.1', dev: 'cilium_host', protocol: 'kernel', prefsrc: '10.3.0.1' },
        flags: [],
      },
    ]);
    expect(await ask('mesh-3', 'ip', '-json', '-6', 'route', 'show')).toEqual([]);
  });
});
