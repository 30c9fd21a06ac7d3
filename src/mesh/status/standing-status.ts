import { missingAccess } from '../apiserver/access.ts';
import { awaitsEndpoints } from '../apiserver/endpoints.ts';
import { apiserverDeployment } from '../apiserver/live.ts';
import { lackOfAgents } from '../cilium/agents.ts';
import { clusterNameOf } from '../cilium/identity.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { dialingSecret, dialsThroughKvstoremesh } from '../connect/direction.ts';
import { type AddressFault, addressFaults } from '../faults/address-faults.ts';
import type { AddressFaultId, Fault, FaultId } from '../faults/fault.ts';
import { faultsOf } from '../faults/faults-of.ts';
import { enableObstacles } from '../faults/serve-faults.ts';
import { describeKey, keyOf } from '../objects/kube-object.ts';
import { lastChange, RETAKEN_WITHIN_MS, TAKEN_UP_WITHIN_MS } from '../objects/last-change.ts';
import {
  AGENT_PEERS_SECRET,
  agentDaemonSetRef,
  KVSTOREMESH_PEERS_SECRET,
  SERVER_CERT_SECRET,
  secretRef,
} from '../objects/names.ts';
import {
  isChoiceHalfRecorded,
  mendHalfLost,
  mendUndialled,
  saysHalfLost,
  saysHalfRecorded,
  saysUndialled,
  undialledClients,
  undialledServers,
} from '../peers/lost-halves.ts';
import { withoutNamesakes } from '../peers/namesakes.ts';
import { expectedPeers } from '../peers/peers.ts';
import { peersOnRecord } from '../peers/peers-on-record.ts';
import { renamedPeers, takeUpCommand } from '../peers/renamed-peers.ts';
import type { FailureClass } from './failure-reason.ts';
import { areStrangers, idOfFormer, withFormerForgotten } from './other-cluster.ts';
import { isAlone, type StatusProblem, type StatusReport, UNREAD_NODES } from './status.ts';
import type { SeenPeers } from './status-tally.ts';

/** What a cluster's agents said, and what it is configured with. */
export interface PolledCluster extends Partial<SeenPeers> {
  report: StatusReport;
  snapshot: ClusterSnapshot;
}

interface JudgedCluster extends PolledCluster, Record<'faults' | 'harmless', Fault[]> {
  /** Those that may be its peers. */
  others: readonly ClusterSnapshot[];
}

/** What a status says that does not know why. */
const VAGUE: readonly FailureClass[] = ['starting', 'unknown'];
const WITHOUT_FILE: readonly FailureClass[] = ['not-configured', 'not-taken-up', 'config-invalid', ...VAGUE];
const WITHOUT_SERVER: readonly FailureClass[] = ['refused', 'timed-out', 'config-not-retrieved', ...VAGUE];
const WITHOUT_TRUST: readonly FailureClass[] = [
  'tls-expired',
  'tls-unknown-ca',
  'tls-usage',
  'tls-client-rejected',
  ...VAGUE,
];

