import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { jsonOf } from '../support/cli.ts';
import { enable, type Meshctl, meshctlWith } from '../support/e2e-cli.ts';
import { startTestSandbox, type TestSandbox } from '../support/sandbox-mesh.ts';
import { requireValid } from '../support/schemas.ts';

let sandbox: TestSandbox;
let meshctl: Meshctl;
const FIREWALL = ['clustermesh', 'firewall', '--context', 'mesh-1,mesh-2'];

beforeAll(async () => {
  sandbox = await startTestSandbox();
  meshctl = meshctlWith(sandbox.kubeconfigPath);
});

afterAll(() => sandbox.close());

describe('firewall', () => {
  it('before enable: everything but the address that is not there yet: it warns of that, and exits 1', async () => {
    const early = await meshctl([...FIREWALL, '-o', 'json']);
    const rules = jsonOf(early);
    requireValid(rules);
    expect(early.exitCode).toBe(1);
    expect(rules.rules).toContainEqual(
      expect.objectContaining({ from: 'mesh-1', to: 'mesh-2', kind: 'tunnel', protocol: 'udp', port: 8472 }),
    );
    expect(rules.unknown).toHaveLength(2);
    const { stdout, stderr, exitCode } = await meshctl([...FIREWALL, '-o', 'nft']);
    expect(exitCode).toBe(1);
    expect(stdout).toContain('#   meshctl clustermesh firewall --context mesh-1,mesh-2 -o nft');
    expect(stderr).toContain('meshctl clustermesh enable --context mesh-1\n');
    expect(stdout).toMatch(/^add rule inet filter \S+-input .* udp dport 8472 accept/m);
    expect(stderr).toContain('context "mesh-1": its clustermesh-apiserver has no address for peers to dial yet');
  });

  it('after it: with the clustermesh-apiserver as peers dial it', async () => {
    await meshctl.ok(enable('mesh-1,mesh-2'));
    const rules = jsonOf(await meshctl.ok([...FIREWALL, '-o', 'json']));
    expect(rules.unknown).toEqual([]);
    expect(rules.rules).toContainEqual(
      expect.objectContaining({ from: 'mesh-2', to: 'mesh-1', kind: 'apiserver', protocol: 'tcp' }),
    );
    const { stdout } = await meshctl.ok(FIREWALL);
    expect(stdout).toMatch(/mesh-1 +mesh-2 +tunnel +udp 8472/);
  });

  it('one cluster has nothing to let through: a mistake in use', async () => {
    const { exitCode, stderr } = await meshctl(['clustermesh', 'firewall', '--context', 'mesh-1']);
    expect(stderr).toContain('firewall rules are between clusters');
    expect(exitCode).toBe(2);
  });
});
