import { firstOf } from '../counted.ts';
import { groupBy, pairsOf } from '../pairs.ts';
import type { Step } from '../plan/plan.ts';
import { makeNamespaceGlobal, readSharing } from './annotations.ts';
import { isPublished } from './backends.ts';
import { differenceWords, hasApart, isDifference } from './differences.ts';
import type { ClusterServices } from './service-facts.ts';
import { joinServices, serviceFacts, serviceKey, unreadPeers, usedOnceDialled } from './services.ts';
import { inputOf } from './uses.ts';

/** What a global Service does not do, or does besides, once steps are carried out. */
export interface Remark {
  /** The cluster that it is about; absent where it is about all of them. */
  context?: string;
  /** A clause. */
  says: string;
  hint?: string;
  /** It serves no other cluster as it is meant to, or is served by none. */
  isInVain: boolean;
}

/** Remarks as sentences that stand for themselves. */
export function remarkWords(remarks: readonly Remark[]): string[] {
  return remarks.map(({ context, says, hint }) => {
    const words = context === undefined ? says : `context "${context}": ${says}`;
    return hint === undefined ? words : `${words} → ${hint}`;
  });
}

/**
 * What is to be known of the Services that steps make global, or leave so: where that shares nothing, and which clusters come to serve
 * that nobody named.
 * @param clusters that the steps are for, as they were read before the steps
 * @param others further clusters that were read: peers among them
 */
export function outlook(
  steps: readonly Step[],
  clusters: readonly ClusterServices[],
  others: readonly ClusterServices[],
): Remark[] {
  const global = steps.filter(({ wanted, before }) => isGlobal(wanted ?? before));
  const remarks = global.flatMap((step) => {
    const of = clusters.find(({ context }) => context === step.cluster);
    if (!of) return [];
    const key = keyOf(step);
    const after = withStep(of, step);
    return [
      ...copied(step, after, key),
      ...vainIn(after, key),
      ...(isGlobal(step.before) ? [] : joining(after, key, [...clusters, ...others], clusters)),
    ];
  });
  return [...remarks, ...[...groupBy(global, keyOf)].flatMap(([key, of]) => differencesIn(clusters, of, key))];
}

/** In what the clusters' definitions of a Service differ once it is written. */
function differencesIn(clusters: readonly ClusterServices[], steps: readonly Step[], key: string): Remark[] {
  const after = clusters.map((of) => {
    const { services, ...more } = steps.reduce(
      (one, step) => (step.cluster === of.context ? withStep(one, step) : one),
      of,
    );
    const facts = services.get(key);
    return { ...more, services: new Map(facts ? [[key, facts]] : []) };
  });
  return joinServices(after).flatMap((service) =>
    service.warnings.filter(isDifference).map((warning): Remark => {
      const { message, ...words } = differenceWords(warning, service);
      return { says: `${key}: ${message}`, ...words, isInVain: hasApart(warning) };
    }),
  );
}

/** What goes for clusters that are to share a Service and of which none dials another. Where some do, the rest may be as it is meant. */
export function apart(clusters: readonly ClusterServices[]): Remark[] {
  const pairs = pairsOf(clusters);
  const dials = (one: ClusterServices, other: ClusterServices) => one.peers?.includes(other.cluster) ?? true;
  if (pairs.length === 0 || pairs.some(([one, other]) => dials(one, other) || dials(other, one))) return [];
  const who =
    clusters.length === 2
      ? 'these clusters are not connected with each other'
      : 'none of these clusters is connected with another';
  return [{ says: `${who}: each uses its own backends only`, isInVain: true }];
}

/** Peers on which it hangs whose backends are used, and that were not named: {@link outlook} is told of those that could be read. */
export function peersBesides(steps: readonly Step[], clusters: readonly ClusterServices[]): string[] {
  const made = steps.filter(({ wanted, before }) => isGlobal(wanted) && !isGlobal(before));
  const of = clusters.filter(({ context }) => made.some(({ cluster }) => cluster === context));
  return [...new Set(of.flatMap((one) => unreadPeers(one, clusters)))].sort();
}

function isGlobal(object: Step['wanted']): boolean {
  return readSharing(object?.metadata.annotations).global;
}

function keyOf({ object: { namespace = '', name } }: Step): string {
  return serviceKey({ namespace, name });
}

/** The cluster with the Service as the step leaves it. */
function withStep(of: ClusterServices, { wanted }: Step): ClusterServices {
  if (!wanted) return of;
  const facts = serviceFacts(wanted);
  const key = serviceKey(facts);
  const present = of.services.get(key);
  const services = new Map(of.services);
  const { annotations, mirrored } = facts;
  services.set(key, present ? { ...present, annotations, mirrored } : facts);
  return { ...of, services };
}

/** A copy leads to whatever pods have the labels that pods have where it comes from. */
function copied({ action }: Step, of: ClusterServices, key: string): Remark[] {
  const facts = of.services.get(key);
  const labels = Object.entries(facts?.selector ?? {}).map((label) => label.join('='));
  if (action !== 'create' || !facts || labels.length === 0) return [];
  const whom = isPublished(inputOf(of, facts)) ? ', for other clusters too' : '';
  const { context } = of;
  return [{ context, says: `pods there with ${labels.join(',')} come to serve ${key}${whom}`, isInVain: false }];
}

function vainIn(of: ClusterServices, key: string): Remark[] {
  const facts = of.services.get(key);
  const { context } = of;
  const own = facts && inputOf(of, facts);
  if (!own) return [];
  const { namespace } = facts;
  return [
    ...(own.sharing.shared && !own.namespaceGlobal
      ? [
          {
            context,
            says: `namespace ${namespace} is not global there, so that other clusters get no backends of ${key} from it`,
            hint: makeNamespaceGlobal(context, namespace),
            isInVain: true,
          },
        ]
      : []),
    ...(own.headless
      ? [
          {
            context,
            says: own.mirrored
              ? `${key} is headless there: clients see what DNS gives them, with the backends of other clusters`
              : `${key} is headless there, so that Cilium balances nothing: clients see what DNS gives them`,
            isInVain: !own.mirrored,
          },
        ]
      : []),
  ];
}

/** The clusters whose backends its pods come to use, and that nobody named. */
function joining(
  of: ClusterServices,
  key: string,
  known: readonly ClusterServices[],
  named: readonly ClusterServices[],
): Remark[] {
  const facts = of.services.get(key);
  const own = facts && inputOf(of, facts);
  if (!own || (own.headless && !own.mirrored)) return [];
  const peers = unreadPeers(of, named);
  const read = (peer: string) => known.find(({ cluster }) => cluster === peer);
  const serving = peers.filter((peer) => {
    const other = read(peer);
    return other && usedOnceDialled(of, other).includes(key);
  });
  const unread = peers.filter((peer) => !read(peer));
  const says = (names: readonly string[], more: string) => `requests for ${key} may go to ${firstOf(names)} too${more}`;
  return [
    ...(serving.length > 0 ? [{ context: of.context, says: says(serving, ''), isInVain: false }] : []),
    ...(unread.length > 0
      ? [
          {
            context: of.context,
            says: says(unread, `, if it is global there: ${unread.length === 1 ? 'that was' : 'they were'} not read`),
            isInVain: false,
          },
        ]
      : []),
    ...(of.peers
      ? []
      : [
          {
            context: of.context,
            says: `whose backends requests for ${key} go to besides is not known: the peering files may not be read`,
            isInVain: false,
          },
        ]),
  ];
}
