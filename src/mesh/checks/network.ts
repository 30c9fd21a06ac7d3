import { IP_FAMILIES, overlap, parseCidr } from '../cilium/cidr.ts';
import { isTunnel, usesBgp } from '../cilium/datapath.ts';
import { givesRangesToNodes, type NamedRange, podCidrsOf, podRanges, podRangesTo } from '../cilium/pod-ranges.ts';
import { type NodeRoute, routeTo } from '../cilium/routes.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { kubectlCommand, meshctlCommand } from '../command-line.ts';
import { firstOf } from '../counted.ts';
import { AGENT_CONTAINER } from '../objects/names.ts';
import { NODE_HEALTH } from './health/node-health.ts';
import { askNodes, type Told } from './shared/ask-nodes.ts';
import { type CheckInput, whyAlone } from './shared/check.ts';
import type { BgpSession, ByFamily, MeshCheck, NodeObservation } from './shared/mesh-input.ts';
import { unknownPodRanges } from './shared/subjects.ts';

/** Whether packets to the pods of other clusters find their way. Clusters need not be connected for it. */
export const ROUTE_CHECKS: readonly MeshCheck[] = [
  askNodes<BgpSession>({
    id: 'bgp-sessions',
    title: 'BGP sessions are established',
    unasked: (cluster) => (usesBgp(cluster) ? undefined : NO_BGP),
    answer: ({ bgpSessions }) => bgpSessions,
    silent: 'no agent reported its BGP peers',
    nothing: 'its agents have no BGP peers',
    severity: 'fail',
    judge: (told) =>
      told.flatMap(({ node, answer }) =>
        answer.filter(isLost).map(({ peer, state }) => `${node} to ${peer} (${state})`),
      ),
    // Each agent knows its own sessions alone.
    hint: ({ context, namespace }, _others, told) =>
      kubectlCommand({ context, namespace }, [
        'exec',
        told.find(({ answer }) => answer.some(isLost))?.pod ?? 'ds/cilium',
        ...['-c', AGENT_CONTAINER, '--', 'cilium-dbg', 'bgp', 'peers'],
      ]),
  }),
  askNodes<OfFamily<string>>({
    id: 'bgp-pod-cidrs',
    title: 'nodes advertise their pod ranges over BGP',
    unasked: (cluster, others, input) =>
      !usesBgp(cluster) ? NO_BGP : isTunnel(cluster) ? TUNNELS : withoutOwnRanges(cluster, others, input),
    answer: advertisedBy,
    silent: 'no agent reported what it advertises over BGP',
    nothing: 'its agents have no BGP session that is established',
    severity: 'warn',
    judge: (told, cluster, others) => {
      const ranges = rangesFrom(others, cluster);
      return told.flatMap(({ node, answer }) =>
        answer
          .filter(({ family }) => ranges.some((range) => range.family === family))
          .filter(({ list }) => !list.some((prefix) => ranges.some((range) => isInCommon(prefix, range))))
          .map(({ family }) => `${node} advertises no IPv${family} pod range`),
      );
    },
    unseen: (told, cluster, others) =>
      told.some(({ answer }) => answer.length > 0)
        ? [...withoutSession(told), ...untoldFamilies(told, rangesFrom(others, cluster), ADVERTISED)]
        : [],
    hint: ({ context }, others) =>
      `Advertise them to the routers: a CiliumBGPAdvertisement of type PodCIDR (with ipam: multi-pool, CiliumPodIPPool) that the CiliumBGPPeerConfig of these nodes selects. Where routers have those routes from elsewhere, leave the check out: ${meshctlCommand(
        'clustermesh check',
        { context: [context, ...others.map((other) => other.context)] },
        ['--suppress', 'bgp-pod-cidrs'],
      )}`,
  }),
  askNodes<OfFamily<NodeRoute>>({
    id: 'native-routes',
    title: 'nodes have a route to every remote pod range',
    unasked: (cluster, others, input) => (isTunnel(cluster) ? TUNNELS : withoutRanges(cluster, others, input)),
    answer: ({ routes }) => eachFamily(routes),
    silent: 'no agent reported its routes',
    severity: 'fail',
    judge: (told, cluster, others) =>
      rangesTold(told, cluster, others).flatMap(({ node, range, of, list }) => {
        const { source, dropped } = routeTo(range, list, undefined);
        if (dropped) return [`${node} drops what goes to ${range.text} of ${of} (${dropped})`];
        return source ? [] : [`${node} has none to ${range.text} of ${of}`];
      }),
    unseen: (told, cluster, others) => [
      ...unknownPodRanges(others),
      ...untoldFamilies(
        told,
        others.flatMap((other) => podRangesTo(cluster, other)),
        'routes',
      ),
    ],
    hint: ({ context }, others) =>
      meshctlCommand('clustermesh routes', { context: [context, ...others.map((other) => other.context)] }),
  }),
];

