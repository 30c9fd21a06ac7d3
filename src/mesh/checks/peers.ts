import { runsKvstoremesh } from '../apiserver/deployment.ts';
import { type Endpoint, hostPort, isIpAddress, reachableEndpoints, splitHostPort } from '../apiserver/endpoints.ts';
import { apiserverDeployment } from '../apiserver/live.ts';
import { answersAt, isNodeUnseen } from '../apiserver/own-addresses.ts';
import { restoreTypeCommand } from '../apiserver/service-type-taken.ts';
import { saysKeyLack } from '../certificates/certificate-lacks.ts';
import { accepts } from '../certificates/trust.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { meshctlCommand } from '../command-line.ts';
import { familyLack, serviceFamilyLack } from '../connect/families-apart.ts';
import { dialFaults } from '../faults/dial-faults.ts';
import type { FaultId } from '../faults/fault.ts';
import { servesFromElsewhere } from '../faults/server-issuer.ts';
import { unlistedPeers } from '../faults/user-faults.ts';
import { keyOf } from '../objects/kube-object.ts';
import {
  AGENT_PEERS_SECRET,
  configMapRef,
  KVSTOREMESH_PEERS_SECRET,
  meshHostname,
  REMOTE_ROLE,
  REMOTE_USERS_CONFIGMAP,
  SERVER_CERT_SECRET,
  SHARED_USER,
  secretRef,
} from '../objects/names.ts';
import { ownerBySync } from '../objects/ownership.ts';
import { secretTexts } from '../objects/secret-data.ts';
import { lastingPeers } from '../objects/source-advice.ts';
import { knownAs } from '../peers/concerned-peers.ts';
import { dialServiceCommand } from '../peers/endpoint-overrides.ts';
import { addressesDialled } from '../peers/file/dialled-addresses.ts';
import { foreignFile, saysWhoSet } from '../peers/file/foreign-file.ts';
import { remoteUserName } from '../peers/file/peer-config.ts';
import { addressesIn, dialsOwnCache } from '../peers/file/peer-file.ts';
import {
  isChoiceHalfRecorded,
  isHalfOfPeering,
  mendHalfLost,
  mendUndialled,
  saysHalfLost,
  saysHalfRecorded,
  saysUndialled,
  undialledClients,
  undialledServers,
} from '../peers/lost-halves.ts';
import { dialledInstead, withoutNamesakes } from '../peers/namesakes.ts';
import { partedBy } from '../peers/parted.ts';
import { choicesFor, peersOfOthers } from '../peers/peer-choices.ts';
import { loginCertificate, mayDialUnseen, sharesLogin } from '../peers/peers.ts';
import { forOtherOwners } from '../peers/peers-of-others.ts';
import { renamedPeers } from '../peers/renamed-peers.ts';
import { dialsWithSuccess } from './exposure.ts';
import { PEER_SECRET_CHECKS } from './peer-secrets.ts';
import { findingOf, type MeshCheck, type MeshCheckInput } from './shared/mesh-input.ts';
import { type Lack, ofBoth, type PeerQuestion, type PeerVerdict, perPeer } from './shared/per-peer.ts';
import { saysUnconnected, unconnected } from './shared/unconnected.ts';
import { expiry } from './tls/tls.ts';

/** The fault of a cluster's files for a peer, of these, that another check finds. */
function causeIn(from: ClusterSnapshot, peer: string, ids: readonly FaultId[], now: Date): PeerVerdict['cause'] {
  const found = dialFaults(from, { now }, [peer]).find(({ id }) => ids.includes(id));
  return found && { foundBy: found.id, foundIn: from.context, foundOf: [peer] };
}

