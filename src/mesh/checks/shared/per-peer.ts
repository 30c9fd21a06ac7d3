import type { ClusterSnapshot } from '../../cluster-snapshot.ts';
import { connectCommand, unnamedContext } from '../../command-line.ts';
import { firstOf } from '../../counted.ts';
import { groupBy } from '../../pairs.ts';
import { clusterKnownAs, knownAs } from '../../peers/concerned-peers.ts';
import { withoutNamesakes } from '../../peers/namesakes.ts';
import { partedBy } from '../../peers/parted.ts';
import { peersOfOthers, servedPeers } from '../../peers/peer-choices.ts';
import { configuredPeers } from '../../peers/peers.ts';
import { forOtherOwners } from '../../peers/peers-of-others.ts';
import { IDENTITY_OF_CLUSTERS } from '../identity.ts';
import type { Finding, Severity } from './check.ts';
import { findingOf, type MeshCheck, type MeshCheckInput } from './mesh-input.ts';
import { NOT_COMPARED } from './subjects.ts';

/** What is wrong with a peer. */
export interface PeerVerdict {
  severity: Severity;
  reason: string;
  /** Default: to connect the two anew. */
  hint?: string;
  /** What another check says, where that is why. */
  cause?: { foundBy: string; foundIn: string; foundOf?: readonly string[] } | undefined;
}

/** A cluster that another one dials. */
interface Peer {
  name: string;
  /** Undefined where it is not among the clusters that were read. */
  cluster: ClusterSnapshot | undefined;
}

/** Why nothing is judged of a peer. */
export interface Lack {
  says: string;
  /** Something that there is to judge was not to be had; else there is nothing. */
  isUnseen: boolean;
}

/** What a check asks of each cluster and each of its peers. */
export interface PeerQuestion {
  id: string;
  title: string;
  /** @param others that were read, and are none of those that are judged */
  judge(
    from: ClusterSnapshot,
    peer: Peer,
    now: Date,
    others: readonly ClusterSnapshot[],
    observed: MeshCheckInput['observed'],
  ): PeerVerdict | undefined;
  /** Undefined where there is something to judge. */
  lack(from: ClusterSnapshot, peer: Peer, observed: MeshCheckInput['observed']): Lack | undefined;
  /** Peers that the cluster does not dial; default: none. */
  also?(from: ClusterSnapshot, all: readonly ClusterSnapshot[]): ClusterSnapshot[];
}

const NOT_AMONG: Lack = { says: NOT_COMPARED, isUnseen: true };

/** What a question about two clusters that were read is to all peers of one. */
export function ofBoth(
  judge: (
    from: ClusterSnapshot,
    to: ClusterSnapshot,
    now: Date,
    others: readonly ClusterSnapshot[],
    observed: MeshCheckInput['observed'],
  ) => PeerVerdict | undefined,
  lack: (from: ClusterSnapshot, to: ClusterSnapshot, observed: MeshCheckInput['observed']) => Lack | undefined = () =>
    undefined,
): Pick<PeerQuestion, 'judge' | 'lack'> {
  return {
    judge: (from, { cluster }, now, others, observed) => cluster && judge(from, cluster, now, others, observed),
    lack: (from, { cluster }, observed) => (cluster ? lack(from, cluster, observed) : NOT_AMONG),
  };
}

/** A check of each cluster and each peer that it dials. What a cluster has for itself is another check's. */
export function perPeer({ id, title, judge, lack, also = () => [] }: PeerQuestion): MeshCheck {
  const peersOf = (from: ClusterSnapshot, all: readonly ClusterSnapshot[]): Peer[] => {
    const others = withoutNamesakes(from, all);
    return [...dialledBy(from, others), ...also(from, others).map((cluster) => ({ name: knownAs(cluster), cluster }))];
  };
  return {
    id,
    category: 'peers',
    title,
    // Files and users are named for clusters.
    saidBy: IDENTITY_OF_CLUSTERS,
    subject(from, { clusters, observed }) {
      const peers = peersOf(from, clusters).map((peer) => ({ name: peer.name, lack: lack(from, peer, observed) }));
      const [reason = withoutPeers(from)] = peers.flatMap((one) =>
        one.lack === NOT_AMONG ? [] : (one.lack?.says ?? []),
      );
      const unseen = groupBy(
        peers.filter((one) => one.lack?.isUnseen),
        (one) => one.lack?.says ?? '',
      );
      return {
        things: peers.filter((one) => one.lack === undefined).map(({ name }) => name),
        otherwise: reason,
        unseen: [...unseen].map(([says, same]) => `${namesOf(same)}: ${says}`),
      };
    },
    run: ({ clusters, now, observed, others = [] }, all) =>
      clusters.flatMap((from) =>
        peersOf(from, all).flatMap((peer): Finding[] => {
          const found = lack(from, peer, observed) === undefined ? judge(from, peer, now, others, observed) : undefined;
          if (!found) return [];
          const { severity, reason, hint = reconnect(from, peer), cause = {} } = found;
          return [findingOf(id, severity, from.context, { peer: peer.name, reason, ...cause }, hint)];
        }),
      ),
    says: ({ args }) => `context "${args.context}", peer ${args.peer}: ${args.reason}`,
  };
}

function namesOf(peers: readonly { name: string }[]): string {
  return firstOf(peers.map(({ name }) => name));
}

function dialledBy(from: ClusterSnapshot, others: readonly ClusterSnapshot[]): Peer[] {
  return configuredPeers(from)
    .filter((name) => name !== knownAs(from))
    .map((name) => ({ name, cluster: clusterKnownAs(name, others) }));
}

function reconnect(from: ClusterSnapshot, { name, cluster: to }: Peer): string {
  if (to) return partedBy(to, from)?.mend ?? connectCommand(from.context, to.context);
  const connect = connectCommand(from.context, unnamedContext(name));
  return forOtherOwners(connect, from.context, peersOfOthers(from));
}

function withoutPeers(cluster: ClusterSnapshot): string {
  const dialled = configuredPeers(cluster);
  if (dialled.length > 0) return 'none of its peers is among the clusters that were compared';
  const served = servedPeers(cluster, dialled);
  return served.length > 0
    ? `it dials no cluster: ${served.join(', ')} ${served.length === 1 ? 'is' : 'are'} to dial it one-way, as chosen`
    : 'it is connected to no cluster';
}
