import { makesRemoteUsers, runsKvstoremesh } from './apiserver-deployment.ts';
import { requireSigner } from './certificate-authority.ts';
import { clientSpec, reasonToReissue } from './cluster-certificates.ts';
import { hostPort, isIpAddress, type ServiceEndpoints } from './endpoints.ts';
import { MeshctlError } from './errors.ts';
import type { ClusterIdentity } from './identity.ts';
import { type KubeObject, keyOf, type ObjectRef } from './kube-object.ts';
import {
  AGENT_PEERS_SECRET,
  apiserverDeploymentRef,
  configMapRef,
  KVSTOREMESH_PEERS_SECRET,
  REMOTE_USERS_CONFIGMAP,
  SERVER_CERT_SECRET,
  secretRef,
  serviceHostname,
} from './names.ts';
import {
  cachedPeerFile,
  dialled,
  type PeerEndpoint,
  peerCertificateKeys,
  remotePeerFile,
  remoteUserName,
  remoteUsersFile,
} from './peer-config.ts';
import { type CertificateOrder, type Change, type Plan, type Step, TLS_KEYS } from './plan.ts';
import { emptySecret, encodeText, secretText } from './secret-data.ts';
import type { ClusterSnapshot } from './snapshot.ts';

/** A cluster that takes part in a connect. */
export interface Member {
  snapshot: ClusterSnapshot;
  identity: ClusterIdentity;
  endpoints: ServiceEndpoints;
}

/** One direction of a connection: `client` dials `server`. */
export interface Direction {
  client: Member;
  server: Member;
  /** CN of the client certificate, the etcd user in the server's cluster. */
  user: string;
  endpoint: PeerEndpoint;
  warnings: readonly string[];
}

/** The etcd user that every clustermesh-apiserver has from its start, for peers that share the CA. */
const SHARED_USER = 'remote';
/** The etcd role that may read what a cluster publishes for its peers. */
const REMOTE_ROLE = 'remote';

function apiserverOf(snapshot: ClusterSnapshot): KubeObject | undefined {
  return snapshot.objects.get(keyOf(apiserverDeploymentRef(snapshot.namespace)));
}

/** The Secret by which this cluster dials its peers: KVStoreMesh's, or without it the agents'. */
export function dialingSecret(snapshot: ClusterSnapshot): string {
  return runsKvstoremesh(apiserverOf(snapshot)) ? KVSTOREMESH_PEERS_SECRET : AGENT_PEERS_SECRET;
}

/**
 * Refuses a cluster that has no complete clustermesh-apiserver.
 * @throws MeshctlError `ClusterMeshNotEnabled`, naming what is missing
 */
export function requireEnabled(snapshot: ClusterSnapshot): void {
  const { context, namespace } = snapshot;
  const needed: ObjectRef[] = [apiserverDeploymentRef(namespace), secretRef(namespace, SERVER_CERT_SECRET)];
  const missing = needed.filter((ref) => !snapshot.objects.has(keyOf(ref)));
  if (missing.length === 0) return;
  const what =
    missing.length === needed.length
      ? 'Cluster Mesh is not enabled'
      : `Cluster Mesh is only half enabled (there is no ${missing.map((ref) => `${ref.kind} ${ref.name}`).join(', no ')})`;
  throw new MeshctlError('ClusterMeshNotEnabled', `context "${context}": ${what}`, {
    hint: `Run: meshctl clustermesh enable --context ${context}`,
    details: { context, missing: missing.map((ref) => `${ref.kind} ${ref.name}`) },
  });
}

/**
 * How `client` will dial `server`: its addresses where the certificate covers them or can be made to, else
 * `<peer>.mesh.cilium.io` with aliases.
 */
export function planDirection(client: Member, server: Member): Direction {
  const warnings: string[] = [];
  const { hosts, port } = server.endpoints;
  const addresses = hosts.map((host) => hostPort(host, port));
  const direct = certificateCovers(server, hosts) || canReissueServerCertificate(server);
  const aliasIps = hosts.filter(isIpAddress);
  if (!direct && aliasIps.length === 0) {
    throw new MeshctlError(
      'CertificateAuthority',
      `context "${server.snapshot.context}": the server certificate covers none of ${hosts.join(', ')}, and cannot be renewed here`,
      {
        hint: 'Its CA has no key in Secret cilium-ca. Issue a server certificate with that name as a SAN, or give the Service an IP address.',
        details: { context: server.snapshot.context, hosts },
      },
    );
  }
  const users = makesRemoteUsers(apiserverOf(server.snapshot)) && server.snapshot.remoteUsers !== undefined;
  if (!users) {
    warnings.push(
      `context "${server.snapshot.context}": its clustermesh-apiserver has no users of its own for peers (authMode legacy), ` +
        `so "${client.identity.name}" logs in as the common user "${SHARED_USER}" and cannot be cut off alone`,
    );
  }
  return {
    client,
    server,
    user: users ? remoteUserName(client.identity.name) : SHARED_USER,
    endpoint: direct ? { addresses } : { addresses, alias: { ips: aliasIps, port } },
    warnings,
  };
}