/** Which failures of a connection each fault explains; what an address does, {@link addressFaults} says. */
const EXPLAINS: Readonly<Record<Exclude<FaultId, AddressFaultId>, readonly FailureClass[]>> = {
  'peering-secret-missing': WITHOUT_FILE,
  'peering-file-missing': WITHOUT_FILE,
  // A server that wants TLS answers nobody who dials without.
  'peering-file-unreadable': [...WITHOUT_FILE, 'refused', 'timed-out'],
  'peering-file-no-cache': [...WITHOUT_FILE, ...WITHOUT_SERVER, 'cannot-resolve'],
  'peer-certificate-missing': WITHOUT_FILE,
  // Of a CA file without a certificate etcd's client makes a pool that trusts nobody.
  'peer-certificate-unreadable': [...WITHOUT_FILE, 'tls-unknown-ca'],
  'peer-certificate-key': WITHOUT_FILE,
  'peer-certificate-expired': WITHOUT_TRUST,
  'peer-certificate-issuer': WITHOUT_TRUST,
  'peer-certificate-foreign': ['permission-denied', 'config-not-retrieved', ...VAGUE],
  'peer-ca': WITHOUT_TRUST,
  'peer-unconfigured': [],
  'choice-half-recorded': [],
  'peers-mutual': [],
  'peer-renamed': [...WITHOUT_SERVER, 'permission-denied', 'tls-client-rejected', 'wrong-cluster'],
  // Who refuses a peer is connected to it, and reads nothing.
  'max-connected-clusters-equal': ['config-not-retrieved', 'syncing', ...VAGUE],
  'certificate-missing': [...WITHOUT_SERVER, 'config-invalid'],
  'certificate-unreadable': [...WITHOUT_SERVER, 'config-invalid'],
  'certificate-key': [...WITHOUT_SERVER, 'config-invalid'],
  'certificate-expired': WITHOUT_TRUST,
  'certificate-usage': WITHOUT_TRUST,
  'certificate-issuer': WITHOUT_TRUST,
  'ca-missing': [],
  'ca-unreadable': [],
  'ca-key': [],
  'ca-foreign': [],
  'users-missing': ['permission-denied', ...WITHOUT_SERVER],
  'users-unreadable': ['permission-denied', ...VAGUE],
  // A user of another role may log in, and not read what the cluster says of itself.
  'peer-user-missing': ['permission-denied', 'config-not-retrieved', ...VAGUE],
  'mesh-disabled': [...WITHOUT_SERVER, 'cannot-resolve'],
  'apiserver-missing': [...WITHOUT_SERVER, 'cannot-resolve', 'own-apiserver-missing'],
  'service-missing': [...WITHOUT_SERVER, 'cannot-resolve'],
  'container-missing': [...WITHOUT_SERVER, 'permission-denied'],
  'kvstoremesh-missing': ['agent-unreachable', ...VAGUE],
  'service-type': [...WITHOUT_SERVER, 'cannot-resolve'],
  'service-selector': WITHOUT_SERVER,
  'service-port': WITHOUT_SERVER,
  'service-target-port': [...WITHOUT_SERVER, 'tls-unknown-ca', 'tls-client-rejected'],
  'apiserver-scaled-down': WITHOUT_SERVER,
  'apiserver-not-ready': WITHOUT_SERVER,
  // What serves is of before, and serves.
  'apiserver-rollout': [],
  // A server that may read nothing serves nothing, and lets everyone in.
  'access-missing': [...WITHOUT_SERVER, 'syncing'],
  'agents-missing': [],
  'max-connected-clusters-running': ['config-not-retrieved', 'syncing', ...VAGUE],
  'identity-outdated': ['permission-denied', 'config-not-retrieved', 'tls-client-rejected', 'wrong-cluster', ...VAGUE],
};

/**
 * The reports with what is configured but broken, each cluster's by the snapshots of all: a cluster with such a fault is
 * not healthy, whatever its agents say, nor is one of which not all may be read; and a problem that a fault explains has it as its cause. What no connection needs
 * (`outage: false`) is told, and changes nothing else.
 */
