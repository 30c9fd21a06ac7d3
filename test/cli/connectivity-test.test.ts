import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { ConnectivityReport, ScenarioResult } from '../../src/mesh/connectivity/connectivity.ts';
import { withHold } from '../../src/mesh/hold.ts';
import { ApiError } from '../../src/sandbox/apiserver/errors.ts';
import type { SandboxCluster, SandboxOptions } from '../../src/sandbox/sandbox.ts';
import { jsonOf } from '../support/cli.ts';
import { startConnectedMesh } from '../support/connected-mesh.ts';
import { connect, enable, type Meshctl, meshctlWith } from '../support/e2e-cli.ts';
import { type InstalledMeshctl, installMeshctl } from '../support/installed.ts';
import { untilHealthy } from '../support/open-look.ts';
import { printedCommands } from '../support/printed-commands.ts';
import { eventually, found, startTestSandbox, type TestSandbox } from '../support/sandbox-mesh.ts';

const NAMESPACE = 'meshctl-test';
const CLIENT = { apiVersion: 'apps/v1', kind: 'Deployment', namespace: NAMESPACE, name: 'client' };
const PATHS = ['mesh-1 mesh-1', 'mesh-1 mesh-2', 'mesh-2 mesh-1', 'mesh-2 mesh-2'];
const TEST = ['connectivity', 'test', '--context', 'mesh-1,mesh-2'];

let sandbox: TestSandbox;
let meshctl: Meshctl;

/** The context in which namespaces may not be deleted. */
let keptIn: string | undefined;
/** What may not be listed. */
let unlisted: string | undefined;
/** What may not be created. */
let forbidden: string | undefined;

beforeAll(async () => {
  const intercept: SandboxOptions['intercept'] = async (context, { verb, resource }) => {
    const isRefused = context === keptIn && verb === 'delete' && resource === 'namespaces';
    if (isRefused) throw new ApiError(403, 'Forbidden', 'namespaces stay');
    if (verb === 'list' && resource === unlisted) throw new ApiError(403, 'Forbidden', 'not to be seen');
    if (verb === 'create' && resource === forbidden) throw new ApiError(403, 'Forbidden', 'nothing is made');
    return undefined;
  };
  ({ sandbox, meshctl } = await startConnectedMesh({ intercept }));
  await untilHealthy(sandbox, ['mesh-1', 'mesh-2']);
});

afterAll(async () => {
  await sandbox?.close();
});

afterEach(async () => {
  expect(sandbox.errors).toEqual([]);
  // Whatever happened, nothing is left behind. A namespace that was deleted goes when it has been emptied.
  for (const { store } of sandbox.clusters) {
    const namespace = { apiVersion: 'v1', kind: 'Namespace', name: NAMESPACE };
    await eventually(
      () => store.get(namespace),
      (live) => live === undefined,
      'the namespace is gone',
    );
    expect(store.list({ apiVersion: 'v1', kind: 'Pod', namespace: NAMESPACE })).toEqual([]);
  }
});

/** Each result in short: `failover mesh-1 pass`, `pod-to-pod mesh-1 mesh-2 fail`. */
const verdicts = (report: ConnectivityReport, wanted?: ScenarioResult['result']) =>
  report.scenarios
    .filter(({ result }) => wanted === undefined || result === wanted)
    .map(({ scenario, from, to }) => [scenario, from, ...(to ? [to] : [])].join(' '))
    .sort();

