import { type AddressRange, parseCidr } from '../../cilium/cidr.ts';
import type { ClusterSnapshot } from '../../cluster-snapshot.ts';
import { allowList } from '../../network/allow-lists.ts';
import { type KubeObject, keyOf } from '../../objects/kube-object.ts';
import { apiserverServiceRef } from '../../objects/names.ts';
import { serviceSpec } from '../../objects/service.ts';
import type { Hazard } from '../../plan/agreement.ts';
import type { Step } from '../../plan/plan.ts';
import { keepsPrivate } from '../exposure/platforms.ts';
import { withLostChoices } from '../kept-service.ts';

const ANNOTATIONS = 'metadata.annotations';
const FIELD = 'spec.loadBalancerSourceRanges';

/** Whom a plan lets dial this cluster's etcd who could not until now, also where the Service was lost in between. */
export function openedAccess(snapshot: ClusterSnapshot, steps: readonly Step[]): Hazard[] {
  const change = changeOfService(snapshot, steps);
  // The node port of a load balancer is open before, too: its ranges are for its own addresses (Kubernetes' API reference).
  if (!change || serviceSpec(change.after).type !== 'LoadBalancer') return [];
  const { before = lostBalancer(snapshot, change.after), after } = change;
  const opened = openedRanges(rangesOf(before, after));
  const isPublic = Object.entries(before.metadata.annotations ?? {}).some(
    ([name, value]) => keepsPrivate(name, value) && !keepsPrivate(name, after.metadata.annotations?.[name]),
  );
  return [
    ...(opened === undefined ? [] : [opened]),
    ...(isPublic ? [{ says: 'its load balancer is no longer kept off the public internet' }] : []),
  ].map((hazard) => ({ cluster: snapshot.context, ...hazard }));
}

/** The Service before a plan and as it leaves it: what others have set stays where it does not change that. Undefined where it stays. */
function changeOfService(
  { namespace }: ClusterSnapshot,
  steps: readonly Step[],
): { before: KubeObject | undefined; after: KubeObject } | undefined {
  const key = keyOf(apiserverServiceRef(namespace));
  const step = steps.find(({ action, object }) => action !== 'keep' && keyOf(object) === key);
  if (!step?.wanted) return undefined;
  const { before, wanted, changes } = step;
  if (!before) return { before, after: wanted };
  const isChanged = (path: string) => changes.some((change) => change.path === path);
  const kept = Object.entries(before.metadata.annotations ?? {}).filter(
    ([name]) => !isChanged(ANNOTATIONS) && !isChanged(`${ANNOTATIONS}.${name}`),
  );
  const annotations = { ...Object.fromEntries(kept), ...wanted.metadata.annotations };
  const { loadBalancerSourceRanges } = serviceSpec(isChanged(FIELD) ? wanted : before);
  const spec = { ...serviceSpec(before), ...serviceSpec(wanted), loadBalancerSourceRanges };
  return { before, after: { ...wanted, metadata: { ...wanted.metadata, annotations }, spec } };
}

/** A load balancer that is lost, as it is noted. */
function lostBalancer(snapshot: ClusterSnapshot, after: KubeObject): KubeObject {
  const type = 'LoadBalancer';
  const { loadBalancerSourceRanges, serviceAnnotations = {} } = withLostChoices(snapshot, { serviceType: type });
  const metadata = { ...after.metadata, annotations: { ...serviceAnnotations } };
  return { ...after, metadata, spec: { type, loadBalancerSourceRanges } };
}

/** The only ranges from which a Service let clients in, and lets them in. */
interface Ranges {
  former: readonly string[];
  ranges: readonly string[];
}

/** Where an annotation leaves it to something outside of the cluster, what the field says goes on counting. */
function rangesOf(before: KubeObject, after: KubeObject): Ranges {
  const [former, now] = [allowList(before), allowList(after)];
  if (former.unread === undefined && now.unread === undefined) return { former: former.ranges, ranges: now.ranges };
  const ofField = (service: KubeObject) => serviceSpec(service).loadBalancerSourceRanges ?? [];
  return { former: ofField(before), ranges: ofField(after) };
}

/** Undefined where nobody gets in whom the former ranges kept out. */
function openedRanges({ former, ranges }: Ranges): Omit<Hazard, 'cluster'> | undefined {
  if (former.length === 0) return undefined;
  const added = rangesBeyond(ranges, former);
  const until = `until now only those in ${former.join(', ')}`;
  if (ranges.length === 0) return { says: `all clients get in, ${until}` };
  if (added.length === 0) return undefined;
  return {
    says: `clients in ${added.join(', ')} get in too, ${until}`,
    enumerates: { what: `clients get in too, ${until}`, members: added },
  };
}

/** Who may get in by a list of source ranges that is empty or absent (Kubernetes' API reference, ServiceSpec). */
const ALL_CLIENTS = { IPv4: '0.0.0.0/0', IPv6: '::/0' } as const;

/**
 * The only ranges from which clients get in by a plan, where it shuts out some that the Service let in until now, by its field or
 * its annotations.
 * @returns none where it shuts out nobody
 */
export function rangesLeft(snapshot: ClusterSnapshot, steps: readonly Step[]): readonly string[] {
  const { before, after } = changeOfService(snapshot, steps) ?? {};
  if (!before || !after) return [];
  const { former, ranges } = rangesOf(before, after);
  if (ranges.length === 0) return [];
  const { ipFamilies = Object.keys(ALL_CLIENTS) } = serviceSpec(before);
  const all = ipFamilies.flatMap((family) => ALL_CLIENTS[family as keyof typeof ALL_CLIENTS] ?? []);
  return rangesBeyond(former.length > 0 ? former : all, ranges).length > 0 ? ranges : [];
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
