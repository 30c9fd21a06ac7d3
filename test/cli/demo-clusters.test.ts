import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { type CliOptions, failureOf } from '../support/cli.ts';
import { connect, enable, type Meshctl, meshctlWith } from '../support/e2e-cli.ts';
import { untilHealthy } from '../support/open-look.ts';
import { startTestSandbox, type TestSandbox } from '../support/sandbox-mesh.ts';

/** The demo on clusters that are there already, as an operator's are. */
const BOTH = 'mesh-1,mesh-2';
const DEMO = ['demo', '--context', BOTH];
const KINDS = ['Namespace', 'Secret', 'ConfigMap', 'Service', 'ServiceAccount', 'Pod', 'apps/v1 Deployment'];

let sandbox: TestSandbox;
let meshctl: Meshctl;

beforeAll(async () => {
  sandbox = await startTestSandbox({ nodes: 1 });
  meshctl = meshctlWith(sandbox.kubeconfigPath);
});

afterAll(() => sandbox?.close());

afterEach(() => {
  expect(sandbox.errors).toEqual([]);
});

/** The names of all objects that a demo could leave, cluster by cluster. */
const objects = () =>
  sandbox.clusters.map(({ store }) =>
    KINDS.flatMap((type) => {
      const [kind = '', apiVersion = 'v1'] = type.split(' ').reverse();
      return store.list({ apiVersion, kind }).map(({ metadata }) => `${kind} ${metadata.namespace}/${metadata.name}`);
    }).sort(),
  );

const linesOf = (stdout: string) => stdout.match(/^\$ .*/gm);

/** Presses Ctrl-C as soon as these words are printed. */
function interruptedAt(words: string): CliOptions {
  const ctrlC = new AbortController();
  return {
    signal: ctrlC.signal,
    onOutput(text) {
      if (text.includes(words)) ctrlC.abort();
    },
  };
}

it('writes nothing unless somebody agrees, and says what it would do', async () => {
  const before = objects();
  const refused = await meshctl(DEMO);
  expect(refused.exitCode).toBe(2);
  expect(refused.stderr).toContain(`then confirm it: meshctl demo --context ${BOTH} --yes\n`);
  const declined = await meshctl(DEMO, { answers: ['n'] });
  expect(declined.exitCode).toBe(1);
  expect(declined.stderr).toContain('nothing was changed');
  const dry = await meshctl.ok([...DEMO, '--dry-run']);
  expect(linesOf(dry.stdout)).toEqual([`$ meshctl clustermesh check --pre --context ${BOTH}`]);
  expect(dry.stdout).toContain(`  + enable Cluster Mesh in mesh-1, mesh-2\n`);
  expect(dry.stdout).toContain(`  + connect mesh-1 and mesh-2\n`);
  expect(dry.stdout).toMatch(
    /^ {2}\+ probe the network: .* in namespace meshctl-probe, where pods may be privileged;$/m,
  );
  expect(dry.stdout.endsWith('Nothing was changed (--dry-run).\n')).toBe(true);
  expect(objects()).toEqual(before);
});

it('leaves nothing behind after Ctrl-C in the middle', async () => {
  const before = objects();
  const { exitCode, stdout, stderr } = await meshctl(
    [...DEMO, '--yes'],
    interruptedAt('are set up to dial each other'),
  );
  expect({ exitCode, stderr }).toMatchObject({ exitCode: 130 });
  expect(stdout).toContain('$ meshctl clustermesh disconnect');
  expect(objects()).toEqual(before);
});

it('leaves nothing behind after Ctrl-C while enable has made the Service alone', async () => {
  const before = objects();
  const ctrlC = new AbortController();
  const ofApiserver = ({ kind, metadata }: KubeObject) =>
    kind === 'Service' && metadata.name === 'clustermesh-apiserver' ? ctrlC.abort() : undefined;
  const stop = sandbox.clusters.map(({ store }) => store.subscribe(({ object }) => ofApiserver(object)));
  const { exitCode, stdout } = await meshctl([...DEMO, '--yes'], { signal: ctrlC.signal });
  for (const end of stop) end();
  expect(exitCode).toBe(130);
  expect(stdout).toContain('$ meshctl clustermesh disable');
  expect(objects()).toEqual(before);
});

