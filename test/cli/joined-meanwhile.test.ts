import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { WrittenSpec } from '../../src/mesh/file/document.ts';
import { type ConnectClusters, startConnectClusters } from '../support/connect-clusters.ts';
import { connect } from '../support/e2e-cli.ts';
import { meshText } from '../support/mesh-files.ts';
import { refs } from '../support/sandbox-mesh.ts';

/** mesh-1 and mesh-2 are connected; mesh-4 is yet to come, while somebody thinks about a question or others take their turn. */
let clusters: ConnectClusters;

const ok = (argv: readonly string[]) => clusters.meshctl.ok(argv);
const mesh = (...argv: string[]) => ['clustermesh', ...argv];

/** The secrets, users and Services of all clusters: what pods do of their own accord is left out. */
const standing = () =>
  Object.fromEntries(Object.entries(clusters.objects()).filter(([key]) => /Secret|ConfigMap|Service|Deploy/.test(key)));

const PAIR: WrittenSpec = {
  clusters: [{ name: 'mesh-1' }, { name: 'mesh-2' }],
  topology: { type: 'mesh' },
};
const EXPOSED: WrittenSpec = { ...PAIR, defaults: { enable: { serviceType: 'NodePort' } } };
const ALONE: WrittenSpec = { clusters: [{ name: 'mesh-1' }], topology: { type: 'mesh' } };

beforeAll(async () => {
  clusters = await startConnectClusters(4);
  await ok(connect('mesh-1', 'mesh-2'));
});

afterEach(async () => {
  clusters.fault = undefined;
  await ok(mesh('disconnect', '--context', 'mesh-4', '--destination-context', 'mesh-1', '--yes', '--wait=false'));
});

afterAll(async () => {
  expect(clusters?.errors).toEqual([]);
  await clusters?.close();
});

describe('a peer that is connected while a question waits for its answer', () => {
  it.each<[argv: string[], answers: number, input?: WrittenSpec]>([
    [mesh('disable', '--context', 'mesh-1', '--disconnect'), 1],
    [mesh('disable', '--context', 'mesh-1'), 1],
    [mesh('disable', '--context', 'mesh-1'), 2],
    [mesh('disable', '--all'), 1],
    [mesh('enable', '--context', 'mesh-1', '--service-type', 'NodePort'), 1],
    [mesh('enable', '--context', 'mesh-1', '--replace-ca'), 1],
    [mesh('disconnect', '--context', 'mesh-1', '--peer', 'mesh-2'), 1],
    [mesh('disconnect', '--context', 'mesh-1', '--destination-context', 'mesh-2'), 1],
    [mesh('disconnect', '--all'), 1],
    [['apply', '-f', '-'], 1, EXPOSED],
    [['apply', '-f', '-', '--prune'], 1, ALONE],
  ])('%j, at question %i: nothing is done, and it is named', async (argv, at, spec) => {
    let before: unknown;
    const join = async () => {
      await ok(connect('mesh-4', 'mesh-1'));
      before = standing();
      return 'y';
    };
    const answers = [...Array.from({ length: at - 1 }, () => 'y'), join, 'y', 'y'];
    const result = await clusters.meshctl(argv, { answers, ...(spec ? { input: meshText(spec) } : {}) });
    expect(before, result.stderr).toBeDefined();
    expect(result.exitCode, result.stdout + result.stderr).toBe(1);
    expect(result.stderr).toMatch(/context "mesh-1": mesh-4 was connected meanwhile/);
    expect(standing()).toEqual(before);
  });
});

it('a peer of which only the other direction was known has come too', async () => {
  await ok(connect('mesh-1', 'mesh-4', '--connection-mode', 'unicast'));
  const join = async () => {
    await ok(connect('mesh-1', 'mesh-4', '--connection-mode', 'bidirectional'));
    return 'y';
  };
  const argv = mesh('enable', '--context', 'mesh-1', '--service-type', 'NodePort');
  const result = await clusters.meshctl(argv, { answers: [join] });
  expect(result.exitCode, result.stdout + result.stderr).toBe(1);
  expect(result.stderr).toMatch(/context "mesh-1": mesh-4 was connected meanwhile/);
});

it('a peer that the cluster has forgotten, and that goes on dialling it, is disconnected too', async () => {
  await ok(connect('mesh-4', 'mesh-1'));
  await ok(mesh('disconnect', '--context', 'mesh-4', '--peer', 'mesh-1', '--yes', '--wait=false'));
  const plan = await ok(mesh('disable', '--context', 'mesh-4', '--disconnect', '--dry-run'));
  expect(plan.stdout).toMatch(
    /Context mesh-1:\s+~ update Secret kube-system\/cilium-clustermesh \(does not dial mesh-4/,
  );
  const left = await ok(mesh('disable', '--context', 'mesh-4', '--disconnect', '--yes'));
  // That of the peer, which stays, keeps it.
  expect(left.stderr).toContain('ℹ KVStoreMesh keeps the state of a lost peer');
  expect(clusters.clusters[0]?.store.get(refs.secret('cilium-clustermesh'))?.data).not.toHaveProperty('mesh-4');
  await ok(mesh('enable', '--context', 'mesh-4'));
});

describe('a peer that is connected after the question', () => {
  it('disable: stops before what would cut it', async () => {
    let joined = false;
    // At the first write, which tells mesh-2 to forget: mesh-1 is still there.
    clusters.fault = async ({ verb, resource, dryRun }) => {
      if (joined || dryRun || !['patch', 'update', 'delete'].includes(verb) || resource !== 'secrets') return undefined;
      joined = true;
      await ok(connect('mesh-4', 'mesh-1'));
      return undefined;
    };
    const result = await clusters.meshctl(mesh('disable', '--context', 'mesh-1', '--disconnect', '--yes'));
    expect(joined).toBe(true);
    expect(result.exitCode, result.stdout + result.stderr).toBe(1);
    expect(result.stderr).toMatch(/context "mesh-1": mesh-4 was connected meanwhile/);
    expect(result.stderr).toContain('context "mesh-1": it is disconnected from mesh-2, which is kept\n');
    expect(result.stderr).toContain('→ Run the same command again: its plan says it.');
    expect(clusters.clusters[0]?.store.get(refs.deployment('clustermesh-apiserver'))).toBeDefined();
    expect(clusters.clusters[0]?.store.get(refs.secret('cilium-clustermesh'))?.data).toHaveProperty('mesh-4');
    await ok(connect('mesh-1', 'mesh-2'));
  });

  it('disable: says of one that it has just parted, and that has come again, no more that it is disconnected', async () => {
    let isForgotten = false;
    let joined = false;
    clusters.fault = async ({ context, verb, resource, name, dryRun }) => {
      if (joined || dryRun) return undefined;
      // What it removes comes last; by the look before that mesh-2 is there again.
      if (context === 'mesh-2' && verb === 'patch' && resource === 'configmaps') isForgotten = true;
      if (!isForgotten || context !== 'mesh-1' || verb !== 'get' || name !== 'meshctl-certs-rotate') return undefined;
      joined = true;
      await ok(connect('mesh-2', 'mesh-1'));
      return undefined;
    };
    const result = await clusters.meshctl(
      mesh('disable', '--context', 'mesh-1', '--disconnect', '--yes', '--wait=false'),
    );
    expect(result.exitCode, result.stdout + result.stderr).toBe(1);
    expect(result.stderr).toMatch(/context "mesh-1": mesh-2 was connected meanwhile/);
    expect(result.stderr).not.toContain('it is disconnected from mesh-2');
    expect(result.stderr).not.toContain('without looking at them again');
  });
});