/** Whether packets between nodes and pods of different clusters arrive. */
export const NETWORK_CHECKS: readonly MeshCheck[] = [NODE_HEALTH, ...ROUTE_CHECKS];

const ALONE = 'there is no other cluster to which its pods are to send';
const NO_BGP = 'Cilium does not speak BGP there';
const TUNNELS = 'it tunnels what goes to other nodes';
const ADVERTISED = 'advertised BGP routes';

/** What an agent told of one family of addresses. */
interface OfFamily<T> {
  family: 4 | 6;
  list: readonly T[];
}

/** Undefined where it told of none. */
function eachFamily<T>(told: ByFamily<T> = {}): OfFamily<T>[] | undefined {
  const found = IP_FAMILIES.flatMap((family) => {
    const list = told[family];
    return list ? [{ family, list }] : [];
  });
  return found.length > 0 ? found : undefined;
}

/** Each range to which pods send, beside what each node told of its family. */
function rangesTold<T>(
  told: readonly Told<OfFamily<T>>[],
  cluster: ClusterSnapshot,
  others: readonly ClusterSnapshot[],
) {
  const ranges = others.flatMap((other) => podRangesTo(cluster, other).map((range) => ({ range, of: other.context })));
  return told.flatMap(({ node, answer }) =>
    ranges.flatMap(({ range, of }) => {
      const list = answer.find(({ family }) => family === range.family)?.list;
      return list ? [{ node, range, of, list }] : [];
    }),
  );
}

/**
 * What a node tells routers, of which nothing is to be said without a session. What they tell the node is in no answer:
 * from 1.16 on Cilium rejects all paths that it hears (cilium/cilium#33035), and it never put them into the kernel.
 */
function advertisedBy({ bgpSessions, bgpAdvertised }: NodeObservation): OfFamily<string>[] | undefined {
  if (!bgpSessions) return undefined;
  return bgpSessions.every(isLost) ? [] : eachFamily(bgpAdvertised);
}

/** Nodes that advertise nothing, beside others that do: who else knows the way to their pods, they do not tell. */
function withoutSession(told: readonly Told<OfFamily<string>>[]): string[] {
  const silent = told.filter(({ answer }) => answer.length === 0).map(({ node }) => node);
  return silent.length === 0 ? [] : [`no BGP session of ${firstOf(silent)} is established`];
}

function isLost({ state }: BgpSession): boolean {
  return state !== 'established';
}

/** Ranges of a cluster's nodes to which the pods of others send. */
function rangesFrom(others: readonly ClusterSnapshot[], cluster: ClusterSnapshot): readonly NamedRange[] {
  return others.flatMap((other) => podRangesTo(other, cluster));
}

/** The families of ranges of which nobody told. */
function untoldFamilies(
  told: readonly Told<OfFamily<unknown>>[],
  ranges: readonly NamedRange[],
  what: string,
): string[] {
  const wanted = new Set(ranges.map(({ family }) => family));
  const untold = [...wanted].filter(
    (family) => !told.some(({ answer }) => answer.some((one) => one.family === family)),
  );
  return untold.map((family) => `no agent reported its IPv${family} ${what}`);
}

function withoutRanges(
  cluster: ClusterSnapshot,
  others: readonly ClusterSnapshot[],
  input: CheckInput,
): string | undefined {
  if (others.length === 0) return whyAlone(input, ALONE);
  if (others.some((other) => podRangesTo(cluster, other).length > 0)) return undefined;
  const isKnown = others.some((other) => podCidrsOf(other).length > 0);
  return isKnown
    ? 'other clusters have no pod ranges of an IP family that it has'
    : 'no pod ranges of other clusters are known';
}

/** Why a cluster has no ranges of which the routers of others are to be told. */
function withoutOwnRanges(
  cluster: ClusterSnapshot,
  others: readonly ClusterSnapshot[],
  input: CheckInput,
): string | undefined {
  if (others.length === 0) return whyAlone(input, ALONE);
  if (!givesRangesToNodes(cluster)) return 'its nodes have no pod ranges of their own, which could be advertised';
  if (rangesFrom(others, cluster).length > 0) return undefined;
  return podCidrsOf(cluster).length > 0
    ? 'other clusters have no IP family of its pod ranges'
    : podRanges(cluster).otherwise;
}

/** Whether a prefix is, or is in, or holds the range of a node: routers may be told of all of them as one. */
function isInCommon(prefix: string, range: NamedRange): boolean {
  const told = parseCidr(prefix);
  return !!told && overlap(told, range);
}
