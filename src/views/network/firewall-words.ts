import { createHash } from 'node:crypto';
import { meshctlCommand } from '../../mesh/command-line.ts';
import type { FirewallCluster, FirewallPlatform, FirewallRule, FirewallRules } from '../../mesh/network/firewall.ts';

/** What stands at the end of a rule's name and keeps it apart from all others of the output. */
export interface NumberedRule extends FirewallRule {
  number: number;
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
export function slug(name: string): string {
  return (
    name
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, '-')
      .replace(/^-+|-+$/g, '')
      .slice(0, NAME_PART) || 'cluster'
  );
}

/** `meshctl-mesh-1-to-mesh-2-3`. */
export function ruleName({ from, to, number }: NumberedRule): string {
  return `meshctl-${slug(from)}-to-${slug(to)}-${number}`;
}

/** Digits of a digest: with names of that length Google Cloud takes no more. */
const DIGITS = 6;

/**
 * A name that the rule also has in a later output, whatever else stands there by then: by the clusters and the ends that it is
 * for. Names of clusters that begin alike are told apart by the digest.
 */
export function lastingName(rule: FirewallRule): string {
  const { from, to, kind, port, hostnames } = rule;
  const ends = kind === 'apiserver' ? [kind, port, hostnames ? 'by name' : 'by address'] : [kind === 'pod-to-pod'];
  const digest = createHash('sha256').update(JSON.stringify([from, to, familyOfRule(rule), ...ends]));
  return `meshctl-${slug(from)}-to-${slug(to)}-${digest.digest('hex').slice(0, DIGITS)}`;
}

function numbered(rules: readonly FirewallRule[]): NumberedRule[] {
  return rules.map((rule, index) => ({ ...rule, number: index + 1 }));
}

/** The IP family of a rule, which is that of its sources. */
export function familyOfRule({ sources }: FirewallRule): 4 | 6 {
  return sources[0]?.includes(':') ? 6 : 4;
}

/** The lines that every form begins with, without the tool's own sign for a comment. @param format as `-o` has it @param more about this form */
export function headNotes({ clusters, unknown }: FirewallRules, format: string, more: readonly string[]): string[] {
  return [
    `What the network has to let through between ${clusters.map(({ name }) => name).join(', ')}. Made by:`,
    `  ${meshctlCommand('clustermesh firewall', { context: clusters.map(({ context }) => context) }, ['-o', format])}`,
    'The ranges are those of the nodes (and pods, where they are routed natively) at this moment: make them again when nodes of other',
    'ranges join.',
    ...more,
    ...unknown.map(({ context, why }) => `Missing here: context "${context}": ${why}.`),
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

/** Rules by the cluster that they lead into, in the clusters' order. */
export function byDestination({ clusters, rules }: FirewallRules): [FirewallCluster, NumberedRule[]][] {
  const all = numbered(rules);
  return clusters.map((cluster) => [cluster, all.filter(({ to }) => to === cluster.name)]);
}
