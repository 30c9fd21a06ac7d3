import { makesRemoteUsers } from '../apiserver/deployment.ts';
import { type Endpoint, splitHostPort } from '../apiserver/endpoints.ts';
import { apiserverDeployment } from '../apiserver/live.ts';
import { requireStateInCrds } from '../cilium/kvstore.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { meshctlCommand } from '../command-line.ts';
import type { OptionPlace } from '../enable/option-name.ts';
import { enableOnceGone, sinceDisable, unfinishedDisable } from '../enable/unfinished-disable.ts';
import { MeshctlError } from '../errors.ts';
import { keyOf, type ObjectRef } from '../objects/kube-object.ts';
import {
  AGENT_PEERS_SECRET,
  apiserverDeploymentRef,
  configMapRef,
  KVSTOREMESH_PEERS_SECRET,
  meshHostname,
  REMOTE_USERS_CONFIGMAP,
  SERVER_CERT_SECRET,
  secretRef,
} from '../objects/names.ts';
import type { ConnectionMode } from '../peers/connection-mode.ts';
import type { CredentialChoice } from '../peers/credential-kind.ts';
import type { GivenEndpoints } from '../peers/endpoint-overrides.ts';
import type { PeerEndpoint } from '../peers/file/peer-config.ts';
import { type Marks, marksFor } from '../peers/peer-choices.ts';
import { configuredPeers, kvstoremeshDials } from '../peers/peers.ts';
import { lackOfUsers } from '../peers/users/remote-users.ts';
import { type Credential, chooseCredential } from './credentials.ts';
import { dialledEndpoint } from './dialled-endpoint.ts';
import type { Member } from './member.ts';

/** One direction of a connection: `client` dials `server`. */
export interface Direction {
  client: Member;
  server: Member;
  credential: Credential;
  endpoint: PeerEndpoint;
  /** What of it was chosen now, or is chosen no longer, as annotations of the client's Secret. */
  marks: Marks;
}

export interface DirectionOptions extends OptionPlace {
  /** Absent: as it was chosen before, else `auto`. */
  credentials?: CredentialChoice | undefined;
  /** Of this connect, where it is the operator's choice. */
  mode?: ConnectionMode | undefined;
  /** What the client shall dial, where that is chosen for this one dial. Absent: as the server was given. */
  endpoints?: GivenEndpoints | undefined;
  now: Date;
}

type ClusterObjects = Pick<ClusterSnapshot, 'objects' | 'namespace'>;

/** Whether this cluster dials its peers through KVStoreMesh, or from each agent; where nothing tells, it does not. */
export function dialsThroughKvstoremesh(cluster: ClusterObjects): boolean {
  return kvstoremeshDials(cluster) ?? false;
}

/** The Secret by which this cluster dials its peers: KVStoreMesh's, or without it the agents'. */
export function dialingSecret(snapshot: ClusterObjects): string {
  return dialsThroughKvstoremesh(snapshot) ? KVSTOREMESH_PEERS_SECRET : AGENT_PEERS_SECRET;
}

/**
 * Refuses clusters that have no complete clustermesh-apiserver, all in one.
 * @throws MeshctlError `ClusterMeshNotEnabled`, naming what is missing where
 */
export function requireEnabled(snapshots: readonly ClusterSnapshot[]): void {
  const lacking = snapshots.flatMap((snapshot) => {
    const missing = missingOf(snapshot);
    return missing.length > 0 ? [{ snapshot, missing }] : [];
  });
  for (const { snapshot } of lacking) requireStateInCrds(snapshot);
  requireUsersFile(snapshots);
  if (lacking.length === 0) return;
  throw new MeshctlError('ClusterMeshNotEnabled', lacking.map(describeLack).join('; '), {
    hint: `Run: ${enableOnceGone(lacking.map(({ snapshot }) => snapshot))}`,
    details: { clusters: lacking.map(({ snapshot: { context }, missing }) => ({ context, missing })) },
  });
}

/** Why a cluster is refused by {@link requireEnabled}, as a clause; undefined where it is not. */
export function lackOfServer(snapshot: ClusterSnapshot): string | undefined {
  const missing = missingOf(snapshot);
  return missing.length > 0 ? describeLack({ snapshot, missing }) : unreadableUsers(snapshot);
}

/** What a cluster that serves its state must have. */
const neededIn = (namespace: string): ObjectRef[] => [
  apiserverDeploymentRef(namespace),
  secretRef(namespace, SERVER_CERT_SECRET),
];

/** Whether a cluster lacks an object. Of what may not be read it is not known. */
function lacks({ objects, unread }: ClusterSnapshot, ref: ObjectRef): boolean {
  return !objects.has(keyOf(ref)) && !unread?.has(keyOf(ref));
}

/** Whether the list is gone by which a clustermesh-apiserver makes users for its peers. */
function lacksListOfUsers(snapshot: ClusterSnapshot): boolean {
  const isMade = makesRemoteUsers(apiserverDeployment(snapshot));
  return isMade && lacks(snapshot, configMapRef(snapshot.namespace, REMOTE_USERS_CONFIGMAP));
}

