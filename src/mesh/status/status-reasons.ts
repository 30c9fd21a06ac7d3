import { withNamedContexts } from '../command-line.ts';
import { contestedIn } from '../faults/contested-enable.ts';
import { notReadyIn } from '../faults/enable-first.ts';
import { describeFault, type Fault, type FaultId } from '../faults/fault.ts';
import type { Contexts } from '../faults/fault-advice.ts';
import { inOrderOfHints, largestFirst, type Reach } from '../faults/hint-order.ts';
import { unreadyIn } from '../faults/unready.ts';
import { groupBy } from '../pairs.ts';
import { dialsOwnServer, type FailureClass } from './failure-reason.ts';
import { joinIsolated, type LackedPeer } from './isolated-cluster.ts';
import { leadOf } from './leads.ts';
import { type MeshStatusReport, silentContexts } from './mesh-status.ts';
import { type Around, failurePlaceOf, type Held, isOfAll, mendOrCheck, wordsOf } from './reason-words.ts';
import {
  isUntried,
  labelsOf,
  lookingAgain,
  mayBePeersOf,
  peerNameOf,
  type StatusProblem,
  type StatusReport,
} from './status.ts';
import { isSlowFromHere } from './unasked.ts';

/** One thing that is wrong, however many clusters and peers it is about. */
export interface StatusReason {
  /** What `meshctl explain` takes. */
  id: FaultId | FailureClass;
  /** What it is about, by name: the cluster that is to be mended, or the peers that one cluster lacks. */
  about: readonly string[];
  says: string;
  /** A word before it, e.g. `connected, but not after a restart`. */
  lead?: string | undefined;
  /** Who has it, by cluster and its context; empty where it only shows in the objects. */
  places: readonly { cluster: string; context: string; problem: StatusProblem }[];
  /** The cluster in whose objects it shows, where it is about another one: the peer that it would lose. */
  holder?: string | undefined;
  /** What is configured but broken, where it is that. */
  cause?: Fault | undefined;
  /** The words of an agent, of one example. */
  message?: string | undefined;
  hint: string;
}

type Clusters = Pick<MeshStatusReport, 'clusters'> & Partial<Pick<MeshStatusReport, 'unreachable'>>;

/** What is about the node or the pod itself, whatever the peer. */
const OF_THE_NODE: readonly FailureClass[] = ['agent-unreachable'];

function aroundIn(mesh: Clusters, known: Contexts, isCheck: boolean): Around {
  const { clusters, unreachable = [] } = mesh;
  const seen = (own: readonly StatusReport[]) => ({ contexts: contextsIn(own, known), unready: unreadyIn(own) });
  const byAll = seen(clusters);
  return {
    clusters,
    seenBy: (report) => (report?.ofOtherMeshes ? seen(ofItsMesh(report, clusters)) : byAll),
    obstacles: new Map(
      clusters.map(({ context, unsigned, signing, caExpired, caBundle, kvstore, unfinished }) => [
        context,
        {
          ...{ unsigned, caExpired, caBundle, kvstore, unfinished },
          signing: signing && withNamedContexts(signing, byAll.contexts),
        },
      ]),
    ),
    notReady: notReadyIn(clusters),
    contested: contestedIn(clusters),
    silent: silentContexts(unreachable),
    look: lookingAgain(clusters, isCheck ? 'check' : 'status'),
    isCheck,
    isSlow: isSlowFromHere(clusters),
  };
}

/**
 * The report with each problem and fault in words and with its next step. Problems of one class that several clusters have
 * with one peer are still told for each of them: programs read them one by one.
 */
export function adviseMesh(mesh: MeshStatusReport, known: Contexts = new Map()): MeshStatusReport {
  const around = aroundIn(mesh, known, false);
  return {
    ...mesh,
    clusters: mesh.clusters.map((report) => ({
      ...report,
      faults: report.faults.map((fault) => ({ ...fault, hint: mendOrCheck(fault, around) })),
      problems: report.problems.map((problem) => ({
        ...problem,
        ...wordsOf([{ report, problem }], around),
      })),
    })),
  };
}

