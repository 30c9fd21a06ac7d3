import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import type { SandboxCluster } from '../../src/sandbox/sandbox.ts';
import { startConnectedMesh } from '../support/connected-mesh.ts';
import type { Meshctl } from '../support/e2e-cli.ts';
import { found, refs, type TestSandbox } from '../support/sandbox-mesh.ts';

/** mesh-1 and mesh-2 are connected; objects of mesh-1 are deleted, and a finalizer holds them. */
let sandbox: TestSandbox;
let meshctl: Meshctl;
let one: SandboxCluster;
let two: SandboxCluster;

const FINALIZER = 'example.com/held';
const SERVICE = { apiVersion: 'v1', kind: 'Service', namespace: 'default', name: 'web' };

beforeAll(async () => {
  ({ sandbox, meshctl, one, two } = await startConnectedMesh({ nodes: 1 }));
});

const undos: (() => void)[] = [];
afterEach(() => {
  for (const undo of undos.splice(0)) undo();
});

afterAll(async () => {
  expect(sandbox.errors).toEqual([]);
  await sandbox.close();
});

/** Deletes an object that stays, and puts it back after the test. */
function hold(ref: typeof SERVICE | ReturnType<typeof refs.secret>): KubeObject {
  const { metadata, ...content } = found(one.store.get(ref), ref.name);
  const { name, namespace, labels, annotations } = metadata;
  one.store.update(ref, (object) => {
    object.metadata.finalizers = [FINALIZER];
  });
  one.store.delete(ref);
  undos.push(() => {
    letGo(ref);
    one.store.create({ ...content, metadata: { name, namespace, labels, annotations } } as KubeObject, 'meshctl');
  });
  return found(one.store.get(ref), ref.name);
}

function letGo(ref: Parameters<SandboxCluster['store']['get']>[0]): void {
  if (!one.store.get(ref)) return;
  one.store.update(ref, (object) => {
    object.metadata.finalizers = [];
  });
}

