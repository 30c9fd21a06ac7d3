import type { EtcdReadError, EtcdReadReason } from '../../etcd/read-error.ts';
import { runsWithFormerCa, settleServed } from '../../mesh/apiserver/pod-marks.ts';
import { validityFault } from '../../mesh/certificates/cluster-certificates.ts';
import { reissueAdvice } from '../../mesh/certificates/reissue.ts';
import { saysApart, setClocksRight } from '../../mesh/cluster-clocks.ts';
import type { ClusterSnapshot } from '../../mesh/cluster-snapshot.ts';
import { kubectlCommand, meshctlCommand } from '../../mesh/command-line.ts';
import type { Direction } from '../../mesh/connect/direction.ts';
import { signAnew } from '../../mesh/connect/provable.ts';
import { capital } from '../../mesh/counted.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import type { KubeObject } from '../../mesh/objects/kube-object.ts';
import {
  APISERVER,
  APISERVER_SELECTOR,
  configMapRef,
  REMOTE_ROLE,
  REMOTE_USERS_CONFIGMAP,
  SERVER_CERT_SECRET,
  SHARED_USER,
} from '../../mesh/objects/names.ts';
import { restartWorkloads, type WorkloadsPlace } from '../../mesh/objects/restart.ts';
import { listAdvice } from '../../mesh/objects/source-advice.ts';
import { configuredPeers } from '../../mesh/peers/peers.ts';
import { userRole } from '../../mesh/peers/users/remote-users.ts';
import { whoElse } from '../../mesh/working-runs.ts';
import type { Flow, Target } from '../flow.ts';
import { CONNECT_AFTERWARDS, contraryRun } from '../write/contrary-run.ts';
import { readClusterConfigs } from './read-own-keys.ts';

interface Words {
  says: string;
  /** Of the cluster whose etcd refuses. @param client that is to dial it */
  hint(cluster: ClusterSnapshot, client: ClusterSnapshot): string;
}

type Place = Pick<ClusterSnapshot, 'context' | 'namespace'>;

const restart = (place: WorkloadsPlace) => restartWorkloads(place, [`deployment/${APISERVER}`]);

const seePods = (place: Place) => kubectlCommand(place, ['get', 'pods', '-l', APISERVER_SELECTOR]);
const seeLog = (place: Place, container: string) =>
  kubectlCommand(place, ['logs', 'deployment/clustermesh-apiserver', '-c', container]);

/** What its etcd lacks or still has, the apiserver container was to write; a new pod's etcd is empty, and gets all of it again. */
const seeWriter = (place: WorkloadsPlace, what: string) =>
  `The apiserver container writes ${what} into etcd, and its log says why it has not: ${seeLog(place, 'apiserver')}; or let a new pod do so: ${restart(place)}`;

/** What helps where an etcd does not have the users that the list names. */
export const seeUsers = (place: WorkloadsPlace) => seeWriter(place, `the users of ConfigMap ${REMOTE_USERS_CONFIGMAP}`);

/** What a refusal means to the operator once time is up; until then it is retried, because mounts and users follow late. */
const REFUSALS: Readonly<Record<EtcdReadReason, Words>> = {
  'tls-unknown-ca': {
    says: 'its server certificate is not signed by the CA in its Secret cilium-ca',
    hint: (cluster, client) => signAnew(cluster, [client], [SERVER_CERT_SECRET]),
  },
  'tls-expired': {
    says: 'its server certificate has expired or is not valid yet',
    hint: (cluster) => `Check the clocks; ${reissueAdvice(cluster, [SERVER_CERT_SECRET])}`,
  },
  'tls-name': {
    says: 'its server certificate does not cover the address that peers will dial',
    hint: (place) => `The pods have not seen the new certificate: ${seePods(place)}`,
  },
  'tls-not-shown': {
    says: 'it shows another server certificate than the new one',
    hint: (place) => `The pods have not seen the new certificate: ${seePods(place)}`,
  },
  'tls-client-rejected': {
    says: 'it refuses the client certificate',
    hint: (place) =>
      `Its log says why (an untrusted CA, another clock): ${seeLog(place, 'etcd')}; or restart it, if its CA was replaced since its start: ${restart(place)}`,
  },
  'permission-denied': { says: 'it does not let the user in', hint: seeUsers },
  unavailable: {
    says: 'it cannot be reached through the API server',
    hint: seePods,
  },
  timeout: { says: 'it does not answer in time', hint: seePods },
  protocol: {
    says: 'it does not answer as etcd does',
    hint: (place) => seeLog(place, 'etcd'),
  },
};

/** To Go, in which etcd is written, a certificate that is not valid yet is an expired one. */
const OTHER_CLOCK: Words = {
  says: 'to it the client certificate has expired or is not valid yet',
  hint: ({ context, clockAheadMs }) =>
    `${clockAheadMs ? `${capital(saysApart([{ context, clockAheadMs }]))}: set right which is wrong` : 'Set the clocks of this machine and of the cluster right'}; the cluster's is in the answer's header Date: ${kubectlCommand({ context }, ['get', '--raw', '/version', '-v=8'])}`,
};

/** The time at which it was judged is that of its own cluster, whose clock is wrong. */
const OWN_CLOCK: Words = {
  says: 'by the clock of its own cluster its server certificate has expired or is not valid yet, and by those of others it is good',
  hint: (cluster) => `${capital(saysApart([cluster]))}: ${setClocksRight([cluster.context])}`,
};

/** Whether the server certificate of a cluster is valid by the time of the run, from which its own clock is apart. */
function isGoodByOthers(flow: Pick<Flow, 'now'>, { clockAheadMs, tlsSecrets }: ClusterSnapshot): boolean {
  const certificate = tlsSecrets.get(SERVER_CERT_SECRET)?.certificate;
  return Boolean(clockAheadMs) && certificate !== undefined && validityFault(certificate, flow.now()) === undefined;
}