it('leaves what it made with --keep, which a later run takes away', async () => {
  const before = objects();
  const kept = await meshctl.ok([...DEMO, '--yes', '--keep']);
  const ASK = '$ kubectl --context mesh-1 -n meshctl-demo exec deploy/client -- curl -s';
  expect(linesOf(kept.stdout)?.map((line) => line.replace(/ 'http:.*/, ''))).toEqual([
    `$ meshctl clustermesh check --pre --context ${BOTH}`,
    `$ meshctl connectivity probe --context ${BOTH}`,
    '$ kubectl create namespace meshctl-demo    # in both clusters',
    `$ meshctl clustermesh enable --context ${BOTH}`,
    '$ meshctl clustermesh connect --context mesh-1 --destination-context mesh-2',
    `$ meshctl clustermesh status --context ${BOTH} --wait --wait-duration 3m`,
    '$ kubectl -n meshctl-demo apply -f echo.yaml -f client.yaml    # in both clusters',
    ASK,
    `$ meshctl service global meshctl-demo/echo --context ${BOTH}`,
    ASK,
    `$ meshctl service list --context ${BOTH} --namespace meshctl-demo`,
    `$ meshctl service global meshctl-demo/echo --context ${BOTH} --affinity remote`,
    ASK,
    `$ meshctl service global meshctl-demo/echo --context ${BOTH} --affinity local`,
    ASK,
    '$ kubectl --context mesh-1 -n meshctl-demo scale deploy/echo-mesh-1 --replicas 0',
    '$ kubectl --context mesh-1 -n meshctl-demo scale deploy/echo-mesh-1 --replicas 2',
    `$ meshctl clustermesh status --context ${BOTH} --wait --wait-duration 3m`,
  ]);
  expect(kept.stdout).not.toMatch(/\d failed/);
  expect(kept.stdout.endsWith(`removed: meshctl demo --context ${BOTH} --clean-up\n`)).toBe(true);
  expect(objects()).not.toEqual(before);

  const seen = await meshctl.ok([...DEMO, '--clean-up', '--dry-run']);
  expect(seen.stdout).toContain(
    `  - namespace meshctl-demo in mesh-1, mesh-2, with all that is in it\n  - the connection of mesh-1 and mesh-2\n  - Cluster Mesh in mesh-1, mesh-2\n`,
  );
  const again = await meshctl.ok([...DEMO, '--dry-run']);
  expect(again.stdout).toMatch(
    /^ {2}- remove what an earlier demo, of \d{4}-\S+Z, left there; one that still runs is cut short$/m,
  );
  await meshctl.ok([...DEMO, '--clean-up', '--yes']);
  expect(objects()).toEqual(before);
});

/** Cluster Mesh in both clusters, connected: what others have made of it. */
const made = () => objects().map((names) => names.filter((name) => /clustermesh-apiserver|cilium-ca$/.test(name)));

it('takes nothing apart that others have made while it asked', async () => {
  let theirs: string[][] = [];
  const asked = await meshctl(DEMO, {
    answers: [
      async () => {
        await meshctl.ok(enable(BOTH));
        await meshctl.ok(connect('mesh-1', 'mesh-2'));
        theirs = made();
        return 'y';
      },
    ],
  });
  expect(asked.exitCode).toBe(1);
  expect(asked.stderr).toContain('has been enabled there since the plan was made, by someone else');
  expect(asked.stdout).not.toMatch(/\$ meshctl clustermesh (disable|disconnect)/);
  expect(theirs.flat().length).toBeGreaterThan(0);
  expect(made()).toEqual(theirs);
  await untilHealthy(sandbox, ['mesh-1']);
  await meshctl.ok(['clustermesh', 'disable', '--context', BOTH, '--disconnect', '--yes']);
});

it('takes nothing of another demo away that was begun while it asked', async () => {
  let theirs: string[][] = [];
  const other = async () => {
    await meshctl.ok([...DEMO, '--yes', '--keep']);
    theirs = objects();
    return 'y';
  };
  const asked = await meshctl(DEMO, { answers: [other] });
  expect(asked.exitCode).toBe(1);
  expect(asked.stderr).toMatch(
    /✖ context "mesh-1": namespace meshctl-demo has been made since the plan was, by someone else\n/,
  );
  expect(asked.stdout).not.toMatch(/\$ meshctl clustermesh (disable|disconnect)|delete namespace/);
  expect(objects()).toEqual(theirs);
  await untilHealthy(sandbox, ['mesh-1']);
  await meshctl.ok([...DEMO, '--clean-up', '--yes']);
});

it('says what it cannot take away where somebody has removed its namespace', async () => {
  const atWork = await meshctl([...DEMO, '--yes'], {
    onOutput(text) {
      if (!text.includes('$ kubectl -n meshctl-demo apply')) return;
      for (const { store } of sandbox.clusters)
        store.delete({ apiVersion: 'v1', kind: 'Namespace', name: 'meshctl-demo' });
    },
  });
  expect(atWork.exitCode).toBe(1);
  expect(atWork.stderr).toMatch(
    /someone else has removed namespace meshctl-demo[\s\S]* meshctl clustermesh status --context mesh-1,mesh-2\n/,
  );
  expect(objects().flat()).not.toContainEqual(expect.stringContaining('meshctl-demo'));
  await untilHealthy(sandbox, ['mesh-1']);
  const { stderr } = await meshctl.ok(['clustermesh', 'disable', '--context', BOTH, '--disconnect', '--yes']);
  // No KVStoreMesh is left that could keep anything.
  expect(stderr).not.toContain('keeps the state of a lost peer');
});

it('does not begin with certificates that were kept, which would be gone at its end', async () => {
  await meshctl.ok(enable('mesh-2'));
  await meshctl.ok(['clustermesh', 'disable', '--context', 'mesh-2', '--keep-certificates', '--yes']);
  const before = objects();
  const { exitCode, stderr } = await meshctl([...DEMO, '--yes']);
  expect({ exitCode, stderr }).toMatchObject({
    exitCode: 1,
    stderr: expect.stringMatching(
      /context "mesh-2": Cluster Mesh is not enabled, but Secret [\s\S]*: meshctl clustermesh enable --context mesh-2$/m,
    ),
  });
  expect(objects()).toEqual(before);
  await meshctl.ok(['clustermesh', 'disable', '--context', 'mesh-2', '--yes']);
});

it('does not connect clusters that would share global services of the operator', async () => {
  const service = { apiVersion: 'v1', kind: 'Service', namespace: 'default', name: 'api' };
  const annotations = { 'service.cilium.io/global': 'true' };
  for (const { store } of sandbox.clusters) {
    const { namespace, name } = service;
    store.create({ ...service, metadata: { namespace, name, annotations }, spec: { ports: [{ port: 80 }] } });
  }
  const before = objects();
  for (const flag of ['--dry-run', '--yes']) {
    const { exitCode, stderr } = await meshctl([...DEMO, flag]);
    expect({ exitCode, stderr }).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('contexts "mesh-1" and "mesh-2": default/api is global in both, and would share'),
    });
  }
  expect(objects()).toEqual(before);
  for (const { store } of sandbox.clusters) store.delete(service);
});