/** The files by which clusters dial each other, against what the peers are now. */
export const PEER_CHECKS: readonly MeshCheck[] = [
  {
    id: 'peers-connected',
    category: 'peers',
    title: 'every node is connected to every peer',
    observes: true,
    subject: ({ context }, { observed }) => ({
      things: observed.get(context)?.status ? ['status'] : [],
      otherwise: 'its agents were not queried',
    }),
    run: ({ clusters, observed, joinable }) =>
      unconnected(
        clusters.flatMap(({ context }) => observed.get(context)?.status ?? []),
        joinable,
      ),
    says: saysUnconnected,
  },
  perPeer({
    id: 'peers-mutual',
    title: 'peers are configured in both directions',
    also: undialledServers,
    ...ofBoth(
      (from, to) => {
        if (undialledServers(from, [to]).length > 0)
          return { severity: 'fail', reason: saysUndialled(from, to), hint: mendUndialled(from, to) };
        if (undialledClients(to, [from]).length > 0)
          return { severity: 'fail', reason: saysHalfLost(from, to), hint: mendHalfLost(from, to) };
        if (isChoiceHalfRecorded(from, to)) return { severity: 'warn', reason: saysHalfRecorded(from, to) };
        // By the name that it had.
        return isHalfOfPeering(from, to) && renamedPeers(to, [from]).length === 0
          ? {
              severity: 'warn',
              reason: `${knownAs(to)} is not configured to dial back${saysWhoSet(from, knownAs(to))}`,
            }
          : undefined;
      },
      (from, to) =>
        isHalfOfPeering(from, to) && mayDialUnseen(to)
          ? { says: `a Secret in which ${to.context} may name it may not be read`, isUnseen: true }
          : undefined,
    ),
  }),
  perPeer({
    id: 'peers-endpoint',
    title: "peering files have the address that was chosen, or that the peer's Service has now",
    ...ofBoth(judgeEndpoint, lackOfEndpoint),
  }),
  perPeer({
    id: 'peers-certificate',
    title: 'client certificates for peers are valid and from the CA that checks them',
    // They are the cluster's own: the peers need not be among the clusters.
    judge: (from, { name, cluster }, now) => judgeCertificate(from, name, cluster, now),
    lack: (from, { name }) => lackOfCertificate(from, name),
  }),
  withUnlisted({
    id: 'peers-user',
    title: 'peers have an etcd user for the certificate that dials them',
    ...ofBoth(judgeUser, (from, to) => {
      const user = loginCertificate(from, knownAs(to))?.commonName;
      if (user === SHARED_USER) return { says: 'it logs in as the user that every cluster has', isUnseen: false };
      // Without a ConfigMap of users the peer's Cilium does not use them.
      if (to.remoteUsers === undefined) return { says: `${to.context} has no ConfigMap of users`, isUnseen: false };
      return user === undefined ? lackOfCertificate(from, knownAs(to)) : undefined;
    }),
  }),
  ...PEER_SECRET_CHECKS,
];

/** A question of each peer that a cluster dials, with those that were not read and that its own list of users leaves out. */
function withUnlisted(question: PeerQuestion): MeshCheck {
  const check = perPeer(question);
  return {
    ...check,
    subject(cluster, input) {
      const subject = check.subject(cluster, input);
      const unlisted = unlistedPeers(cluster, withoutNamesakes(cluster, input.clusters)).map(({ peer }) => peer);
      return { ...subject, things: [...subject.things, ...unlisted] };
    },
    run: (input, all) => [
      ...check.run(input, all),
      ...input.clusters.flatMap((cluster) =>
        unlistedPeers(cluster, withoutNamesakes(cluster, all)).map(({ peer, says, isSure, hint }) => {
          const next = forOtherOwners(hint, cluster.context, peersOfOthers(cluster));
          return findingOf(question.id, isSure ? 'fail' : 'warn', cluster.context, { peer, reason: says }, next);
        }),
      ),
    ],
  };
}

/** A cluster that logs in by the certificate for all of its CA has none for the peer alone. */
function lackOfCertificate(from: ClusterSnapshot, peer: string): Lack | undefined {
  if (from.peerCertificates.has(peer)) return undefined;
  return {
    says: 'it has no readable client certificate of its own for the peer',
    isUnseen: !loginCertificate(from, peer) && !sharesLogin(from, peer),
  };
}