describe('connectivity test', () => {
  it('with --keep says that something stays where it has made something, and else not', async () => {
    forbidden = 'namespaces';
    const none = await meshctl([...TEST, '--keep']);
    expect(none.exitCode).toBe(1);
    expect(none.stderr).not.toContain('(--keep)');
    forbidden = 'deployments';
    const empty = await meshctl([...TEST, '--keep']);
    expect(empty.stderr).toContain(`what the test put into namespace ${NAMESPACE} stays (--keep)`);
    forbidden = undefined;
    for (const { store } of sandbox.clusters) {
      const namespace = { apiVersion: 'v1', kind: 'Namespace', name: NAMESPACE };
      if (store.get(namespace)) store.delete(namespace);
    }
  });

  it.each([
    ['what others have put there by then', "it has ConfigMap theirs, which is another's"],
    ['what may not be looked at', 'whether others have a Secret there may not be looked at'],
  ])('leaves a namespace that an earlier one kept where it has %s, and takes what it made', async (_what, why) => {
    const namespace = { apiVersion: 'v1', kind: 'Namespace', name: NAMESPACE };
    const theirs = { apiVersion: 'v1', kind: 'ConfigMap', namespace: NAMESPACE, name: 'theirs' };
    const [one, two] = sandbox.clusters.map(({ store }) => store);
    forbidden = 'deployments';
    await meshctl([...TEST, '--keep']);
    const isSeen = why.includes('theirs');
    if (isSeen) one?.create({ ...theirs, metadata: { name: 'theirs', namespace: NAMESPACE } });
    else unlisted = 'secrets';
    one?.create({
      ...{ apiVersion: 'v1', kind: 'Service', spec: { ports: [{ port: 80 }] } },
      metadata: {
        name: 'echo',
        namespace: NAMESPACE,
        labels: found(one.get(namespace)?.metadata.labels, 'its labels'),
      },
    });
    const { stderr } = await meshctl(TEST);
    [forbidden, unlisted] = [undefined, undefined];
    expect(stderr).toContain(
      `⚠ context "mesh-1": namespace ${NAMESPACE} stays, since ${why}; what the test made there goes`,
    );
    expect(one?.get(namespace)?.metadata.deletionTimestamp).toBeUndefined();
    expect(one?.get({ ...theirs, kind: 'Service', name: 'echo' })).toBeUndefined();
    expect(one?.get(theirs) !== undefined).toBe(isSeen);
    for (const store of [one, two]) if (store?.get(namespace)) store.delete(namespace);
  });

  it('removes the namespace that it has made itself, whatever may not be looked at there', async () => {
    [forbidden, unlisted] = ['deployments', 'secrets'];
    const { stderr } = await meshctl(TEST);
    [forbidden, unlisted] = [undefined, undefined];
    expect(stderr).toContain(`Removed namespace ${NAMESPACE}`);
    expect(stderr).not.toContain(`namespace ${NAMESPACE} stays`);
  });

  it('removes a namespace that an earlier one kept where Istio has put its own into it', async () => {
    forbidden = 'deployments';
    await meshctl([...TEST, '--keep']);
    const [one] = sandbox.clusters as [SandboxCluster];
    const metadata = { namespace: NAMESPACE, name: 'istio-ca-root-cert' };
    one.store.create({ apiVersion: 'v1', kind: 'ConfigMap', metadata });
    const { stderr } = await meshctl(TEST);
    forbidden = undefined;
    expect(stderr).not.toContain(`namespace ${NAMESPACE} stays`);
    for (const { store } of sandbox.clusters) {
      const namespace = { apiVersion: 'v1', kind: 'Namespace', name: NAMESPACE };
      expect(store.get(namespace)?.metadata.deletionTimestamp !== undefined || !store.get(namespace)).toBe(true);
    }
  });

  it('says at once that the image cannot be pulled, and takes its pods away', async () => {
    const image = 'registry.k8s.io/e2e-test-images/agnhost:9.99';
    const kept = await meshctl([...TEST, '--image', image, '--wait-duration', '3m', '--keep']);
    expect(kept.stderr).toContain(`image ${image} cannot be pulled (ImagePullBackOff`);
    expect(sandbox.clusters.map(({ store }) => store.get(CLIENT))).not.toContain(undefined);
    const says =
      /what the test put into namespace \S+ stays \(--keep\)\s+→ a test without that removes it:\s+meshctl (.*)/;
    const again = says.exec(kept.stderr)?.[1] ?? '';
    const { exitCode, stderr } = await meshctl(again.split(' '));
    expect(exitCode).toBe(1);
    expect(stderr).toContain('Give an image that the nodes can pull with --image');
  });

  it('passes every scenario on a connected mesh and shows what it saw, and lets no other run in meanwhile', async () => {
    const running = meshctl([...TEST, '--perf', '-o', 'json']);
    await eventually(
      async () => sandbox.clusters.map(({ store }) => store.get(CLIENT)),
      (clients) => clients.every((client) => client !== undefined),
      'the test has begun',
    );
    const refused = await meshctl(TEST);
    expect(refused.exitCode).toBe(1);
    expect(refused.stderr).toMatch(
      /✖ context "mesh-[12]": another connectivity test, on \S+, is at work in namespace meshctl-test since \S+Z\n {2}→ Give another namespace with -n, or wait until it has ended; one that was killed is taken over after a minute\.\n/,
    );
    expect(refused.stderr).not.toContain('Deploying');
    const result = await running;
    const report = jsonOf(result) as unknown as ConnectivityReport & { kind: string };
    expect(verdicts(report, 'fail')).toEqual([]);
    expect(verdicts(report, 'skip')).toEqual([]);
    expect(result.exitCode).toBe(0);
    expect(verdicts(report)).toEqual([
      'affinity-local mesh-1',
      'affinity-local mesh-2',
      'affinity-remote mesh-1',
      'affinity-remote mesh-2',
      'dns mesh-1',
      'dns mesh-2',
      'failover mesh-1',
      'failover mesh-2',
      'global-service mesh-1',
      'global-service mesh-2',
      ...PATHS.map((path) => `performance ${path}`),
      'pod-to-pod mesh-1 mesh-1',
      'pod-to-pod mesh-1 mesh-2',
      'pod-to-pod mesh-2 mesh-1',
      'pod-to-pod mesh-2 mesh-2',
      'policy mesh-1 mesh-1',
      'policy mesh-1 mesh-2',
      'policy mesh-2 mesh-1',
      'policy mesh-2 mesh-2',
      'return mesh-1',
      'return mesh-2',
      'spread mesh-1',
      'spread mesh-2',
    ]);
    const failovers = report.scenarios.filter(({ scenario }) => scenario === 'failover');
    for (const { failover } of failovers) {
      expect(failover).toMatchObject({ lost: 0, outageMs: 0, firstRemoteAnswerMs: expect.any(Number) });
    }
    const many = report.scenarios.filter(({ scenario }) => scenario === 'performance');
    for (const { requests } of many) expect(requests).toMatchObject({ sent: 500, answered: 500 });
  });

  it('fails the right ones when the link is cut, and says what it could not remove', async () => {
    sandbox.network.cutLink('mesh-1', 'mesh-2');
    keptIn = 'mesh-2';
    const result = await meshctl([...TEST, '--settle-duration', '4s', '-o', 'json']);
    keptIn = undefined;
    found(sandbox.clusters[1], 'mesh-2').store.delete({ apiVersion: 'v1', kind: 'Namespace', name: NAMESPACE });
    sandbox.network.mendLink('mesh-1', 'mesh-2');
    await untilHealthy(sandbox, ['mesh-1', 'mesh-2']);
    const report = jsonOf(result) as unknown as ConnectivityReport;
    expect(result.exitCode).toBe(1);
    expect(verdicts(report, 'pass')).toEqual([
      'affinity-local mesh-1',
      'affinity-local mesh-2',
      'dns mesh-1',
      'dns mesh-2',
      'pod-to-pod mesh-1 mesh-1',
      'pod-to-pod mesh-2 mesh-2',
      'return mesh-1',
      'return mesh-2',
    ]);
    expect(verdicts(report, 'skip')).toEqual([
      'policy mesh-1 mesh-1',
      'policy mesh-1 mesh-2',
      'policy mesh-2 mesh-1',
      'policy mesh-2 mesh-2',
    ]);
    const hint = `kubectl --context mesh-2 -n ${NAMESPACE} delete ciliumnetworkpolicies,deployments,services`;
    expect(report.left).toMatchObject([{ context: 'mesh-2', hint: expect.stringContaining(hint) }]);
    expect(result.stderr).toContain(`⚠ mesh-2: could not remove what the test put into namespace ${NAMESPACE}: `);
  }, 300_000);

  it('takes over what a run that has died left, and removes what it deployed after Ctrl-C', async () => {
    const [{ store }] = sandbox.clusters as [SandboxCluster];
    const labels = { 'app.kubernetes.io/managed-by': 'meshctl', 'app.kubernetes.io/component': 'connectivity-test' };
    store.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE, labels } });
    const hold = { run: 'dead', host: 'ci', since: new Date(0), until: new Date(60_000) };
    const matchLabels = { 'app.kubernetes.io/name': 'client', 'app.kubernetes.io/component': 'connectivity-test' };
    const containers = [{ name: 'client', image: 'registry.k8s.io/e2e-test-images/agnhost:9.99' }];
    store.create(
      withHold(
        'connectivity-test',
        {
          apiVersion: 'apps/v1',
          kind: 'Deployment',
          metadata: { name: 'client', namespace: NAMESPACE, labels },
          spec: {
            selector: { matchLabels },
            template: { metadata: { labels: matchLabels }, spec: { containers } },
          },
        },
        hold,
      ),
    );
    const abort = new AbortController();
    const result = await meshctl(TEST, {
      signal: abort.signal,
      onOutput: (text) => {
        if (text.includes('pod to pod')) abort.abort();
      },
    });
    expect(result, result.stderr).toMatchObject({ exitCode: 130 });
  });

  it('says before it deploys anything that a namespace takes no part in the mesh, and how it does', async () => {
    const name = 'team-a';
    const [one, two] = sandbox.clusters as [SandboxCluster, SandboxCluster];
    const apart = { 'clustermesh.cilium.io/global': 'false' };
    for (const [{ store }, annotations] of [
      [one, {}],
      [two, apart],
    ] as const) {
      store.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name, annotations } });
    }
    const refused = await meshctl([...TEST, '-n', name]);
    const line = 'kubectl --context mesh-2 annotate --overwrite namespace team-a clustermesh.cilium.io/global=true';
    expect(refused.stderr).toContain(
      `✖ namespace team-a is not global in mesh-2: the other clusters get no backends from there\n  → ${line}\n`,
    );
    expect(refused.exitCode).toBe(1);
    expect(refused.stderr).not.toContain('Deploying');
    const namespace = { apiVersion: 'v1', kind: 'Namespace', name };
    two.store.update(namespace, ({ metadata }) => {
      metadata.annotations = { 'clustermesh.cilium.io/global': 'true' };
    });
    const abort = new AbortController();
    const begun = await meshctl([...TEST, '-n', name], {
      signal: abort.signal,
      onOutput: (text) => {
        if (text.includes('Deploying')) abort.abort();
      },
    });
    expect(begun.exitCode, begun.stderr).toBe(130);
    for (const { store } of sandbox.clusters) store.delete(namespace);
  });

  it('needs two clusters', async () => {
    const result = await meshctl(['connectivity', 'test', '--context', 'mesh-1']);
    expect(result.exitCode).toBe(2);
    expect(result.stderr).toContain('at least two clusters');
  });
});

