import { afterAll, beforeAll, expect, it } from 'vitest';
import { connect, enable, type Meshctl, meshctlWith } from '../support/e2e-cli.ts';
import { untilHealthy } from '../support/open-look.ts';
import { clusterAt, refsOf, startTestSandbox, type TestSandbox } from '../support/sandbox-mesh.ts';

const MODE = 'meshctl.io/mode.mesh-2';
let sandbox: TestSandbox;
let meshctl: Meshctl;

beforeAll(async () => {
  sandbox = await startTestSandbox({ nodes: 1, clusters: 2 });
  meshctl = meshctlWith(sandbox.kubeconfigPath);
  await meshctl.ok(enable('mesh-1,mesh-2'));
  await meshctl.ok([...connect('mesh-1', 'mesh-2'), '--connection-mode', 'unicast']);
  // As a newer meshctl may write it.
  annotate('mesh-1', { [MODE]: 'at-night' });
  annotate('mesh-2', { 'meshctl.io/mode.mesh-1': 'by-day' });
});

afterAll(() => sandbox?.close());

function secretOf(name: string) {
  const cluster = clusterAt(sandbox, name);
  return { cluster, ref: refsOf(cluster).secret('cilium-clustermesh') };
}

function annotate(name: string, annotations: Record<string, string | undefined>): void {
  const { cluster, ref } = secretOf(name);
  cluster.store.update(ref, ({ metadata }) => {
    const all = Object.entries({ ...metadata.annotations, ...annotations });
    metadata.annotations = Object.fromEntries(all.filter((entry): entry is [string, string] => entry[1] !== undefined));
  });
}

const markOf = (name: string) => {
  const { cluster, ref } = secretOf(name);
  return cluster.store.get(ref)?.metadata.annotations?.[MODE];
};

it('a mode that is not known is no mode that nobody chose', async () => {
  await untilHealthy(sandbox, ['mesh-1']);
  const status = await meshctl(['clustermesh', 'status', '--context', 'mesh-1,mesh-2']);
  expect(`${status.stdout}${status.stderr}`).not.toContain('no one chose');
  const check = await meshctl(['clustermesh', 'check', '--context', 'mesh-1,mesh-2', '--category', 'peers']);
  expect(check.exitCode, check.stdout).toBe(0);
  // Whoever looks hears of it.
  for (const { stdout, stderr } of [status, check]) {
    const told = `${stdout}${stderr}`.replaceAll(/\s+/g, ' ');
    expect(told).toContain('is not known to this meshctl');
    expect(told).toContain(`${MODE} "at-night"`);
  }
});

it('connect says so, and changes nothing of it unasked', async () => {
  const { stdout, stderr, exitCode } = await meshctl([...connect('mesh-1', 'mesh-2'), '--yes']);
  expect(exitCode, stderr).toBe(0);
  expect(stdout + stderr).toContain('is not known to this meshctl, so that it stays so');
  expect(stdout + stderr).toContain(`${MODE} "at-night"`);
  expect(markOf('mesh-1')).toBe('at-night');
  const { cluster, ref } = secretOf('mesh-2');
  expect(Object.keys((cluster.store.get(ref)?.data ?? {}) as object)).not.toContain('mesh-1');
});

it('enable says what it cannot read of choices, and of settings', async () => {
  annotate('mesh-1', { 'meshctl.io/endpoint.mesh-2': ':::', 'meshctl.io/credentials.mesh-2': 'by-token' });
  const { cluster } = secretOf('mesh-1');
  const deployment = refsOf(cluster).deployment('clustermesh-apiserver');
  cluster.store.update(deployment, ({ metadata }) => {
    metadata.annotations = { ...metadata.annotations, 'meshctl.io/set': '[1]' };
  });
  const { stdout, stderr } = await meshctl([...enable('mesh-1'), '--dry-run']);
  for (const said of ['meshctl.io/endpoint.mesh-2 ":::"', 'meshctl.io/credentials.mesh-2 "by-token"', 'meshctl.io/set'])
    expect(stdout + stderr).toContain(said);
  expect(stdout + stderr).toContain('cannot be read and are passed over');
});

it('and a mode that is chosen anew takes its place', async () => {
  annotate('mesh-1', { 'meshctl.io/endpoint.mesh-2': undefined, 'meshctl.io/credentials.mesh-2': undefined });
  await meshctl.ok([...connect('mesh-1', 'mesh-2'), '--connection-mode', 'bidirectional', '--yes']);
  expect(markOf('mesh-1')).toBeUndefined();
});
