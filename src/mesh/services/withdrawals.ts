import { enumerated } from '../counted.ts';
import type { Hazard } from '../plan/agreement.ts';
import type { Step } from '../plan/plan.ts';
import { rememberedOf } from '../remembered.ts';
import { readSharing, type Sharing } from './annotations.ts';
import { isPublished, publishedBackends } from './backends.ts';
import type { ClusterServices } from './service-facts.ts';
import { joinServices, serviceFacts, serviceKey, unreadPeers } from './services.ts';
import { survivalOf } from './survival.ts';
import { inputOf } from './uses.ts';

/**
 * Of the steps about Services, those that take their backends away from the other clusters.
 * @param clusters as they were read, before the steps; of one that was not, nobody knows that no other cluster had any
 */
export function withdrawals(steps: readonly Step[], clusters: readonly ClusterServices[]): Hazard[] {
  return steps.filter(withdraws).flatMap(({ cluster, object: { namespace = '', name } }) => {
    const key = serviceKey({ namespace, name });
    const of = clusters.find(({ context }) => context === cluster);
    if (of && (isKeptAtHome(of, key) || isAlone(of, clusters))) return [];
    return [{ cluster, says: `other clusters lose the backends of ${key}` }];
  });
}

/** Whether the cluster offers nothing of it to others, whatever its annotations say. */
function isKeptAtHome(of: ClusterServices, key: string): boolean {
  const facts = of.services.get(key);
  return facts !== undefined && !isPublished(inputOf(of, facts));
}

/** Whether no other cluster reads of it: it has nothing that they could read from, and nobody is known to dial it. */
function isAlone(of: ClusterServices, clusters: readonly ClusterServices[]): boolean {
  const dials = (one: ClusterServices) => one.peers?.includes(of.cluster) ?? true;
  return of.isServing === false && of.peers?.length === 0 && !clusters.some((one) => one !== of && dials(one));
}

/** Of the steps about Services, those after which a cluster may have no backends: others lose them, or it loses those of others. */
export function retreats(steps: readonly Step[]): Step[] {
  return steps.filter((step) => withdraws(step) || leaves(step));
}

/**
 * The clusters in which requests are served until now, and are not after these steps, all of them together.
 * @param clusters that were read, with the Services that the steps are about; of others that serve them too it is said that what
 * they have is not known
 */
export function strandings(steps: readonly Step[], clusters: readonly ClusterServices[]): Hazard[] {
  const retreating = retreats(steps);
  const before = failingBy(clusters);
  const left = clusters.map((of) => afterSteps(of, steps));
  const after = failingBy(left);
  const unread = unreadBy(left);
  return retreating.flatMap(({ cluster, object: { namespace = '', name } }) => {
    const key = serviceKey({ namespace, name });
    const stranded = (after.get(key) ?? []).filter((one) => !before.get(key)?.includes(one));
    if (stranded.length === 0) return [];
    const others = [...new Set(stranded.flatMap((one) => unread.get(key)?.get(one) ?? []))];
    const doubt = others.length > 0 ? `, as far as is known without ${enumerated(others)}` : '';
    const says = `requests from ${enumerated(stranded)} for ${key} fail, which no other backends serve${doubt}`;
    return [{ cluster, says, enumerates: { what: `requests for ${key} fail${doubt}`, members: stranded } }];
  });
}

/**
 * The requests that may fail by these steps for all that is known: those from peers that were not read, whose pods may have nothing but
 * these backends; and those from a cluster that has had no other backends than what such a peer may have.
 * @param clusters as {@link strandings} takes them
 */
export function doubtfulStrandings(steps: readonly Step[], clusters: readonly ClusterServices[]): Hazard[] {
  const before = failingBy(clusters);
  const unread = unreadBy(clusters);
  return retreats(steps).flatMap((step): Hazard[] => {
    const { cluster, object } = step;
    const of = clusters.find(({ context }) => context === cluster);
    const key = serviceKey({ namespace: object.namespace ?? '', name: object.name });
    const facts = of?.services.get(key);
    if (!of || !facts) return [];
    const dialling = of.isServing === false ? [] : [...new Set([...(of.peers ?? []), ...(of.lettingIn ?? [])])];
    const takes = withdraws(step) && publishedBackends(inputOf(of, facts)).length > 0;
    const losing = takes ? unreadPeers({ peers: dialling }, clusters) : [];
    const isUnserved = leaves(step) && before.get(key)?.includes(of.cluster);
    const serving = isUnserved ? (unread.get(key)?.get(of.cluster) ?? []) : [];
    const ofOthers = `requests from ${enumerated(losing)} for ${key} may fail: ${were(losing)} not read`;
    const own = `requests from ${of.cluster} for ${key} may fail: only ${enumerated(serving)} may have backends for them, and ${were(serving)} not read`;
    return [
      ...(losing.length > 0
        ? [{ cluster, says: ofOthers, enumerates: { what: `requests for ${key} may fail`, members: losing } }]
        : []),
      ...(serving.length > 0 ? [{ cluster, says: own }] : []),
    ];
  });
}

function were(names: readonly string[]): string {
  return names.length === 1 ? 'it was' : 'they were';
}

/** Whether others have had backends there until now, and have none any more. */
function withdraws(step: Step): boolean {
  return loses(step, ({ global, shared }) => global && shared);
}

/** Whether its pods have had the backends of others until now, and have none of them any more. */
function leaves(step: Step): boolean {
  return loses(step, ({ global }) => global);
}

function loses({ action, before, wanted }: Step, has: (sharing: Sharing) => boolean): boolean {
  if (action === 'keep' || !before) return false;
  return has(readSharing(before.metadata.annotations)) && !has(readSharing(wanted?.metadata.annotations));
}

/** By Service: the clusters whose pods it does not serve, or not at each of its ports. */
const failingBy = rememberedOf(
  (clusters: readonly ClusterServices[]): ReadonlyMap<string, readonly string[]> =>
    new Map(survivalOf(clusters).map((service) => [serviceKey(service), service.failing ?? []])),
);

/** By Service and cluster: the others whose backends its pods may use too, and that were not read. */
function unreadBy(clusters: readonly ClusterServices[]): Map<string, Map<string, readonly string[]>> {
  return new Map(
    joinServices(clusters).map((service) => [
      serviceKey(service),
      new Map(service.clusters.map(({ cluster, definition }) => [cluster, definition?.usesUnread ?? []])),
    ]),
  );
}

function afterSteps(of: ClusterServices, steps: readonly Step[]): ClusterServices {
  const services = new Map(of.services);
  for (const { cluster, wanted } of steps) {
    if (cluster !== of.context || !wanted) continue;
    const { annotations, ...facts } = serviceFacts(wanted);
    const present = services.get(serviceKey(facts));
    if (present) services.set(serviceKey(facts), { ...present, annotations });
  }
  return { ...of, services };
}
