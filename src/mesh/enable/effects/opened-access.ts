import { type AddressRange, parseCidr } from '../../cilium/cidr.ts';
import type { ClusterSnapshot } from '../../cluster-snapshot.ts';
import { keyOf } from '../../objects/kube-object.ts';
import { apiserverServiceRef } from '../../objects/names.ts';
import { type ServiceSpec, serviceSpec } from '../../objects/service.ts';
import type { Hazard } from '../../plan/agreement.ts';
import type { Step } from '../../plan/plan.ts';
import { keepsPrivate } from '../exposure/platforms.ts';
import { withLostChoices } from '../kept-service.ts';

/** Whom a plan lets dial this cluster's etcd who could not until now, also where the Service was lost in between. */
export function openedAccess(snapshot: ClusterSnapshot, steps: readonly Step[]): Hazard[] {
  const service = keyOf(apiserverServiceRef(snapshot.namespace));
  const step = steps.find(({ action, object }) => action !== 'keep' && keyOf(object) === service);
  // The node port of a load balancer is open before, too: its ranges are for its own addresses (Kubernetes' API reference).
  if (!step || serviceSpec(step.wanted).type !== 'LoadBalancer') return [];
  const { before, changes } = step;
  const lost = withLostChoices(snapshot, { serviceType: 'LoadBalancer' });
  const isChanged = !before || changes.some(({ path }) => path === 'spec.loadBalancerSourceRanges');
  const former = (before ? serviceSpec(before) : lost).loadBalancerSourceRanges ?? [];
  const opened = isChanged ? openedRanges(former, serviceSpec(step.wanted)) : undefined;
  const had = before ? before.metadata.annotations : lost.serviceAnnotations;
  const isPublic = Object.entries(had ?? {}).some(
    ([name, value]) =>
      keepsPrivate(name, value) &&
      !keepsPrivate(name, step.wanted?.metadata.annotations?.[name]) &&
      // What others have set stays where this plan does not change it.
      (!before || changes.some(({ path }) => path === `metadata.annotations.${name}`)),
  );
  return [
    ...(opened === undefined ? [] : [opened]),
    ...(isPublic ? ['its load balancer is no longer kept off the public internet'] : []),
  ].map((says) => ({ cluster: snapshot.context, says }));
}

/** Undefined where nobody gets in whom the former ranges kept out. */
function openedRanges(
  former: readonly string[],
  { loadBalancerSourceRanges: ranges = [] }: ServiceSpec,
): string | undefined {
  if (former.length === 0) return undefined;
  const added = rangesBeyond(ranges, former);
  if (ranges.length === 0) return `all clients get in, until now only those in ${former.join(', ')}`;
  return added.length > 0
    ? `clients in ${added.join(', ')} get in too, until now only those in ${former.join(', ')}`
    : undefined;
}

/** Who may get in by a list of source ranges that is empty or absent (Kubernetes' API reference, ServiceSpec). */
const ALL_CLIENTS = { IPv4: '0.0.0.0/0', IPv6: '::/0' } as const;

/** Whether clients that a Service let in until now get in no longer, by its source ranges. */
export function shutsClientsOut(before: ServiceSpec, { loadBalancerSourceRanges: after = [] }: ServiceSpec): boolean {
  if (after.length === 0) return false;
  const { loadBalancerSourceRanges: listed = [], ipFamilies = Object.keys(ALL_CLIENTS) } = before;
  const all = ipFamilies.flatMap((family) => ALL_CLIENTS[family as keyof typeof ALL_CLIENTS] ?? []);
  return rangesBeyond(listed.length > 0 ? listed : all, after).length > 0;
}

/** Those of some ranges that are not within one of others. */
function rangesBeyond(ranges: readonly string[], others: readonly string[]): string[] {
  const known = others.flatMap((range) => parseCidr(range) ?? []);
  const isWithin = (range: AddressRange) =>
    known.some(({ family, first, last }) => family === range.family && first <= range.first && range.last <= last);
  return ranges.filter((text) => {
    const range = parseCidr(text);
    return range ? !isWithin(range) : !others.includes(text);
  });
}