/** Whether a next step would name the context of a peer, and it is not known. Their names. */
export function unknownContexts(mesh: Clusters): string[] {
  const { seenBy } = aroundIn(mesh, new Map(), false);
  const unknown = mesh.clusters.flatMap((report) => {
    const { problems, faults, peers, serves, onRecord = [] } = report;
    const named = [
      ...(peers.length === 0 ? [...serves, ...onRecord] : []),
      ...problems.flatMap(({ peer = [] }) => peer),
      ...faults.flatMap(({ peer, peers = [] }) => [...peers, ...(peer === undefined ? [] : [peer])]),
    ];
    const { contexts } = seenBy(report);
    return named.filter((name) => !contexts.has(name));
  });
  return [...new Set(unknown)];
}

/**
 * Everything that is wrong, each thing once: what one broken cluster does to all others is one reason with one next step,
 * and so is what one cluster has with all its peers. Next steps are in an order in which they can be typed.
 */
export function reasonsOf(mesh: Clusters, known: Contexts = new Map(), { isCheck = false } = {}): StatusReason[] {
  const around = aroundIn(mesh, known, isCheck);
  const labelOf = labelsOf(mesh.clusters);
  const held = mesh.clusters.flatMap((report) => report.problems.map((problem): Held => ({ report, problem })));
  const groups = joinIsolated([...groupBy(held, (one) => keyOf(one, around)).values()], lackOf);
  const reasons = groups.map(({ held: group, isolated, own = [] }): StatusReason => {
    const [first] = group as [Held, ...Held[]];
    const { cause, message } = first.problem;
    // Some may have lost what others still have: for the reason and the next step that is one.
    const heldOver = group.every(({ problem }) => problem.heldOver);
    const peers = [...new Set(group.flatMap(({ problem: { peer = [] } }) => peer))];
    return {
      id: cause?.id ?? first.problem.class,
      about: isOfAll(first, around)
        ? [...new Set(group.map(({ report }) => labelOf(report)))]
        : [
            isolated ??
              (isOfOneCluster(first) ? (cause ? clusterOf(mesh, cause, labelOf) : labelOf(first.report)) : undefined),
          ].flatMap((name) => name ?? peers),
      ...wordsOf(group, around),
      ...(heldOver
        ? { lead: isUntried(first.problem) ? 'a new connection could not be tried' : 'a new connection fails' }
        : {}),
      places: placesOf([...group, ...own], labelOf),
      cause,
      ...(message ? { message } : {}),
    };
  });
  const told = new Set(held.flatMap(({ problem: { cause } }) => (cause ? [identityOf(cause)] : [])));
  const silent = mesh.clusters.flatMap((report, at) =>
    report.faults
      .filter((fault) => !isToldByPeer(fault, report, mesh.clusters.slice(0, at)))
      .filter((fault) => !told.has(identityOf(fault)) && (isCheck || !isOfExpiry(fault, report)))
      .map((fault): StatusReason => {
        const about = fault.peers ?? [fault.peer ?? labelOf(report)];
        return {
          ...{ id: fault.id, about, lead: leadOf(mesh, report, fault), says: describeFault(fault), places: [] },
          ...(about.includes(labelOf(report)) ? {} : { holder: labelOf(report) }),
          ...{ cause: fault, hint: mendOrCheck(fault, around) },
        };
      }),
  );
  const all = inOrderOfHints([...reasons, ...silent], ({ hint }) => hint);
  return largestFirst(all, ({ hint }) => hint, reachOf);
}

/** Of a peering that has lost both halves each of the two tells: it is one reason, that of the first. */
function isToldByPeer({ id, peer }: Fault, report: StatusReport, before: readonly StatusReport[]): boolean {
  if (id !== 'peering-lost') return false;
  return mayBePeersOf(report, before).some(
    (one) =>
      peerNameOf(one) === peer && one.faults.some((fault) => fault.id === id && fault.peer === peerNameOf(report)),
  );
}

