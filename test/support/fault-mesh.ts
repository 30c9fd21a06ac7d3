import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KubeObject, ObjectRef } from '../../src/mesh/objects/kube-object.ts';
import type { ClusterStore } from '../../src/sandbox/apiserver/storage/store.ts';
import type { InterceptedRequest } from '../../src/sandbox/options.ts';
import type { SandboxCluster } from '../../src/sandbox/sandbox.ts';
import { type CliOptions, type CliResult, runCli } from './cli.ts';
import { lookByChecks, lookByStatus } from './open-look.ts';
import {
  agentReports,
  eventually,
  found,
  kvstoremeshReports,
  startTestSandbox,
  type TestSandbox,
} from './sandbox-mesh.ts';

/** Contexts as administrators have them: with what a shell takes for something else. */
export const ONE = 'admin@prod b (old)';
export const TWO = 'mesh-2';
export const BOTH = `${ONE},${TWO}`;

/**
 * mesh-1 and mesh-2, enabled and connected, to break things in. By nothing but the flags of a command line can meshctl know
 * where they are: there is no KUBECONFIG, and the file's path has a space.
 */
export interface FaultMesh {
  sandbox: TestSandbox;
  one: SandboxCluster;
  two: SandboxCluster;
  kubeconfigPath: string;
  /** Runs a command line as it is. Whatever is asked is answered with yes. */
  run(argv: readonly string[], options?: CliOptions): Promise<CliResult>;
  /** The same with the --kubeconfig of the sandbox. */
  meshctl(argv: readonly string[], options?: CliOptions): Promise<CliResult>;
  /** All open connections between the clusters end: whoever needs one dials anew. */
  redial(): void;
  /** Whether agents and KVStoreMesh of both say that they are connected. Cheap. */
  isConnected(): Promise<boolean>;
  /** Whether `status` and `check` of both are content. */
  isWell(): Promise<boolean>;
  /** Its API server does not answer any more, until it is restored. */
  shutDown(cluster: SandboxCluster): void;
  /** What else than objects `restore` has to take back. */
  later(undo: () => void): void;
  /** Brings the mesh where some work leads, done once: later the objects are made as it left them. */
  replay(name: string, work: () => Promise<unknown>): Promise<void>;
  /** Puts all back as it was when the mesh was well, and waits until everyone is connected. */
  restore(): Promise<void>;
  close(): Promise<void>;
}

/** What a fault or a command may change; what controllers make of it follows. */
const KINDS = [
  ...['Namespace', 'Node', 'Service', 'Secret', 'ConfigMap', 'ServiceAccount'].map((kind) => ['v1', kind] as const),
  ...['DaemonSet', 'Deployment'].map((kind) => ['apps/v1', kind] as const),
  ...['ClusterRole', 'ClusterRoleBinding', 'Role', 'RoleBinding'].map(
    (kind) => ['rbac.authorization.k8s.io/v1', kind] as const,
  ),
  ['cilium.io/v2', 'CiliumNetworkPolicy'] as const,
  ['networking.k8s.io/v1', 'NetworkPolicy'] as const,
];

const READY = 'ready';
const YES = Array.from({ length: 20 }, () => 'y');

