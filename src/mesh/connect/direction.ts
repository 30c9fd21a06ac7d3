import { makesRemoteUsers } from '../apiserver/deployment.ts';
import {
  type Endpoint,
  hostPort,
  isIpAddress,
  reachableEndpoints,
  requireEndpoints,
  splitHostPort,
} from '../apiserver/endpoints.ts';
import { apiserverDeployment } from '../apiserver/live.ts';
import { coversHost } from '../certificates/cluster-certificates.ts';
import { compareMinors, versionOfImage } from '../cilium/versions.ts';
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
import { foreignFile } from '../peers/file/foreign-file.ts';
import type { PeerEndpoint } from '../peers/file/peer-config.ts';
import { addressesIn } from '../peers/file/peer-file.ts';
import { choicesFor, type Marks, marksFor } from '../peers/peer-choices.ts';
import { configuredPeers, dialingFile, kvstoremeshDials } from '../peers/peers.ts';
import { lackOfUsers } from '../peers/remote-users.ts';
import { type Credential, canSign, chooseCredential } from './credentials.ts';
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

/** From this version on a peering file can say itself what its host names mean. */
const ALIASES_IN_FILES = { major: 1, minor: 20, patch: 0, suffix: '' };

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
  const endpoint = keptEndpoint(client, asked) ?? chooseEndpoint(client, asked, offeredTo(client, asked));
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

/** The addresses of which the client dials some. @throws MeshctlError `ClusterMeshNotEnabled` where there are none */
function offeredTo(client: Member, server: Member): readonly Endpoint[] {
  const { endpoints: chosen } = choicesFor(client.snapshot, server.identity.name);
  if (chosen && !server.given) return chosen;
  if (server.endpoints.length === 0) requireEndpoints(server.snapshot);
  return server.endpoints;
}

/**
 * What the client dials already, where it need not change: a file that a tool made says what its source wants, as long as
 * nothing is chosen with meshctl.
 */
function keptEndpoint(client: Member, server: Member): PeerEndpoint | undefined {
  const peer = server.identity.name;
  if (server.given || choicesFor(client.snapshot, peer).endpoints) return undefined;
  return foreignFile(client.snapshot, peer)?.endpoint ?? dialledNodes(client, server);
}

/** Nodes come and go: those of a NodePort that a client dials stay as long as all of them serve it and they are enough. */
function dialledNodes(client: Member, server: Member): PeerEndpoint | undefined {
  const addresses = addressesIn(dialingFile(client.snapshot, server.identity.name)?.text ?? '');
  const reachable = reachableEndpoints(server.snapshot)?.map(({ host, port }) => hostPort(host, port)) ?? [];
  const serve = addresses.every((address) => reachable.includes(address));
  const covered = addresses.every((address) => canSign(server) || covers(server, splitHostPort(address).host));
  return serve && covered && addresses.length >= Math.max(1, server.endpoints.length) ? { addresses } : undefined;
}

/**
 * The server's addresses where its certificate covers them or can be made to; of several those that it covers; else
 * `<peer>.mesh.cilium.io` with aliases.
 */
function chooseEndpoint(client: Member, server: Member, offered: readonly Endpoint[]): PeerEndpoint {
  const covered = canSign(server) ? offered : offered.filter(({ host }) => covers(server, host));
  if (covered.length > 0) return { addresses: covered.map(({ host, port }) => hostPort(host, port)) };
  const { context, namespace } = server.snapshot;
  const aliased = offered.filter(({ host }) => isIpAddress(host));
  if (aliased.length === 0 || !covers(server, meshHostname(server.identity.name))) {
    const hosts = offered.map(({ host }) => host);
    throw new MeshctlError(
      'CertificateAuthority',
      `context "${context}": the server certificate covers none of ${hosts.join(', ')}, and cannot be renewed here`,
      {
        hint: `Secret ${namespace}/${SERVER_CERT_SECRET} is from a CA whose key is not in Secret cilium-ca. Issue it with that name as a SAN, or with *.mesh.cilium.io and an IP address for the Service.`,
        details: { context, hosts },
      },
    );
  }
  const version = versionOfImage(client.snapshot.agent?.image ?? '');
  return {
    addresses: aliased.map(({ host, port }) => hostPort(host, port)),
    alias: {
      ips: [...new Set(aliased.map(({ host }) => host))],
      ports: [...new Set(aliased.map(({ port }) => port))],
      in: version && compareMinors(version, ALIASES_IN_FILES) < 0 ? 'pods' : 'file',
    },
  };
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

function covers({ snapshot }: Member, host: string): boolean {
  const facts = snapshot.tlsSecrets.get(SERVER_CERT_SECRET)?.certificate;
  return facts !== undefined && coversHost(facts, host);
}