export function judgeStanding(polled: readonly PolledCluster[], now: Date): StatusReport[] {
  const snapshots = polled.map(({ snapshot }) => snapshot);
  const standing = polled.map((one): JudgedCluster => {
    const { report, snapshot } = one;
    const strangers = polled
      .filter((other) => other !== one && areStrangers(one, other))
      .map((other) => other.snapshot);
    const others = withoutNamesakes(snapshot, snapshots).filter((other) => !strangers.includes(other));
    const found = faultsOf(snapshot, { now, others });
    const peers = polled.filter((other) => others.includes(other.snapshot));
    const served = withServed(report, snapshot, peers);
    const all = [
      ...withoutAgents(report, snapshot),
      ...found.filter(({ outage }) => outage),
      ...unconfigured(report, snapshot),
      ...undialled(report, snapshot, others),
      ...halfLost(served, snapshot, others),
      ...renamed(snapshot, others),
    ];
    const faults = all.map((fault) => withFormerForgotten(fault, one, peers));
    const harmless = [...found.filter(({ outage }) => !outage), ...halfRecorded(snapshot, others)];
    const namesakes = snapshots.filter((other) => other !== snapshot && !others.includes(other));
    const ofOtherMeshes = namesakes.length > 0 ? { ofOtherMeshes: namesakes.map(({ context }) => context) } : {};
    const told = { ...served, ...ofOtherMeshes };
    return { ...one, report: told, others, faults, harmless };
  });
  return standing.map(({ report, snapshot, others, faults, harmless, ...seen }) => ({
    ...report,
    ...verdictOf(report, { faults, ...unreadIn(report, snapshot) }),
    ...(report.enabled && awaitsEndpoints(snapshot) ? { unaddressed: true } : {}),
    ...enableObstacles(snapshot, now),
    ...unreadIn(report, snapshot),
    faults: [...faults, ...harmless],
    problems: report.problems.map((problem) => {
      const named = others.find((other) => clusterNameOf(other) === problem.peer);
      const peer = named && standing.find((other) => other.snapshot === named);
      return explained(problem, report, {
        own: faults,
        peer: peer?.faults ?? [],
        addresses: addressFaults(snapshot, others).map(({ fault, explains }) => ({
          fault: peer ? withFormerForgotten(fault, { ...seen, snapshot }, [peer]) : fault,
          explains,
        })),
        snapshot,
        now,
      });
    }),
  }));
}

/** What may not be read may be broken: nobody calls that healthy. */
function verdictOf(
  { healthy }: StatusReport,
  { faults, unread = [] }: Pick<StatusReport, 'faults' | 'unread'>,
): Pick<StatusReport, 'healthy' | 'unproved'> {
  const isWell = healthy && faults.length === 0;
  const isUnproved = isWell && unread.some((one) => one !== UNREAD_NODES);
  return { healthy: isWell && !isUnproved, ...(isUnproved ? { unproved: true } : {}) };
}

/** What of a cluster may not be read: where that is broken, no fault tells of it. */
function unreadIn(report: StatusReport, snapshot: ClusterSnapshot): Pick<StatusReport, 'unread'> {
  const { namespace, unread = new Set<string>() } = snapshot;
  // It is read only where Cilium's configuration is lost.
  const objects = [...unread].filter((key) => key !== keyOf(agentDaemonSetRef(namespace))).map(describeKey);
  const deployment = apiserverDeployment(snapshot);
  const access =
    deployment && !missingAccess(snapshot, deployment)
      ? ['the account and the rights of its clustermesh-apiserver']
      : [];
  const all = [...(report.unread ?? []), ...objects, ...access];
  return all.length > 0 ? { unread: all } : {};
}

/**
 * Of peers that were to dial a cluster one-way, those that do, as far as they were read; of one that dials others, also those
 * that alone have it on record by now. Of one that is alone, who is to be its peer.
 */
function withServed(report: StatusReport, snapshot: ClusterSnapshot, peers: readonly PolledCluster[]): StatusReport {
  const others = peers.map((peer) => peer.snapshot);
  const own = clusterNameOf(snapshot);
  const marked = report.serves.filter((name) => {
    const peer = others.find((other) => clusterNameOf(other) === name);
    return !peer || expectedPeers(peer).includes(own);
  });
  const unmarked = others
    .filter((other) => isChoiceHalfRecorded(other, snapshot))
    .map(clusterNameOf)
    .filter((name) => !marked.includes(name) && !report.peers.some((peer) => peer.name === name));
  const serves = isAlone({ ...report, serves: marked }) ? marked : [...marked, ...unmarked].sort();
  if (!isAlone({ ...report, serves })) return { ...report, serves };
  const onRecord = peersOnRecord(snapshot, others);
  // What mends their side connects it.
  const knowFormer = peers.filter((peer) => idOfFormer(peer, snapshot) !== undefined);
  const left = onRecord.filter((name) => !knowFormer.some((peer) => clusterNameOf(peer.snapshot) === name));
  return {
    ...report,
    // Those that do not dial it are let in all the same.
    ...(report.serves.length > 0 ? { admits: report.serves } : {}),
    ...(onRecord.length > 0 ? { onRecord: left } : {}),
    serves,
    healthy: false,
  };
}

