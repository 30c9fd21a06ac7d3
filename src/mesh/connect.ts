import { reasonToReissue } from './cluster-certificates.ts';
import { hostPort, isIpAddress, type ServiceEndpoints } from './endpoints.ts';
import { MeshctlError } from './errors.ts';
import type { ClusterIdentity } from './identity.ts';
import { keyOf, type ObjectRef } from './kube-object.ts';
import {
  AGENT_PEERS_SECRET,
  apiserverDeploymentRef,
  configMapRef,
  KVSTOREMESH_CONTAINER,
  KVSTOREMESH_PEERS_SECRET,
  REMOTE_USERS_CONFIGMAP,
  SERVER_CERT_SECRET,
  secretRef,
} from './names.ts';
import {
  cachedPeerFile,
  type PeerEndpoint,
  peerCertificateKeys,
  remotePeerFile,
  remoteUserName,
  remoteUsersFile,
} from './peer-config.ts';
import type { Plan, Step } from './plan.ts';
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

interface DeploymentSpec {
  template: { spec: { containers: { name: string; args?: string[] }[] } };
}

function containersOf(snapshot: ClusterSnapshot): DeploymentSpec['template']['spec']['containers'] | undefined {
  const deployment = snapshot.objects.get(keyOf(apiserverDeploymentRef(snapshot.namespace)));
  return (deployment?.spec as DeploymentSpec | undefined)?.template.spec.containers;
}

/** Whether this cluster reads its peers through KVStoreMesh. */
export function hasKvstoremesh(snapshot: ClusterSnapshot): boolean {
  return containersOf(snapshot)?.some(({ name }) => name === KVSTOREMESH_CONTAINER) ?? false;
}

