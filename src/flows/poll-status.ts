import pLimit from 'p-limit';
import type { ExecResult } from '../kube/exec.ts';
import { runsKvstoremesh } from '../mesh/apiserver-deployment.ts';
import { MeshctlError } from '../mesh/errors.ts';
import { identityOf } from '../mesh/identity.ts';
import type { KubeObject } from '../mesh/kube-object.ts';
import {
  AGENT_CONTAINER,
  AGENT_PEERS_SECRET,
  AGENT_SELECTOR,
  APISERVER_SELECTOR,
  apiserverDeploymentRef,
  CILIUM_CONFIG,
  configMapRef,
  KVSTOREMESH_CONTAINER,
  KVSTOREMESH_PEERS_SECRET,
  secretRef,
} from '../mesh/names.ts';
import { peersIn } from '../mesh/peer-config.ts';
import { isPodRunning, nodeOf } from '../mesh/pods.ts';
import { secretTexts } from '../mesh/secret-data.ts';
import type { PollResult, RemoteClusterReport, StatusInput } from '../mesh/status.ts';
import type { Flow, Target } from './flow.ts';

export interface PollOptions {
  /** Execs at a time. */
  parallel: number;
  /** For one exec. */
  nodeTimeoutMs: number;
  /** Called as answers come in. */
  onProgress?: ((answered: number, total: number) => void) | undefined;
}

const AGENT_STATUS = ['cilium', 'status', '-o', 'json'];
const KVSTOREMESH_STATUS = ['/usr/bin/clustermesh-apiserver', 'kvstoremesh-dbg', 'status', '-o', 'json'];

/** A pod may be replaced while it is asked; its successor is asked instead, so often at most. */
const MOST_SUCCESSORS = 2;

interface Container {
  selector: string;
  container: string;
  command: readonly string[];
  /** What a pod's answer is known by. */
  nameOf(pod: KubeObject): string;
  parse(stdout: string): readonly RemoteClusterReport[];
}

const AGENTS: Container = {
  selector: AGENT_SELECTOR,
  container: AGENT_CONTAINER,
  command: AGENT_STATUS,
  nameOf: (pod) => nodeOf(pod) ?? pod.metadata.name,
  parse: (stdout) =>
    (JSON.parse(stdout) as { 'cluster-mesh'?: { clusters?: RemoteClusterReport[] } })['cluster-mesh']?.clusters ?? [],
};

const REPLICAS: Container = {
  selector: APISERVER_SELECTOR,
  container: KVSTOREMESH_CONTAINER,
  command: KVSTOREMESH_STATUS,
  nameOf: (pod) => pod.metadata.name,
  parse: (stdout) => (JSON.parse(stdout) as RemoteClusterReport[] | null) ?? [],
};

/**
 * Asks one cluster what {@link evaluateStatus} needs: its peers by the Secrets, and every agent and KVStoreMesh replica.
 * An agent that does not answer is part of the result, not an error.
 * @throws MeshctlError `CiliumMissing`, and what keeps the cluster from being asked at all
 */
export async function pollStatus(flow: Flow, target: Target, options: PollOptions): Promise<StatusInput> {
  const { client, namespace } = target;
  const [config, agentSecret, kvstoremeshSecret, deployment] = await Promise.all([
    client.get(configMapRef(namespace, CILIUM_CONFIG)),
    client.get(secretRef(namespace, AGENT_PEERS_SECRET)),
    client.get(secretRef(namespace, KVSTOREMESH_PEERS_SECRET)),
    client.get(apiserverDeploymentRef(namespace)),
  ]);
  if (!config) {
    throw new MeshctlError(
      'CiliumMissing',
      `context "${client.context}": no Cilium in namespace ${namespace} (there is no ConfigMap ${CILIUM_CONFIG})`,
      { hint: 'Install Cilium first, or name its namespace with -n.', details: { context: client.context, namespace } },
    );
  }
  const identity = identityOf((config.data ?? {}) as Record<string, string>);
  const peersOf = (secret: KubeObject | undefined): string[] =>
    peersIn(secretTexts(secret)).filter((peer) => peer !== identity.name);
  const peers = peersOf(agentSecret);
  const kvstoremesh = runsKvstoremesh(deployment) ?? false;
  const poller = createPoller(flow, target, options);
  const [agents, replicas] = await Promise.all([poller.ask(AGENTS), kvstoremesh ? poller.ask(REPLICAS) : []]);
  return {
    context: client.context,
    namespace,
    clusterName: identity.name,
    clusterId: identity.id,
    peers,
    enabled: deployment !== undefined,
    agents,
    kvstoremesh: { enabled: kvstoremesh, peers: peersOf(kvstoremeshSecret), replicas },
  };
}