/** Peers that agents or KVStoreMesh have by what they mounted, and that is not there any more. */
function unconfigured({ peers, context }: StatusReport, snapshot: ClusterSnapshot): Fault[] {
  const expected = expectedPeers(snapshot);
  const { namespace, unread } = snapshot;
  // Of a Secret that may not be read it is not known what it names.
  if (unread?.has(keyOf(secretRef(namespace, KVSTOREMESH_PEERS_SECRET)))) return [];
  return peers
    .filter(({ name }) => !expected.includes(name))
    .map(({ name: peer, agents }) => ({
      id: 'peer-unconfigured' as const,
      context,
      namespace,
      peer,
      component: agents.configured > 0 ? ('agent' as const) : ('kvstoremesh' as const),
      object: `Secret ${agents.configured > 0 ? AGENT_PEERS_SECRET : KVSTOREMESH_PEERS_SECRET}`,
      outage: true,
      says: 'what has been mounted still names it, and no Secret does any more',
    }));
}

/** Peers that wait for this cluster to dial them, as it was chosen, where nothing names them here any more. */
function undialled({ peers }: StatusReport, snapshot: ClusterSnapshot, others: readonly ClusterSnapshot[]): Fault[] {
  const { context, namespace, unread } = snapshot;
  const secret = dialingSecret(snapshot);
  const component = dialsThroughKvstoremesh(snapshot) ? ('kvstoremesh' as const) : ('agent' as const);
  if (unread?.has(keyOf(secretRef(namespace, secret)))) return [];
  return undialledServers(snapshot, others)
    .filter((server) => !peers.some(({ name }) => name === clusterNameOf(server)))
    .map((server) => ({
      ...{ id: 'peering-file-missing' as const, context, namespace, component, outage: true },
      ...{ object: `Secret ${secret}`, key: clusterNameOf(server), peer: clusterNameOf(server) },
      says: saysUndialled(snapshot, server),
      hint: mendUndialled(snapshot, server),
    }));
}

/** Peers that dial this cluster and that it does not dial, though nobody chose that. One that is alone is told to be connected. */
function halfLost(report: StatusReport, snapshot: ClusterSnapshot, others: readonly ClusterSnapshot[]): Fault[] {
  if (isAlone(report)) return [];
  const { context, namespace } = snapshot;
  const component = dialsThroughKvstoremesh(snapshot) ? ('kvstoremesh' as const) : ('agent' as const);
  const object = `Secret ${dialingSecret(snapshot)}`;
  return undialledClients(snapshot, others)
    .filter((client) => !report.peers.some(({ name }) => name === clusterNameOf(client)))
    .map((client) => ({
      ...{ id: 'peers-mutual' as const, context, namespace, component, object, outage: true },
      ...{ key: clusterNameOf(client), peer: clusterNameOf(client) },
      says: saysHalfLost(client, snapshot),
      hint: mendHalfLost(client, snapshot),
    }));
}

/** Choices of one way that this cluster has on record no more, or its peer: connecting the two again writes them down. */
function halfRecorded(snapshot: ClusterSnapshot, others: readonly ClusterSnapshot[]): Fault[] {
  const { context, namespace } = snapshot;
  return others
    .filter((server) => isChoiceHalfRecorded(snapshot, server))
    .map((server) => ({
      ...{ id: 'choice-half-recorded' as const, context, namespace, component: 'agent' as const, outage: false },
      ...{ object: `Secret ${AGENT_PEERS_SECRET}`, peer: clusterNameOf(server) },
      says: saysHalfRecorded(snapshot, server),
    }));
}