describe('connectivity test of clusters that are surely not connected', () => {
  let apart: TestSandbox;
  let run: Meshctl;
  beforeAll(async () => {
    apart = await startTestSandbox({ clusters: 3 });
    run = meshctlWith(apart.kubeconfigPath);
  });
  afterAll(() => apart?.close());

  async function refused(contexts: string): Promise<string> {
    const before = apart.clusters.map(({ store }) => store.list({ apiVersion: 'v1', kind: 'Namespace' }).length);
    const { exitCode, stderr } = await run(['connectivity', 'test', '--context', contexts]);
    expect(exitCode).toBe(1);
    expect(stderr).not.toContain('Deploying');
    expect(apart.clusters.map(({ store }) => store.list({ apiVersion: 'v1', kind: 'Namespace' }).length)).toEqual(
      before,
    );
    return stderr;
  }

  it('fails at once with the next step, and deploys nothing', async () => {
    expect(await refused('mesh-1,mesh-2')).toContain('→ meshctl clustermesh enable --context mesh-1,mesh-2\n');
    await run.ok(enable('mesh-1,mesh-2'));
    const parted = await refused('mesh-1,mesh-2');
    expect(parted).toContain('context "mesh-1": not connected to mesh-2; context "mesh-2": not connected to mesh-1');
    expect(parted).toContain('→ meshctl clustermesh connect --context mesh-1 --destination-context mesh-2\n');
    await run.ok(enable('mesh-3'));
    await run.ok(connect('mesh-1', 'mesh-2'));
    // That the others are to be peers too is another decision: it stands behind what shows how those do that are.
    const some = await refused('mesh-1,mesh-2,mesh-3');
    expect(printedCommands({ stdout: '', stderr: some }).map(({ line }) => line)).toEqual([
      'meshctl connectivity test --context mesh-1,mesh-2',
      'meshctl clustermesh connect --context mesh-1 --destination-context mesh-2,mesh-3 --connection-mode mesh',
    ]);
  });
});