function missingOf(snapshot: ClusterSnapshot): string[] {
  const { namespace, tlsFiles } = snapshot;
  const missing = [
    ...neededIn(namespace).filter((ref) => lacks(snapshot, ref)),
    ...(lacksListOfUsers(snapshot) ? [configMapRef(namespace, REMOTE_USERS_CONFIGMAP)] : []),
  ];
  const server = tlsFiles?.get(SERVER_CERT_SECRET);
  const isReadable = !server || (typeof server.certificate === 'object' && server.privateKey === 'matches');
  return [
    ...missing.map(({ kind, name }) => `${kind} ${name}`),
    ...(isReadable ? [] : [`readable certificate with its key in Secret ${SERVER_CERT_SECRET}`]),
  ];
}

/**
 * Users of a file that cannot be read are let in until the next restart: no one may be added to it, nor be called shut out.
 * @throws MeshctlError `ClusterMeshNotEnabled`, with the command that makes a new one
 */
export function requireUsersFile(snapshots: readonly ClusterSnapshot[]): void {
  for (const snapshot of snapshots) {
    const says = unreadableUsers(snapshot);
    if (says === undefined) continue;
    const { context } = snapshot;
    throw new MeshctlError('ClusterMeshNotEnabled', says, {
      hint: meshctlCommand('clustermesh enable', { context }),
      details: { context },
    });
  }
}

function unreadableUsers({ objects, context, namespace }: ClusterSnapshot): string | undefined {
  const configMap = objects.get(keyOf(configMapRef(namespace, REMOTE_USERS_CONFIGMAP)));
  const lack = configMap && lackOfUsers(configMap);
  return lack && `context "${context}": ${lack} (ConfigMap ${REMOTE_USERS_CONFIGMAP})`;
}

/**
 * Where the list is gone, etcd goes on with the users that it has, and a new list has them again: nobody can be shut out.
 * @throws MeshctlError `ClusterMeshNotEnabled`, with the command that makes a new one
 */
export function requireListOfUsers(snapshots: readonly ClusterSnapshot[]): void {
  for (const snapshot of snapshots) {
    if (!lacksListOfUsers(snapshot)) continue;
    const { context } = snapshot;
    throw new MeshctlError(
      'ClusterMeshNotEnabled',
      `context "${context}": the list of etcd users for peers is missing (ConfigMap ${REMOTE_USERS_CONFIGMAP}), so no peer can be shut out`,
      { hint: meshctlCommand('clustermesh enable', { context }), details: { context } },
    );
  }
}

function describeLack({ snapshot, missing }: { snapshot: ClusterSnapshot; missing: readonly string[] }): string {
  const { context } = snapshot;
  const unfinished = unfinishedDisable(snapshot);
  return unfinished || neededIn('').every(({ kind, name }) => missing.includes(`${kind} ${name}`))
    ? `context "${context}": Cluster Mesh is not enabled${sinceDisable(unfinished)}`
    : `context "${context}": Cluster Mesh is only half enabled (there is no ${missing.join(', no ')})`;
}

/**
 * How `client` will dial `server`, and with what. What was chosen before stays where nothing else is asked for.
 * @throws MeshctlError `CertificateAuthority` or `Incompatible` when there is no way
 */
export function planDirection(
  client: Member,
  server: Member,
  { credentials, mode, endpoints, now, inFile }: DirectionOptions,
): Direction {
  const credential = chooseCredential(client, server, credentials, now, { inFile });
  const asked = endpoints === undefined ? server : givenFor(server, endpoints);
  const endpoint = dialledEndpoint(client, asked);
  const marks = marksFor(server.identity.name, {
    // By then a file names it, and whoever connects has rights in both clusters.
    access: null,
    joined: null,
    endpoints: asked.given === undefined ? undefined : asked.given === 'service' ? null : asked.endpoints,
    credentials: credentials && (credential.kind === 'shared-ca' || credentials === 'auto' ? null : credential.kind),
    mode: mode && (mode === 'unicast' ? mode : null),
  });
  return { client, server, credential, endpoint, marks };
}

/** The server as one client shall see it. */
function givenFor(server: Member, endpoints: GivenEndpoints): Member {
  if (endpoints === 'service') return { ...server, given: 'service' };
  return { ...server, endpoints, given: 'addresses' };
}

/** Whether a cluster has a file for a peer. */
export function dials({ snapshot }: Pick<Member, 'snapshot'>, { identity }: Pick<Member, 'identity'>): boolean {
  return configuredPeers(snapshot).includes(identity.name);
}

/** Where a direction's client connects to: of a name that stands for addresses, these. */
export function dialledEndpoints({ endpoint: { addresses, alias } }: Direction): Endpoint[] {
  if (!alias) return addresses.map(splitHostPort);
  return alias.ips.flatMap((host) => alias.ports.map((port) => ({ host, port })));
}

/** Host names that a direction's server certificate must cover, as TLS will check them. */
export function dialledHosts({ server, endpoint }: Direction): string[] {
  if (endpoint.alias) return [meshHostname(server.identity.name)];
  return [...new Set(endpoint.addresses.map((address) => splitHostPort(address).host))];
}

/** Of a cluster, by its context, the names of those that dial it or that it dials. */
export function peersByDirections(directions: readonly Direction[]): (context: string) => string[] {
  return (context) => [
    ...new Set(
      directions.flatMap(({ client, server }) => [
        ...(client.snapshot.context === context ? [server.identity.name] : []),
        ...(server.snapshot.context === context ? [client.identity.name] : []),
      ]),
    ),
  ];
}