/** A cluster of a mesh in which nobody could be asked, since nobody is there, or nobody will be after the next restart. */
function withoutAgents(report: StatusReport, snapshot: ClusterSnapshot): Fault[] {
  const { context, namespace, unread, agent } = snapshot;
  const isGone = !agent && !unread?.has(keyOf(agentDaemonSetRef(namespace)));
  if ((report.nodes.total > 0 && !isGone) || (!report.enabled && isAlone(report))) return [];
  const { says = 'no Cilium agent runs', hint } = lackOfAgents(snapshot) ?? {};
  const place = { context, namespace, component: 'agent', object: 'DaemonSet cilium' } as const;
  return [{ id: 'agents-missing', ...place, outage: true, says, ...(hint ? { hint } : {}) }];
}

/** Peers that serve under another name by now: what those who dial them by the former one read is not there. */
function renamed(snapshot: ClusterSnapshot, others: readonly ClusterSnapshot[]): Fault[] {
  const { context, namespace } = snapshot;
  const component = dialsThroughKvstoremesh(snapshot) ? ('kvstoremesh' as const) : ('agent' as const);
  const object = `Secret ${dialingSecret(snapshot)}`;
  return renamedPeers(snapshot, others).map((peer) => ({
    ...{ id: 'peer-renamed' as const, context, namespace, peer: peer.former, component, object, key: peer.former },
    outage: true,
    says: `that is the former name of ${clusterNameOf(peer.cluster)}`,
    hint: takeUpCommand(snapshot, peer),
  }));
}

interface Known {
  /** Of the cluster that lacks the peer, and of the peer. */
  own: readonly Fault[];
  peer: readonly Fault[];
  /** Of the addresses that the cluster dials: they are no fault as long as they answer. */
  addresses: readonly AddressFault[];
  snapshot: ClusterSnapshot;
  now: Date;
}

function explained(
  problem: StatusProblem,
  report: StatusReport,
  { own, peer, addresses, snapshot, now }: Known,
): StatusProblem {
  const throughCache = problem.component === 'agent' && report.kvstoremesh.enabled;
  const candidates = [
    ...own.filter((fault) => fault.component === problem.component && [undefined, problem.peer].includes(fault.peer)),
    ...(throughCache ? own : peer).filter(
      (fault) => fault.component === 'apiserver' && [undefined, report.cluster.name].includes(fault.peer),
    ),
    // By the id that it has now, a cluster may take a peer for itself; by its size, it refuses every peer of another one.
    ...own.filter(({ id }) => id === 'identity-outdated' && problem.class === 'wrong-cluster'),
    ...own.filter(({ id }) => id === 'max-connected-clusters-running'),
  ];
  const astray = addresses.find(
    ({ fault, explains }) =>
      fault.component === problem.component && fault.peer === problem.peer && explains.includes(problem.class),
  );
  const cause = candidates.find((fault) => explainedBy(fault).includes(problem.class)) ?? astray?.fault;
  if (cause) {
    const isFile = cause.component !== 'apiserver' && WITHOUT_FILE.includes(problem.class);
    return { ...problem, ...(isFile ? { class: 'config-invalid' as const } : {}), cause };
  }
  const name = problem.component === 'agent' ? AGENT_PEERS_SECRET : KVSTOREMESH_PEERS_SECRET;
  const changed = lastChange(snapshot.objects.get(keyOf(secretRef(snapshot.namespace, name))));
  const patienceMs = problem.component === 'agent' ? TAKEN_UP_WITHIN_MS : RETAKEN_WITHIN_MS;
  const isLate = changed !== undefined && now.getTime() - changed > patienceMs;
  return problem.class === 'not-configured' && isLate ? { ...problem, class: 'not-taken-up' } : problem;
}

function explainedBy({ id, object }: Fault): readonly FailureClass[] {
  const classes = id in EXPLAINS ? EXPLAINS[id as keyof typeof EXPLAINS] : [];
  // One that was issued elsewhere is for the names of elsewhere.
  const isForeign = id === 'certificate-issuer' && object === `Secret ${SERVER_CERT_SECRET}`;
  return isForeign ? [...classes, 'tls-name'] : classes;
}
