import type { LimitFunction } from 'p-limit';
import { EtcdReadError } from '../../etcd/read-error.ts';
import { replicasOf } from '../../mesh/apiserver/deployment.ts';
import { clusterNameOf } from '../../mesh/cilium/identity.ts';
import { describeCommand } from '../../mesh/command-line.ts';
import { dialingSecret } from '../../mesh/connect/direction.ts';
import type { Parting } from '../../mesh/connect/disconnect/disconnect-plan.ts';
import { stillLetIn, tellsOfUser } from '../../mesh/connect/disconnect/shut-out.ts';
import { isRefusal, MeshctlError } from '../../mesh/errors.ts';
import { type KubeObject, keyOf } from '../../mesh/objects/kube-object.ts';
import {
  APISERVER_SELECTOR,
  apiserverDeploymentRef,
  configMapRef,
  REMOTE_USERS_CONFIGMAP,
  SERVER_CERT_SECRET,
  secretRef,
} from '../../mesh/objects/names.ts';
import { secretTexts } from '../../mesh/objects/secret-data.ts';
import { listAdvice } from '../../mesh/objects/source-advice.ts';
import { peerCertificateKeys, remoteUserName } from '../../mesh/peers/file/peer-config.ts';
import { ownUser } from '../../mesh/peers/peers.ts';
import { userRole } from '../../mesh/peers/users/remote-users.ts';
import { isGoing } from '../../mesh/plan/going.ts';
import { describeServer } from '../../mesh/status/failure-reason.ts';
import { withServerCertificate } from '../../snapshot/read-for-parting.ts';
import {
  createAsker,
  descriptionKey,
  type EtcdAnswer,
  isTimeToDoubt,
  servingPods,
  untilSettled,
} from '../etcd/ask-etcd.ts';
import type { ClientCertificate } from '../etcd/open-etcd.ts';
import { readEtcdUsers } from '../etcd/read-users.ts';
import { seeUsers } from '../etcd/refusal.ts';
import type { Flow, Target } from '../flow.ts';

const LOOK_INTERVAL_MS = 500;
/** Where no etcd can be asked for its users, it is not for a moment. */
const LOOKS_WITHOUT_ANSWER = 4;

/** Pods that are just being replaced are gone, or can be asked, within this time, as a rule. */
const SETTLED_WITHIN_MS = 15_000;

/** etcd knows the certificate's user no more, or takes no certificate of that CA. */
const SHUT_OUT = new Set<string>(['permission-denied', 'tls-client-rejected']);

/** What may be otherwise a moment later; every other error stays what it is. */
const PASSING = new Set<string>(['unavailable', 'timeout']);

/** How long and by how many at once clusters are asked. */
export interface PartingWait {
  /** In milliseconds since the epoch. */
  deadline: number;
  /** Clusters at a time. */
  limit: LimitFunction;
}

/** One peer that a cluster's etcd must not let in any more, with the credential that it had. */
interface FormerPeer {
  server: Target;
  /** Of the cluster that has the etcd. */
  serverName: string;
  client: string;
  certificate: ClientCertificate;
  /** False where Cluster Mesh was switched off there, or its server is scaled to 0: without a pod, there is no etcd that lets anybody in. */
  isDeployed: boolean;
}

/**
 * Peers that a cluster's list of users has no more, and whose credentials nobody here has. An earlier run may have taken them out, and
 * its etcd may have them still.
 */
interface FormerUsers {
  server: Target;
  snapshot: Parting['snapshot'];
  peers: readonly string[];
  isDeployed: boolean;
}

/**
 * Waits until the etcds refuse the very credentials that peers had: Cilium looks for changed users every few seconds. Of
 * each cluster one former peer stands for all, because their users go together. Where no peer is within reach whose credentials
 * tell, each etcd is asked for its users instead.
 * @returns what could not be asked, as warnings
 * @throws MeshctlError `Timeout`, naming the cluster that still lets a peer in; `Conflict` where somebody has put it back
 */
export async function awaitShutOut(
  flow: Flow,
  targets: readonly Target[],
  partings: readonly Parting[],
  wait: PartingWait,
): Promise<string[]> {
  const looking = { ...wait, intervalMs: LOOK_INTERVAL_MS };
  const known = (
    await Promise.all(partings.map((parting) => untilSettled(flow, looking, () => formerPeer(flow, targets, parting))))
  ).flat();
  const unknown = formerUsers(targets, partings, known);
  const warnings = await Promise.all([
    ...known.map((former) => awaitOne(flow, former, wait)),
    ...unknown.map((former) => awaitUsersGone(flow, former, wait)),
  ]);
  return [...warnings.flat(), ...partings.flatMap(stillLetIn)];
}

