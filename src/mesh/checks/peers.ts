import { runsKvstoremesh } from '../apiserver/deployment.ts';
import { hostPort, reachableEndpoints } from '../apiserver/endpoints.ts';
import { apiserverDeployment } from '../apiserver/live.ts';
import { restoreTypeCommand } from '../apiserver/service-type-taken.ts';
import { clusterNameOf } from '../cilium/identity.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { connectCommand, meshctlCommand, unnamedContext } from '../command-line.ts';
import { dialFaults } from '../faults/dial-faults.ts';
import type { FaultId } from '../faults/fault.ts';
import { type KubeObject, keyOf } from '../objects/kube-object.ts';
import {
  AGENT_PEERS_SECRET,
  configMapRef,
  KVSTOREMESH_PEERS_SECRET,
  meshHostname,
  REMOTE_ROLE,
  REMOTE_USERS_CONFIGMAP,
  SHARED_USER,
  secretRef,
} from '../objects/names.ts';
import { toolOwner } from '../objects/ownership.ts';
import { dataKeys, secretTexts } from '../objects/secret-data.ts';
import { lastingPeers } from '../objects/source-advice.ts';
import { dialServiceCommand } from '../peers/endpoint-overrides.ts';
import { foreignFile } from '../peers/file/foreign-file.ts';
import { peerCertificateKeys, remoteUserName } from '../peers/file/peer-config.ts';
import { addressesIn, dialsOwnCache } from '../peers/file/peer-file.ts';
import { isHalfOfPeering, mendUndialled, saysUndialled, undialledServers } from '../peers/lost-halves.ts';
import { partedBy } from '../peers/parted.ts';
import { choicesFor, peersOfOthers, servedPeers } from '../peers/peer-choices.ts';
import { configuredPeers, loginCertificate, PEER_SECRETS } from '../peers/peers.ts';
import { forOtherOwners } from '../peers/peers-of-others.ts';
import { renamedPeers } from '../peers/renamed-peers.ts';
import { type Finding, listed, type Severity } from './check.ts';
import { IDENTITY_OF_CLUSTERS } from './identity.ts';
import { findingOf, type MeshCheck } from './mesh-input.ts';
import { expiry } from './tls.ts';
import { saysUnconnected, unconnected } from './unconnected.ts';

const reconnect = (from: ClusterSnapshot, to: ClusterSnapshot) =>
  partedBy(to, from)?.mend ?? connectCommand(from.context, to.context);

interface Verdict {
  severity: Severity;
  reason: string;
  /** Default: to connect the two anew. */
  hint?: string;
  /** What another check says, where that is why. */
  cause?: { foundBy: string; foundIn: string } | undefined;
}

/** For each cluster and each of its peers that is among the clusters. */
function perPeer(
  id: string,
  title: string,
  judge: (from: ClusterSnapshot, to: ClusterSnapshot, now: Date) => Verdict | undefined,
  /** Why there is nothing to judge of a peer; undefined where there is. */
  lack: (from: ClusterSnapshot, to: ClusterSnapshot) => string | undefined = () => undefined,
  peersAmong = dialledAmong,
): MeshCheck {
  return {
    id,
    category: 'peers',
    title,
    // Files and users are named for clusters.
    saidBy: IDENTITY_OF_CLUSTERS,
    subject(from, { clusters }) {
      const peers = peersAmong(from, clusters);
      const [reason = withoutPeers(from)] = peers.flatMap((to) => lack(from, to) ?? []);
      const judged = peers.filter((to) => lack(from, to) === undefined);
      return { things: judged.map(clusterNameOf), otherwise: reason };
    },
    run: ({ clusters, now }, all) =>
      clusters.flatMap((from) =>
        peersAmong(from, all).flatMap((to): Finding[] => {
          const found = lack(from, to) === undefined ? judge(from, to, now) : undefined;
          if (!found) return [];
          const { severity, reason, hint = reconnect(from, to), cause = {} } = found;
          return [findingOf(id, severity, from.context, { peer: clusterNameOf(to), reason, ...cause }, hint)];
        }),
      ),
    says: saysOfPeer,
  };
}

