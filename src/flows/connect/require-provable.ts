import { EtcdReadError } from '../../etcd/read-error.ts';
import { isRefusal, MeshctlError } from '../../mesh/errors.ts';
import { apiserverPods, askPod, descriptionKey, readyPods, untilSettled } from '../etcd/ask-etcd.ts';
import type { ClientCertificate } from '../etcd/open-etcd.ts';
import { noReadyPod } from '../etcd/prove.ts';
import { settledIdle } from '../etcd/settled-refusal.ts';
import type { Flow, Target } from '../flow.ts';

const LOOK_INTERVAL_MS = 500;

/** Of an etcd that could not be asked, as opposed to one that says no. */
const UNASKED: ReadonlySet<string> = new Set(['unavailable', 'timeout']);

/**
 * Looks, before anything is written, whether a cluster's etcd can be asked at all: a pod must be ready, and the API server
 * must forward its port. What etcd says to the credential does not matter.
 * @param credential any that the cluster knows, in whatever state
 * @throws MeshctlError `CredentialRefused` with why no pod is ready, at once where none is wanted; at once what the API server refuses
 */
export async function requireProvable(
  flow: Flow,
  server: Target,
  { credential, cluster, timeoutMs }: { credential: ClientCertificate; cluster: string; timeoutMs: number },
  say: (clause: string) => void = () => {},
): Promise<void> {
  const { client } = server;
  const deadline = flow.clock.ms() + timeoutMs;
  const question = { credential, key: descriptionKey(cluster), deadline };
  await untilSettled(flow, { deadline, intervalMs: LOOK_INTERVAL_MS }, async (last) => {
    const [pod] = await readyPods(server);
    const idle = pod ? undefined : await settledIdle(flow, server, [cluster]);
    if (idle) throw idle;
    const trouble = pod
      ? unaskedIn(await askPod(flow, server, pod, question), client.context)
      : noReadyPod(server, await apiserverPods(server));
    if (!trouble) return true;
    if (last || isRefusal(trouble)) throw trouble;
    say(trouble.message);
    return undefined;
  });
}

function unaskedIn(answer: Awaited<ReturnType<typeof askPod>>, context: string): MeshctlError | undefined {
  if ('value' in answer) return undefined;
  const { error } = answer;
  if (error instanceof MeshctlError) return error;
  if (!(error instanceof EtcdReadError) || !UNASKED.has(error.reason)) return undefined;
  return new MeshctlError('CredentialRefused', `context "${context}": its etcd cannot be queried: ${error.message}`, {
    details: { context, reason: error.reason },
    cause: error,
  });
}