/** One of the peers of which it was read with what they logged in, if by that can be told; none where no peer was let in. */
async function formerPeer(
  flow: Flow,
  targets: readonly Target[],
  { snapshot, unserved, partners }: Parting,
): Promise<FormerPeer[]> {
  const server = targets.find(({ client }) => client.context === snapshot.context);
  const diallers = partners.filter((partner) => unserved.includes(clusterNameOf(partner)));
  if (!server || diallers.length === 0) return [];
  const serverName = clusterNameOf(snapshot);
  const { tlsSecrets } = await withServerCertificate(server.client, snapshot);
  const known = diallers.flatMap((dialler) => {
    if (!tellsOfUser(dialler, serverName, tlsSecrets.get(SERVER_CERT_SECRET), flow.now())) return [];
    const client = clusterNameOf(dialler);
    const certificate = certificateFor(dialler, serverName);
    return certificate ? [{ server, serverName, client, certificate, isDeployed: isEtcdDeployed(snapshot) }] : [];
  });
  return known.slice(-1);
}

function formerUsers(
  targets: readonly Target[],
  partings: readonly Parting[],
  known: readonly FormerPeer[],
): FormerUsers[] {
  return partings.flatMap(({ snapshot, unserved }): FormerUsers[] => {
    const server = targets.find(({ client }) => client.context === snapshot.context);
    const peers = unserved.filter((peer) => remoteUserName(peer) !== ownUser(snapshot));
    const isAsked = known.some((former) => former.server === server);
    if (!server || isAsked || peers.length === 0) return [];
    return [{ server, snapshot, peers, isDeployed: isEtcdDeployed(snapshot) }];
  });
}

/** A new etcd is empty, and gets the users that the list has by then. */
function isEtcdDeployed({ objects, unread, namespace }: Parting['snapshot']): boolean {
  const key = keyOf(apiserverDeploymentRef(namespace));
  const deployment = objects.get(key);
  return deployment ? replicasOf(deployment) !== 0 : unread?.has(key) === true;
}

/** The certificate that a cluster had of its own for a peer. */
function certificateFor(dialler: Parting['snapshot'], peer: string): ClientCertificate | undefined {
  const texts = secretTexts(dialler.objects.get(keyOf(secretRef(dialler.namespace, dialingSecret(dialler)))));
  const keys = peerCertificateKeys(peer);
  const { [keys.ca]: ca, [keys.certificate]: certificate, [keys.privateKey]: privateKey } = texts;
  return ca && certificate && privateKey ? { ca, certificate, privateKey } : undefined;
}

async function awaitOne(flow: Flow, former: FormerPeer, { deadline, limit }: PartingWait): Promise<string[]> {
  const { server, serverName, certificate } = former;
  const { client } = server;
  const ask = createAsker(flow, server);
  const question = { credential: certificate, key: descriptionKey(serverName) };
  let settledBy: number | undefined;
  let looks = 0;
  // What is refused after it was let, as by a login that is being renewed, is asked once more.
  let mayBeForgiven = false;
  return untilSettled(flow, { deadline, intervalMs: LOOK_INTERVAL_MS, limit }, async (late) => {
    const { ready, unready } = await servingPods(server);
    // From its first turn on.
    settledBy ??= flow.clock.ms() + SETTLED_WITHIN_MS;
    const isLast = late || flow.clock.ms() >= settledBy;
    if (ready.length === 0 && former.isDeployed) return [noneReady(server, [former.client])];
    const answers = (await ask(ready, question)).map(verdictOf);
    if (answers.every((answer) => answer === 'refused')) return besideAll(server, unready, [former.client], isLast);
    const unasked = answers.find((answer) => answer instanceof Error);
    const isForgiven = mayBeForgiven || !unasked || mayPass(unasked);
    mayBeForgiven = !unasked;
    if (unasked && !answers.includes('let in') && (late || !isForgiven)) {
      return [
        `context "${client.context}": whether its etcd still lets "${former.client}" in could not be verified (${unasked.message})`,
      ];
    }
    looks += 1;
    if (late || isTimeToDoubt(looks)) await requireStillOut(former);
    if (!late) return undefined;
    throw stillIn(server, former.client);
  });
}

