import { apiserverService } from '../../mesh/apiserver/live.ts';
import { firstOf, MOST_NAMED, shareOf } from '../../mesh/counted.ts';
import { describeFault, type Fault } from '../../mesh/faults/fault.ts';
import { heldBack } from '../../mesh/runs-at-work.ts';
import { type FailureClass, RETAKES } from '../../mesh/status/failure-reason.ts';
import { evaluateMesh, type UnreachableCluster } from '../../mesh/status/mesh-status.ts';
import { ruleAgainstAsking } from '../../mesh/status/reason-words.ts';
import type { PolledCluster } from '../../mesh/status/standing-status.ts';
import {
  isAlone,
  isUnwell,
  lookingAgain,
  type StatusComponent,
  type StatusProblem,
  type StatusReport,
} from '../../mesh/status/status.ts';
import { adviseMesh } from '../../mesh/status/status-reasons.ts';
import { awaitsNobody, howToBegin, type KnownAround, saysAlone } from '../../mesh/status/whom-to-join.ts';

/** One look at several clusters. */
interface Looked {
  reports: readonly StatusReport[];
  unreachable: readonly UnreachableCluster[];
}

/** What does not come by waiting alone, with what brings it. */
export interface Standstill {
  context: string;
  says: string;
  hint: string;
}

/** What is waited for, since somebody may mend it at any time, although it does not mend itself: each has its next step. */
export function standstills({ reports }: Looked): Standstill[] {
  return reports.flatMap((report): Standstill[] => {
    const { context, faults, problems } = report;
    const found = faults.flatMap((fault) =>
      mendsAlone(fault) && fault.hint !== undefined ? [{ context, says: describeFault(fault), hint: fault.hint }] : [],
    );
    const silent = problems.flatMap((problem) => {
      const { hint = '', mayPass: says } = ruleAgainstAsking(report, problem) ?? {};
      return says === undefined ? [] : [{ context, says, hint }];
    });
    return [...found, ...silent].map((one) => ({ ...one, hint: heldBack(one.hint, reports, lookingAgain(reports)) }));
  });
}

/** What a peer, or who dials it, is refused for: certificates, users and files stay as they are until somebody writes them. */
const LASTING: readonly FailureClass[] = [
  ...(['tls-unknown-ca', 'tls-expired', 'tls-name', 'tls-usage', 'tls-client-rejected'] as const),
  ...(['permission-denied', 'config-invalid', 'wrong-cluster'] as const),
];

/** What is waited for in vain unless somebody mends it: each with its next step. */
export function lastingIn({ reports, unreachable }: Looked): Standstill[] {
  const { clusters } = adviseMesh(evaluateMesh(reports, unreachable));
  return clusters.flatMap(({ context, problems }) =>
    problems.flatMap(({ class: kind, peer, cause, says, hint }) =>
      says !== undefined && hint !== undefined && (cause ? !mendsAlone(cause) : LASTING.includes(kind))
        ? [{ context, says: peer === undefined ? says : `${peer}: ${says}`, hint }]
        : [],
    ),
  );
}

/**
 * What is waited for, in words.
 * @param waitedMs for so long by now: what takes minutes is said once it does
 */
export function waitingFor({ reports, unreachable }: Looked, waitedMs = 0): string {
  const isLong = waitedMs > PASSES_WITHIN_MS;
  const lacking = reports.filter(isUnwell);
  const words = [
    ...lacking.map((report) => lackOf(report, isLong)),
    ...unreachable.map(({ context }) => `${context} to answer`),
  ];
  return `Waiting for ${firstWords(words)}`;
}

/** Kubelets that were nudged bring a new peering file within seconds. */
const PASSES_WITHIN_MS = 20_000;

/** Clauses for one line: of a large mesh the first ones, and how many there are besides. */
export function firstWords(clauses: readonly string[]): string {
  const rest = clauses.length - MOST_NAMED;
  return rest > 1 ? `${clauses.slice(0, MOST_NAMED).join('; ')}; and ${rest} more` : clauses.join('; ');
}

