import { groupBy } from '../pairs.ts';
import { ADMISSION_CHECKS } from './admission.ts';
import { ANSWER_CHECKS } from './answers.ts';
import { APISERVER_CHECKS } from './apiserver.ts';
import { COMPATIBILITY_CHECKS } from './compatibility.ts';
import { NETWORK_CHECKS, ROUTE_CHECKS } from './network.ts';
import { OWNERSHIP_CHECKS } from './ownership.ts';
import { PEER_CHECKS } from './peers.ts';
import { RUNNING_CHECKS } from './running.ts';
import type { Check, Finding } from './shared/check.ts';
import type { MeshCheck } from './shared/mesh-input.ts';
import { STANDING_CHECKS } from './standing.ts';
import { CA_CHECKS, TRUST_CHECKS } from './tls/authority.ts';
import { CLOCK_CHECKS } from './tls/clocks.ts';
import { ORPHAN_CHECKS } from './tls/orphaned-users.ts';
import { TLS_CHECKS } from './tls/tls.ts';
import { USERS_CHECKS } from './tls/users.ts';
import { APISERVER_VERSION_CHECKS } from './versions.ts';

/** What can be judged before enable and connect. */
export const PRE_CHECKS: readonly MeshCheck[] = [
  ...COMPATIBILITY_CHECKS,
  ...ROUTE_CHECKS,
  ...ADMISSION_CHECKS,
  ...CA_CHECKS,
  ...CLOCK_CHECKS,
];

/** All checks, in the order in which they are run and shown. */
export const MESH_CHECKS: readonly MeshCheck[] = [
  ...COMPATIBILITY_CHECKS,
  ...APISERVER_VERSION_CHECKS,
  ...RUNNING_CHECKS,
  ...NETWORK_CHECKS,
  ...APISERVER_CHECKS,
  ...ADMISSION_CHECKS,
  ...CA_CHECKS,
  ...CLOCK_CHECKS,
  ...TLS_CHECKS,
  ...TRUST_CHECKS,
  ...ORPHAN_CHECKS,
  ...USERS_CHECKS,
  ...PEER_CHECKS,
  ...ANSWER_CHECKS,
  ...STANDING_CHECKS,
  ...OWNERSHIP_CHECKS,
];

/** The id of what is no check of its own: that a cluster that was asked for does not answer. */
export const CLUSTER_ANSWERS = 'cluster-answers';
export const ALL_ANSWER = 'every cluster answers';
/** That of another run of meshctl that is at work. */
export const RUN_AT_WORK = 'run-at-work';
export const NO_RUN_AT_WORK = 'no other run of meshctl is at work';
/** That of a run in which every check was skipped. */
export const NOTHING_CHECKED = 'nothing-checked';

/** The categories of checks, each once, in their order. */
export function categoriesOf(checks: readonly Pick<Check, 'category'>[]): string[] {
  return [...new Set(checks.map(({ category }) => category))];
}

/** A finding with the words of its check, as data: an entry of `clustermesh check -o json`. */
export interface CheckEntry extends Finding {
  category: string;
  /** What is so when the check passes. */
  title: string;
  /** What is not so; absent when it passes. */
  message?: string | undefined;
}

/**
 * Findings with their checks' words. What follows from another of them is a skip that points to it, once for each; so is what
 * nobody has noticed yet where the check that looks for it was not to be heard.
 * @param contexts of the clusters that were judged: where all that a check found in some is said by others, it passes in the rest
 */