/** The same by the users that each etcd has, read as its administrator. */
async function awaitUsersGone(
  flow: Flow,
  { server, snapshot, peers, isDeployed }: FormerUsers,
  { deadline, limit }: PartingWait,
): Promise<string[]> {
  const { context } = server.client;
  let settledBy: number | undefined;
  let looks = 0;
  return untilSettled(flow, { deadline, intervalMs: LOOK_INTERVAL_MS, limit }, async (late) => {
    const { ready, unready } = await servingPods(server);
    // From its first turn on.
    settledBy ??= flow.clock.ms() + SETTLED_WITHIN_MS;
    const isLast = late || flow.clock.ms() >= settledBy;
    if (ready.length === 0) return isDeployed ? [noneReady(server, peers)] : besideAll(server, unready, peers, isLast);
    const { users, unasked } = await readEtcdUsers(flow, server, snapshot);
    const letIn = peers.find((peer) => [...users.values()].some((names) => names.includes(remoteUserName(peer))));
    if (users.size > 0 && unasked.length === 0 && letIn === undefined) return besideAll(server, unready, peers, isLast);
    looks += 1;
    if (letIn !== undefined && (late || isTimeToDoubt(looks))) {
      await requireStillOut({ server, client: letIn });
    }
    if (late && letIn !== undefined) throw stillIn(server, letIn);
    if (!late && (letIn !== undefined || looks < LOOKS_WITHOUT_ANSWER)) return undefined;
    const names = peers.map((peer) => `"${peer}"`).join(', ');
    const which = users.size > 0 ? `that of ${unasked.join(', ')} could not` : 'none could';
    return [`context "${context}": whether its etcd still lets ${names} in could not be verified: ${which} be asked`];
  });
}

/**
 * What is to be said where each etcd that can be asked shuts the peers out.
 * @param unready pods that cannot be asked
 * @param isLast pods that are on their way are not waited for any more
 * @returns undefined: look again
 */
function besideAll(
  { client: { context }, namespace }: Target,
  unready: readonly KubeObject[],
  peers: readonly string[],
  isLast: boolean,
): string[] | undefined {
  if (unready.length === 0) return [];
  if (!isLast) return undefined;
  const names = peers.map((peer) => `"${peer}"`).join(', ');
  const pods = unready.map((pod) => `${pod.metadata.name} (${isGoing(pod) ? 'ending' : 'not ready'})`).join(', ');
  return [
    `context "${context}": whether the etcd of ${pods} still lets ${names} in could not be verified; see why: ${describeCommand({ context, namespace }, 'pods', { selector: APISERVER_SELECTOR })}`,
  ];
}

function noneReady({ client: { context }, namespace }: Target, peers: readonly string[]): string {
  const names = peers.map((peer) => `"${peer}"`).join(', ');
  return `context "${context}": no clustermesh-apiserver pod is ready, so it could not be verified that its etcd refuses ${names}; see why: ${describeServer({ context, namespace })}`;
}

function stillIn({ client: { context }, namespace }: Target, peer: string): MeshctlError {
  return new MeshctlError('Timeout', `context "${context}": its etcd still lets "${peer}" in`, {
    hint: seeUsers({ context, namespace }),
    details: { context, peer },
  });
}

/** What the list has, etcd gets: whoever waits for the contrary waits in vain. @throws MeshctlError `Conflict` */
async function requireStillOut({
  server: { client, namespace },
  client: peer,
}: Pick<FormerPeer, 'server' | 'client'>): Promise<void> {
  const list = await client.get(configMapRef(namespace, REMOTE_USERS_CONFIGMAP));
  const user = remoteUserName(peer);
  if (!list || userRole(list, user) === undefined) return;
  throw new MeshctlError(
    'Conflict',
    `context "${client.context}": someone has put the user ${user} back into ConfigMap ${REMOTE_USERS_CONFIGMAP}, so its etcd lets "${peer}" in`,
    {
      hint: listAdvice(client.context, list, [peer], 'without'),
      details: { context: client.context, peer, reason: 'user-back' },
    },
  );
}

function mayPass(error: Error): boolean {
  if (error instanceof EtcdReadError) return PASSING.has(error.reason);
  return !(error instanceof MeshctlError && isRefusal(error));
}

function verdictOf(answer: EtcdAnswer): 'refused' | 'let in' | Error {
  if ('value' in answer) return 'let in';
  return answer.error instanceof EtcdReadError && SHUT_OUT.has(answer.error.reason) ? 'refused' : answer.error;
}
