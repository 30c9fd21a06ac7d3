import { missingAccess } from '../apiserver/access.ts';
import { awaitsEndpoints, isIpAddress, isNodePortUnseen, splitHostPort } from '../apiserver/endpoints.ts';
import { apiserverDeployment } from '../apiserver/live.ts';
import { answersByNode, isNodeUnseen } from '../apiserver/own-addresses.ts';
import { outdatedIdentity } from '../apiserver/pod-marks.ts';
import { isSameKey } from '../certificates/trust.ts';
import { type AgentIdentity, misnamedAgents, saysMisnamed } from '../cilium/agent-identity.ts';
import { lackOfAgents } from '../cilium/agents.ts';
import { clusterNameOf, identityOf, restartAgentsCommand } from '../cilium/identity.ts';
import type { RunningVersion } from '../cilium/versions/versions.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { meshctlCommand } from '../command-line.ts';
import type { PodsLeft } from '../enable/remaining-pods.ts';
import { type AddressFault, addressFaults } from '../faults/address-faults.ts';
import type { Fault } from '../faults/fault.ts';
import { faultsOf } from '../faults/faults-of.ts';
import { enableObstacles } from '../faults/serve-faults.ts';
import { describeKey, keyOf } from '../objects/kube-object.ts';
import { agentDaemonSetRef, CILIUM_CONFIG, SERVER_CERT_SECRET } from '../objects/names.ts';
import { clusterKnownAs, knownAs } from '../peers/concerned-peers.ts';
import { dialledAddresses } from '../peers/file/dialled-addresses.ts';
import { isChoiceHalfRecorded } from '../peers/lost-halves.ts';
import { meantTogether } from '../peers/meshes.ts';
import { withoutNamesakes } from '../peers/namesakes.ts';
import { expectedPeers, knownPeers } from '../peers/peers.ts';
import { peersOnRecord } from '../peers/peers-on-record.ts';
import { keptFor } from '../services/silence.ts';
import { explained } from './explained-problem.ts';
import { dialsOwnServer } from './failure-reason.ts';
import { areStrangers, idOfFormer, withFormerForgotten } from './other-cluster.ts';
import { bothHalvesLost, halfRecorded, peeringFaults } from './peering-faults.ts';
import { standingWarnings, startFaults } from './standing-settings.ts';
import { isAlone, type StatusReport, UNREAD_NODES } from './status.ts';
import { lackKey, type SeenPeers } from './status-tally.ts';

/** What a cluster's agents said, and what it is configured with. */
export interface PolledCluster extends Partial<SeenPeers> {
  report: StatusReport;
  snapshot: ClusterSnapshot;
  /** Who agents say that they are; absent where nobody was asked. */
  agents?: readonly AgentIdentity[] | undefined;
  /** Peers that it is connected to at another address than theirs, and with their own etcd; absent where nobody looked. */
  byEtcd?: readonly string[] | undefined;
  /** What its agents run, most pods first; absent where nobody looked. */
  running?: readonly RunningVersion[] | undefined;
  /** Pods of a former clustermesh-apiserver that still serve. */
  left?: PodsLeft | undefined;
  /** When its youngest clustermesh-apiserver was started, milliseconds since 1970; absent where nothing tells. */
  servingMs?: number | undefined;
}

interface JudgedCluster extends PolledCluster, Record<'faults' | 'harmless', Fault[]> {
  /** Those that may be its peers. */
  others: readonly ClusterSnapshot[];
  /** What is wrong with where it dials them. */
  addresses: readonly AddressFault[];
}

/**
 * The reports with what is configured but broken, each cluster's by the snapshots of all: a cluster with such a fault is
 * not healthy, whatever its agents say, nor is one of which not all may be read; and a problem that a fault explains has it as its cause.
 * What no connection needs (`outage: false`) is told, and changes nothing else.
 */