/**
 * What each serving cluster needs before anyone may dial it: its certificate to cover its addresses, and a user for each
 * peer. One step per object, however many peers.
 */
export function planServe(directions: readonly Direction[], now: Date): Plan {
  const steps = groupBy(directions, ({ server }) => server).flatMap(([server, incoming]) => [
    ...serverCertificateSteps(server, incoming, now),
    ...remoteUserSteps(server, incoming),
  ]);
  return { steps };
}

/**
 * The client certificates and the files that make each cluster dial its peers. One step per object, however many peers.
 * The file by which KVStoreMesh dials comes before the one by which agents read its cache.
 */
export function planDial(directions: readonly Direction[], now: Date): Plan {
  const steps = groupBy(directions, ({ client }) => client).flatMap(([client, outgoing]) => [
    dialStep(client, outgoing, now),
    ...(runsKvstoremesh(apiserverOf(client.snapshot)) ? [cachedFilesStep(client, outgoing)] : []),
  ]);
  return { steps };
}

function groupBy<K, V>(values: readonly V[], keyOfValue: (value: V) => K): [K, V[]][] {
  const groups = new Map<K, V[]>();
  for (const value of values) groups.set(keyOfValue(value), [...(groups.get(keyOfValue(value)) ?? []), value]);
  return [...groups];
}

function certificateCovers(server: Member, hosts: readonly string[]): boolean {
  const facts = server.snapshot.tlsSecrets.get(SERVER_CERT_SECRET)?.certificate;
  if (!facts) return false;
  const covered = new Set([...facts.dnsNames, ...facts.ipAddresses]);
  return hosts.every((host) => covered.has(host));
}

/** Only the holder of the CA's key can renew it, and only if that CA signed the present one: peers trust that CA. */
function canReissueServerCertificate({ snapshot }: Member): boolean {
  const present = snapshot.tlsSecrets.get(SERVER_CERT_SECRET);
  return Boolean(
    snapshot.ca?.hasKey &&
      snapshot.ca.keyMatches &&
      present?.ca?.publicKeySha256 === snapshot.ca.certificate.publicKeySha256,
  );
}

function serverCertificateSteps(server: Member, incoming: readonly Direction[], now: Date): Step[] {
  const { snapshot } = server;
  const present = snapshot.tlsSecrets.get(SERVER_CERT_SECRET);
  if (!present || !snapshot.ca || incoming.some(({ endpoint }) => endpoint.alias)) return [];
  const { hosts } = server.endpoints;
  const ref = secretRef(snapshot.namespace, SERVER_CERT_SECRET);
  const base = { cluster: snapshot.context, object: ref, before: snapshot.objects.get(keyOf(ref)) };
  const { commonName, usages, dnsNames, ipAddresses } = present.certificate;
  const spec = {
    commonName,
    usages,
    dnsNames: union(
      dnsNames,
      hosts.filter((host) => !isIpAddress(host)),
    ),
    ipAddresses: union(ipAddresses, hosts.filter(isIpAddress)),
  };
  const reason = reasonToReissue(present, spec, snapshot.ca.certificate, now);
  if (!reason) return [{ ...base, action: 'keep', changes: [], why: `it covers ${hosts.join(', ')}` }];
  return [
    {
      ...base,
      action: 'update',
      changes: [{ path: 'data.tls.crt', to: `certificate ${commonName} for ${hosts.join(', ')}` }],
      why: reason,
      write: {
        method: 'issue',
        certificates: [{ spec, signer: snapshot.context, keys: TLS_KEYS }],
        data: {},
        secret: emptySecret(ref, 'kubernetes.io/tls'),
        into: 'patch',
      },
    },
  ];
}

