import type { EnableObstacles } from '../certificates/authority.ts';
import { connectCommand, meshctlCommand, unnamedContext } from '../command-line.ts';
import { uncapital } from '../counted.ts';
import { type Contested, enabledByForce } from '../faults/contested-enable.ts';
import { enabledFirst, type NotReady } from '../faults/enable-first.ts';
import { describeFault, type Fault, type FaultId } from '../faults/fault.ts';
import { type Contexts, mendOf, thoseReady } from '../faults/fault-advice.ts';
import { admissionHint, silentWebhook } from '../objects/admission-hint.ts';
import { forOtherOwners } from '../peers/peers-of-others.ts';
import { forgetCommands, forgetIfSilent, leftToWhoMay, type SilentContext } from '../peers/silent-peers.ts';
import { heldBack } from '../runs-at-work.ts';
import { lookAtNodes } from './agentless-node.ts';
import { adviceForFailure, dialsOwnServer, type FailureClass, type FailurePlace } from './failure-reason.ts';
import type { MeshStatusReport } from './mesh-status.ts';
import { endOfRequests } from './silent-peer.ts';
import { isUntried, peerNameOf, type StatusProblem, type StatusReport } from './status.ts';
import { slowFromHere } from './unasked.ts';

/** What the words of each reason take from the whole mesh. */
export interface Around extends Pick<MeshStatusReport, 'clusters'> {
  /** What the names mean to one cluster. */
  seenBy(report: Pick<StatusReport, 'context' | 'ofOtherMeshes'> | undefined): SeenByName;
  /** What keeps enable from its work, by context. */
  obstacles: ReadonlyMap<string, EnableObstacles>;
  /** Clusters that have to be enabled before anyone is connected to them. */
  notReady: NotReady;
  /** What an enable has to take from others. */
  contested: Contested;
  /** Contexts that did not answer. */
  silent: readonly SilentContext[];
  /** The command line that looks again. */
  look: string;
  /** Whether `check` asks, which need not be the next step itself. */
  isCheck: boolean;
  /** Most clusters gave no answer in time. */
  isSlow: boolean;
}

/** What the names of peers mean to one cluster. */
export interface SeenByName {
  contexts: Contexts;
  /** Clusters to which nobody can be connected as they are. */
  unready: ReadonlySet<string>;
}

/** A problem, and who has it. */
export interface Held {
  report: StatusReport;
  problem: StatusProblem;
}

/** What a reason says, and its next step. @param group problems that are one */
export function wordsOf(group: readonly Held[], around: Around): { says: string; hint: string } {
  const words = wordsAsIs(group, around);
  const hint = enabledByForce(enabledFirst(words.hint, around.notReady), around.contested);
  return { ...words, hint: heldBack(leftToWhoMay(hint, around.silent), around.clusters, around.look) };
}

function wordsAsIs(group: readonly Held[], around: Around): { says: string; hint: string } {
  const { clusters, seenBy, obstacles, silent, isCheck } = around;
  const [held] = group;
  if (held && isOfAll(held, around)) return slowFromHere(group);
  const ready = thoseReady(group, ({ report }) => seenBy(report).unready.has(peerNameOf(report)));
  const [first] = ready as [Held, ...Held[]];
  const { report, problem } = first;
  const { cause } = problem;
  if (cause) {
    return { says: describeFault(cause), hint: mendOrCheck(cause, around) };
  }
  const contextsBeside = (held: readonly Held[]) => [
    ...new Set(held.map(({ report: { context } }) => context).filter((context) => context !== report.context)),
  ];
  const place = failurePlaceOf(first);
  const peerContext = seenBy(report).contexts.get(problem.peer ?? '');
  const peer = clusters.find(({ context }) => context === peerContext);
  const ends = dialsOwnServer(place) ? [report] : [report, ...(peer ? [peer] : [])];
  const words = adviceForFailure(problem.class, {
    ...place,
    peerContext,
    peerNamespace: peer?.namespace,
    alsoFrom: contextsBeside(ready),
    obstacles,
    clocks: ends,
    isSound: (dialsOwnServer(place) || peer !== undefined) && ends.every(({ unread }) => !unread),
  });
  const refused = ruleAgainstAsking(report, problem);
  if (refused) return { ...words, hint: refused.hint };
  const nodes = problem.component === 'agent' ? lookAtNodes(report, problem.message) : undefined;
  if (nodes !== undefined) return { ...words, hint: nodes };
  const isOwn = dialsOwnServer(place);
  const holders = [place.context, ...contextsBeside(group)];
  const hint = forOtherOwners(words.hint, report.context, report.ofOthers);
  const isOthers = !isOwn && peerContext === undefined && (report.ofOthers ?? []).includes(problem.peer ?? '');
  const advice = { ...words, hint: isOthers ? ofAnotherOwner(hint, problem, holders) : hint };
  const forget = forgetIfSilent(advice.hint, holders, silent);
  const toPeer = group.filter((one) => !dialsOwnServer(failurePlaceOf(one)));
  const ended = endOfRequests(forget, toPeer, clusters);
  if (ended !== advice.hint) return { ...advice, hint: ended };
  if (!isOwn && peerContext === undefined) return { ...advice, hint: forgetIfGone(advice.hint, problem, holders) };
  if (isCheck) return advice;
  const concerned = isOwn ? [report.context] : [report.context, peerContext ?? ''];
  return { ...advice, hint: causeFirst(problem.class, advice.hint, concerned) };
}

