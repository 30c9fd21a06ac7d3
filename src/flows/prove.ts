import pLimit from 'p-limit';
import { EtcdReadError, readKey } from '../etcd/read.ts';
import { sleep } from '../kube/retry.ts';
import { kubectlCommand } from '../mesh/command-line.ts';
import { type Direction, dialledHosts } from '../mesh/direction.ts';
import { MeshctlError } from '../mesh/errors.ts';
import type { KubeObject } from '../mesh/kube-object.ts';
import { APISERVER_SELECTOR, CLUSTER_CONFIG_PREFIX } from '../mesh/names.ts';
import { isPodReady } from '../mesh/pods.ts';
import type { Flow, Target } from './flow.ts';
import { type ClientCertificate, openEtcd } from './open-etcd.ts';
import { explainRefusal, notPublished, refusalOf } from './refusal.ts';

/** A direction with the very credential that will be handed out for it. */
export interface Proof {
  direction: Direction;
  certificate: ClientCertificate;
}

const ATTEMPT_TIMEOUT_MS = 10_000;
const RETRY_INTERVAL_MS = 250;
/** Port-forwards to one cluster at a time. */
const ATTEMPTS_AT_A_TIME = 8;

/** Reasons after which other pods may be there than before. */
const PODS_MAY_DIFFER = new Set(['no-ready-pod', 'unavailable', 'timeout']);

/**
 * Proves that one cluster lets all of its new peers in: with the very credentials it reads the cluster's own description
 * from the etcd of every ready clustermesh-apiserver pod, through the API server's port-forward, and the certificate must
 * cover what peers will dial. Users and certificates become live within seconds, so refusals are retried; until then with
 * one credential only, because all of them become live together. That makes one port-forward for each pod and credential,
 * and few more.
 * @throws MeshctlError `CredentialRefused` when time is up, naming the last refusal; `Incompatible` when another cluster
 * answers
 */
export async function proveServer(
  flow: Flow,
  server: Target,
  proofs: readonly Proof[],
  timeoutMs: number,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  const limit = pLimit(ATTEMPTS_AT_A_TIME);
  // The last user in the list is the last to be made.
  let pending = [...proofs].reverse();
  let pods: readonly KubeObject[] | undefined;
  while (pending.length > 0) {
    pods ??= await readyPods(server);
    const present = pods;
    const attempt = async (proof: Proof) => ({
      proof,
      refusal: await limit(() => tryPods(flow, server, proof, present)),
    });
    const [pilot, ...others] = pending;
    const first = pilot && (await attempt(pilot));
    const results =
      first && !first.refusal ? [first, ...(await Promise.all(others.map(attempt)))] : first ? [first] : [];
    const proved = new Set(results.flatMap(({ proof, refusal }) => (refusal ? [] : [proof])));
    pending = pending.filter((proof) => !proved.has(proof));
    const refused = results.find(({ refusal }) => refusal);
    if (!refused?.refusal) continue;
    if (Date.now() + RETRY_INTERVAL_MS >= deadline) {
      throw await explainRefusal(flow, server, refused.proof.direction, refused.refusal, present);
    }
    if (PODS_MAY_DIFFER.has(String(refused.refusal.details.reason))) pods = undefined;
    await sleep(RETRY_INTERVAL_MS, flow.signal);
  }
}

async function readyPods({ client, namespace }: Target): Promise<KubeObject[]> {
  const selection = { apiVersion: 'v1', kind: 'Pod', namespace, labelSelector: APISERVER_SELECTOR };
  return (await client.listAll(selection)).filter((pod) => isPodReady(pod));
}

/** One look at all ready pods. @returns the reason to try again, if any */
async function tryPods(
  flow: Flow,
  server: Target,
  proof: Proof,
  pods: readonly KubeObject[],
): Promise<MeshctlError | undefined> {
  if (pods.length === 0) return noReadyPod(server);
  const refusals = await Promise.all(pods.map((pod) => tryPod(flow, server, proof, pod)));
  return refusals.find((refusal) => refusal !== undefined);
}

function noReadyPod({ client: { context }, namespace }: Target): MeshctlError {
  return new MeshctlError('CredentialRefused', `context "${context}": no clustermesh-apiserver pod is ready`, {
    hint: kubectlCommand({ context, namespace }, ['describe', 'pods', '-l', APISERVER_SELECTOR]),
    details: { context, reason: 'no-ready-pod' },
  });
}

async function tryPod(
  flow: Flow,
  server: Target,
  { direction, certificate }: Proof,
  pod: KubeObject,
): Promise<MeshctlError | undefined> {
  const { identity } = direction.server;
  try {
    const value = await readKey({
      ...(await openEtcd(flow, server, pod)),
      ...certificate,
      otherNames: dialledHosts(direction),
      key: `${CLUSTER_CONFIG_PREFIX}${identity.name}`,
      timeoutMs: ATTEMPT_TIMEOUT_MS,
    });
    return value === undefined ? notPublished(direction) : checkIdentity(value, direction);
  } catch (error) {
    flow.signal.throwIfAborted();
    if (error instanceof EtcdReadError) return refusalOf(error, direction);
    if (error instanceof MeshctlError && error.code === 'Forbidden') throw withoutProof(error);
    if (error instanceof MeshctlError && (error.code === 'PortForwardFailed' || error.code === 'NotFound')) {
      return new MeshctlError(error.code, error.message, {
        hint: error.hint,
        cause: error,
        details: { ...error.details, reason: 'unavailable' },
      });
    }
    throw error;
  }
}

/** Where port-forward is forbidden on purpose there is a way without it. */
function withoutProof({ code, message, hint = '', details, cause }: MeshctlError): MeshctlError {
  const way = 'Or connect with --no-proof: credentials are then handed out untried.';
  return new MeshctlError(code, message, { hint: `${hint} ${way}`.trim(), details, cause });
}

function checkIdentity(value: string, { server }: Direction): undefined {
  const id = clusterIdIn(value);
  if (id === server.identity.id) return undefined;
  const { context, namespace } = server.snapshot;
  throw new MeshctlError(
    'Incompatible',
    `context "${context}": cluster "${server.identity.name}" publishes the id ${id ?? 'of nobody'}, but cilium-config says ${server.identity.id}`,
    {
      hint: `Restart what still runs with the old id: ${kubectlCommand({ context, namespace }, ['rollout', 'restart', 'deployment/clustermesh-apiserver'])}`,
      details: { context, reason: 'wrong-cluster-id' },
    },
  );
}

/** The id in a cluster's description of itself; undefined when that is not readable. */
export function clusterIdIn(description: string): number | undefined {
  try {
    return (JSON.parse(description) as { id?: number } | null)?.id ?? 0;
  } catch {
    return undefined;
  }
}