/** Whether the peer lets the cluster in by the certificate that it has. */
function judgeUser(from: ClusterSnapshot, to: ClusterSnapshot): PeerVerdict | undefined {
  const user = loginCertificate(from, knownAs(to))?.commonName;
  const found = to.remoteUsers?.find(({ name }) => name === user);
  if (found?.role === REMOTE_ROLE) return undefined;
  const expected = remoteUserName(knownAs(from));
  const reason = found
    ? `the etcd user ${user} has the role "${found.role}", not "${REMOTE_ROLE}"`
    : `there is no etcd user ${user}${user === expected ? '' : ` (it should be ${expected})`}`;
  const users = to.objects.get(keyOf(configMapRef(to.namespace, REMOTE_USERS_CONFIGMAP)));
  const owner = ownerBySync(users);
  const cause = { foundBy: 'users-unreadable', foundIn: to.context };
  if (!users || owner === undefined) return { severity: 'fail', reason, cause };
  // connect mends it, until the owner writes the users again.
  const forGood = `for good, ${lastingPeers(to.context, users, [knownAs(from)])}`;
  const lasting = `${owner} makes the users there, and takes it out again at its next sync`;
  return { severity: 'fail', reason: `${reason}; ${lasting}; ${forGood}`, cause };
}

/** The certificate that a cluster has for one of its peers alone. @param to the peer, where it was read: its etcd is who has to take it */
function judgeCertificate(
  from: ClusterSnapshot,
  peer: string,
  to: ClusterSnapshot | undefined,
  now: Date,
): PeerVerdict | undefined {
  const facts = from.peerCertificates.get(peer);
  if (!facts) return undefined;
  // Files that are not there, or no certificates, are what makes them not go together.
  const cause = causeIn(from, peer, ['peer-certificate-missing', 'peer-certificate-unreadable'], now);
  if (!facts.keyMatches) return { severity: 'fail', reason: saysKeyLack(facts, 'the private key'), cause };
  if (!facts.certificate.usages.includes('client'))
    return { severity: 'fail', reason: 'the client certificate, or a CA of its chain, is not for client use' };
  const refused =
    to && dialFaults(from, { now, others: [to] }, [peer]).find(({ id }) => id === 'peer-certificate-issuer');
  if (to && refused) {
    const hint = partedBy(to, from)?.mend ?? refused.hint;
    return { severity: 'fail', reason: refused.says, ...(hint ? { hint } : {}) };
  }
  const server = to?.tlsFiles?.get(SERVER_CERT_SECRET);
  // The CA beside it is for the peer's certificate: one that dials with its own has another signer. By a server's certificate that is
  // from elsewhere, nothing can be told of others.
  const byServer = server && to && !servesFromElsewhere(to) ? accepts(server, facts) : undefined;
  const isAccepted = facts.signedByCa ? true : byServer;
  if (isAccepted === false || (isAccepted === undefined && !server && !facts.issuer))
    return { severity: 'fail', reason: "the client certificate is not signed by the peer's CA", cause };
  const found = expiry(facts.certificate, now);
  if (found || isAccepted) return found;
  return {
    severity: 'skip',
    reason: `the client certificate for ${peer} is from a CA of which is not known whether the peer accepts it`,
  };
}