/** How many clusters have it now; of what only shows in objects there is no outage yet. */
function reachOf({ places, cause }: StatusReason): Reach {
  const clusters = new Set(places.map(({ context }) => context)).size;
  const isOutage = places.some(({ problem }) => !problem.heldOver);
  return { isOutage, clusters: clusters > 0 ? clusters : (cause?.peers?.length ?? 1) };
}

/** New pods that do not come up where the certificate has expired by which their programs go: one reason, one next step. */
function isOfExpiry({ id, component }: Fault, { faults }: StatusReport): boolean {
  const isExpired = (fault: Fault) => fault.id === 'certificate-expired' && fault.component === component;
  return id === 'apiserver-rollout' && component === 'apiserver' && faults.some(isExpired);
}

/** Whether a problem is about the cluster that is to be mended, and not about a peer: one of its programs, or a node of it. */
function isOfOneCluster({ problem: { cause, class: kind } }: Held): boolean {
  if (!cause) return OF_THE_NODE.includes(kind);
  return cause.component === 'apiserver' || (cause.peer === undefined && cause.peers === undefined);
}

/** What is one reason: by its cause; at a server, by who runs it; on a node, by the nodes. */
function keyOf({ report, problem }: Held, around: Around): string {
  const { seenBy } = around;
  const { cause, class: kind, peer = '', component, nodes } = problem;
  if (cause) return JSON.stringify(['cause', identityOf(cause)]);
  if (isOfAll({ report, problem }, around)) return JSON.stringify(['slow']);
  if (OF_THE_NODE.includes(kind)) return JSON.stringify(['node', report.context, component, nodes]);
  if (dialsOwnServer(failurePlaceOf({ report, problem }))) {
    return JSON.stringify(['own', report.context, component, kind, kind === 'syncing' ? peer : '']);
  }
  const where = seenBy(report).contexts.get(peer) ?? '';
  return JSON.stringify(['peer', peer, where, kind, ...(WITHIN_A_CLUSTER.includes(kind) ? [report.context] : [])]);
}

/** Of a connection whose packets are lost: what else fails is mended at each peer by itself. */
function lackOf({ report, problem }: Held): LackedPeer | undefined {
  const { cause, class: kind, peer } = problem;
  const isLost = cause === undefined && kind === 'timed-out' && !dialsOwnServer(failurePlaceOf({ report, problem }));
  return isLost && peer !== undefined ? { context: report.context, cluster: peerNameOf(report), peer } : undefined;
}

/** What is looked at in the cluster that has it. */
const WITHIN_A_CLUSTER: readonly FailureClass[] = ['not-configured', 'not-taken-up', 'starting', 'syncing', 'unknown'];

function identityOf({ id, context, component, peer = '', object, key = '' }: Fault): string {
  return JSON.stringify([id, context, component, peer, object, key]);
}

/** One cluster's nodes once, however many peers they lack. */
function placesOf(group: readonly Held[], labelOf: ReturnType<typeof labelsOf>): StatusReason['places'] {
  const places = groupBy(group, ({ report, problem: { component, nodes } }) =>
    JSON.stringify([report.context, component, nodes]),
  );
  return [...places.values()].flatMap(([first]) =>
    first ? [{ cluster: labelOf(first.report), context: first.report.context, problem: first.problem }] : [],
  );
}

function clusterOf(
  { clusters }: Clusters,
  { context }: Fault,
  labelOf: ReturnType<typeof labelsOf>,
): string | undefined {
  const found = clusters.find((report) => report.context === context);
  return found && labelOf(found);
}

/** A cluster that was asked and those that may be its peers; of a name that is its own, too, it is the one that is meant. */
function ofItsMesh(
  own: Pick<StatusReport, 'context' | 'ofOtherMeshes'>,
  clusters: readonly StatusReport[],
): StatusReport[] {
  return [...mayBePeersOf(own, clusters), ...clusters.filter(({ context }) => context === own.context)];
}

function contextsIn(clusters: readonly StatusReport[], known: Contexts): Contexts {
  return new Map([...known, ...clusters.map((report) => [peerNameOf(report), report.context] as const)]);
}