function dialledAmong(from: ClusterSnapshot, all: readonly ClusterSnapshot[]): ClusterSnapshot[] {
  return all.filter((to) => to !== from && configuredPeers(from).includes(clusterNameOf(to)));
}

function saysOfPeer({ args }: Finding): string {
  return `context "${args.context}", peer ${args.peer}: ${args.reason}`;
}

function withoutPeers(cluster: ClusterSnapshot): string {
  const dialled = configuredPeers(cluster);
  if (dialled.length > 0) return 'none of its peers is among the clusters being checked';
  const served = servedPeers(cluster, dialled).join(', ');
  return served ? `it dials no cluster, as chosen (${served} one-way)` : 'it is connected to no cluster';
}

/** The fault of a cluster's files for a peer, of these, that another check finds. */
function causeIn(from: ClusterSnapshot, peer: string, ids: readonly FaultId[], now: Date): Verdict['cause'] {
  const found = dialFaults(from, { now }).find((fault) => fault.peer === peer && ids.includes(fault.id));
  return found && { foundBy: found.id, foundIn: from.context };
}

/** The files by which clusters dial each other, against what the peers are now. */
export const PEER_CHECKS: readonly MeshCheck[] = [
  {
    id: 'peers-connected',
    category: 'peers',
    title: 'every node is connected to every peer',
    subject: ({ context }, { observed }) => ({
      things: observed.get(context)?.status ? ['status'] : [],
      otherwise: 'its agents were not queried',
    }),
    run: ({ clusters, observed }) =>
      unconnected(clusters.flatMap(({ context }) => observed.get(context)?.status ?? [])),
    says: saysUnconnected,
  },
  perPeer(
    'peers-mutual',
    'peers are configured in both directions',
    (from, to) => {
      if (undialledServers(from, [to]).length > 0)
        return { severity: 'warn', reason: saysUndialled(from, to), hint: mendUndialled(from, to) };
      // By the name that it had.
      return isHalfOfPeering(from, to) && renamedPeers(to, [from]).length === 0
        ? { severity: 'warn', reason: `${clusterNameOf(to)} is not configured to dial back` }
        : undefined;
    },
    undefined,
    (from, all) => [...dialledAmong(from, all), ...undialledServers(from, all)],
  ),
  perPeer(
    'peers-endpoint',
    "peering files have the address that was chosen, or that the peer's Service has now",
    judgeEndpoint,
    (from, to) => {
      const file = dialledBy(from, clusterNameOf(to));
      if (file === undefined) return undefined;
      if (addressesIn(file).length === 0) return 'no address can be read from its peering file';
      const { endpoints: chosen } = choicesFor(from, clusterNameOf(to));
      return chosen || reachableEndpoints(to) ? undefined : `the Service of ${to.context} has no address`;
    },
  ),
  {
    id: 'peers-certificate',
    category: 'peers',
    title: 'client certificates for peers are valid and from the CA that checks them',
    saidBy: IDENTITY_OF_CLUSTERS,
    // They are the cluster's own: the peers need not be among the clusters.
    subject: (from) => ({
      things: otherPeers(from).filter((peer) => from.peerCertificates.has(peer)),
      otherwise: otherPeers(from).length > 0 ? NO_CERTIFICATE : withoutPeers(from),
    }),
    run: ({ clusters, now }, all) =>
      clusters.flatMap((from) =>
        otherPeers(from).flatMap((peer): Finding[] => {
          const found = judgeCertificate(from, peer, now);
          if (!found) return [];
          const { severity, reason, cause = {} } = found;
          const to = all.find((other) => clusterNameOf(other) === peer);
          const connect = connectCommand(from.context, unnamedContext(peer));
          const hint = to ? reconnect(from, to) : forOtherOwners(connect, from.context, peersOfOthers(from));
          return [findingOf('peers-certificate', severity, from.context, { peer, reason, ...cause }, hint)];
        }),
      ),
    says: saysOfPeer,
  },
  perPeer(
    'peers-user',
    'peers have an etcd user for the certificate that dials them',
    (from, to) => {
      const user = loginCertificate(from, clusterNameOf(to))?.commonName;
      const found = to.remoteUsers?.find(({ name }) => name === user);
      if (found?.role === REMOTE_ROLE) return undefined;
      const expected = remoteUserName(clusterNameOf(from));
      const reason = found
        ? `the etcd user ${user} has the role "${found.role}", not "${REMOTE_ROLE}"`
        : `there is no etcd user ${user}${user === expected ? '' : ` (it should be ${expected})`}`;
      const users = to.objects.get(keyOf(configMapRef(to.namespace, REMOTE_USERS_CONFIGMAP)));
      const owner = toolOwner(users);
      const cause = { foundBy: 'users-unreadable', foundIn: to.context };
      if (!users || owner === undefined) return { severity: 'fail', reason, cause };
      // connect mends it, until the owner writes the users again.
      const forGood = `for good, ${lastingPeers(to.context, users, [clusterNameOf(from)])}`;
      const lasting = `${owner} makes the users there, and takes it out again at its next sync`;
      return { severity: 'fail', reason: `${reason}; ${lasting}; ${forGood}`, cause };
    },
    (from, to) => {
      const user = loginCertificate(from, clusterNameOf(to))?.commonName;
      if (user === SHARED_USER) return 'it logs in as the user that every cluster has';
      // Without a ConfigMap of users the peer's Cilium does not use them.
      if (to.remoteUsers === undefined) return `${to.context} has no ConfigMap of users`;
      return user === undefined ? NO_CERTIFICATE : undefined;
    },
  ),
  {
    id: 'peers-itself',
    category: 'peers',
    title: 'no cluster has what it would dial itself with',
    saidBy: IDENTITY_OF_CLUSTERS,
    subject: (cluster) => ({
      things: peerSecretsOf(cluster).map(({ metadata }) => metadata.name),
      otherwise: 'it has no Secret with peering files',
    }),
    run: ({ clusters }) => clusters.flatMap(leftForItself),
    says: saysLeftForItself,
  },
];