/**
 * A next step about a peer to which no context leads that was read, which may be gone altogether, its API server or only its Cilium:
 * nothing connects it then, and what is left of it goes. Where something refuses, the status of both tells.
 * @param holders contexts of the clusters that have the peer
 */
function forgetIfGone(hint: string, { class: kind, peer }: StatusProblem, holders: readonly string[]): string {
  if (peer === undefined || kind !== 'timed-out') return hint;
  return `${hint}; or if ${peer} is gone for good, forget it: ${forgetCommands(peer, holders)}`;
}

/**
 * A next step about a peer of another owner where nothing here tells what that owner has done: who lets this cluster in no more may
 * well have parted with it, and who answers with a certificate of another CA has most likely replaced the CA, whose messages are
 * refused as long as the former one is trusted here.
 * @param holders contexts of the clusters that have the peer
 */
function ofAnotherOwner(hint: string, { class: kind, peer = '' }: StatusProblem, holders: readonly string[]): string {
  const forget = forgetCommands(peer, holders);
  if (kind === 'permission-denied') return `${hint}; or if they have parted: ${forget}`;
  if (kind !== 'tls-unknown-ca') return hint;
  const theirs = unnamedContext(peer);
  const renew = forOtherOwners(meshctlCommand('clustermesh enable', { context: theirs }), '', [peer]);
  const invite = holders.map((context) => forOtherOwners(connectCommand(context, theirs), context, [peer]));
  const anew = [forget, ...invite].join(' && ');
  return `${renew}; or where they have replaced their CA, forget the former one, and then accept the invitation that they have made since, or make one: ${anew}`;
}

/**
 * Where the rule is found by which an API server refuses to look into a pod, which may well be sound; undefined where that is
 * not why it could not be asked. As long as the rule is there, asking again is in vain; but a webhook that is silent may come
 * back (`mayPass`).
 */
export function ruleAgainstAsking(
  { context, namespace }: Pick<StatusReport, 'context' | 'namespace'>,
  problem: Pick<StatusProblem, 'class' | 'message'>,
): { hint: string; mayPass?: string } | undefined {
  if (problem.class !== 'agent-unreachable') return undefined;
  const hint = admissionHint({ context, namespace }, problem.message);
  const webhook = silentWebhook(problem.message);
  return hint === undefined
    ? undefined
    : { hint, ...(webhook === undefined ? {} : { mayPass: `webhook "${webhook}" does not answer the API server` }) };
}

/** What the status sees as it is, and of which check looks for the cause: taints, policies, routes, admission. */
const CAUSED_ELSEWHERE: ReadonlySet<FailureClass | FaultId> = new Set<FailureClass | FaultId>([
  'timed-out',
  'apiserver-not-ready',
  'apiserver-rollout',
]);

/** The next step for a fault, or where its cause is to be found first. */
export function mendOrCheck(fault: Fault, around: Around): string {
  const { clusters, seenBy, notReady, contested, silent, look, isCheck } = around;
  const own = clusters.find(({ context }) => context === fault.context);
  const { contexts, unready } = seenBy(own);
  const known = forOtherOwners(mendOf(fault, contexts, unready), fault.context, own?.ofOthers);
  const whole = enabledFirst(forgetIfSilent(known, [fault.context], silent), notReady);
  const mend = heldBack(leftToWhoMay(enabledByForce(whole, contested), silent), clusters, look);
  // One that has a next step of its own has its cause, too.
  return isCheck || fault.hint !== undefined ? mend : causeFirst(fault.id, mend, [fault.context]);
}

/** A next step that is but a look, behind the one that may name the cause and what mends it. */
function causeFirst(what: FailureClass | FaultId, hint: string, contexts: readonly string[]): string {
  if (!CAUSED_ELSEWHERE.has(what)) return hint;
  const check = meshctlCommand('clustermesh check', { context: contexts });
  const otherwise = /^kubectl /.test(hint) ? `check by hand: ${hint}` : uncapital(hint);
  return `Find the cause: ${check}; or ${otherwise}`;
}

/** Whom a problem is about, and where. */
export function failurePlaceOf({ report, problem }: Held): FailurePlace {
  const { context, namespace, kvstoremesh } = report;
  const { peer = '', component, pod } = problem;
  return { context, namespace, peer, component, kvstoremesh: kvstoremesh.enabled, pod, untried: isUntried(problem) };
}

/** Whether it is most likely not the cluster's, but of the way to all of them. */
export function isOfAll({ report, problem }: Held, { isSlow }: Around): boolean {
  return isSlow && problem.unasked === true && ruleAgainstAsking(report, problem) === undefined;
}
