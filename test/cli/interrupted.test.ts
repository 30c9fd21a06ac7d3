import { readFile, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { ApiError } from '../../src/sandbox/apiserver/errors.ts';
import type { InterceptedRequest } from '../../src/sandbox/options.ts';
import type { SandboxCluster } from '../../src/sandbox/sandbox.ts';
import { type CliResult, jsonOf } from '../support/cli.ts';
import { connect, enable, healthyText, type Meshctl, meshctlWith, waitForStatus } from '../support/e2e-cli.ts';
import { objectSet } from '../support/e2e-objects.ts';
import { eventually, found, refs, startTestSandbox, type TestSandbox } from '../support/sandbox-mesh.ts';

let sandbox: TestSandbox;
let one: SandboxCluster;
let two: SandboxCluster;
let meshctl: Meshctl;
/** While set, gets each request with its cluster, and may refuse it or let it wait. */
let intercept: ((context: string, request: InterceptedRequest) => Promise<undefined> | undefined) | undefined;

beforeAll(async () => {
  sandbox = await startTestSandbox({ nodes: 1, intercept: async (...request) => intercept?.(...request) });
  one = found(sandbox.clusters[0], 'mesh-1');
  two = found(sandbox.clusters[1], 'mesh-2');
  meshctl = meshctlWith(sandbox.kubeconfigPath);
});

afterAll(async () => {
  expect(sandbox?.errors).toEqual([]);
  await sandbox?.close();
});

/** Runs a command line and presses Ctrl-C as soon as the terminal shows these words. */
async function interruptAtWords(argv: readonly string[], words: string): Promise<CliResult> {
  const ctrlC = new AbortController();
  let seen = '';
  const result = await meshctl(argv, {
    signal: ctrlC.signal,
    onOutput(text) {
      seen += text;
      if (seen.includes(words)) ctrlC.abort();
    },
  });
  expect(ctrlC.signal.aborted, `"${words}" was shown:\n${seen}`).toBe(true);
  return result;
}

/** Runs a command line and presses Ctrl-C as soon as the cluster has stored such an object. */
async function interruptAtWrite(
  argv: readonly string[],
  cluster: SandboxCluster,
  isIt: (object: KubeObject) => boolean,
): Promise<CliResult> {
  const ctrlC = new AbortController();
  const unsubscribe = cluster.store.subscribe(({ object }) => {
    if (isIt(object)) ctrlC.abort();
  });
  try {
    const result = await meshctl(argv, { signal: ctrlC.signal });
    expect(ctrlC.signal.aborted, 'it was written').toBe(true);
    return result;
  } finally {
    unsubscribe();
  }
}

const named = (kind: string, name: string) => (object: KubeObject) =>
  object.kind === kind && object.metadata.name === name;

const ENABLE_GOES_ON = /^To continue: meshctl clustermesh enable /;

/** @param after what the last line says of it, where not nothing */
function expectInterrupted({ exitCode, stdout, stderr }: CliResult, after = /^$/): void {
  const [, hint = ''] = /✖ interrupted\n(?: {2}→ (.*)\n)?$/.exec(stderr) ?? [undefined, 'it does not end so'];
  expect(hint, stderr).toMatch(after);
  expect({ exitCode, stdout }).toEqual({ exitCode: 130, stdout: '' });
  // Once, however many clusters it has ended work in.
  expect(stderr.match(/^. interrupted$/gm)).toHaveLength(1);
}

/** The same clusters, to which a credential plugin logs in. @returns the path of such a kubeconfig, beside the other */
async function withPlugins(kubeconfigPath: string): Promise<string> {
  const config = parse(await readFile(kubeconfigPath, 'utf8')) as { users: { user: Record<string, unknown> }[] };
  const args = [JSON.stringify({ kind: 'ExecCredential', status: { token: 'of the plugin' } })];
  for (const entry of config.users) {
    entry.user = { exec: { apiVersion: 'client.authentication.k8s.io/v1', command: 'echo', args } };
  }
  const path = `${kubeconfigPath}.plugins`;
  await writeFile(path, stringify(config));
  return path;
}

const objectSets = () => Promise.all([objectSet(sandbox.client('mesh-1')), objectSet(sandbox.client('mesh-2'))]);

describe('Ctrl-C', () => {
  it('ends the wait for a load balancer', async () => {
    one.setLoadBalancersPending(true);
    const waiting = await interruptAtWords(enable('mesh-1'), 'waiting for the address of the load balancer');
    expectInterrupted(waiting, ENABLE_GOES_ON);
    one.setLoadBalancersPending(false);
  });

  it('says why enable has failed in another cluster by then', async () => {
    two.setLoadBalancersPending(true);
    // Where nothing was written at all, there is nothing to go on with.
    const isBegun = () => Promise.resolve(two.store.get(refs.service('clustermesh-apiserver')) !== undefined);
    intercept = async (context, { verb }) => {
      if (context !== 'mesh-1' || verb !== 'patch') return undefined;
      await eventually(isBegun, Boolean, 'mesh-2 is being enabled', { pollMs: 10 });
      throw new ApiError(422, 'Invalid', 'a webhook said no');
    };
    const result = await interruptAtWords(enable('mesh-1,mesh-2'), '✖ mesh-1: applying');
    intercept = undefined;
    two.setLoadBalancersPending(false);
    expectInterrupted(result, ENABLE_GOES_ON);
    expect(result.stderr).toMatch(/^⚠ context "mesh-1": .*a webhook said no/m);
  });

  it('at a write that is not answered says what is waited for, and what another Ctrl-C does', async () => {
    const ctrlC = new AbortController();
    let release = () => {};
    const said = new Promise<undefined>((resolve) => {
      release = () => resolve(undefined);
    });
    intercept = (context, { verb }) => {
      if (context !== 'mesh-1' || verb !== 'patch') return undefined;
      ctrlC.abort();
      return said;
    };
    const result = await meshctl(enable('mesh-1'), {
      ...{ signal: ctrlC.signal, patienceMs: 1 },
      onOutput: (text) => text.includes('another Ctrl-C stops at once') && release(),
    });
    intercept = undefined;
    expectInterrupted(result, ENABLE_GOES_ON);
  });

  it('stops enable between two objects; the next run goes on from there', async () => {
    const written = named('ConfigMap', 'clustermesh-remote-users');
    expectInterrupted(await interruptAtWrite(enable('mesh-1'), one, written), ENABLE_GOES_ON);
    const deployments = one.store.list({ apiVersion: 'apps/v1', kind: 'Deployment' });
    expect(deployments.map(({ metadata }) => metadata.name)).not.toContain('clustermesh-apiserver');
    await meshctl.ok(enable('mesh-1,mesh-2'));
  });

  it.each([
    ['while a peer is being let in', () => interruptAtWords(connect('mesh-1', 'mesh-2'), '… Letting the peers in')],
    [
      'when a peer has been let in',
      () => interruptAtWrite(connect('mesh-1', 'mesh-2'), two, named('ConfigMap', 'clustermesh-remote-users')),
    ],
    ['while the credentials are proved', () => interruptAtWords(connect('mesh-1', 'mesh-2'), '… Proving')],
    [
      'when a peering file has been written',
      () => interruptAtWrite(connect('mesh-1', 'mesh-2'), one, named('Secret', 'cilium-kvstoremesh')),
    ],
  ])('makes connect put everything back: %s', async (_when, interrupt) => {
    const before = await objectSets();
    expectInterrupted(await interrupt(), /^(|.*all is as before\.)$/);
    expect(await objectSets()).toEqual(before);
  });

  it('makes connect put everything back where the login has expired by then', async () => {
    const before = await objectSets();
    const kubeconfig = await withPlugins(sandbox.kubeconfigPath);
    const ctrlC = new AbortController();
    const refused = new Set<string>();
    intercept = (context) => {
      if (!ctrlC.signal.aborted || refused.has(context)) return;
      refused.add(context);
      throw new ApiError(401, 'Unauthorized', 'Unauthorized');
    };
    const result = await meshctl([...connect('mesh-1', 'mesh-2'), '--kubeconfig', kubeconfig], {
      signal: ctrlC.signal,
      env: { PATH: process.env.PATH },
      onOutput: (text) => text.includes('The peering files are written') && ctrlC.abort(),
    });
    intercept = undefined;
    expectInterrupted(result, /all is as before\.$/);
    expect([...refused].sort()).toEqual(['mesh-1', 'mesh-2']);
    expect(await objectSets()).toEqual(before);
  });

  it('before connect has written anything is told so', async () => {
    const result = await interruptAtWords(connect('mesh-1', 'mesh-2'), 'Issuing client certificates');
    expectInterrupted(result);
    expect(result.stderr).toContain('ℹ nothing was written: all is as before\n');
  });

  it('makes connect tell programs what it put back', async () => {
    const before = await objectSets();
    const written = named('Secret', 'cilium-kvstoremesh');
    const result = await interruptAtWrite(connect('mesh-1', 'mesh-2', '-o', 'json'), one, written);
    expect(result.exitCode).toBe(130);
    const { error } = jsonOf(result) as { error: { code: string; details: { rollback: { context: string }[] } } };
    expect(error.code).toBe('Interrupted');
    expect(error.details.rollback.map(({ context }) => context)).toContain('mesh-1');
    expect(await objectSets()).toEqual(before);
  });

  it('says for each cluster what stands when a disconnect is interrupted', async () => {
    await meshctl.ok(connect('mesh-1', 'mesh-2'));
    const connected = await objectSets();
    const pair = ['--context', 'mesh-1', '--destination-context', 'mesh-2', '--yes'];
    const disconnect = ['clustermesh', 'disconnect', ...pair];
    const early = await interruptAtWrite(
      [...disconnect, '--parallel', '1'],
      one,
      named('Secret', 'cilium-kvstoremesh'),
    );
    expectInterrupted(early, /all is as before\.$/);
    expect(early.stderr).toContain(
      '… mesh-1: rolling back 2 objects\n✔ mesh-1: is as before\nℹ mesh-2: nothing was written there\n',
    );
    expect(await objectSets()).toEqual(connected);

    const late = await interruptAtWords(disconnect, 'Waiting until the peers are shut out');
    expectInterrupted(late, /^See what is still reported: meshctl clustermesh status --context mesh-1,mesh-2$/);
    for (const [cluster, peer] of [
      ['mesh-1', 'mesh-2'],
      ['mesh-2', 'mesh-1'],
    ]) {
      expect(late.stderr).toContain(
        `⚠ context "${cluster}": it does not dial ${peer} any more, and it has no user for ${peer} any more; that is kept, nothing is rolled back\n`,
      );
    }
    expect(late.stderr).toContain('could not verify that it has taken effect everywhere\n');
    const again = await meshctl([...disconnect, '--dry-run', '-o', 'json']);
    expect(jsonOf(again)).toMatchObject({ summary: { create: 0, update: 0, delete: 0 } });
  });

  it('ends status --wait', async () => {
    const ended = await interruptAtWords(waitForStatus('mesh-1', '10m'), 'Waiting for mesh-1 to be connected');
    expect(ended.stdout).toMatch(
      /^⚠️ {2}Interrupted while it waited; this is what was seen last:\n⚠️ {2}mesh-1 is connected to no/,
    );
    expectInterrupted({ ...ended, stdout: '' });
  });

  it('leaves clusters that can be connected afterwards', async () => {
    await meshctl.ok(connect('mesh-1', 'mesh-2'));
    const { stdout } = await meshctl.ok(waitForStatus('mesh-1', '2m'));
    expect(stdout).toBe(healthyText(1, 'mesh-2'));
  });
});

it('disable says that all is gone where it is stopped while it only waits for the pods, and goes on when it is run again', async () => {
  await meshctl.ok(enable('mesh-1'));
  const argv = ['clustermesh', 'disable', '--context', 'mesh-1', '--disconnect=false', '--yes'];
  const { exitCode, stderr } = await interruptAtWords(argv, 'waiting for the pods to terminate');
  expect(exitCode).toBe(130);
  expect(stderr).toMatch(/context "mesh-1": .*Deployment kube-system\/clustermesh-apiserver.* are gone/);
  await meshctl.ok(argv);
});