export async function startFaultMesh(): Promise<FaultMesh> {
  const directory = await mkdtemp(join(tmpdir(), 'meshctl faults '));
  const kubeconfigPath = join(directory, 'my kubeconfig.yaml');
  const down = new Set<string>();
  const intercept = async (context: string, { user }: InterceptedRequest) =>
    down.has(context) && !user.startsWith('system:serviceaccount:') ? ('drop' as const) : undefined;
  const clusters = [
    { name: 'mesh-1', context: ONE },
    { name: 'mesh-2', context: TWO, namespace: 'cilium' },
  ];
  const sandbox = await startTestSandbox({ kubeconfigPath, nodes: 1, clusters, intercept });
  const [one, two] = [ONE, TWO].map((context) =>
    found(
      sandbox.clusters.find((cluster) => cluster.context === context),
      context,
    ),
  ) as [SandboxCluster, SandboxCluster];

  const run = (argv: readonly string[], options: CliOptions = {}) => runCli(argv, { answers: YES, ...options });
  const meshctl = (argv: readonly string[], options?: CliOptions) =>
    run([...argv, '--kubeconfig', kubeconfigPath], options);

  async function reports(): Promise<string[]> {
    const asked = [ONE, TWO].flatMap((context) => [
      agentReports(sandbox, context),
      kvstoremeshReports(sandbox, context),
    ]);
    const answers = await Promise.allSettled(asked);
    return answers.map((answer) => {
      if (answer.status === 'rejected') return String(answer.reason);
      return answer.value.length === 1 && answer.value[0]?.ready === true ? READY : JSON.stringify(answer.value);
    });
  }
  const areReady = (texts: readonly string[]) => texts.every((text) => text === READY);
  const isConnected = async () => areReady(await reports());

  const isWell = async () => {
    const contexts = [ONE, TWO];
    if (!(await lookByStatus(sandbox, contexts))) return false;
    return (await lookByChecks(sandbox, contexts)).every(({ severity }) => severity !== 'fail');
  };

  function redial(): void {
    sandbox.network.cutLink(one.name, two.name);
    sandbox.network.mendLink(one.name, two.name);
  }

  for (const argv of [
    ['enable', '--context', BOTH],
    ['connect', '--context', ONE, '--destination-context', TWO],
  ]) {
    const { exitCode, stderr } = await meshctl(['clustermesh', ...argv]);
    if (exitCode !== 0) throw new Error(`${argv.join(' ')}: ${stderr}`);
  }
  const connected = () => eventually(reports, areReady, 'all are connected');
  await connected();
  const saved = new Map([one, two].map((cluster) => [cluster, objectsOf(cluster)]));
  const replayed = new Map<string, typeof saved>();
  let undoings: (() => void)[] = [];

  async function put(objects: typeof saved): Promise<void> {
    for (const [cluster, wanted] of objects) {
      if (!rollBackClusters(cluster, wanted)) continue;
      // Programs know the CA, the users and the name that were there when they started.
      for (const pod of podsOf(cluster)) remove(cluster, pod);
    }
    await Promise.all([one, two].map((cluster) => cluster.settled()));
  }

  return {
    ...{ sandbox, one, two, kubeconfigPath, run, meshctl, redial, isConnected, isWell },
    shutDown: ({ context }) => void down.add(context),
    async replay(name, work) {
      const known = replayed.get(name);
      if (!known) {
        await work();
        await Promise.all([one, two].map((cluster) => cluster.settled()));
        replayed.set(name, new Map([one, two].map((cluster) => [cluster, objectsOf(cluster)])));
      } else await put(known);
      await connected();
    },
    later: (undo) => void undoings.push(undo),
    async restore() {
      down.clear();
      sandbox.network.mendLink(one.name, two.name);
      for (const undo of undoings.reverse()) undo();
      undoings = [];
      await put(saved);
      await connected();
    },
    async close() {
      await sandbox.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

function podsOf({ store, namespace }: SandboxCluster): KubeObject[] {
  return store.list({ apiVersion: 'v1', kind: 'Pod', namespace });
}

function refOfObject({ apiVersion, kind, metadata }: KubeObject): ObjectRef {
  return { apiVersion, kind, namespace: metadata.namespace, name: metadata.name };
}

function remove({ store }: SandboxCluster, object: KubeObject): void {
  store.delete(refOfObject(object));
}

function objectsOf({ store }: SandboxCluster): Map<string, KubeObject> {
  const objects = KINDS.flatMap(([apiVersion, kind]) => store.list({ apiVersion, kind }));
  return new Map(objects.map((object) => [JSON.stringify(refOfObject(object)), object]));
}

/** Makes the objects the saved ones, with their owners. @returns whether any was not */
function rollBackClusters(cluster: SandboxCluster, saved: ReadonlyMap<string, KubeObject>): boolean {
  const { log, kinds } = (cluster.store as ClusterStore).state;
  const live = objectsOf(cluster);
  const strays = [...live].filter(([key]) => !saved.has(key));
  // What controllers made belongs to an object by its uid: one that was made anew takes its own along.
  const anew = [...live].filter(
    ([key, object]) => saved.has(key) && saved.get(key)?.metadata.uid !== object.metadata.uid,
  );
  for (const [, object] of [...strays, ...anew]) remove(cluster, object);
  const changed = [...saved].filter(([key, object]) => bodyOf(live.get(key)) !== bodyOf(object));
  for (const [, object] of changed) log.put(kinds.require(object.apiVersion, object.kind), object);
  return strays.length + changed.length > 0;
}

/** Without what the API server counts up, and what controllers write of it. */
function bodyOf(object: KubeObject | undefined): string | undefined {
  if (!object) return undefined;
  const { resourceVersion: _version, generation: _generation, ...metadata } = object.metadata;
  return JSON.stringify({ ...object, metadata, status: undefined });
}