describe('the built program', () => {
  let installed: InstalledMeshctl;
  beforeAll(async () => {
    installed = await installMeshctl();
  });
  afterAll(() => installed?.remove());

  /** Sends SIGINT, once, as soon as stderr has these words. */
  async function interruptAt(words: string, ...more: string[]): Promise<{ code: number | null; stderr: string }> {
    const child = spawn(process.execPath, [installed.entry, ...TEST, ...more], {
      env: { KUBECONFIG: sandbox.kubeconfigPath },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let stderr = '';
    let interrupted = false;
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
      if (interrupted || !stderr.includes(words)) return;
      interrupted = true;
      child.kill('SIGINT');
    });
    const [code] = (await once(child, 'close')) as [number | null];
    expect(interrupted, stderr).toBe(true);
    return { code, stderr };
  }

  const REMOVED =
    /✔ (Removed namespace meshctl-test|Nothing to remove: nothing of the test is in namespace meshctl-test)\n✖ interrupted\n$/;

  // At '… policy' it takes most away; so it does from a namespace that it did not make, which is next.
  it.each(['… Deploying', '… pod to pod', '… failover'])(
    'leaves nothing behind when it gets SIGINT at "%s"',
    async (words) => {
      const { code, stderr } = await interruptAt(words);
      expect({ code, stderr }).toMatchObject({ code: 130, stderr: expect.stringMatching(REMOVED) });
    },
  );

  it('leaves a namespace that it did not make as it was', async () => {
    const name = 'shop';
    const namespace = { apiVersion: 'v1', kind: 'Namespace', name };
    for (const { store } of sandbox.clusters) {
      const metadata = { name, annotations: { 'clustermesh.cilium.io/global': 'true', owner: 'the shop' } };
      store.create({ apiVersion: 'v1', kind: 'Namespace', metadata });
    }
    const objects = () =>
      sandbox.clusters.map(({ store }) => [
        store.get(namespace),
        ...['v1 Service', 'apps/v1 Deployment', 'cilium.io/v2 CiliumNetworkPolicy'].map((type) => {
          const [apiVersion = '', kind = ''] = type.split(' ');
          return store.list({ apiVersion, kind, namespace: name });
        }),
      ]);
    // What others have there under a name of the test is not taken over, and not removed.
    for (const object of [
      { apiVersion: 'v1', kind: 'Service', spec: { selector: { app: 'shop' }, ports: [{ port: 8443 }] } },
      { apiVersion: 'cilium.io/v2', kind: 'CiliumNetworkPolicy', spec: { endpointSelector: {} } },
    ]) {
      const own = object.kind === 'Service' ? 'echo' : 'only-from-one-cluster';
      const { store } = found(sandbox.clusters[1], 'mesh-2');
      store.create({ ...object, metadata: { name: own, namespace: name } });
      const taken = objects();
      const refused = await meshctl([...TEST, '--namespace', name]);
      expect(refused).toMatchObject({
        exitCode: 1,
        stderr: expect.stringContaining(
          `✖ context "mesh-2": ${object.kind} shop/${own} is there already, and no connectivity test has made it\n` +
            '  → Give another namespace with -n: in shop the test would take it over.',
        ),
      });
      expect(objects()).toEqual(taken);
      store.delete({ apiVersion: object.apiVersion, kind: object.kind, namespace: name, name: own });
    }
    const before = objects();
    const { code, stderr } = await interruptAt('… policy', '--namespace', name);
    expect(stderr).toContain('✔ Removed what the test put into namespace shop');
    expect(code).toBe(130);
    expect(objects()).toEqual(before);
    for (const { store } of sandbox.clusters) store.delete(namespace);
  });
});
