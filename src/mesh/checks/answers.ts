import { isTunnel } from '../cilium/datapath.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { connectCommand } from '../command-line.ts';
import { firstOf } from '../counted.ts';
import { pairsOf } from '../pairs.ts';
import { knownAs } from '../peers/concerned-peers.ts';
import { dialsThis } from '../peers/namesakes.ts';
import { mayDialUnseen } from '../peers/peers.ts';
import { unansweredServices } from '../services/answers.ts';
import { globalServicesIn } from '../services/newly-shared.ts';
import type { ClusterServices } from '../services/service-facts.ts';
import { hearsOf } from '../status/links.ts';
import type { MeshCheck, MeshCheckInput } from './shared/mesh-input.ts';
import { type Lack, ofBoth, type PeerVerdict, perPeer } from './shared/per-peer.ts';

/**
 * Whether requests for global Services that go to a peer are answered. That only one of two clusters dials may be chosen, and is no
 * fault by itself; through a tunnel, requests that go to the other one's backends get no answer all the same. Of clusters that are not
 * connected as they are to be, `peers-connected` says why: nobody calls that well here.
 */
export const ANSWER_CHECKS: readonly MeshCheck[] = [
  perPeer({
    id: 'peers-answers',
    title: 'requests for global services that go to peers get answers',
    ...ofBoth(judge, lack),
  }),
];

/** Clusters of which the Services have to be read, with their backends, for what {@link ANSWER_CHECKS} ask: of most meshes none. */
export function withUnansweredPeers(clusters: readonly ClusterSnapshot[]): ClusterSnapshot[] {
  const pairs = pairsOf(clusters).filter(([one, other]) => isUnanswered(one, other) || isUnanswered(other, one));
  const concerned = new Set(pairs.flat());
  return clusters.filter((one) => concerned.has(one));
}

/** Whether one cluster dials another one through a tunnel, and that does not dial back, as far as may be read. */
function isUnanswered(from: ClusterSnapshot, to: ClusterSnapshot): boolean {
  return isTunnel(to) && dialsThis(from, to) && !dialsThis(to, from);
}

function judge(from: ClusterSnapshot, to: ClusterSnapshot): PeerVerdict | undefined {
  if (!isUnanswered(from, to)) return undefined;
  const [ours, theirs] = [from, to].map(withPeers);
  if (!ours || !theirs) return undefined;
  const [found] = unansweredServices([ours, { ...theirs, peers: theirs.peers?.filter((one) => one !== ours.cluster) }]);
  if (!found) return undefined;
  const { services, later } = found;
  const why = `${found.to} does not dial ${found.from}, and sends packets through the tunnel only to pods of clusters that it dials`;
  const hint = `To have both dial: ${connectCommand(from.context, to.context, ['--connection-mode', 'bidirectional'])}`;
  const cause = { foundBy: 'peers-mutual', foundIn: from.context, foundOf: [found.to] };
  return services.length > 0
    ? { severity: 'fail', reason: `requests for ${firstOf(services)} that go there get no answer: ${why}`, hint, cause }
    : { severity: 'warn', reason: `requests for ${firstOf(later)} would get no answer there: ${why}`, hint, cause };
}

function withPeers(cluster: ClusterSnapshot): ClusterServices | undefined {
  const services = globalServicesIn(cluster);
  return services && { ...services, tunnels: isTunnel(cluster) };
}

function lack(from: ClusterSnapshot, to: ClusterSnapshot, observed: MeshCheckInput['observed']): Lack | undefined {
  if (!isUnanswered(from, to)) return lackOfConnection(from, to, observed);
  if (mayDialUnseen(to)) return { says: `a Secret in which ${to.context} may name it may not be read`, isUnseen: true };
  const unread = [from, to].find(({ globalServices }) => !globalServices);
  return unread && { says: `the Services of ${unread.context} may not be listed`, isUnseen: true };
}

/** What peering files say is no connection: requests go to what was last heard of where there is none, and in a tunnel no answer finds back. */
function lackOfConnection(
  from: ClusterSnapshot,
  to: ClusterSnapshot,
  observed: MeshCheckInput['observed'],
): Lack | undefined {
  const hears = (one: ClusterSnapshot, other: ClusterSnapshot) => {
    const status = observed.get(one.context)?.status;
    return status && hearsOf(status, knownAs(other));
  };
  const [out, back] = [hears(from, to), isTunnel(to) && dialsThis(to, from) ? hears(to, from) : true];
  if (out && back) return undefined;
  const [client, server] = [from, to].map(knownAs);
  const lacks = (out ? back : out) === false ? 'is not connected' : 'may not be connected';
  return {
    says: out
      ? `${server} ${lacks} to ${client}, and sends packets through the tunnel only to pods that it hears of`
      : `${client} ${lacks} to ${server}`,
    isUnseen: true,
  };
}
