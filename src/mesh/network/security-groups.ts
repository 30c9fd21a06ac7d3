import { groupBy } from '../pairs.ts';
import type { FirewallCluster, FirewallRule, FirewallRules } from './firewall.ts';

/**
 * Inbound rules that a security group of AWS takes unless its quota was raised, counted for IPv4 and IPv6 apart, each source range as one
 * (Amazon VPC quotas, "Inbound or outbound rules per security group").
 */
const RULES_PER_GROUP = 60;

/** A cluster whose rules are more than one security group takes. */
export interface FullGroup {
  context: string;
  says: string;
}

/** What to do about it. */
export const FULL_GROUP_ADVICE =
  'raise the quota "Inbound or outbound rules per security group" of Amazon VPC, spread the rules over several security groups of the nodes, or let one wider range stand for several';

/**
 * The clusters on AWS whose security group takes fewer rules than theirs, of one IP family. How many it has already
 * only AWS knows.
 */
export function fullGroups({ clusters, rules }: Pick<FirewallRules, 'clusters' | 'rules'>): FullGroup[] {
  return clusters
    .filter(({ platform }) => platform === 'aws')
    .flatMap((cluster) =>
      [...groupBy(inboundOf(cluster, rules), ({ cidr }) => (cidr.includes(':') ? 6 : 4))].flatMap(([family, of]) => {
        const count = new Set(of.map((one) => JSON.stringify(one))).size;
        if (count <= RULES_PER_GROUP) return [];
        const says = `these are ${count} inbound rules for IPv${family} in a security group, which takes ${RULES_PER_GROUP} unless its quota was raised`;
        return [{ context: cluster.context, says }];
      }),
    );
}

/** A rule of AWS has one source range. */
function inboundOf({ name }: FirewallCluster, rules: readonly FirewallRule[]) {
  return rules
    .filter(({ to }) => to === name)
    .flatMap(({ protocol, port, sources }) => sources.map((cidr) => ({ protocol, port, cidr })));
}