function peerSecretsOf({ objects, namespace }: ClusterSnapshot): KubeObject[] {
  return PEER_SECRETS.flatMap((name) => objects.get(keyOf(secretRef(namespace, name))) ?? []);
}

/**
 * What is there for a cluster's own name: Cilium passes over it (pkg/clustermesh/common), but it may be another cluster's
 * private key. A tool may have one list of clusters for all of them.
 */
function leftForItself(cluster: ClusterSnapshot): Finding[] {
  const { context } = cluster;
  const own = clusterNameOf(cluster);
  const names = [own, ...Object.values(peerCertificateKeys(own))];
  const left = peerSecretsOf(cluster)
    .filter((secret) => toolOwner(secret) === undefined)
    .map((secret) => ({ secret: secret.metadata.name, keys: dataKeys(secret).filter((key) => names.includes(key)) }))
    .filter(({ keys }) => keys.length > 0);
  if (left.length === 0) return [];
  const args = { secrets: left.map(({ secret }) => secret), keys: [...new Set(left.flatMap(({ keys }) => keys))] };
  const hint = meshctlCommand('clustermesh disconnect', { context }, ['--peer', own]);
  return [findingOf('peers-itself', 'warn', context, args, hint)];
}

function saysLeftForItself({ args }: Finding): string {
  return `context "${args.context}": Secret ${listed(args.secrets)} has ${listed(args.keys)}, for the cluster itself`;
}

/** The same as a warning of commands that compare a cluster with its file, which cannot say it. */
export function keptForItself(cluster: ClusterSnapshot): string[] {
  return leftForItself(cluster).map((finding) => `${saysLeftForItself(finding)} → ${finding.hint}`);
}