function lackOfEndpoint(
  from: ClusterSnapshot,
  to: ClusterSnapshot,
  observed: MeshCheckInput['observed'],
): Lack | undefined {
  const peer = knownAs(to);
  if (observed.get(from.context)?.byEtcd?.includes(peer))
    return { says: `it is connected at another address to the very etcd of ${to.context}`, isUnseen: false };
  const file = dialledBy(from, peer);
  if (file === undefined) return undefined;
  const written = addressesIn(file);
  if (written.length === 0) return { says: 'no address can be read from its peering file', isUnseen: true };
  const { endpoints: chosen } = choicesFor(from, peer);
  const current = chosen ?? reachableEndpoints(to);
  if (!current) return { says: `the Service of ${to.context} has no address`, isUnseen: true };
  const alias = meshHostname(peer);
  const isAlias = (address: string) => address.startsWith(`${alias}:`);
  const right = addressSet(current);
  if (dialledAt(from, peer, file, right).some((address) => isAlias(address) && !right.has(address)))
    return { says: `neither its peering file nor its pods tell what ${alias} means`, isUnseen: true };
  if (!chosen && dialledAt(from, peer, file, right).some((address) => !right.has(address) && isNodeUnseen(to, address)))
    return { says: `it is at the node port of ${to.context}, whose nodes were not read`, isUnseen: true };
  // Aliases are IP addresses.
  if (!chosen && written.some(isAlias) && !current.some(({ host }) => isIpAddress(host)))
    return {
      says: `the Service of ${to.context} has host names, and which addresses those have was not asked`,
      isUnseen: true,
    };
  return undefined;
}

function addressSet(endpoints: readonly Endpoint[]): Set<string> {
  return new Set(endpoints.map(({ host, port }) => hostPort(host, port)));
}

/** Where a file leads in the end; a name that is right as it is written stays one, whatever it means. */
function dialledAt(from: ClusterSnapshot, peer: string, file: string, right: ReadonlySet<string>): string[] {
  const written = addressesIn(file);
  return written.every((address) => right.has(address)) ? written : addressesDialled(from, peer, file);
}

/**
 * Whether the file by which a peer is dialled leads to it.
 * @param others that were read, of which one may be where it leads
 */
function judgeEndpoint(
  from: ClusterSnapshot,
  to: ClusterSnapshot,
  now: Date,
  others: readonly ClusterSnapshot[],
  observed: MeshCheckInput['observed'],
): PeerVerdict | undefined {
  const peer = knownAs(to);
  const file = dialledBy(from, peer);
  if (file === undefined) {
    return { severity: 'fail', reason: "agents read it from this cluster's KVStoreMesh, which is not enabled" };
  }
  const { endpoints: chosen } = choicesFor(from, peer);
  const right = addressSet(chosen ?? reachableEndpoints(to) ?? []);
  const dialled = dialledAt(from, peer, file, right);
  // A node may answer that the Service does not name.
  const stale = dialled.filter((address) => !right.has(address) && (chosen !== undefined || !answersAt(to, address)));
  const hosts = dialled.map((address) => splitHostPort(address).host);
  // Who is connected has an address that does, whatever its cluster's settings tell.
  const isConnected = dialsWithSuccess(observed.get(from.context)?.status, peer);
  const apart = isConnected ? undefined : familyLack(from, to, hosts, chosen !== undefined);
  if (apart) {
    const isOfService = serviceFamilyLack(from, to) !== undefined;
    const says = isOfService ? { foundBy: 'service-reachable', foundIn: to.context } : undefined;
    return { severity: 'fail', reason: apart.says, hint: apart.hint, cause: says };
  }
  if (stale.length === 0) return undefined;
  const isAt = `it dials ${stale.join(', ')}`;
  if (chosen) {
    const reason = `${isAt}, but ${[...right].join(', ')} was chosen (connect --destination-endpoint)`;
    return { severity: 'fail', reason };
  }
  const dialledOne = dialledInstead(from, peer, to, others);
  if (dialledOne) {
    const { context } = dialledOne;
    const is = `the cluster of context "${context}", another one of the name than that of context "${to.context}"`;
    const hint = `Check it with the one that it dials: ${meshctlCommand('clustermesh check', { context: [from.context, context] })}`;
    return { severity: 'fail', reason: `${isAt}, ${is}`, hint };
  }
  const reason = `${isAt}, but the Service has ${[...right].join(', ')}`;
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
  // Where agents dial, what KVStoreMesh had says nothing of how.
  if (isOff) return file === '' ? '' : undefined;
  return fileIn(KVSTOREMESH_PEERS_SECRET);
}
