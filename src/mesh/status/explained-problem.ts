import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import type { AddressFault } from '../faults/address-faults.ts';
import type { AddressFaultId, Fault, FaultId } from '../faults/fault.ts';
import { keyOf } from '../objects/kube-object.ts';
import { lastChange, RETAKEN_WITHIN_MS, TAKEN_UP_WITHIN_MS } from '../objects/last-change.ts';
import { AGENT_PEERS_SECRET, KVSTOREMESH_PEERS_SECRET, SERVER_CERT_SECRET, secretRef } from '../objects/names.ts';
import type { FailureClass } from './failure-reason.ts';
import { peerNameOf, type StatusProblem, type StatusReport } from './status.ts';

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
  'peering-lost': [],
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
  'identity-mode-unknown': ['agent-unreachable'],
  ztunnel: ['agent-unreachable'],
  'cluster-id-of-eni': ['agent-unreachable'],
  // Connections do without.
  'cilium-endpoints': [],
  // By that name peers are connected to one of them.
  'cluster-name-unique': [],
  // Whom they lack for it, {@link Known} has.
  'agents-outdated': [],
  'max-connected-clusters-running': ['config-not-retrieved', 'syncing', ...VAGUE],
  'identity-outdated': ['permission-denied', 'config-not-retrieved', 'tls-client-rejected', 'wrong-cluster', ...VAGUE],
};

interface Known {
  /** Of the cluster that lacks the peer, and of the peer. */
  own: readonly Fault[];
  peer: readonly Fault[];
  /** Of the addresses that the cluster dials: they are no fault as long as they answer. */
  addresses: readonly AddressFault[];
  /** Whom agents lack that run under another name or id, and the fault that they do. */
  misnamed?: { fault: Fault; lacked: readonly string[] } | undefined;
  snapshot: ClusterSnapshot;
  /** Since when the peer is lacked, and since when what is dialled runs, milliseconds since 1970; undefined where nothing tells. */
  lackedSince?: number | undefined;
  servingSince?: number | undefined;
  now: Date;
}

/**
 * How long programs look for a peer's description of itself before Cilium calls it a failure (pkg/clustermesh/common/remote_cluster.go:
 * clusterConfigRetrievalTimeout; they look again within 30 s). Each start of an agent, a KVStoreMesh or a clustermesh-apiserver goes through that.
 */
const RETRIEVED_WITHIN_MS = 3 * 60 * 1000;

/** What every start goes through, and what it is as long as it may be that: its next step is to wait, not to begin again. */
const OF_A_START: ReadonlyMap<FailureClass, FailureClass> = new Map([
  ['config-not-retrieved', 'syncing'],
  // A new etcd gets its users when it runs.
  ['permission-denied', 'starting'],
] as const);

/**
 * A problem with the fault that explains it, where one does, of the cluster that lacks the peer, or of the peer; a peer that agents do not
 * know is late where it has been in their Secret for longer than it takes to get to them, and what each start goes through is called
 * that as long as one may be why.
 */
export function explained(
  problem: StatusProblem,
  report: StatusReport,
  { own, peer, addresses, misnamed, snapshot, lackedSince, servingSince, now }: Known,
): StatusProblem {
  const throughCache = problem.component === 'agent' && report.kvstoremesh.enabled;
  const candidates = [
    ...own.filter((fault) => fault.component === problem.component && [undefined, problem.peer].includes(fault.peer)),
    ...(throughCache ? own : peer).filter(
      (fault) => fault.component === 'apiserver' && [undefined, peerNameOf(report)].includes(fault.peer),
    ),
    // By the id that it has now, a cluster may take a peer for itself; by its size, it refuses every peer of another one.
    ...own.filter(({ id }) => id === 'identity-outdated' && problem.class === 'wrong-cluster'),
    ...own.filter(({ id }) => id === 'max-connected-clusters-running'),
  ];
  const astray = addresses.find(
    ({ fault, explains }) =>
      fault.component === problem.component && fault.peer === problem.peer && explains.includes(problem.class),
  );
  const isMisnamed = problem.component === 'agent' && misnamed?.lacked.includes(problem.peer ?? '');
  const cause = isMisnamed
    ? misnamed?.fault
    : (candidates.find((fault) => explainedBy(fault).includes(problem.class)) ?? astray?.fault);
  if (cause) {
    const isFile = cause.component !== 'apiserver' && !isMisnamed && WITHOUT_FILE.includes(problem.class);
    return { ...problem, ...(isFile ? { class: 'config-invalid' as const } : {}), cause };
  }
  const name = problem.component === 'agent' ? AGENT_PEERS_SECRET : KVSTOREMESH_PEERS_SECRET;
  const changed = lastChange(snapshot.objects.get(keyOf(secretRef(snapshot.namespace, name))));
  const isWithin = (since: number | undefined, patienceMs: number) =>
    since !== undefined && Math.abs(now.getTime() - since) <= patienceMs;
  if (problem.class === 'not-configured') {
    const patienceMs = problem.component === 'agent' ? TAKEN_UP_WITHIN_MS : RETAKEN_WITHIN_MS;
    const isLate = changed !== undefined && !isWithin(Math.max(changed, lackedSince ?? 0), patienceMs);
    return isLate ? { ...problem, class: 'not-taken-up' } : problem;
  }
  const passing = OF_A_START.get(problem.class);
  if (passing === undefined) return problem;
  const isOfServer = isWithin(servingSince, RETRIEVED_WITHIN_MS);
  const isOfClient =
    problem.class === 'config-not-retrieved' &&
    (isWithin(lackedSince, RETRIEVED_WITHIN_MS) || isWithin(changed, RETAKEN_WITHIN_MS));
  return isOfServer || isOfClient ? { ...problem, class: passing } : problem;
}

function explainedBy({ id, object }: Fault): readonly FailureClass[] {
  const classes = id in EXPLAINS ? EXPLAINS[id as keyof typeof EXPLAINS] : [];
  // One that was issued elsewhere is for the names of elsewhere.
  const isForeign = id === 'certificate-issuer' && object === `Secret ${SERVER_CERT_SECRET}`;
  return isForeign ? [...classes, 'tls-name'] : classes;
}
