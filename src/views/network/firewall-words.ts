import { createHash } from 'node:crypto';
import { meshctlCommand } from '../../mesh/command-line.ts';
import { capital } from '../../mesh/counted.ts';
import type { FirewallCluster, FirewallPlatform, FirewallRule, FirewallRules } from '../../mesh/network/firewall.ts';
import { FULL_GROUP_ADVICE, fullGroups } from '../../mesh/network/security-groups.ts';
import { unreachableWords } from '../../mesh/status/mesh-status.ts';

/** A rule under what it also has in a later output, whatever else stands there by then. */
export interface NamedRule extends FirewallRule {
  /** `meshctl-mesh-1-to-mesh-2-0a1b2c`: of no other rule of the output. */
  name: string;
  /** Where the rules of a cluster need numbers of their own. */
  priority: number;
}

/** Whose rules a format has, with the other clusters' platforms in words. */
export const PLATFORM_NAMES: Readonly<Record<FirewallPlatform, string>> = {
  gcloud: 'Google Cloud',
  aws: 'AWS',
  az: 'Azure',
  unknown: 'no cloud that is known',
};

/** The longest part of a cluster's name in that of a rule: Google Cloud takes 63 characters in all. */
const NAME_PART = 22;

/** Lower-case letters, digits and hyphens: what every tool takes in a name, and none reads as anything else. */
function slug(name: string): string {
  return (
    name
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, '-')
      .replace(/^-+|-+$/g, '') || 'cluster'
  );
}

/** The longest part of a cluster's name in a comment of nft, which takes 128 bytes in all; AWS takes more. */
const REMARK_PART = 48;

/** A cluster in the remark that a rule carries: every legal name whole, of a context what tells it from others, its end. */
export function inRemark(name: string): string {
  return slug(name).slice(-REMARK_PART).replace(/^-/, '');
}

/** What such a variable says whole. */
const PLAIN_NAME = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/;

/**
 * The name of a cluster where a tool takes a variable: of no other cluster, whichever there are, since what one sets for it decides
 * whose firewall is opened. What is more than such words, as most contexts are, has its digest behind it.
 * @returns lower-case letters, digits and underscores; a letter first
 */
export function identifier(name: string): string {
  const words = PLAIN_NAME.test(name) ? name : `${slug(name)}-${digestOf([name]).slice(0, DIGITS)}`;
  return words.replaceAll('-', '_').replace(/^(?=\d)/, 'c_');
}

/** Digits of a digest: with names of that length Google Cloud takes no more. */
const DIGITS = 6;

/**
 * A name by the clusters and what the rule is for. Names of clusters that begin alike are told apart by the digest.
 * @param ends what keeps it apart from the others between the same clusters
 */
function lastingName({ from, to }: FirewallRule, ends: readonly unknown[]): string {
  const part = (name: string) => slug(name).slice(0, NAME_PART);
  return `meshctl-${part(from)}-to-${part(to)}-${digestOf([from, to, ...ends]).slice(0, DIGITS)}`;
}

function digestOf(words: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(words)).digest('hex');
}

/** Of a clustermesh-apiserver there may be several at the same ends. */
function endsOfServer({ kind, port, hostnames }: FirewallRule): unknown[] {
  return kind === 'apiserver' ? [kind, port, hostnames ? 'by name' : 'by address'] : [];
}

/**
 * The name of the rule that stands for all that always have the same ends: those between nodes, those between pods, and each way to a
 * clustermesh-apiserver, also where its address is a node's now.
 */
export function nameOfEnds(rule: FirewallRule): string {
  const ends = rule.kind === 'apiserver' ? endsOfServer(rule) : [rule.kind === 'pod-to-pod'];
  return lastingName(rule, [familyOfRule(rule), ...ends]);
}

/** The name of what has all rules from one cluster into another. */
export function nameOfWay(rule: FirewallRule): string {
  return lastingName(rule, []);
}

/** The first of the numbers that rules get, and how many there are: Azure takes 100 to 4096. */
const FIRST_PRIORITY = 1000;
const PRIORITIES = 3000;

/** For the comment of a form: which numbers have to be free. */
export const PRIORITY_RANGE = `${FIRST_PRIORITY} to ${FIRST_PRIORITY + PRIORITIES - 1}`;

/** Rules into one cluster. A number that two names lead to is given to one, and to the other the next that is free. */
function named(rules: readonly FirewallRule[]): NamedRule[] {
  const names = rules.map((rule) => {
    const ends = rule.kind === 'apiserver' ? endsOfServer(rule) : [rule.kind];
    return { ...rule, name: lastingName(rule, [familyOfRule(rule), 'alone', ...ends]) };
  });
  const taken = new Map<number, string>();
  for (const { name } of [...names].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    let number = Number.parseInt(digestOf([name]).slice(0, 8), 16) % PRIORITIES;
    while (taken.has(number)) number = (number + 1) % PRIORITIES;
    taken.set(number, name);
  }
  const numbers = new Map([...taken].map(([number, name]) => [name, number]));
  return names.map((rule) => ({ ...rule, priority: FIRST_PRIORITY + (numbers.get(rule.name) ?? 0) }));
}

/** The IP family of a rule, which is that of its sources. */
export function familyOfRule({ sources }: FirewallRule): 4 | 6 {
  return sources[0]?.includes(':') ? 6 : 4;
}

/** The lines that every form begins with, without the tool's own sign for a comment. @param format as `-o` has it @param more about this form */
export function headNotes(report: FirewallRules, format: string, more: readonly string[]): string[] {
  const { clusters, unknown, unreachable } = report;
  const contexts = [...clusters, ...unreachable].map(({ context }) => context);
  return [
    `What the network has to let through between ${clusters.map(({ name }) => name).join(', ')}. Made by:`,
    `  ${meshctlCommand('clustermesh firewall', { context: contexts }, ['-o', format])}`,
    'The ranges are those of the nodes (and pods, where they are routed natively) at this moment: make them again when nodes of other',
    'ranges join.',
    ...more,
    ...(format === 'aws' || format === 'terraform' ? groupNotes(report) : []),
    ...unknown.map(({ context, why }) => `Missing here: context "${context}": ${why}.`),
    // Whoever replaces former rules by these takes those of such a cluster away.
    ...unreachable.map((cluster) => `Missing here, with all its rules: ${unreachableWords(cluster)}.`),
  ];
}

/** Whose security group does not take all of it, and what to do. */
function groupNotes(report: FirewallRules): string[] {
  const full = fullGroups(report);
  return full.length === 0
    ? []
    : [
        ...full.map(({ context, says }) => `Too many: context "${context}": ${says}.`),
        `${capital(FULL_GROUP_ADVICE)}.`,
      ];
}

/** What one cluster's section begins with. */
export function clusterNote({ name, context }: FirewallCluster): string {
  return `Into ${name}${name === context ? '' : ` (context ${context})`}:`;
}

/** What is let through, in short: `tunnel: pods' packets travel in VXLAN`. */
export function purposeOf({ kind, why, required, hostnames }: FirewallRule): string {
  const at = hostnames ? ` (load balancer ${hostnames.join(', ')})` : '';
  return `${kind}${at}: ${why}${required ? '' : '; the mesh works without it'}`;
}

/** Rules by the cluster that they lead into, in the clusters' order; of one without any nothing has to be set. */
export function byDestination({ clusters, rules }: FirewallRules): [FirewallCluster, NamedRule[]][] {
  return clusters
    .map((cluster): [FirewallCluster, NamedRule[]] => [cluster, named(rules.filter(({ to }) => to === cluster.name))])
    .filter(([, own]) => own.length > 0);
}