function createPoller(flow: Flow, { client, namespace }: Target, options: PollOptions) {
  const limit = pLimit(options.parallel);
  let answered = 0;
  let total = 0;

  const podsOf = ({ selector }: Container): Promise<KubeObject[]> =>
    client.listAll({ apiVersion: 'v1', kind: 'Pod', namespace, labelSelector: selector });

  async function ask(of: Container): Promise<PollResult[]> {
    const pods = (await podsOf(of)).filter((pod) => !pod.metadata.deletionTimestamp);
    total += pods.length;
    return Promise.all(
      pods.map((pod) =>
        limit(async () => {
          const result = await askPod(of, pod, MOST_SUCCESSORS);
          answered += 1;
          options.onProgress?.(answered, total);
          return result;
        }),
      ),
    );
  }

  async function askPod(of: Container, pod: KubeObject, successors: number): Promise<PollResult> {
    const name = of.nameOf(pod);
    if (!isPodRunning(pod)) return { name, error: `pod ${pod.metadata.name} is not running` };
    try {
      const result = await client.exec({
        namespace,
        pod: pod.metadata.name,
        container: of.container,
        command: of.command,
        timeoutMs: options.nodeTimeoutMs,
        signal: flow.signal,
      });
      return { name, ...readAnswer(of, result) };
    } catch (error) {
      flow.signal.throwIfAborted();
      if (isForEveryPod(error)) throw error;
      const successor = successors > 0 ? await successorOf(of, pod) : undefined;
      if (successor) return askPod(of, successor, successors - 1);
      return { name, error: error instanceof Error ? error.message : String(error) };
    }
  }

  /** The pod that took the place of one that is gone; undefined while the pod itself is still there. */
  async function successorOf(of: Container, pod: KubeObject): Promise<KubeObject | undefined> {
    const pods = await podsOf(of);
    if (pods.some(({ metadata }) => metadata.uid === pod.metadata.uid && !metadata.deletionTimestamp)) return undefined;
    return pods.find((other) => nodeOf(other) === nodeOf(pod) && !other.metadata.deletionTimestamp);
  }

  return { ask };
}

function readAnswer(of: Container, { stdout, stderr, exitCode }: ExecResult): Omit<PollResult, 'name'> {
  if (exitCode !== 0)
    return { error: `${of.command.join(' ')} ended with ${exitCode}: ${firstLine(stderr || stdout)}` };
  try {
    const clusters = of.parse(stdout);
    return Array.isArray(clusters) ? { clusters } : { error: `${of.command.join(' ')} gave no list of clusters` };
  } catch {
    return { error: `${of.command.join(' ')} gave no JSON: ${firstLine(stdout)}` };
  }
}

/** Not being let in or reaching nothing holds for all pods alike: one clear error instead of many equal ones. */
function isForEveryPod(error: unknown): boolean {
  return (
    error instanceof MeshctlError && ['Forbidden', 'Unauthenticated', 'ClusterUnreachable', 'Bug'].includes(error.code)
  );
}

/** Agents' output is not trusted: without control characters, and short. */
function firstLine(text: string): string {
  const line = text.trim().split('\n', 1)[0] ?? '';
  return line.replace(/\p{Cc}/gu, ' ').slice(0, 200);
}
