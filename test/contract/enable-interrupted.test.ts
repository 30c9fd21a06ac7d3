import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SandboxCluster } from '../../src/sandbox/sandbox.ts';
import { jsonOf, runCli } from '../support/cli.ts';
import { stateOf } from '../support/cluster-state.ts';
import { eventually, found, startTestSandbox, type TestSandbox } from '../support/sandbox-mesh.ts';

let sandbox: TestSandbox;
/** Hears of each request that the API server gets. */
let onRequest: () => 'drop-answer' | undefined = () => undefined;

beforeAll(async () => {
  sandbox = await startTestSandbox({ clusters: 1, nodes: 1, withoutCa: true, intercept: async () => onRequest() });
});

afterAll(async () => {
  expect(sandbox.errors).toEqual([]);
  await sandbox.close();
});

const KINDS: [apiVersion: string, kind: string][] = [
  ['v1', 'Secret'],
  ['v1', 'ConfigMap'],
  ['v1', 'Service'],
  ['v1', 'ServiceAccount'],
  ['apps/v1', 'Deployment'],
  ['rbac.authorization.k8s.io/v1', 'ClusterRole'],
  ['rbac.authorization.k8s.io/v1', 'ClusterRoleBinding'],
];

/** What meshctl may have made, by name. */
function objectsOf({ store }: SandboxCluster): string[] {
  return KINDS.flatMap(([apiVersion, kind]) =>
    store.list({ apiVersion, kind }).map(({ metadata }) => `${kind} ${metadata.name}`),
  ).sort();
}

const enable = (signal?: AbortSignal, ...more: string[]) =>
  runCli(['clustermesh', 'enable', ...more], {
    env: { KUBECONFIG: sandbox.kubeconfigPath },
    ...(signal ? { signal } : {}),
  });

async function disable(): Promise<void> {
  const result = await runCli(['clustermesh', 'disable', '--yes'], { env: { KUBECONFIG: sandbox.kubeconfigPath } });
  expect(result.exitCode, result.stderr).toBe(0);
}

/** Runs enable and ends it when the API server has served its `last` request, whose answer is lost. */
async function enableCutAfter(last: number): Promise<{ exitCode: number; requests: number }> {
  const abort = new AbortController();
  let requests = 0;
  onRequest = () => {
    requests += 1;
    if (requests !== last) return undefined;
    abort.abort();
    return 'drop-answer';
  };
  const { exitCode } = await enable(abort.signal);
  onRequest = () => undefined;
  return { exitCode, requests };
}

describe('an enable that is cut off', () => {
  it('after any single API call goes on at the next run, with no orphan', async () => {
    const cluster = found(sandbox.clusters[0], 'the cluster');
    const initial = objectsOf(cluster);
    const bare = stateOf(sandbox.clusters);
    const { exitCode, requests } = await enableCutAfter(Number.POSITIVE_INFINITY);
    expect(exitCode).toBe(0);
    expect(requests).toBeGreaterThan(40);
    const complete = objectsOf(cluster);
    await disable();

    const converged = new Set<string>();
    for (let last = 1; last <= requests; last++) {
      const cut = await enableCutAfter(last);
      // Requests run in parallel, so that their number differs a little: the last ones may not come.
      if (cut.requests < last) break;
      const left = objectsOf(cluster).join();
      if (left === initial.join()) continue;
      if (!converged.has(left)) {
        const again = await enable();
        expect(again.exitCode, `cut after request ${last}: ${again.stderr}`).toBe(0);
        expect(objectsOf(cluster)).toEqual(complete);
        const { summary } = jsonOf(await enable(undefined, '--dry-run', '-o', 'json'));
        expect(summary).toMatchObject({ create: 0, update: 0, delete: 0 });
        converged.add(left);
        await disable();
      } else bare.restore();
      await eventually(
        () => objectsOf(cluster).join(),
        (objects) => objects === initial.join(),
        `after request ${last}: the objects as before`,
      );
    }
    // One state after each write, but for the last one, after which all is there, and for those that go out together.
    expect(converged.size).toBeGreaterThan(10);
  }, 300_000);

  it('is told how to go on by one text, whatever of it was written by which run', async () => {
    const cutAt = async (is: (text: string) => boolean) => {
      const abort = new AbortController();
      const result = await runCli(['clustermesh', 'enable'], {
        env: { KUBECONFIG: sandbox.kubeconfigPath },
        signal: abort.signal,
        onOutput: (text) => is(text) && abort.abort(),
      });
      expect(result.exitCode).toBe(130);
      // Nobody has chosen anything of what is not there yet.
      expect(result.stderr).not.toContain('what was chosen');
      return result.stderr.slice(result.stderr.lastIndexOf('✖'));
    };
    const waits = (text: string) => text.includes('waiting for the clustermesh-apiserver');
    const [early, late, again] = [
      await cutAt((text) => /applied (one object|2 objects)/.test(text)),
      await cutAt(waits),
      // All is written by then, and only waited for.
      await cutAt(waits),
    ];
    expect(late).toBe('✖ interrupted\n  → To continue: meshctl clustermesh enable\n');
    expect([early, again]).toEqual([late, late]);
    await disable();
  });
});
