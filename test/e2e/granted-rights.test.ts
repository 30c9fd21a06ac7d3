import { execa } from 'execa';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import type { Store } from '../../src/sandbox/apiserver/storage/object-store.ts';
import { type CliResult, runCli } from '../support/cli.ts';
import { type ClusterState, stateOf } from '../support/cluster-state.ts';
import { WITHOUT_KUBECTL } from '../support/follow-printed.ts';
import { grantAnn } from '../support/lesser-rights.ts';
import { eventually, startTestSandbox, type TestSandbox } from '../support/sandbox-mesh.ts';

/** Whatever a hint grants, typed as printed by an administrator, lets the very user who was refused run the very command. */
const RBAC = 'rbac.authorization.k8s.io/v1';
const BOTH = 'mesh-1,mesh-2';
/** Rights that come by different roles are granted one role after the other. */
const MOST_GRANTS = 3;

const NAMESPACE = { apiVersion: 'v1', kind: 'Namespace' };
/** Those that meshctl, hints or tests make. */
const namespacesIn = (store: Store): string[] =>
  store
    .list(NAMESPACE)
    .map(({ metadata }) => metadata.name)
    .filter((name) => name === 'other' || name.startsWith('meshctl-'));

let sandbox: TestSandbox;
/** Before anybody was granted anything. */
let without: ClusterState;

beforeAll(async () => {
  sandbox = await startTestSandbox({ nodes: 1 });
  without = stateOf(sandbox.clusters);
});

afterEach(async () => {
  without.restore();
  for (const { store } of sandbox.clusters)
    for (const name of namespacesIn(store)) store.delete({ ...NAMESPACE, name });
  await eventually(
    () => sandbox.clusters.flatMap(({ store }) => namespacesIn(store)),
    (namespaces) => namespaces.length === 0,
    'what a test or a command made is gone',
  );
});

afterAll(async () => {
  expect(sandbox?.errors).toEqual([]);
  await sandbox?.close();
});

const as = (user: string, argv: readonly string[]) =>
  runCli([...argv, '--as', user], { env: { KUBECONFIG: sandbox.kubeconfigPath } });