function lackOf(report: StatusReport, isLong: boolean): string {
  const { context, nodes, kvstoremesh, peers, enabled, problems, faults } = report;
  if (!enabled) return `Cluster Mesh to be enabled in ${context}`;
  if (isAlone(report)) return `${context} to be connected to a cluster`;
  const [standstill] = standstills({ reports: [report], unreachable: [] });
  if (standstill) return `${context} to be fixed: ${standstill.says}`;
  if (nodes.total === 0) return `an agent of ${context} to run`;
  const isHeld = problems.some((one) => one.component === 'kvstoremesh' && one.class === 'not-configured');
  const why = isLong && isHeld ? `, where ${RETAKES}` : '';
  if (nodes.connected < nodes.total) {
    const lacking = peers.filter(({ agents }) => agents.connected + (agents.unasked ?? 0) < agents.total);
    const to = firstOf(lacking.map(({ name }) => name)) || 'all clusters';
    return `${sharesOf(report, 'agent', `to connect to ${to}`)}${why}`;
  }
  const [heldOver] = problems.filter((problem) => problem.heldOver);
  if (heldOver) return `a new connection of ${context} to ${heldOver.peer}`;
  const fault = faults.find(({ outage }) => outage);
  if (fault) return `${context} to be fixed: ${describeFault(fault)}`;
  if (kvstoremesh.enabled && kvstoremesh.replicas === 0) return `a KVStoreMesh replica of ${context} to run`;
  if (kvstoremesh.enabled && kvstoremesh.connected < kvstoremesh.replicas) {
    return `${sharesOf(report, 'kvstoremesh', 'to connect')}${why}`;
  }
  return `${context} to be well`;
}

/** Those that are not connected, apart from those that could not be asked: of them nobody knows whether they are. */
function sharesOf(
  { context, nodes, kvstoremesh, problems }: StatusReport,
  component: StatusComponent,
  what: string,
): string {
  const [all, connected, word] =
    component === 'agent'
      ? [nodes.total, nodes.connected, 'node']
      : [kvstoremesh.replicas, kvstoremesh.connected, 'KVStoreMesh replica'];
  const isSilent = (one: StatusProblem) =>
    one.component === component && one.class === 'agent-unreachable' && !one.heldOver;
  const silent = Math.min(new Set(problems.filter(isSilent).flatMap((one) => one.nodes)).size, all - connected);
  const lacking = all - connected - silent;
  return [
    ...(lacking > 0 ? [`${shareOf(lacking, all, word)} of ${context} ${what}`] : []),
    ...(silent > 0 ? [`${shareOf(silent, all, word)} of ${context} to answer, which could not be asked`] : []),
  ].join(', and for ');
}

/** Replicas and agents come up, or are scaled up again. */
const MENDING: readonly Fault['id'][] = [
  ...(['apiserver-not-ready', 'apiserver-rollout', 'apiserver-scaled-down', 'agents-missing'] as const),
];

/** Whether a fault goes once somebody, or the cluster by itself, has pods run again. */
export function mendsAlone({ id }: Fault): boolean {
  return MENDING.includes(id);
}

/**
 * Clusters that no waiting connects. None as long as one does not answer, which may have them on record.
 * @param withInvitations reads those of a cluster: whom they let in is to be a peer once its operator has accepted a message
 * @param aroundOf what is known around a cluster that is to be connected
 */
export async function forlornAmong(
  polled: readonly PolledCluster[],
  { reports, unreachable }: Looked,
  {
    withInvitations,
    aroundOf,
  }: {
    withInvitations?: ((report: StatusReport) => Promise<StatusReport>) | undefined;
    aroundOf?: ((report: StatusReport) => Promise<KnownAround>) | undefined;
  } = {},
): Promise<Standstill[]> {
  if (unreachable.length > 0) return [];
  const isBeingEnabled = ({ context, enabled }: StatusReport) =>
    !enabled && polled.some(({ snapshot }) => snapshot.context === context && apiserverService(snapshot) !== undefined);
  // Who is let in may be so by an invitation.
  const alone = reports.filter((report) => isAlone(report) && !isBeingEnabled(report));
  const told = await Promise.all(alone.map(async (report) => (withInvitations ? withInvitations(report) : report)));
  const forlorn = told.filter(awaitsNobody).map(async (report): Promise<Standstill[]> => {
    const hint = howToBegin(report, reports, await aroundOf?.(report));
    return hint === undefined ? [] : [{ context: report.context, says: saysAlone(report), hint }];
  });
  return (await Promise.all(forlorn)).flat();
}
