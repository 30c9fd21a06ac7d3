import { EtcdReadError, type EtcdReadReason, readKey } from '../etcd/read.ts';
import { sleep } from '../kube/retry.ts';
import type { Direction } from '../mesh/connect.ts';
import { MeshctlError } from '../mesh/errors.ts';
import type { KubeObject } from '../mesh/kube-object.ts';
import { APISERVER_SELECTOR, CLUSTER_CONFIG_PREFIX, ETCD_PORT, serviceHostname } from '../mesh/names.ts';
import { isPodReady } from '../mesh/pods.ts';
import type { Flow, Target } from './flow.ts';

/** A client certificate in memory, with the CA to trust. PEM. */
export interface Credential {
  ca: string;
  certificate: string;
  privateKey: string;
}

const ATTEMPT_TIMEOUT_MS = 10_000;
const RETRY_INTERVAL_MS = 500;

/** What a refusal means to the operator once time is up; until then it is retried, because mounts and users follow late. */
const REFUSALS: Readonly<Record<EtcdReadReason, { says: string; hint: string }>> = {
  'tls-unknown-ca': {
    says: 'its server certificate is not signed by the CA in its Secret cilium-ca',
    hint: 'The certificates were made by another CA. Run `meshctl clustermesh enable` there to renew them, and restart its clustermesh-apiserver if the CA was replaced.',
  },
  'tls-expired': {
    says: 'its server certificate has expired or is not valid yet',
    hint: 'Run `meshctl clustermesh enable` there to renew it, and check the clocks.',
  },
  'tls-name': {
    says: 'its server certificate does not cover the address that peers will dial',
    hint: 'The pods have not seen the new certificate. Look at the clustermesh-apiserver pods there.',
  },
  'tls-client-rejected': {
    says: 'it refuses the client certificate',
    hint: 'etcd reads its CA only at its start: if the CA was replaced, restart the clustermesh-apiserver there.',
  },
  'permission-denied': {
    says: 'it does not let the user in',
    hint: 'The apiserver container makes the users from ConfigMap clustermesh-remote-users; look at its log there.',
  },
  unavailable: {
    says: 'it cannot be reached through the API server',
    hint: 'Look at the clustermesh-apiserver pods there.',
  },
  timeout: { says: 'it does not answer in time', hint: 'Look at the clustermesh-apiserver pods there.' },
  protocol: {
    says: 'it does not answer as etcd does',
    hint: 'Look at the etcd container of the clustermesh-apiserver there.',
  },
};

/**
 * Proves that the very credential which will be handed out is let in: through the API server's port-forward it reads the
 * cluster's own description from the etcd of every ready clustermesh-apiserver pod, and the certificate must cover what
 * peers will dial. Retried until the user and the certificate are live.
 * @throws MeshctlError `CredentialRefused` when time is up, naming the last refusal; `Incompatible` when another cluster
 * answers
 */
export async function proveCredential(
  flow: Flow,
  server: Target,
  direction: Direction,
  credential: Credential,
  timeoutMs: number,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const refusal = await tryPods(flow, server, direction, credential);
    if (!refusal) return;
    if (Date.now() + RETRY_INTERVAL_MS >= deadline) throw refusal;
    await sleep(RETRY_INTERVAL_MS, flow.signal);
  }
}

/** One look at all ready pods. @returns the reason to try again, if any */
async function tryPods(
  flow: Flow,
  server: Target,
  direction: Direction,
  credential: Credential,
): Promise<MeshctlError | undefined> {
  const { client, namespace } = server;
  const selection = { apiVersion: 'v1', kind: 'Pod', namespace, labelSelector: APISERVER_SELECTOR };
  const pods = (await client.listAll(selection)).filter((pod) => isPodReady(pod));
  if (pods.length === 0) {
    return new MeshctlError('CredentialRefused', `context "${client.context}": no clustermesh-apiserver pod is ready`, {
      hint: `kubectl --context ${client.context} -n ${namespace} describe pods -l ${APISERVER_SELECTOR}`,
      details: { context: client.context, reason: 'no-ready-pod' },
    });
  }
  const names = [serviceHostname(namespace), ...(direction.endpoint.alias ? [] : direction.server.endpoints.hosts)];
  const attempts = pods.flatMap((pod) => names.map((name) => tryPod(flow, server, direction, credential, pod, name)));
  return (await Promise.all(attempts)).find((refusal) => refusal !== undefined);
}

async function tryPod(
  flow: Flow,
  { client, namespace }: Target,
  direction: Direction,
  credential: Credential,
  pod: KubeObject,
  serverName: string,
): Promise<MeshctlError | undefined> {
  const { identity } = direction.server;
  try {
    const { signal } = flow;
    const socket = await client.portForward({ namespace, pod: pod.metadata.name, port: ETCD_PORT, signal });
    const key = `${CLUSTER_CONFIG_PREFIX}${identity.name}`;
    const value = await readKey({ socket, ...credential, serverName, key, timeoutMs: ATTEMPT_TIMEOUT_MS, signal });
    return value === undefined ? notPublished(client.context, identity.name) : checkIdentity(value, direction);
  } catch (error) {
    flow.signal.throwIfAborted();
    if (error instanceof EtcdReadError) return refusalOf(error, direction);
    if (error instanceof MeshctlError && error.code === 'PortForwardFailed') return error;
    throw error;
  }
}

function refusalOf(error: EtcdReadError, { server, client, user }: Direction): MeshctlError {
  const { says, hint } = REFUSALS[error.reason];
  const { context } = server.snapshot;
  return new MeshctlError(
    'CredentialRefused',
    `context "${context}": etcd does not accept the credential for "${client.identity.name}" (user ${user}): ${says}`,
    { hint, cause: error, details: { context, user, reason: error.reason, message: error.message } },
  );
}

function notPublished(context: string, name: string): MeshctlError {
  return new MeshctlError(
    'CredentialRefused',
    `context "${context}": its etcd has no description of cluster "${name}" yet`,
    {
      hint: 'The apiserver container writes it at its start; look at its log.',
      details: { context, reason: 'cluster-config-missing' },
    },
  );
}

function checkIdentity(value: string, { server }: Direction): undefined {
  const id = (JSON.parse(value) as { id?: number }).id ?? 0;
  if (id === server.identity.id) return undefined;
  const { context } = server.snapshot;
  throw new MeshctlError(
    'Incompatible',
    `context "${context}": cluster "${server.identity.name}" publishes the id ${id}, but cilium-config says ${server.identity.id}`,
    {
      hint: `Restart what still runs with the old id: kubectl --context ${context} -n ${server.snapshot.namespace} rollout restart deployment/clustermesh-apiserver`,
      details: { context },
    },
  );
}