/** The line that grants something, of all that was printed. */
function grantsIn({ stdout, stderr }: CliResult): string[] {
  const text = `${stderr}\n${stdout}`.replaceAll(/ (&&|\|)\n +/g, ' $1 ').split('\n');
  const lines = text.flatMap(
    (line) => /(?:\b(?=kubectl .*\b(?:auth reconcile|rbac)\b)|\b(?=sed 's)).*$/.exec(line)?.[0] ?? [],
  );
  return [...new Set(lines)];
}

/** As an administrator, whose kubeconfig it is. */
async function type(line: string): Promise<void> {
  const { exitCode, stderr } = await execa('sh', ['-euc', `meshctl() { :; }\n${line}`], {
    env: { PATH: process.env.PATH ?? '', KUBECONFIG: sandbox.kubeconfigPath, HOME: '/nonexistent' },
    extendEnv: false,
    reject: false,
  });
  expect({ line, exitCode, stderr }).toMatchObject({ exitCode: 0 });
}

async function untilGranted(user: string, argv: readonly string[]): Promise<number> {
  for (let grants = 0; ; grants++) {
    const result = await as(user, argv);
    if (result.exitCode === 0) return grants;
    const lines = grantsIn(result);
    expect(result.exitCode, `${grants} granted\n${result.stdout}\n${result.stderr}`).toBe(3);
    expect(lines, result.stderr).not.toEqual([]);
    expect(grants, result.stderr).toBeLessThan(MOST_GRANTS);
    for (const line of lines) await type(line);
  }
}

describe.skipIf(WITHOUT_KUBECTL)('a hint that grants rights, typed as printed', () => {
  it.each([
    ['the pods of a probe', ['connectivity', 'probe', '--via', 'pods']],
    ['the pods of a probe in a namespace of their own', ['connectivity', 'probe', '--via', 'pods', '-n', 'other']],
  ])('lets an operator have %s', async (_what, argv) => {
    grantAnn(sandbox.clusters, undefined);
    expect(await untilGranted('ann', [...argv, '--context', BOTH])).toBeGreaterThan(0);
    expect(left()).toEqual([]);
  });

  it('removes what a user may not remove', async () => {
    grantAnn(sandbox.clusters, undefined);
    for (const { store } of sandbox.clusters) {
      const metadata = { name: 'makes-pods', namespace: 'meshctl-probe' };
      const rules = [
        { apiGroups: [''], resources: ['namespaces'], verbs: ['get'] },
        { apiGroups: [''], resources: ['pods'], verbs: ['list', 'watch', 'create'] },
        { apiGroups: [''], resources: ['pods/exec'], verbs: ['get', 'create'] },
      ];
      const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: metadata.name };
      const subjects = [{ kind: 'User', name: 'ann' }];
      for (const object of [
        { apiVersion: 'v1', kind: 'Namespace', metadata: { name: metadata.namespace } },
        { apiVersion: RBAC, kind: 'Role', metadata, rules },
        { apiVersion: RBAC, kind: 'RoleBinding', metadata, roleRef, subjects },
      ])
        store.create(object as unknown as KubeObject);
    }
    const probed = await as('ann', ['connectivity', 'probe', '--context', BOTH]);
    expect(probed.exitCode).toBe(1);
    expect(left()).not.toEqual([]);
    for (const line of grantsIn(probed)) await type(line);
    await eventually(left, (pods) => pods.length === 0, 'nothing of the probe is left');
  });
});

describe.skipIf(WITHOUT_KUBECTL)('who connects clusters', () => {
  beforeAll(async () => {
    const ok = async (...argv: string[]) => {
      const { exitCode, stderr } = await runCli(argv, { env: { KUBECONFIG: sandbox.kubeconfigPath } });
      expect(exitCode, stderr).toBe(0);
    };
    await ok('clustermesh', 'enable', '--context', BOTH);
    await ok('clustermesh', 'connect', '--context', 'mesh-1', '--destination-context', 'mesh-2');
    await ok('clustermesh', 'status', '--context', BOTH, '--wait');
    without = stateOf(sandbox.clusters);
  });

  it('lets a probe that fell back to agents have its pods', async () => {
    grantAnn(sandbox.clusters, undefined);
    const probe = ['connectivity', 'probe', '--context', BOTH];
    const fallen = await as('ann', probe);
    expect(fallen.exitCode).toBe(0);
    const lines = grantsIn({ ...fallen, stderr: '' });
    expect(lines).toHaveLength(1);
    for (const line of lines) await type(line);
    expect(await as('ann', [...probe, '--via', 'pods'])).toMatchObject({ exitCode: 0 });
  });

  it.each<[string, boolean, string[]]>([
    ['an operator test the connections', true, ['connectivity', 'test', '--settle-duration', '1s']],
    ['an operator test in another namespace', true, ['connectivity', 'test', '--settle-duration', '1s', '-n', 'other']],
    ['an operator show the demo', true, ['demo', '--yes']],
    ['anybody look', false, ['clustermesh', 'status']],
    ['anybody check', false, ['clustermesh', 'check']],
  ])('is told what lets %s', async (_what, isOperator, argv) => {
    if (isOperator) grantAnn(sandbox.clusters, undefined);
    expect(await untilGranted('ann', [...argv, '--context', BOTH])).toBeGreaterThan(0);
  });

  it.each(['networkpolicies', 'serviceaccounts', 'services'])(
    'is told what grants %s, for want of which something was not seen',
    async (resource) => {
      grantAnn(sandbox.clusters, resource);
      const lacking = async (): Promise<string[]> => {
        const documents = await Promise.all(
          ['clustermesh status', 'clustermesh check', 'service failover', 'service list'].map((line) =>
            as('ann', [...line.split(' '), '--context', BOTH, '-o', 'json']),
          ),
        );
        return documents.flatMap(({ stdout }) =>
          ((JSON.parse(stdout) as { lacking?: { hint: string }[] }).lacking ?? []).map(({ hint }) => hint),
        );
      };
      const hints = [...new Set(await lacking())];
      expect(hints).toHaveLength(1);
      for (const line of grantsIn({ stdout: hints.join('\n'), stderr: '', exitCode: 0 })) await type(line);
      expect(await lacking()).toEqual([]);
    },
  );
});

/** Pods of the probe that stay. */
const left = () =>
  sandbox.clusters.flatMap(({ store }) =>
    store.list({ apiVersion: 'v1', kind: 'Pod' }).filter(({ metadata }) => metadata.name.startsWith('probe-')),
  );