const NO_CERTIFICATE = 'it has no readable client certificate of its own for the peer';

/** Whom a cluster dials; what it has for itself is another check's. */
function otherPeers(from: ClusterSnapshot): string[] {
  return configuredPeers(from).filter((peer) => peer !== clusterNameOf(from));
}

/** The certificate that a cluster has for one of its peers alone. */
function judgeCertificate(from: ClusterSnapshot, peer: string, now: Date): Verdict | undefined {
  const facts = from.peerCertificates.get(peer);
  if (!facts) return undefined;
  // Files that are not there, or no certificates, are what makes them not go together.
  const cause = causeIn(from, peer, ['peer-certificate-missing', 'peer-certificate-unreadable'], now);
  if (!facts.keyMatches)
    return { severity: 'fail', reason: 'the private key belongs to a different certificate', cause };
  if (!facts.signedByCa)
    return { severity: 'fail', reason: "the client certificate is not signed by the peer's CA", cause };
  if (!facts.certificate.usages.includes('client'))
    return { severity: 'fail', reason: 'the client certificate, or a CA of its chain, is not for client use' };
  return expiry(facts.certificate, now);
}

/** Whether the file by which a peer is dialled leads to it. */
function judgeEndpoint(from: ClusterSnapshot, to: ClusterSnapshot, now: Date): Verdict | undefined {
  const peer = clusterNameOf(to);
  const file = dialledBy(from, peer);
  if (file === undefined) {
    return { severity: 'fail', reason: "agents read it from this cluster's KVStoreMesh, which is not enabled" };
  }
  const dialled = addressesIn(file);
  const alias = meshHostname(peer);
  const astray = (right: ReadonlySet<string>) =>
    dialled.filter((endpoint) => !right.has(endpoint) && !endpoint.startsWith(`${alias}:`));
  const { endpoints: chosen } = choicesFor(from, peer);
  if (chosen) {
    const right = chosen.map(({ host, port }) => hostPort(host, port));
    const others = astray(new Set(right));
    const reason = `it dials ${others.join(', ')}, but ${right.join(', ')} was chosen (connect --destination-endpoint)`;
    return others.length > 0 ? { severity: 'fail', reason } : undefined;
  }
  const current = reachableEndpoints(to);
  if (dialled.length === 0 || !current) return undefined;
  const right = new Set(current.map(({ host, port }) => hostPort(host, port)));
  const stale = astray(right);
  if (stale.length === 0) return undefined;
  const reason = `it dials ${stale.join(', ')}, but the Service has ${[...right].join(', ')}`;
  const foreign = foreignFile(from, peer);
  // It may be how the peer is reached from there: only who wrote it knows, and connect leaves it alone.
  if (foreign) {
    const hint = dialServiceCommand(from.context, { name: peer, context: to.context });
    return { severity: 'warn', reason: `${reason}; ${foreign.owner} wrote it`, hint };
  }
  const hint = restoreTypeCommand(to);
  const cause = causeIn(from, peer, ['peering-file-no-cache'], now);
  return { severity: stale.length === dialled.length ? 'fail' : 'warn', reason, ...(hint ? { hint } : {}), cause };
}

/**
 * The file by which a peer is dialled: the agents', or KVStoreMesh's where theirs is for its cache. Undefined where that
 * cache is filled by no one.
 */
function dialledBy({ objects, namespace }: ClusterSnapshot, peer: string): string | undefined {
  const fileIn = (name: string) => secretTexts(objects.get(keyOf(secretRef(namespace, name))))[peer] ?? '';
  const file = fileIn(AGENT_PEERS_SECRET);
  if (file !== '' && !dialsOwnCache(file, namespace)) return file;
  const isOff = runsKvstoremesh(apiserverDeployment({ objects, namespace })) === false;
  return isOff && file !== '' ? undefined : fileIn(KVSTOREMESH_PEERS_SECRET);
}