describe('an object that is being deleted', () => {
  it.each([
    ['secret', 'cilium-kvstoremesh', ['clustermesh', 'certs', 'rotate', '--context', 'mesh-1,mesh-2']],
    ['secret', 'clustermesh-apiserver-server-cert', ['clustermesh', 'certs', 'rotate', '--context', 'mesh-1,mesh-2']],
    ['secret', 'cilium-clustermesh', ['clustermesh', 'disconnect', '--context', 'mesh-1', '--peer', 'mesh-2', '-y']],
    [
      'configMap',
      'clustermesh-remote-users',
      ['clustermesh', 'disconnect', '--context', 'mesh-1', '--peer', 'mesh-2', '-y'],
    ],
    ['secret', 'cilium-clustermesh', ['clustermesh', 'enable', '--context', 'mesh-1']],
    [
      'secret',
      'cilium-kvstoremesh',
      ['clustermesh', 'connect', '--context', 'mesh-1', '--destination-context', 'mesh-2'],
    ],
  ] as const)('(%s %s) is not written to by %j', async (kind, name, command) => {
    const before = hold(refs[kind](name));
    for (const argv of [[...command, '--dry-run'], command]) {
      const { exitCode, stderr } = await meshctl(argv);
      expect(exitCode, stderr).toBe(1);
      expect(stderr).toContain(`kube-system/${name} is being deleted, held by its finalizer ${FINALIZER}`);
      const wait = `kubectl --context mesh-1 -n kube-system wait --for=delete ${kind.toLowerCase()}/${name}`;
      expect(stderr).toContain(wait);
    }
    expect(one.store.get(refs[kind](name))).toEqual(before);
  });

  it('is not made global', async () => {
    one.store.create({ ...SERVICE, metadata: SERVICE, spec: { ports: [{ port: 80 }] } } as never, 'test');
    const before = hold(SERVICE);
    const { exitCode, stderr } = await meshctl(['service', 'global', 'default/web', '--context', 'mesh-1']);
    expect(exitCode, stderr).toBe(1);
    expect(stderr).toContain(`Service default/web is being deleted, held by its finalizer ${FINALIZER}`);
    expect(one.store.get(SERVICE)).toEqual(before);
  });

  it.each([
    ['one that is there', true],
    ['one that is to be copied', false],
  ])('and is a namespace takes no Service, nor changes %s', async (_which, isThere) => {
    const home = isThere ? 'leaving' : 'leaving-too';
    const namespace = { apiVersion: 'v1', kind: 'Namespace', name: home };
    const service = { ...SERVICE, namespace: home };
    const put = ({ store }: SandboxCluster, object: object) => store.create(object as KubeObject, 'test');
    const content = { ...service, metadata: { name: 'web', namespace: home }, spec: { ports: [{ port: 80 }] } };
    for (const cluster of [one, two]) put(cluster, { ...namespace, metadata: { name: home } });
    put(two, content);
    const finalizers = [FINALIZER];
    // What is left in it keeps a namespace.
    put(one, { ...refs.configMap('left'), metadata: { name: 'left', namespace: home, finalizers } });
    if (isThere) put(one, { ...content, metadata: { ...content.metadata, finalizers } });
    one.store.delete(namespace);
    undos.push(() => {
      for (const ref of [{ ...refs.configMap('left'), namespace: home }, service]) letGo(ref);
      two.store.delete(namespace);
    });
    const held = found(one.store.get(namespace), home);
    expect(held.metadata.deletionTimestamp).toBeDefined();
    const global = ['service', 'global', `${home}/web`, '--context', 'mesh-1,mesh-2', '--create-missing'];
    for (const argv of [[...global, '--dry-run'], global]) {
      const { exitCode, stdout, stderr } = await meshctl(argv);
      expect(exitCode, stdout + stderr).toBe(1);
      expect(stderr).toMatch(
        /context "mesh-1": (Namespace leaving|Service leaving\/web|Namespace leaving-too) is being deleted/,
      );
      expect(stderr).toMatch(/kubectl --context mesh-1 (-n \S+ )?wait --for=delete (namespace|service)\//);
    }
    expect(found(two.store.get(service), 'web').metadata.annotations ?? {}).toEqual({});
  });

  it.each([
    ['test', 'meshctl-test', []],
    ['probe', 'meshctl-probe', ['--via', 'pods']],
  ])(
    'and is the namespace of an earlier connectivity %s, is waited for before anything is made anywhere',
    async (verb, name, flags) => {
      const namespace = { apiVersion: 'v1', kind: 'Namespace', name };
      const left = { ...refs.configMap('left'), namespace: name };
      one.store.create({ ...namespace, metadata: { name } } as KubeObject, 'test');
      one.store.create({ ...left, metadata: { ...left, finalizers: [FINALIZER] } } as unknown as KubeObject, 'test');
      one.store.delete(namespace);
      undos.push(() => letGo(left));
      const argv = ['connectivity', verb, '--context', 'mesh-2,mesh-1', '--wait-duration', '1s', ...flags];
      const { exitCode, stderr } = await meshctl(argv);
      expect(exitCode, stderr).toBe(1);
      expect(stderr).toContain(`mesh-1: waiting until an earlier Namespace ${name} is gone, which is being deleted`);
      expect(stderr).toContain(`context "mesh-1": waited 1 s for an earlier Namespace ${name} to be gone`);
      expect(stderr.replaceAll(/\s+/g, ' ')).toContain(`kubectl --context mesh-1 get namespace ${name} -o yaml`);
      expect(two.store.get(namespace)).toBeUndefined();
      expect(stderr).not.toContain('Remov');
    },
  );

  it('is waited for by disable, which does not call it removed', async () => {
    const ref = refs.secret('clustermesh-apiserver-admin-cert');
    hold(ref);
    const disable = ['clustermesh', 'disable', '--context', 'mesh-1', '--disconnect=false', '-y'];
    const plan = await meshctl.ok([...disable, '--dry-run']);
    expect(plan.stdout).toContain(`(is being deleted already, held by its finalizer ${FINALIZER})`);
    const late = await meshctl([...disable, '--wait-duration', '1s']);
    expect(late.exitCode, late.stderr).toBe(1);
    expect(late.stderr).toContain(`Secret kube-system/${ref.name} to be gone, held by its finalizer ${FINALIZER}`);
    expect(late.stderr).toContain(`kubectl --context mesh-1 -n kube-system wait --for=delete secret/${ref.name}`);
    // The CA went with the rest: what is held is no evidence of one that should come back.
    one.store.delete(refs.secret('cilium-ca'));
    const unfinished = `a disable is unfinished: Secret kube-system/${ref.name} is being deleted, held by its finalizer ${FINALIZER}`;
    const wait = `kubectl --context mesh-1 -n kube-system wait --for=delete secret/${ref.name} --timeout=5m`;
    for (const more of [[], ['--dry-run'], ['--replace-ca', '-y']]) {
      const refused = await meshctl(['clustermesh', 'enable', '--context', 'mesh-1', ...more]);
      expect(refused.exitCode, refused.stderr).toBe(1);
      expect(refused.stderr).toContain(unfinished);
      expect(refused.stderr).toContain(`once that is gone: ${wait}`);
    }
    const checks = await meshctl(['clustermesh', 'check', '--context', 'mesh-1', '--category', 'apiserver,tls']);
    expect(checks.stdout.replaceAll(/\s+/g, ' ')).toContain(
      `there is no Deployment clustermesh-apiserver; ${unfinished} (apiserver-deployed) → finish the disable: ${wait} && meshctl clustermesh disable --context mesh-1 or enable it again: ${wait} && meshctl clustermesh enable --context mesh-1`,
    );
    expect(checks.stdout).not.toContain('backup');
    // Wherever a command leads to enable, that would be refused as yet.
    const both = ['--context', 'mesh-1,mesh-2'];
    for (const [command, exitCode] of [
      [['clustermesh', 'status', '--context', 'mesh-1'], 1],
      [['clustermesh', 'status', ...both], 1],
      [['export', ...both], 1],
      [['clustermesh', 'connect', '--context', 'mesh-1', '--destination-context', 'mesh-2'], 1],
      [['clustermesh', 'invite', '--context', 'mesh-1'], 1],
      [['clustermesh', 'certs', 'list', '--context', 'mesh-1'], 0],
      [['connectivity', 'test', ...both], 1],
      [['export', '--context', 'mesh-1'], 1],
    ] as const) {
      const said = await meshctl(command);
      const text = `${said.stdout}${said.stderr}`.replaceAll(/\s+/g, ' ');
      expect(text).not.toMatch(/(→ |: |Run: )meshctl clustermesh enable --context mesh-1/);
      if (exitCode === 1)
        expect(text, command.join(' ')).toContain(`${wait} && meshctl clustermesh enable --context mesh-1`);
      expect(said.exitCode, text).toBe(exitCode);
    }
    const { stdout: short } = await meshctl(['clustermesh', 'status', '--context', 'mesh-1']);
    expect(short).toContain(`❌ Cluster Mesh is not enabled in mesh-1; ${unfinished}\n`);
    letGo(ref);
    expect((await meshctl.ok(disable)).stdout).toContain('there is nothing to remove');
    undos.length = 0;
  });
});
