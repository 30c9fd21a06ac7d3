import pLimit from 'p-limit';
import { EtcdReadError } from '../../etcd/read-error.ts';
import { caMark, POD_RESTART_ANNOTATION, podCaMark } from '../../mesh/apiserver/pod-marks.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { apiserverDeploymentRef, SERVER_CERT_SECRET, secretRef } from '../../mesh/objects/names.ts';
import { secretText } from '../../mesh/objects/secret-data.ts';
import { groupBy } from '../../mesh/pairs.ts';
import { TLS_KEYS } from '../../mesh/plan/plan.ts';
import { readBundle } from '../../pki/read.ts';
import { awaitRollout } from '../enable/await-apiserver.ts';
import { type Proof, type ProofOptions, proveServer } from '../etcd/prove.ts';
import type { Flow, Target } from '../flow.ts';
import { allOrFirstError } from '../parallel.ts';
import type { RotateOptions } from './prepare-rotation.ts';

/**
 * Each credential must open every pod of its server's etcd, whose certificate must be from the CA alone. An etcd that refuses one of
 * a CA that its pods are marked by is started anew: it has not read what the mark says, and no further run would find that out.
 * @throws MeshctlError `CredentialRefused`
 */
export async function proveAll(
  flow: Flow,
  targets: readonly Target[],
  proofs: readonly Proof[],
  { parallel, waitMs, say }: Pick<RotateOptions, 'parallel' | 'waitMs'> & { say: (clause: string) => void },
): Promise<void> {
  const byServer = groupBy(proofs, ({ direction }) => direction.server.snapshot.context);
  const limit = pLimit(parallel);
  const options = { timeoutMs: waitMs, limit, say: (clause: string) => say(`waiting: ${clause}`) };
  const proving = targets.flatMap((target) => {
    const own = byServer.get(target.client.context) ?? [];
    return own.length > 0 ? [proveMarked(flow, target, own, options)] : [];
  });
  if (proving.length > 0) say('proving the certificates against the etcds');
  await allOrFirstError(proving, flow.progress);
}

async function proveMarked(flow: Flow, server: Target, proofs: readonly Proof[], options: ProofOptions): Promise<void> {
  try {
    await proveServer(flow, server, proofs, options);
  } catch (error) {
    if (!isOfUnknownCa(error) || !(await hasUnreadCa(server, proofs))) throw error;
    const { client, namespace } = server;
    flow.progress.warn(
      `context "${client.context}": its etcd refuses certificates of the CA that its pods are marked as started with: its pods are replaced once more, so that it reads those CAs`,
    );
    const annotations = { [POD_RESTART_ANNOTATION]: flow.now().toISOString() };
    await client.patch(apiserverDeploymentRef(namespace), { spec: { template: { metadata: { annotations } } } });
    await awaitRollout(flow, server, options.timeoutMs);
    await proveServer(flow, server, proofs, options);
  }
}

/** What etcd answers to a certificate of a CA that it does not know; another clock is something else. */
function isOfUnknownCa(error: unknown): boolean {
  if (!(error instanceof MeshctlError) || error.details.reason !== 'tls-client-rejected') return false;
  return !(error.cause instanceof EtcdReadError && /expired/.test(error.cause.seen.alert ?? ''));
}

/** Whether the CA of the server is among those of its pods' mark, and among those that a new pod would read. */
async function hasUnreadCa({ client, namespace }: Target, [proof]: readonly Proof[]): Promise<boolean> {
  const ca = proof?.direction.server.snapshot.ca?.certificate;
  if (!ca) return false;
  const deployment = await client.get(apiserverDeploymentRef(namespace));
  const secret = await client.get(secretRef(namespace, SERVER_CERT_SECRET));
  const beside = readBundle(secretText(secret, TLS_KEYS.ca) ?? '');
  return (
    beside.some(({ sha256 }) => sha256 === ca.sha256) &&
    podCaMark(deployment)
      ?.split(',')
      .includes(caMark([ca])) === true
  );
}