export function judgeStanding(polled: readonly PolledCluster[], now: Date): StatusReport[] {
  const snapshots = polled.map(({ snapshot }) => snapshot);
  const standing = polled.map((one): JudgedCluster => {
    const { report, snapshot } = one;
    const strangers = polled
      .filter((other) => other !== one && areStrangers(one, other))
      .map((other) => other.snapshot);
    const others = withoutNamesakes(snapshot, snapshots).filter((other) => !strangers.includes(other));
    const found = faultsOf(snapshot, { now, others, agents: one.agents });
    const peers = polled.filter((other) => others.includes(other.snapshot));
    const served = withServed(report, snapshot, peers);
    const addresses = addressFaults(snapshot, others);
    const lost = bothHalvesLost({ report: served, snapshot }, peers);
    const all = [
      ...withoutAgents(report, snapshot),
      ...startFaults(one),
      ...outdatedAgents(one),
      ...found.filter(({ outage }) => outage),
      ...peeringFaults(served, snapshot, others),
      ...lost.filter(({ outage }) => outage),
      ...strayDials(one, others, addresses),
      ...sharedNames(snapshot, snapshots),
    ];
    const faults = all.map((fault) => withFormerForgotten(fault, one, peers));
    const harmless = [
      ...found.filter(({ outage }) => !outage),
      ...halfRecorded(snapshot, others),
      ...lost.filter(({ outage }) => !outage),
    ];
    const namesakes = snapshots.filter((other) => other !== snapshot && !others.includes(other));
    const ofOtherMeshes = namesakes.length > 0 ? { ofOtherMeshes: namesakes.map(({ context }) => context) } : {};
    const runsAs = knownAs(snapshot);
    const told = { ...served, ...ofOtherMeshes, ...(runsAs === clusterNameOf(snapshot) ? {} : { runsAs }) };
    return { ...one, report: told, others, faults, harmless, addresses };
  });
  return standing.map(({ report, snapshot, others, faults, harmless, addresses, ...seen }) => {
    const unread = unreadIn(report, snapshot);
    const span = keptFor(snapshot.ciliumConfig ?? {}, snapshot.agent?.image, apiserverDeployment(snapshot));
    const misnamed =
      report.problems.length > 0 ? lackedByName({ ...seen, snapshot, report }, others, faults) : undefined;
    return {
      ...report,
      ...(snapshot.clockAheadMs ? { clockAheadMs: snapshot.clockAheadMs } : {}),
      ...verdictOf(report, { faults, ...unread }),
      ...(report.enabled && awaitsEndpoints(snapshot) ? { unaddressed: true } : {}),
      ...enableObstacles(snapshot, now, others),
      ...(span === undefined ? {} : { keptFor: span }),
      ...unread,
      ...standingWarnings({ ...seen, snapshot }),
      faults: [...faults, ...harmless],
      problems: report.problems.map((problem) => {
        const named = clusterKnownAs(problem.peer, others);
        const peer = named && standing.find((other) => other.snapshot === named);
        const isOfOwn = dialsOwnServer({ component: problem.component, kvstoremesh: report.kvstoremesh.enabled });
        return explained(problem, report, {
          own: faults,
          peer: peer?.faults ?? [],
          misnamed,
          addresses: addresses.map(({ fault, explains }) => ({
            fault: peer ? withFormerForgotten(fault, { ...seen, snapshot }, [peer]) : fault,
            explains,
          })),
          snapshot,
          lackedSince: seen.lackedSince?.get(lackKey(problem)),
          servingSince: isOfOwn ? seen.servingMs : peer?.servingMs,
          now,
        });
      }),
    };
  });
}

/**
 * Peers that are connected at an address that they have not, which nobody chose: such a connection does not come back, or it is one to
 * another cluster of the name, as where a backup was restored; but not where it is with the very etcd of the peer. Of one that cannot be reached, what explains it tells. A host name may
 * lead to the peer, which only a name server tells.
 */
function strayDials(
  { report, snapshot, byEtcd = [] }: PolledCluster,
  others: readonly ClusterSnapshot[],
  addresses: readonly AddressFault[],
): Fault[] {
  const troubled = report.problems.map(({ peer }) => peer);
  return addresses.flatMap(({ fault }): Fault[] => {
    const { peer = '' } = fault;
    const other = clusterKnownAs(peer, others);
    if (fault.id !== 'peer-address-gone' || !other || [...troubled, ...byEtcd].includes(peer)) return [];
    const dialled = dialledAddresses(snapshot, peer);
    if (!dialled.every((address) => isIpAddress(splitHostPort(address).host))) return [];
    if (dialled.some((address) => answersByNode(other, address) || isNodeUnseen(other, address))) return [];
    const context = [snapshot.context, other.context];
    return [{ ...fault, hint: meshctlCommand('clustermesh check', { context }, ['--category', 'peers']) }];
  });
}