function remoteUserSteps({ snapshot }: Member, incoming: readonly Direction[]): Step[] {
  const wanted = incoming.map(({ user }) => user).filter((user) => user !== SHARED_USER);
  if (wanted.length === 0) return [];
  const ref = configMapRef(snapshot.namespace, REMOTE_USERS_CONFIGMAP);
  const live = snapshot.objects.get(keyOf(ref));
  const users = snapshot.remoteUsers ?? [];
  const missing = wanted.filter((user) => !users.some(({ name, role }) => name === user && role === REMOTE_ROLE));
  const base = { cluster: snapshot.context, object: ref, before: live };
  if (missing.length === 0) return [{ ...base, action: 'keep', changes: [], why: `it has ${wanted.join(', ')}` }];
  const added = missing.map((name) => ({ name, role: REMOTE_ROLE }));
  const file = remoteUsersFile([...users.filter(({ name }) => !missing.includes(name)), ...added]);
  return [
    {
      ...base,
      action: 'update',
      changes: added.map((user) => ({ path: `data.users.yaml[${user.name}]`, to: user })),
      why: `lets ${missing.join(', ')} in`,
      write: {
        method: 'patch',
        patch: { data: { 'users.yaml': file } },
        resourceVersion: live?.metadata.resourceVersion,
      },
    },
  ];
}

/** One Secret gets, for each peer: the client certificate where it needs a new one, and the file that dials. */
function dialStep(client: Member, outgoing: readonly Direction[], now: Date): Step {
  const { snapshot } = client;
  const ref = secretRef(snapshot.namespace, dialingSecret(snapshot));
  const live = snapshot.objects.get(keyOf(ref));
  const certificates: CertificateOrder[] = [];
  const data: Record<string, string> = {};
  const changes: Change[] = [];
  const reasons: string[] = [];
  for (const { server, user, endpoint } of outgoing) {
    const peer = server.identity.name;
    const keys = peerCertificateKeys(peer);
    const spec = clientSpec(user);
    const present = snapshot.peerCertificates.get(peer);
    const reason = reasonToReissue(
      present,
      spec,
      requireSigner(server.snapshot, `a client certificate for "${client.identity.name}"`).certificate,
      now,
    );
    if (reason) {
      certificates.push({ spec, signer: server.snapshot.context, keys });
      changes.push({
        path: `data.${keys.certificate}`,
        to: `client certificate ${user}, issued by the CA of ${server.identity.name}`,
      });
    }
    const file = remotePeerFile(peer, endpoint, `${peer}.`);
    const current = secretText(live, peer);
    if (current !== file) {
      data[peer] = file;
      changes.push({ path: `data.${peer}`, to: `dials ${dialled(peer, endpoint).join(', ')}` });
    }
    if (reason || current !== file) reasons.push(`dials ${peer}${reason && current ? ` (${reason})` : ''}`);
  }
  const base = { cluster: snapshot.context, object: ref, before: live };
  const peers = outgoing.map(({ server }) => server.identity.name).join(', ');
  if (changes.length === 0) return { ...base, action: 'keep', changes, why: `it dials ${peers}` };
  const secret = emptySecret(ref, 'Opaque');
  const action = live ? 'update' : 'create';
  return {
    ...base,
    action,
    changes,
    why: reasons.join('; '),
    write: { method: 'issue', certificates, data, secret, into: 'patch' },
  };
}

function cachedFilesStep({ snapshot }: Member, outgoing: readonly Direction[]): Step {
  const ref = secretRef(snapshot.namespace, AGENT_PEERS_SECRET);
  const live = snapshot.objects.get(keyOf(ref));
  const file = cachedPeerFile(snapshot.namespace);
  const peers = outgoing.map(({ server }) => server.identity.name);
  const stale = peers.filter((peer) => secretText(live, peer) !== file);
  const base = { cluster: snapshot.context, object: ref, before: live };
  if (stale.length === 0) {
    return { ...base, action: 'keep', changes: [], why: `agents read ${peers.join(', ')} from KVStoreMesh` };
  }
  const data = Object.fromEntries(stale.map((peer) => [peer, encodeText(file)]));
  return {
    ...base,
    action: live ? 'update' : 'create',
    changes: stale.map((peer) => ({ path: `data.${peer}`, to: `dials ${serviceHostname(snapshot.namespace)}` })),
    why: `agents read ${stale.join(', ')} from their own KVStoreMesh`,
    write: live
      ? { method: 'patch', patch: { data } }
      : { method: 'create', object: { ...emptySecret(ref, 'Opaque'), data } },
  };
}

function union(a: readonly string[], b: readonly string[]): string[] {
  return [...new Set([...a, ...b])];
}
