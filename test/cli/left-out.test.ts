import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { ApiError } from '../../src/sandbox/apiserver/errors.ts';
import { type ConnectClusters, startConnectClusters } from '../support/connect-clusters.ts';
import { connect } from '../support/e2e-cli.ts';
import { clusterAt, found, refs } from '../support/sandbox-mesh.ts';

/** What `--all` does without: a cluster that cannot take part is left out and named, and the others get what was asked for. */
let clusters: ConnectClusters;
let kubeconfig: string;
let undo: (() => void)[] = [];

beforeAll(async () => {
  clusters = await startConnectClusters(3);
  const joined = await clusters.meshctl(connect('mesh-1', 'mesh-2'));
  expect(joined.exitCode, joined.stderr).toBe(0);
});

afterEach(() => {
  clusters.fault = undefined;
  for (const back of undo.reverse()) back();
  undo = [];
});

afterAll(() => clusters?.close());

const SERVER_CERT = refs.secret('clustermesh-apiserver-server-cert');
const PARTS = [refs.deployment('clustermesh-apiserver'), SERVER_CERT, refs.configMap('clustermesh-remote-users')];

function without(...parts: readonly (typeof SERVER_CERT)[]): void {
  const { store } = clusterAt(clusters, 'mesh-3');
  for (const ref of parts) {
    const { metadata, ...rest } = structuredClone(found(store.get(ref), ref.name)) as KubeObject;
    const { name, namespace, labels, annotations } = metadata;
    store.delete(ref);
    const kept = { name, namespace, ...(labels ? { labels } : {}), ...(annotations ? { annotations } : {}) };
    undo.push(() => store.create({ ...rest, metadata: kept } as KubeObject));
  }
}

function configured(data: Record<string, string>): void {
  const { store } = clusterAt(clusters, 'mesh-3');
  const ref = refs.configMap('cilium-config');
  const before = structuredClone(found(store.get(ref), 'cilium-config').data);
  const set = (to: unknown) =>
    store.update(ref, (config) => {
      config.data = to as never;
    });
  set({ ...(before as object), ...data });
  undo.push(() => set(before));
}

/** What mesh-3 is like. */
const STATES: Record<string, () => Promise<void> | void> = {
  'gives no answer': async () => {
    const text = await readFile(clusters.kubeconfigPath, 'utf8');
    kubeconfig = join(dirname(clusters.kubeconfigPath), 'silent.yaml');
    await writeFile(kubeconfig, text.replace(clusterAt(clusters, 'mesh-3').url, 'http://127.0.0.1:9'));
  },
  'may not be read': () => {
    clusters.fault = async ({ context, resource }) => {
      if (context !== 'mesh-3' || resource !== 'secrets') return undefined;
      throw new ApiError(403, 'Forbidden', 'secrets is forbidden: User "ann" cannot get resource "secrets"');
    };
  },
  'is not enabled': () => without(...PARTS),
  'is half enabled': () => without(SERVER_CERT),
  'has no id': () => configured({ 'cluster-id': '0' }),
  'has another name by now': () => configured({ 'cluster-name': 'anew' }),
};

const COMMANDS: Record<string, string[]> = {
  connect: ['clustermesh', 'connect', '--dry-run'],
  'certs rotate': ['clustermesh', 'certs', 'rotate', '--dry-run'],
  export: ['export'],
};

/** What nobody could look at; all else is known to be wrong. */
const UNSEEN: readonly string[] = ['gives no answer', 'may not be read'];
/** Of these it is said as well, and they are no part of what there is to be done. */
const NO_PART: readonly string[] = ['certs rotate: is not enabled', 'export: is not enabled'];
/** A file has the choices of a cluster whatever it lacks; enable makes that anew. */
const TAKEN: readonly string[] = ['export: is half enabled'];

describe.each(Object.keys(COMMANDS))('%s', (command) => {
  it.each(Object.keys(STATES))('one of all %s', async (state) => {
    kubeconfig = clusters.kubeconfigPath;
    await STATES[state]?.();
    const of = `${command}: ${state}`;
    const argv = [...(COMMANDS[command] ?? []), '--all', '--request-timeout', '5s'];
    const result = await clusters.meshctl(argv, { env: { KUBECONFIG: kubeconfig } });
    const said = `${result.stdout}${result.stderr}`;
    if (TAKEN.includes(of)) {
      expect({ exitCode: result.exitCode, said }).toMatchObject({
        exitCode: 0,
        said: expect.stringContaining('mesh-3'),
      });
      return;
    }
    const status = NO_PART.includes(of) ? 0 : UNSEEN.includes(state) ? 3 : 1;
    expect({ exitCode: result.exitCode, said }).toMatchObject({ exitCode: status });
    expect(result.stderr).toContain('context "mesh-3" is left out: ');
    expect(result.stderr).not.toContain('✖');
    expect(result.stdout).toContain('mesh-1');
    expect(result.stdout).toContain('mesh-2');
  });
});

it('what keeps clusters that were named from it is said at once', async () => {
  configured({ 'cluster-id': '0' });
  const { store } = clusterAt(clusters, 'mesh-2');
  const secret = structuredClone(found(store.get(SERVER_CERT), SERVER_CERT.name)) as KubeObject;
  store.delete(SERVER_CERT);
  undo.push(() => store.create({ ...secret, metadata: { name: SERVER_CERT.name, namespace: 'kube-system' } }));
  const refused = await clusters.meshctl([...connect('mesh-1', 'mesh-2,mesh-3'), '--dry-run']);
  expect(refused.exitCode).toBe(1);
  expect(refused.stderr).toContain('context "mesh-2": Cluster Mesh is only half enabled');
  expect(refused.stderr).toMatch(/context "mesh-3": .*cannot be used in a mesh/);
});
