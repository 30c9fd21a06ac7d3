import { EtcdReadError, type EtcdSeen } from '../../etcd/read-error.ts';
import { isRolledOut, replicasOf } from '../../mesh/apiserver/deployment.ts';
import { coversHost } from '../../mesh/certificates/cluster-certificates.ts';
import { reissueAdvice } from '../../mesh/certificates/reissue.ts';
import { type Direction, dialledHosts } from '../../mesh/connect/direction.ts';
import { noReplicas, serverRemoved } from '../../mesh/connect/provable.ts';
import { capital } from '../../mesh/counted.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import type { KubeObject } from '../../mesh/objects/kube-object.ts';
import { keyOf } from '../../mesh/objects/kube-object.ts';
import { lastChange, TAKEN_UP_WITHIN_MS } from '../../mesh/objects/last-change.ts';
import {
  APISERVER,
  apiserverDeploymentRef,
  configMapRef,
  REMOTE_USERS_CONFIGMAP,
  SERVER_CERT_SECRET,
  secretRef,
  serviceHostname,
} from '../../mesh/objects/names.ts';
import { startedAt } from '../../mesh/objects/pods.ts';
import { restartWorkloads } from '../../mesh/objects/restart.ts';
import { secretTexts } from '../../mesh/objects/secret-data.ts';
import { userRole } from '../../mesh/peers/users/remote-users.ts';
import { isGoing } from '../../mesh/plan/going.ts';
import { TLS_KEYS } from '../../mesh/plan/plan.ts';
import { readBundle } from '../../pki/read.ts';
import type { Flow, Target } from '../flow.ts';
import { orWithout } from '../where-it-succeeds.ts';
import { contraryRun } from '../write/contrary-run.ts';
import { explainRefusal } from './refusal.ts';

/** Told by {@link explainRefusal}: the list of users itself says so, and whoever waits for it waits in vain. */
const BY_THE_LIST: ReadonlySet<unknown> = new Set(['user-missing', 'role-wrong']);

/**
 * A refusal that no waiting changes, told exactly; undefined for one that may pass. What is mounted follows its Secret or
 * ConfigMap within minutes (kubelet), and the users within seconds of that. So only what is so by the objects themselves is
 * settled: the certificate that etcd shows is the Secret's and lacks a name, the list does not have the user, or has had it
 * since long before, or what runs has from its start what does not fit (its name, its CA), and no rollout is under way. So is that no
 * pod is wanted any more.
 * @param pods that were asked
 */
export async function settledRefusal(
  flow: Flow,
  server: Target,
  direction: Direction,
  refusal: MeshctlError,
  pods: readonly KubeObject[],
): Promise<MeshctlError | undefined> {
  const { cause } = refusal;
  const seen = cause instanceof EtcdReadError ? cause.seen : {};
  const { reason } = refusal.details;
  if (reason === 'no-ready-pod') return settledIdle(flow, server, [direction.client.identity.name]);
  if (reason === 'tls-name') return settledNames(server, direction, refusal, seen);
  // Who only hangs up may have been about to end.
  const isFinal = reason === 'tls-client-rejected' && seen.alert !== undefined;
  if (!isFinal && reason !== 'permission-denied' && reason !== 'cluster-config-missing') return undefined;
  const told = await explainRefusal(flow, server, direction, refusal, pods);
  if (BY_THE_LIST.has(told.details.reason)) return told;
  const isSinceItsStart = isFinal || told.details.reason === 'wrong-cluster-name';
  if (isSinceItsStart) return (await isSettled(server)) ? told : undefined;
  return reason === 'permission-denied' ? userNotMade(flow, server, direction, refusal, pods) : undefined;
}

/**
 * Why no pod that is not there is to be waited for: the clustermesh-apiserver has been removed, or scaled to 0.
 * @param peers names of those that are to be let in
 */
export async function settledIdle(
  flow: Pick<Flow, 'signal'>,
  server: Target,
  peers: readonly string[],
): Promise<MeshctlError | undefined> {
  const { client, namespace } = server;
  const place = { context: client.context, namespace };
  const reading = client.get(apiserverDeploymentRef(namespace));
  const deployment = await orWithout<KubeObject | 'unread' | undefined>(flow, reading, 'unread');
  if (deployment === 'unread') return undefined;
  if (!deployment || isGoing(deployment)) return serverRemoved(place, await contraryRun(flow, server, peers));
  return replicasOf(deployment) === 0 ? noReplicas(place, deployment) : undefined;
}

/** Where list and pods are as they were for longer than a kubelet takes, the apiserver container has had its time. */
async function userNotMade(
  flow: Flow,
  { client, namespace }: Target,
  { credential: { user } }: Direction,
  { code, message, cause, details }: MeshctlError,
  pods: readonly KubeObject[],
): Promise<MeshctlError | undefined> {
  const list = await client.get(configMapRef(namespace, REMOTE_USERS_CONFIGMAP));
  if (!list || userRole(list, user) === undefined) return undefined;
  const times = [lastChange(list), ...pods.map((pod) => startedAt(pod)?.getTime())];
  const isOld = (time: number | undefined) => time !== undefined && flow.now().getTime() - time > TAKEN_UP_WITHIN_MS;
  if (!times.every(isOld)) return undefined;
  const { context } = client;
  const words = `${message}, although ConfigMap ${REMOTE_USERS_CONFIGMAP} has had the user for a while`;
  // etcd lives and dies with its pod: a new one has the users of the list.
  const ref = apiserverDeploymentRef(namespace);
  const live = await client.get(ref);
  const objects = new Map(live ? [[keyOf(ref), live]] : []);
  const restart = restartWorkloads({ context, namespace, objects }, [`deployment/${APISERVER}`]);
  const hint = `The apiserver container has not created the user; a new pod creates those of the list: ${restart}`;
  return new MeshctlError(code, words, { hint, cause, details: { ...details, reason: 'user-not-made' } });
}

/** As long as a mount lags behind its Secret, etcd shows another certificate than the Secret has. */
async function settledNames(
  { client, namespace }: Target,
  { server, endpoint, ...direction }: Direction,
  { code, message, cause, details }: MeshctlError,
  { certificateSha256 }: EtcdSeen,
): Promise<MeshctlError | undefined> {
  const secret = await client.get(secretRef(namespace, SERVER_CERT_SECRET));
  const [certificate] = readBundle(secretTexts(secret)[TLS_KEYS.certificate] ?? '');
  if (!certificate || certificate.sha256 !== certificateSha256) return undefined;
  const names = [serviceHostname(namespace), ...dialledHosts({ ...direction, server, endpoint })];
  const uncovered = names.filter((name) => !coversHost(certificate, name));
  const hint = capital(reissueAdvice(server.snapshot, [SERVER_CERT_SECRET], uncovered));
  return new MeshctlError(code, message, { hint, cause, details });
}

async function isSettled({ client, namespace }: Target): Promise<boolean> {
  const deployment = await client.get(apiserverDeploymentRef(namespace));
  return deployment !== undefined && isRolledOut(deployment);
}
