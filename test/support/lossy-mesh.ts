import { secretTexts } from '../../src/mesh/objects/secret-data.ts';
import { pairsOf } from '../../src/mesh/pairs.ts';
import { PEER_SECRETS } from '../../src/mesh/peers/peers.ts';
import type { SandboxCluster, SandboxOptions } from '../../src/sandbox/sandbox.ts';
import { nudge } from './cluster-pods.ts';
import { type Meshctl, meshctlWith } from './e2e-cli.ts';
import { USERS } from './fault-parts.ts';
import { handOverAsPrinted } from './hand-over.ts';
import { meshText } from './mesh-files.ts';
import { agentReports, kvstoremeshReports, troubleWithPeers } from './peer-reports.ts';
import { refsOf, startTestSandbox, type TestSandbox } from './sandbox-mesh.ts';

/** What makes a mesh, by its objects alone. */
export interface Relations {
  dials: string[];
  admits: string[];
  /** What is on record of connections that are one-way. */
  marks: string[];
}

/** A mesh of two-way, one-way and no connections, to lose something of. */
export interface LossyMesh {
  sandbox: TestSandbox;
  meshctl: Meshctl;
  /** The mesh as a file. */
  file: string;
  /** As it was when it was well. */
  whole: Relations;
  relations(): Relations;
  /** The clusters that one has among its users. */
  admittedBy(cluster: SandboxCluster): string[];
  /** Gives what is lost, or mended, the time to be noticed: all dial anew, and some looks later they are connected, or not. */
  settle(): Promise<void>;
}

/** What was mended is noticed within so many looks. */
const MOST_LOOKS = 20;
const LOOK_INTERVAL_MS = 100;

interface MeshKind {
  sandbox?: SandboxOptions;
  kvstoremesh?: false;
  /** What meshctl made is Helm's by its marks, as printed, and Helm has not run since: no field is its own yet. */
  handedOver?: true;
}

/** Kinds of meshes that mend what is lost by other objects. */
export const MESH_KINDS = {
  'each with its own CA': {},
  'without KVStoreMesh': { kvstoremesh: false },
  'with one CA': { sandbox: { sharedCa: true } },
  'handed over to Helm': { handedOver: true },
} as const satisfies Record<string, MeshKind>;

const PAIRS = [['mesh-1', 'mesh-2'], { from: 'mesh-3', to: 'mesh-1' }, ['mesh-2', 'mesh-4']] as const;

/** Starts such a mesh of the clusters `names`, the first three of four or all of them, and waits until it is well. */
export async function startLossyMesh(kind: keyof typeof MESH_KINDS, names: readonly string[]): Promise<LossyMesh> {
  const { kvstoremesh, handedOver, sandbox: options }: MeshKind = MESH_KINDS[kind];
  const pairs = PAIRS.filter((pair) =>
    ('from' in pair ? [pair.from, pair.to] : pair).every((one) => names.includes(one)),
  );
  const file = meshText({
    ...(kvstoremesh === undefined ? {} : { defaults: { enable: { kvstoremesh } } }),
    clusters: names.map((name) => ({ name })),
    topology: { type: 'pairs', pairs },
    services: [],
  });
  const sandbox = await startTestSandbox({ clusters: names.length, nodes: 1, ...options });
  const meshctl = meshctlWith(sandbox.kubeconfigPath);
  await meshctl.ok(['apply', '-f', '-', '--yes'], { input: file });
  if (handedOver) {
    for (const cluster of sandbox.clusters) {
      const { stdout } = await meshctl.ok(['clustermesh', 'helm-values', '--context', cluster.context]);
      if (handOverAsPrinted(cluster, stdout).flat().length === 0) throw new Error(`nothing to hand over: ${stdout}`);
    }
  }
  await meshctl.ok(['clustermesh', 'status', '--all', '--wait']);

  const admittedBy = (cluster: SandboxCluster) => {
    const { 'users.yaml': text = '' } = (cluster.store.get(refsOf(cluster).configMap(USERS))?.data ?? {}) as Record<
      string,
      string
    >;
    return names.filter((name) => new RegExp(`\\bremote-${name}\\b(?!-)`).test(text));
  };
  const dialledBy = (cluster: SandboxCluster) => {
    const secrets = PEER_SECRETS.map((name) => cluster.store.get(refsOf(cluster).secret(name)));
    return Object.keys(Object.assign({}, ...secrets.map(secretTexts))).filter((key) => names.includes(key));
  };
  const marksOf = (cluster: SandboxCluster) =>
    Object.entries(cluster.store.get(refsOf(cluster).secret('cilium-clustermesh'))?.metadata.annotations ?? {}).filter(
      ([key]) => key.startsWith('meshctl.io/mode.'),
    );
  const relations = (): Relations => {
    const every = (linesOf: (cluster: SandboxCluster) => string[]) => sandbox.clusters.flatMap(linesOf).sort();
    return {
      dials: every((cluster) => dialledBy(cluster).map((name) => `${cluster.name} → ${name}`)),
      admits: every((cluster) => admittedBy(cluster).map((name) => `${cluster.name} ← ${name}`)),
      marks: every((cluster) => marksOf(cluster).map(([key, value]) => `${cluster.name} ${key}=${value}`)),
    };
  };
  const dialled = Object.fromEntries(sandbox.clusters.map((cluster) => [cluster.context, dialledBy(cluster).length]));
  const readers = kvstoremesh === false ? [agentReports] : [agentReports, kvstoremeshReports];

  return {
    ...{ sandbox, meshctl, file, relations, admittedBy },
    whole: relations(),
    async settle() {
      for (const cluster of sandbox.clusters) nudge(cluster);
      for (const [one, other] of pairsOf(names)) {
        sandbox.network.cutLink(one, other);
        sandbox.network.mendLink(one, other);
      }
      await Promise.all(sandbox.clusters.map((cluster) => cluster.settled()));
      for (let look = 1; look <= MOST_LOOKS; look++) {
        await new Promise((done) => setTimeout(done, LOOK_INTERVAL_MS));
        if ((await troubleWithPeers(sandbox, dialled, readers)).length === 0) return;
      }
    },
  };
}
