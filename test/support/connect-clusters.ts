import { createHash } from 'node:crypto';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import type { Fault } from '../../src/sandbox/apiserver/api.ts';
import type { InterceptedRequest, SandboxOptions } from '../../src/sandbox/options.ts';
import type { CliResult } from './cli.ts';
import { type Meshctl, meshctlWith } from './e2e-cli.ts';
import { namesOf } from './mesh-names.ts';
import { startTestSandbox, type TestSandbox } from './sandbox-mesh.ts';

/** A request that an API server of the sandbox got, with its context. */
export interface SeenRequest extends InterceptedRequest {
  context: string;
}

/** Enabled clusters of a sandbox, whose requests can be counted and made to fail. */
export interface ConnectClusters extends TestSandbox {
  /** What the API servers have been asked since it was last emptied, without what the test itself asked. */
  requests: SeenRequest[];
  /** While set, decides what becomes of each request of meshctl. */
  fault: ((request: SeenRequest) => Promise<Fault | undefined>) | undefined;
  meshctl: Meshctl;
  /** Everything in the clusters that a connect could leave behind, comparable as text. */
  objects(): Record<string, unknown>;
}

/** Starts clusters `mesh-1`… and enables Cluster Mesh in all of them. */
export async function startConnectClusters(count: number, options: SandboxOptions = {}): Promise<ConnectClusters> {
  const clusters = await startBareClusters(count, options);
  const enabled = await clusters.meshctl(['clustermesh', 'enable', '--context', namesOf(count).join(',')]);
  if (enabled.exitCode !== 0) throw new Error(`enable failed: ${enabled.stderr}`);
  clusters.requests.length = 0;
  return clusters;
}

/** Starts clusters `mesh-1`…, in which Cluster Mesh is not enabled. */
export async function startBareClusters(count: number, options: SandboxOptions = {}): Promise<ConnectClusters> {
  const requests: SeenRequest[] = [];
  const state: { fault: ConnectClusters['fault'] } = { fault: undefined };
  const sandbox = await startTestSandbox({
    clusters: count,
    nodes: 1,
    ...options,
    intercept: async (context, request) => {
      const seen = { ...request, context };
      requests.push(seen);
      return state.fault?.(seen);
    },
  });
  const meshctl = meshctlWith(sandbox.kubeconfigPath);
  return {
    ...sandbox,
    requests,
    get fault() {
      return state.fault;
    },
    set fault(fault) {
      state.fault = fault;
    },
    meshctl,
    objects: () =>
      Object.fromEntries(
        sandbox.clusters.flatMap(({ context, store }) =>
          KINDS.flatMap(([apiVersion, kind]) =>
            store
              .list({ apiVersion, kind, namespace: 'kube-system' })
              .map((object) => [`${context} ${kind}/${object.metadata.name}`, comparable(object)]),
          ),
        ),
      ),
  };
}

const KINDS = [
  ['v1', 'Secret'],
  ['v1', 'ConfigMap'],
  ['v1', 'Service'],
  ['v1', 'ServiceAccount'],
  ['v1', 'Pod'],
  ['apps/v1', 'Deployment'],
  ['apps/v1', 'DaemonSet'],
  ['apps/v1', 'ReplicaSet'],
] as const;

/** Without what every write changes by itself; of Secrets digests, for a failure prints all of it. */
function comparable({ metadata, ...rest }: KubeObject): unknown {
  const { resourceVersion, managedFields, ...own } = metadata;
  if (rest.kind !== 'Secret' || rest.data === undefined) return { ...rest, metadata: own };
  const digests = Object.entries(rest.data as Record<string, string>).map(([key, value]) => [
    key,
    createHash('sha256').update(value).digest('hex').slice(0, 12),
  ]);
  return { ...rest, data: Object.fromEntries(digests), metadata: own };
}

/** Peers that every agent of every cluster is to see. */
export async function statusIsGreen(clusters: ConnectClusters): Promise<CliResult> {
  return clusters.meshctl(['clustermesh', 'status', '--all', '--wait', '--wait-duration', '60s']);
}

/** Writes to the objects that make the mesh; nudges of pods are left out. */
export function isMeshWrite({ verb, resource }: SeenRequest): boolean {
  return (
    ['create', 'patch', 'update', 'delete'].includes(verb) &&
    ['secrets', 'configmaps', 'deployments'].includes(resource)
  );
}