export function describeFindings(
  checks: readonly Pick<MeshCheck, 'id' | 'category' | 'title' | 'says'>[],
  findings: readonly Finding[],
  contexts: readonly string[] = [],
): CheckEntry[] {
  const byId = new Map(checks.map((check) => [check.id, check]));
  // What could not be asked explains nothing that was seen.
  const failures = findings.filter(({ id, severity, unseen }) => severity === 'fail' && !unseen && byId.has(id));
  const ran = new Set(findings.map(({ id }) => id));
  const causeOf = (finding: Finding) =>
    // The first that says it: what is named last may itself point to another one.
    [finding.args.foundBy]
      .flat()
      .flatMap((id) => failures.find((other) => other.id === id && isCauseOf(other, finding)) ?? [])[0];
  const replaced = failures.filter((failure) => failure.id === PEER_IDENTITY && causeOf(failure) === undefined);
  const pointed = new Set<string>();
  const told = findings.flatMap((finding) => {
    const check = byId.get(finding.id);
    if (!check) return [];
    const { category, title } = check;
    const finders = [finding.args.foundBy].flat();
    const cause = causeOf(finding) ?? replaced.find((other) => isOfReplaced(finding, other));
    const looking = finding.args.standing ? checks.filter(({ id }) => finders.includes(id)) : [];
    const unheard = looking.every(({ id }) => !ran.has(id)) ? looking[0] : undefined;
    const said = cause
      ? skipped(finding, `see ${cause.id}`)
      : unheard
        ? skipped(finding, `${unheard.id} looks for what is wrong, and is suppressed`)
        : [finding];
    return said.flatMap((one): CheckEntry[] => {
      if (one !== finding) {
        const key = JSON.stringify(one);
        if (pointed.has(key)) return [];
        pointed.add(key);
      }
      return [{ ...one, category, title, ...(one.severity === 'pass' ? {} : { message: wordsOf(check, one) }) }];
    });
  });
  return [...groupBy(told, ({ id }) => id)].flatMap(([id, entries]) => [
    ...passesBeside(
      entries,
      findings.filter((finding) => finding.id === id),
      contexts,
    ),
    ...entries,
  ]);
}

/**
 * That a check passes in the clusters of which it found nothing, where all that it found in others has become a skip: one that fails says
 * nothing of these, and nor does a skip.
 */
function passesBeside(
  entries: readonly CheckEntry[],
  findings: readonly Finding[],
  contexts: readonly string[],
): CheckEntry[] {
  const [first] = entries;
  const hadFound = findings.some(({ severity }) => severity === 'fail' || severity === 'warn');
  if (!first || !hadFound || entries.some(({ severity }) => severity !== 'skip')) return [];
  const named = entries.flatMap(({ cluster, args }) => [cluster ?? args.contexts ?? contexts].flat());
  const rest = contexts.filter((context) => !named.includes(context));
  const { id, category, title } = first;
  return rest.length === 0 ? [] : [{ id, severity: 'pass', args: { contexts: rest }, category, title }];
}

/** That a peer is another cluster by now. */
const PEER_IDENTITY = 'peer-identity';

/** Whether a finding is about a peer that is another cluster by now: what is wrong with the former one ends with it. */
function isOfReplaced({ id, cluster, args }: Finding, other: Finding): boolean {
  return id !== other.id && cluster === other.cluster && args.peer !== undefined && args.peer === other.args.peer;
}

/**
 * Whether what a finding comes from is what another one of its `foundBy` says, in the cluster of its `foundIn`; where both
 * name peers or Secrets, of one of its `foundOf`: what another peer has is no cause.
 */
function isCauseOf({ cluster, args: found }: Finding, { args }: Finding): boolean {
  if (cluster !== undefined && ![args.foundIn].flat().includes(cluster)) return false;
  const things = [found.peer, found.peers, found.secret, found.secrets].flatMap((named) => named ?? []);
  const wanted = [args.foundOf].flatMap((named) => named ?? []);
  return things.length === 0 || wanted.length === 0 || things.some((one) => wanted.includes(one));
}

/** One cause is one failure: what comes of it is not looked at on its own, wherever it is felt. */
function skipped({ id, cluster, args: { contexts, affects } }: Finding, reason: string): Finding[] {
  const places = [cluster ?? contexts ?? [], affects ?? []].flat() as string[];
  if (places.length === 0) return [{ id, severity: 'skip', args: { reason } }];
  return places.map((context) => ({ id, severity: 'skip', cluster: context, args: { context, reason } }));
}

function wordsOf({ says }: Pick<MeshCheck, 'says'>, finding: Finding): string {
  if (finding.severity !== 'skip') return says(finding);
  const { needs, reason, context } = finding.args;
  const why = needs === undefined ? reason : `skipped, because ${needs} did not pass`;
  const place = context === undefined ? '' : `context "${context}": `;
  // What an error says begins with its context, too.
  return String(why).startsWith(place) ? String(why) : `${place}${why}`;
}
