import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as laterTurn } from 'node:timers/promises';
import { secretTexts } from '../../src/mesh/objects/secret-data.ts';
import { peersIn } from '../../src/mesh/peers/file/peer-config.ts';
import type { InterceptedRequest } from '../../src/sandbox/options.ts';
import type { SandboxCluster } from '../../src/sandbox/sandbox.ts';
import { type CliOptions, type CliResult, runCli } from './cli.ts';
import { nudge } from './cluster-pods.ts';
import { lookByStatusAndChecks } from './open-look.ts';
import { troubleWithPeers } from './peer-reports.ts';
import { clusterAt, eventually, refsOf, setSecret, startTestSandbox, type TestSandbox } from './sandbox-mesh.ts';
import { type SavedObjects, saveObjects } from './saved-objects.ts';

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
  /** A quarter of an hour goes by: whoever has no connection by then takes another client, with the files as they are. */
  beginAnew(): void;
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
  const [one, two] = [ONE, TWO].map((context) => clusterAt(sandbox, context)) as [SandboxCluster, SandboxCluster];

  const run = (argv: readonly string[], options: CliOptions = {}) => runCli(argv, { answers: YES, ...options });
  const meshctl = (argv: readonly string[], options?: CliOptions) =>
    run([...argv, '--kubeconfig', kubeconfigPath], options);

  const trouble = () => troubleWithPeers(sandbox, { [ONE]: 1, [TWO]: 1 });
  const isConnected = async () => (await trouble()).length === 0;

  const isWell = () => lookByStatusAndChecks(sandbox, [ONE, TWO]);

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
  const connected = () => eventually(trouble, (left) => left.length === 0, 'all are connected');
  await connected();
  const saved = saveObjects([one, two]);
  const replayed = new Map<string, SavedObjects>();
  let undoings: (() => void)[] = [];

  let clients = 0;
  /** Who has begun to dial with the CA of a fault reads the former one only together with a file that has another text. */
  function beginAnew(): void {
    clients += 1;
    for (const cluster of [one, two])
      for (const name of ['cilium-kvstoremesh', 'cilium-clustermesh']) {
        const texts = secretTexts(cluster.store.get(refsOf(cluster).secret(name)));
        const files = peersIn(texts).map((peer) => [peer, `${texts[peer]}# client ${clients}\n`]);
        if (files.length > 0) setSecret(cluster, name, Object.fromEntries(files));
      }
    // What a kubelet brings late ends a connection that was there again meanwhile.
    for (const cluster of [one, two]) nudge(cluster);
  }

  async function backTo(objects: SavedObjects): Promise<void> {
    await objects.restore();
    if (await isConnected()) return;
    beginAnew();
    // Kubelets look in the turn after a nudge.
    await laterTurn();
  }

  return {
    ...{ sandbox, one, two, kubeconfigPath, run, meshctl, redial, beginAnew, isConnected, isWell },
    shutDown: ({ context }) => void down.add(context),
    async replay(name, work) {
      const known = replayed.get(name);
      if (!known) {
        await work();
        await Promise.all([one, two].map((cluster) => cluster.settled()));
        replayed.set(name, saveObjects([one, two]));
      } else await backTo(known);
      await connected();
    },
    later: (undo) => void undoings.push(undo),
    async restore() {
      down.clear();
      sandbox.network.mendLink(one.name, two.name);
      for (const undo of undoings.reverse()) undo();
      undoings = [];
      await backTo(saved);
      await connected();
      // Pods that a fault has replaced may be gone only now.
      await Promise.all([one, two].map((cluster) => cluster.settled()));
      await connected();
    },
    async close() {
      await sandbox.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