/** Clusters of one mesh that run with one name: each takes for its own what peers have for the other one. */
function sharedNames(snapshot: ClusterSnapshot, all: readonly ClusterSnapshot[]): Fault[] {
  const name = knownAs(snapshot);
  const alike = all.filter((other) => knownAs(other) === name && knownPeers(other).length > 0);
  // Hardly any name is there twice.
  if (alike.length < 2 || !alike.includes(snapshot)) return [];
  // Meshes may share a CA: where no address is known, nothing tells clusters of one name apart that have it.
  const mesh = meantTogether(all).filter((one) => one.includes(snapshot) && !one.some((its) => isUntold(its, one)));
  const others = alike.filter((other) => other !== snapshot && mesh.some((one) => one.includes(other)));
  if (others.length === 0) return [];
  const contexts = others.map(({ context }) => `"${context}"`);
  const { context, namespace } = snapshot;
  const alikeContexts = alike.filter((one) => one === snapshot || others.includes(one)).map((one) => one.context);
  return [
    {
      ...{ id: 'cluster-name-unique', context, namespace, component: 'agent', outage: true },
      ...{ object: `ConfigMap ${CILIUM_CONFIG}`, key: 'cluster-name' },
      says: `${contexts.length === 1 ? 'the cluster of context' : 'those of contexts'} ${contexts.join(', ')} ${contexts.length === 1 ? 'has' : 'have'} the name "${name}" too`,
      hint: meshctlCommand('clustermesh check', { context: alikeContexts }, ['--category', 'identity']),
    },
  ];
}

/** Whether neither its address nor its CA tells a cluster from another one of its name. */
function isUntold(snapshot: ClusterSnapshot, mesh: readonly ClusterSnapshot[]): boolean {
  if (!isNodePortUnseen(snapshot)) return false;
  const caOf = ({ tlsSecrets, ca }: ClusterSnapshot) => tlsSecrets.get(SERVER_CERT_SECRET)?.ca ?? ca?.certificate;
  const own = caOf(snapshot);
  return mesh.some(
    (other) => other !== snapshot && knownAs(other) === knownAs(snapshot) && isSameKey(own, caOf(other)),
  );
}

/** Agents that were not restarted since cilium-config was put back: what else the cluster has is as it shall be. */
function outdatedAgents({ snapshot, agents }: PolledCluster): Fault[] {
  const misnamed = misnamedAgents(snapshot, agents);
  if (!misnamed || outdatedIdentity(snapshot)) return [];
  const { context, namespace } = snapshot;
  const { name, id } = identityOf(snapshot.ciliumConfig ?? {});
  const says = `its ${saysMisnamed(misnamed)}, and ${CILIUM_CONFIG} says "${name}" with the id ${id}`;
  return [
    {
      ...{
        id: 'agents-outdated',
        context,
        namespace,
        component: 'agent',
        object: 'DaemonSet cilium',
        outage: true,
        says,
      },
      hint: restartAgentsCommand(snapshot),
    },
  ];
}

/**
 * The peers that agents lack because they run under another name or id than peers know the cluster by: that of the same name, and those
 * of the same id. Where no agent told, those that were started anew have the name that cilium-config has.
 */
function lackedByName(
  { snapshot, agents, peerIds = new Map() }: PolledCluster,
  others: readonly ClusterSnapshot[],
  faults: readonly Fault[],
): { fault: Fault; lacked: string[] } | undefined {
  const fault = faults.find(({ id }) => id === 'identity-outdated' || id === 'agents-outdated');
  const told = misnamedAgents(snapshot, agents);
  const { name, id } = told ?? { name: clusterNameOf(snapshot), id: undefined };
  if (!fault || (!told && agents?.length)) return undefined;
  const ofId = [
    ...[...peerIds].flatMap(([peer, its]) => (its === id ? [peer] : [])),
    ...others.filter((other) => identityOf(other.ciliumConfig ?? {}).id === id).map(knownAs),
  ];
  return { fault, lacked: [name, ...ofId] };
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
  const own = knownAs(snapshot);
  const marked = report.serves.filter((name) => {
    const peer = clusterKnownAs(name, others);
    return !peer || expectedPeers(peer).includes(own);
  });
  const unmarked = others
    .filter((other) => isChoiceHalfRecorded(other, snapshot))
    .map(knownAs)
    .filter((name) => !marked.includes(name) && !report.peers.some((peer) => peer.name === name));
  const serves = isAlone({ ...report, serves: marked }) ? marked : [...marked, ...unmarked].sort();
  const unseen = serves.filter((name) => !clusterKnownAs(name, others));
  if (!isAlone({ ...report, serves }))
    return { ...report, serves, ...(unseen.length > 0 ? { servesUnseen: unseen } : {}) };
  const onRecord = peersOnRecord(snapshot, others);
  // What mends their side connects it.
  const knowFormer = peers.filter((peer) => idOfFormer(peer, snapshot) !== undefined);
  const left = onRecord.filter((name) => !knowFormer.some((peer) => knownAs(peer.snapshot) === name));
  return {
    ...report,
    // Those that do not dial it are let in all the same.
    ...(report.serves.length > 0 ? { admits: report.serves } : {}),
    ...(onRecord.length > 0 ? { onRecord: left } : {}),
    serves,
    healthy: false,
  };
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
