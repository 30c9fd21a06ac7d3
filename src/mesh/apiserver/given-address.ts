import { canonicalIp } from '../cilium/cidr.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { meshctlCommand } from '../command-line.ts';
import { serviceSpec } from '../objects/service.ts';
import { loadBalancerHosts } from './endpoints.ts';
import { apiserverService } from './live.ts';

/** What is said of a load balancer that has not got the address that it was asked for. */
export function givenAnother({ wished, given }: { wished: string; given: readonly string[] }): string {
  return (
    `the load balancer has ${given.join(', ')}, not ${wished}, which it was asked for (--load-balancer-ip, or loadBalancerIp in a mesh file): its provider ` +
    'decides, and may want the address reserved first, or requested by an annotation of its own'
  );
}

/**
 * What is said of a load balancer that has the address that it had, although what it was asked for is another load balancer with most
 * providers, as an internal one: the new one may take minutes to be made.
 * @param waitedMs for how long it was looked at
 */
export function stillAt({
  context,
  given,
  waitedMs,
}: {
  context: string;
  given: readonly string[];
  waitedMs: number;
}): string {
  const later = meshctlCommand('clustermesh enable', { context });
  return `the load balancer has ${given.join(', ')} still, ${waitedMs / 1000} s after it was asked for otherwise: its provider may give it another address later, at which its server certificate is not valid, and which no peer dials → see whether it has one by then, and have the certificate cover it: ${later}`;
}

/** What is said of a Service whose load balancer has another address than it asks for; undefined where it has that one. */
export function addressNotGiven(snapshot: ClusterSnapshot): string | undefined {
  const service = apiserverService(snapshot);
  const { type, loadBalancerIP: wished } = serviceSpec(service);
  const given = service ? loadBalancerHosts(service) : [];
  if (type !== 'LoadBalancer' || wished === undefined || given.length === 0 || given.includes(canonicalIp(wished)))
    return undefined;
  return givenAnother({ wished, given });
}
