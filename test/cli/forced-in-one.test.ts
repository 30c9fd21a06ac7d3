import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { type ConnectClusters, startConnectClusters } from '../support/connect-clusters.ts';
import { connect } from '../support/e2e-cli.ts';
import { meshText } from '../support/mesh-files.ts';
import { found, refs } from '../support/sandbox-mesh.ts';

/** Two connected clusters, in each of which somebody else has set what meshctl would write otherwise. */
let clusters: ConnectClusters;
const BOTH = 'mesh-1,mesh-2';
const DEPLOYMENT = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  namespace: 'kube-system',
  name: 'clustermesh-apiserver',
};
const SERVER = refs.secret('clustermesh-apiserver-server-cert');
const FILE = meshText({
  clusters: ['mesh-1', 'mesh-2'].map((name) => ({ name, enable: { replicas: 2 } })),
  topology: { type: 'mesh' },
});

const storeOf = (context: string) =>
  found(
    clusters.clusters.find((cluster) => cluster.context === context),
    context,
  ).store;
const said = (text: string) => text.replaceAll(/\s+/g, ' ').trim();

/** The command line that a hint ends with, as words. */
const lineIn = (stderr: string, command: string) =>
  found(
    new RegExp(`(?:take (?:it|them|the fields) over|overwrite)[^:]*: meshctl (${command}[^→]*?)(?: ⚠|$)`).exec(
      said(stderr),
    )?.[1],
    stderr,
  )
    .trim()
    .split(' ');

/** Makes a Secret a stranger's by hand, with its bytes as they are. */
function takeOver(context: string): void {
  const store = storeOf(context);
  const { metadata, ...rest } = structuredClone(found(store.get(SERVER), 'the Secret'));
  store.delete(SERVER);
  store.create(
    { ...rest, metadata: { name: metadata.name, namespace: 'kube-system' } } as KubeObject,
    'kubectl-replace',
  );
}

beforeAll(async () => {
  clusters = await startConnectClusters(2);
  const connected = await clusters.meshctl(connect('mesh-1', 'mesh-2'));
  expect(connected.exitCode, connected.stderr).toBe(0);
});

afterEach(() => {
  clusters.fault = undefined;
});

afterAll(async () => {
  await clusters?.close();
});

describe('certs rotate', () => {
  const rotate = (...more: string[]) =>
    clusters.meshctl(['clustermesh', 'certs', 'rotate', '--context', BOTH, '--yes', ...more]);

  it('names the cluster that has a conflict, and is forced there alone by the line of the hint', async () => {
    takeOver('mesh-1');
    const refused = await rotate();
    expect(refused.exitCode, refused.stdout).toBe(1);
    expect(said(refused.stderr)).toMatch(
      /take them over: meshctl .* --context mesh-1,mesh-2 --force-conflicts mesh-1 *$/,
    );
    takeOver('mesh-2');
    const other = await rotate('--force-conflicts', 'mesh-1');
    expect(other.exitCode, other.stdout).toBe(1);
    // Both by now: all that the run has.
    expect(said(other.stderr)).toMatch(
      /context "mesh-2": .* over: meshctl .* --context mesh-1,mesh-2 --force-conflicts( |$)/,
    );
    expect(said(other.stderr)).not.toMatch(/context "mesh-1": Secret/);
    const forced = await rotate('--force-conflicts');
    expect(forced.exitCode, forced.stderr).toBe(0);
  });

  it('takes the patterns that --context takes', async () => {
    takeOver('mesh-1');
    const { exitCode, stderr } = await rotate('--force-conflicts', '*-1');
    expect(exitCode, stderr).toBe(0);
  });

  it('takes no context that it has not', async () => {
    const { exitCode, stderr } = await rotate('--force-conflicts', 'mesh-3');
    expect({ exitCode, stderr }).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('--force-conflicts "mesh-3" is no context of this run'),
    });
  });
});

describe('apply', () => {
  const apply = (...more: string[]) => clusters.meshctl(['apply', '-f', '-', '--yes', ...more], { input: FILE });
  const scale = (context: string) =>
    storeOf(context).update(
      DEPLOYMENT,
      (live) => {
        live.spec = { ...(live.spec as object), replicas: 3 };
        const id = 'cilium:apps/Deployment:kube-system/clustermesh-apiserver';
        live.metadata.annotations = { ...live.metadata.annotations, 'argocd.argoproj.io/tracking-id': id };
      },
      'argocd-controller',
    );

  it('forces the cluster that is named, and is refused for the other one with the way on', async () => {
    for (const context of ['mesh-1', 'mesh-2']) scale(context);
    const refused = await apply();
    expect(refused.exitCode, refused.stdout).toBe(1);
    expect(said(refused.stderr)).toMatch(/--force-conflicts mesh-[12]/);
    const one = await apply('--force-conflicts', 'mesh-1');
    expect(one.exitCode, one.stdout).toBe(1);
    expect(said(one.stderr)).toContain('context "mesh-2"');
    expect(said(one.stderr)).not.toContain('context "mesh-1": Deployment');
    const line = lineIn(one.stderr, 'apply');
    expect(line.filter((word) => word === '--force-conflicts')).toHaveLength(1);
    const done = await clusters.meshctl([...line, '--yes'], { input: FILE });
    expect(done.exitCode, done.stderr).toBe(0);
    for (const context of ['mesh-1', 'mesh-2']) scale(context);
    const byPattern = await apply('--force-conflicts', 'mesh-*');
    expect(byPattern.exitCode, byPattern.stderr).toBe(0);
  });
});