it('takes nothing apart that others have made since a demo that came to nothing', async () => {
  const ended = await meshctl([...DEMO, '--yes', '--keep'], interruptedAt('$ meshctl clustermesh enable'));
  expect(ended.exitCode).toBe(130);
  await meshctl.ok(['clustermesh', 'disable', '--context', BOTH, '--yes']);
  await meshctl.ok(enable(BOTH));
  await meshctl.ok(connect('mesh-1', 'mesh-2'));
  const theirs = made();
  const cleanUp = [...DEMO, '--clean-up'];
  expect((await meshctl.ok([...cleanUp, '--dry-run'])).stdout).not.toMatch(/the connection|Cluster Mesh in/);
  await meshctl.ok([...cleanUp, '--yes']);
  expect(objects().flat()).not.toContainEqual(expect.stringContaining('Namespace undefined/meshctl-demo'));
  expect(made()).toEqual(theirs);
  await meshctl.ok(['clustermesh', 'disable', '--context', BOTH, '--disconnect', '--yes']);
});

it.each([
  [
    ['demo', '--dry-run'],
    '✖ --dry-run is for a demo on clusters of yours\n  → Name their contexts with --context a,b.\n',
  ],
  [
    ['demo', '--context', 'mesh-1'],
    '✖ the demo joins two clusters, and --context names 1\n  → Name the contexts of two clusters: --context a,b\n',
  ],
])('is for two clusters: meshctl %j', async (argv, says) => {
  expect(failureOf(await meshctl(argv))).toEqual({ exitCode: 2, says });
});

it('does not touch a namespace that is not its own', async () => {
  sandbox.clusters.at(-1)?.store.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } });
  // Kubernetes puts something of its own into a new one, a moment later.
  const elsewhere = () => objects().map((names) => names.filter((name) => !name.includes(' shop/')));
  const before = elsewhere();
  const { exitCode, stderr } = await meshctl([...DEMO, '--namespace', 'shop', '--yes']);
  expect({ exitCode, stderr }).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining('namespace shop is there'),
  });
  expect(elsewhere()).toEqual(before);
  sandbox.clusters.at(-1)?.store.delete({ apiVersion: 'v1', kind: 'Namespace', name: 'shop' });
});

it('tells the story on a mesh that is connected, and leaves it connected', async () => {
  await meshctl.ok(enable(BOTH));
  await meshctl.ok(connect('mesh-1', 'mesh-2'));
  await untilHealthy(sandbox, ['mesh-1']);
  const before = objects();
  const { stdout } = await meshctl.ok([...DEMO, '--yes']);
  expect(stdout).toContain('  = mesh-1 and mesh-2 are connected already, and stay so\n');
  expect(stdout).not.toMatch(/^\$ meshctl clustermesh (enable|connect|disconnect|disable)/m);
  expect(stdout.endsWith('\nThe demo is over, and everything that it made is gone.\n')).toBe(true);
  expect(objects()).toEqual(before);
  await untilHealthy(sandbox, ['mesh-2']);
});