/** Whether the clustermesh-apiserver makes an etcd user per peer (Cilium's authMode other than `legacy`). */
function hasRemoteUsers(snapshot: ClusterSnapshot): boolean {
  const flagged = containersOf(snapshot)?.some(({ args }) =>
    args?.some((arg) => arg.startsWith('--cluster-users-enabled')),
  );
  return Boolean(flagged) && snapshot.remoteUsers !== undefined;
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
  const users = hasRemoteUsers(server.snapshot);
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

/** What the serving side needs before anyone may dial it: its certificate to cover the address, and the peer's user. */
export function planServe(direction: Direction, now: Date): Step[] {
  return [...serverCertificateStep(direction, now), ...remoteUserStep(direction)];
}

/** The client certificate and the files that make `client` dial `server`. */
export function planDial({ client, server, user, endpoint }: Direction, now: Date): Step[] {
  const { snapshot } = client;
  const peer = server.identity.name;
  const kvstoremesh = hasKvstoremesh(snapshot);
  const file = remotePeerFile(peer, endpoint, `${peer}.`);
  const dialing = kvstoremesh ? KVSTOREMESH_PEERS_SECRET : AGENT_PEERS_SECRET;
  const steps = [credentialStep({ client, server, user, file, secret: dialing, now })];
  if (kvstoremesh) steps.push(cachedFileStep(snapshot, peer));
  return steps;
}

/** The two plans of a connection in both directions, for `--dry-run` and for applying. */
export function planConnect(directions: readonly Direction[], now: Date): { serve: Plan; dial: Plan } {
  return {
    serve: { steps: directions.flatMap((direction) => planServe(direction, now)) },
    dial: { steps: directions.flatMap((direction) => planDial(direction, now)) },
  };
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

function serverCertificateStep({ server, endpoint }: Direction, now: Date): Step[] {
  const { snapshot } = server;
  const present = snapshot.tlsSecrets.get(SERVER_CERT_SECRET);
  if (!present || endpoint.alias || !snapshot.ca) return [];
  const { hosts } = server.endpoints;
  const ref = secretRef(snapshot.namespace, SERVER_CERT_SECRET);
  const base = { cluster: snapshot.context, object: ref, before: snapshot.objects.get(keyOf(ref)) };
  const { certificate } = present;
  const spec = {
    commonName: certificate.commonName,
    usages: certificate.usages,
    dnsNames: union(
      certificate.dnsNames,
      hosts.filter((host) => !isIpAddress(host)),
    ),
    ipAddresses: union(certificate.ipAddresses, hosts.filter(isIpAddress)),
  };
  const reason = reasonToReissue(present, spec, snapshot.ca.certificate, now);
  if (!reason) return [{ ...base, action: 'keep', changes: [], why: `it covers ${hosts.join(', ')}` }];
  return [
    {
      ...base,
      action: 'update',
      changes: [{ path: 'data.tls.crt', to: `certificate ${spec.commonName} for ${hosts.join(', ')}` }],
      why: reason,
      write: {
        method: 'issue',
        certificate: spec,
        signer: snapshot.context,
        keys: { ca: 'ca.crt', certificate: 'tls.crt', privateKey: 'tls.key' },
        data: {},
        secret: emptySecret(ref, 'kubernetes.io/tls'),
        into: 'patch',
      },
    },
  ];
}

function remoteUserStep({ client, server, user }: Direction): Step[] {
  const { snapshot } = server;
  if (user === SHARED_USER) return [];
  const ref = configMapRef(snapshot.namespace, REMOTE_USERS_CONFIGMAP);
  const live = snapshot.objects.get(keyOf(ref));
  const users = snapshot.remoteUsers ?? [];
  const base = { cluster: snapshot.context, object: ref, before: live };
  if (users.some(({ name, role }) => name === user && role === 'remote')) {
    return [{ ...base, action: 'keep', changes: [], why: `user ${user} is there` }];
  }
  const file = remoteUsersFile([...users.filter(({ name }) => name !== user), { name: user, role: 'remote' }]);
  return [
    {
      ...base,
      action: 'update',
      changes: [{ path: `data.users.yaml[${user}]`, to: { name: user, role: 'remote' } }],
      why: `lets ${client.identity.name} in`,
      write: {
        method: 'patch',
        patch: { data: { 'users.yaml': file } },
        resourceVersion: live?.metadata.resourceVersion,
      },
    },
  ];
}

interface Credential {
  client: Member;
  server: Member;
  user: string;
  file: string;
  secret: string;
  now: Date;
}

function credentialStep({ client, server, user, file, secret, now }: Credential): Step {
  const { snapshot } = client;
  const peer = server.identity.name;
  const authority = server.snapshot.ca;
  if (!authority?.hasKey || !authority.keyMatches) {
    const { context, namespace } = server.snapshot;
    const problem = !authority
      ? 'there is none'
      : authority.hasKey
        ? 'its ca.key is of another CA'
        : 'it has no ca.key';
    throw new MeshctlError(
      'CertificateAuthority',
      `context "${context}": cannot issue a client certificate for "${client.identity.name}": Secret ${namespace}/cilium-ca: ${problem}`,
      {
        hint: 'The CA key is needed where the certificate will be checked. Restore it from its backup or from what made the CA (cert-manager, Helm values).',
        details: { context, object: `Secret ${namespace}/cilium-ca` },
      },
    );
  }
  const ref = secretRef(snapshot.namespace, secret);
  const live = snapshot.objects.get(keyOf(ref));
  const keys = peerCertificateKeys(peer);
  const spec = { commonName: user, usages: ['client'] as const, dnsNames: [], ipAddresses: [] };
  const reason = reasonToReissue(snapshot.peerCertificates.get(peer), spec, authority.certificate, now);
  const base = { cluster: snapshot.context, object: ref, before: live };
  const current = secretText(live, peer);
  const fileChange =
    current === file ? [] : [{ path: `data.${peer}`, ...(current === undefined ? {} : { from: current }), to: file }];
  if (!reason && fileChange.length === 0) return { ...base, action: 'keep', changes: [], why: `it dials ${peer}` };
  if (!reason) {
    return {
      ...base,
      action: 'update',
      changes: fileChange,
      why: `${peer} is dialled otherwise`,
      write: { method: 'patch', patch: { data: { [peer]: encodeText(file) } } },
    };
  }
  return {
    ...base,
    action: live ? 'update' : 'create',
    changes: [
      { path: `data.${keys.certificate}`, to: `client certificate ${user}, issued by ${server.identity.name}'s CA` },
      ...fileChange,
    ],
    why: `dials ${peer} (${reason})`,
    write: {
      method: 'issue',
      certificate: spec,
      signer: server.snapshot.context,
      keys,
      data: { [peer]: file },
      secret: emptySecret(ref, 'Opaque'),
      into: 'patch',
    },
  };
}

function cachedFileStep(snapshot: ClusterSnapshot, peer: string): Step {
  const ref = secretRef(snapshot.namespace, AGENT_PEERS_SECRET);
  const live = snapshot.objects.get(keyOf(ref));
  const file = cachedPeerFile(snapshot.namespace);
  const current = secretText(live, peer);
  const base = { cluster: snapshot.context, object: ref, before: live };
  if (current === file) return { ...base, action: 'keep', changes: [], why: `agents read ${peer} from KVStoreMesh` };
  const object = { ...emptySecret(ref, 'Opaque'), data: { [peer]: encodeText(file) } };
  return {
    ...base,
    action: live ? 'update' : 'create',
    changes: [{ path: `data.${peer}`, ...(current === undefined ? {} : { from: current }), to: file }],
    why: `agents read ${peer} from their own KVStoreMesh`,
    write: live ? { method: 'patch', patch: { data: object.data } } : { method: 'create', object },
  };
}

function union(a: readonly string[], b: readonly string[]): string[] {
  return [...new Set([...a, ...b])];
}