/** What etcd itself says to the credential; else it was not asked, by whatever kept it or this machine from that. */
const BY_ETCD: ReadonlySet<string> = new Set([
  ...(['tls-client-rejected', 'permission-denied'] satisfies EtcdReadReason[]),
  ...['user-missing', 'role-wrong', 'wrong-cluster-name'],
]);

/** A refusal as the operator reads it. */
export function refusalOf(error: EtcdReadError, direction: Direction): MeshctlError {
  const isOfTime = error.reason === 'tls-client-rejected' && /expired/.test(error.seen.alert ?? '');
  return refusal(direction, error.reason, isOfTime ? OTHER_CLOCK : REFUSALS[error.reason], error);
}

/** The etcd has no description of the cluster of that name. */
export function notPublished({ server }: Direction): MeshctlError {
  const { context } = server.snapshot;
  return new MeshctlError(
    'CredentialRefused',
    `context "${context}": its etcd has no description of cluster "${server.identity.name}" yet`,
    {
      hint: seeWriter(server.snapshot, 'it'),
      details: { context, reason: 'cluster-config-missing' },
    },
  );
}

/** What comes of an etcd that takes certificates of another CA than the one beside its server certificate. */
const BY_OTHER_CA: ReadonlySet<string> = new Set<EtcdReadReason>(['timeout', 'tls-client-rejected', 'tls-name']);

const REPLACED_CA: Words = {
  says: `its server certificate is from another CA than the one that its etcd was started with (Secret ${SERVER_CERT_SECRET})`,
  hint: ({ context }) =>
    `Make them match again; it asks before a peer is cut off: ${meshctlCommand('clustermesh enable', { context })}`,
};

/**
 * The last refusal, told more exactly where etcd says no more than that permission is denied: the user is gone from
 * users.yaml, it has another role, or the cluster publishes itself under another name. Also where its CA was replaced since
 * its start.
 */
export async function explainRefusal(
  flow: Flow,
  server: Target,
  direction: Direction,
  last: MeshctlError,
  pods: readonly KubeObject[],
): Promise<MeshctlError> {
  const reason = last.details.reason;
  if (reason === 'tls-expired' && isGoodByOthers(flow, direction.server.snapshot))
    return refusal(direction, reason, OWN_CLOCK, last);
  if (BY_OTHER_CA.has(String(reason)) && runsWithFormerCa(direction.server.snapshot)) {
    return refusal(direction, 'server-ca-replaced', REPLACED_CA, last);
  }
  if (reason !== 'permission-denied' && reason !== 'cluster-config-missing') return last;
  const published = await publishedNames(flow, server, direction.server.snapshot, pods);
  const { name } = direction.server.identity;
  if (published && published.length > 0 && !published.includes(name)) {
    return refusal(
      direction,
      'wrong-cluster-name',
      {
        says: `it publishes "${published.join('", "')}", but cilium-config says "${name}"`,
        hint: () => settleServed(direction.server.snapshot, [direction.client.snapshot]),
      },
      last,
    );
  }
  const { user } = direction.credential;
  if (reason !== 'permission-denied' || user === SHARED_USER) return last;
  const configMap = await server.client.get(configMapRef(server.namespace, REMOTE_USERS_CONFIGMAP));
  const role = configMap && userRole(configMap, user);
  const by = role === undefined ? await contraryRun(flow, server, [direction.client.identity.name]) : undefined;
  const hint = () => (by ? CONNECT_AFTERWARDS : usersAdvice(direction, configMap));
  if (role === undefined) {
    const says = configMap
      ? `${by ? whoElse(by) : 'someone'} has removed the user from ConfigMap ${REMOTE_USERS_CONFIGMAP} again`
      : by
        ? `${whoElse(by)} has removed the ConfigMap ${REMOTE_USERS_CONFIGMAP} with its user`
        : `there is no ConfigMap ${REMOTE_USERS_CONFIGMAP} from which its clustermesh-apiserver would create the user`;
    return refusal(direction, 'user-missing', { says, hint }, last);
  }
  if (role !== REMOTE_ROLE) {
    const says = `the user has the role "${role}", not "${REMOTE_ROLE}"`;
    return refusal(direction, 'role-wrong', { says, hint }, last);
  }
  return last;
}

/** Where the users of a cluster are to be named. */
function usersAdvice({ client, server }: Direction, configMap: KubeObject | undefined): string {
  const { context } = server.snapshot;
  return configMap
    ? listAdvice(context, configMap, [client.identity.name])
    : `Create it: ${meshctlCommand('clustermesh enable', { context })}`;
}

async function publishedNames(
  flow: Flow,
  server: Target,
  snapshot: ClusterSnapshot,
  [pod]: readonly KubeObject[],
): Promise<string[] | undefined> {
  const configs = pod && (await readClusterConfigs(flow, server, snapshot, pod));
  const peers = configuredPeers(snapshot);
  return configs instanceof Map ? [...configs.keys()].filter((name) => !peers.includes(name)) : undefined;
}

function refusal(
  { server, client, credential: { user } }: Direction,
  reason: string,
  { says, hint }: Words,
  cause: Error,
): MeshctlError {
  const { context } = server.snapshot;
  const whose = `the credential for "${client.identity.name}" (user ${user})`;
  const what = BY_ETCD.has(reason) ? `etcd does not accept ${whose}` : `${whose} could not be proved to etcd`;
  return new MeshctlError('CredentialRefused', `context "${context}": ${what}: ${says}`, {
    hint: hint(server.snapshot, client.snapshot),
    cause,
    details: { context, user, reason, message: cause.message },
  });
}
