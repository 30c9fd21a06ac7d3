import { podCidrsOf } from '../../cilium/pod-ranges.ts';
import type { ClusterSnapshot } from '../../cluster-snapshot.ts';
import { firstOf } from '../../counted.ts';
import { type CheckInput, type Subject, whyAlone } from './check.ts';
import type { ClusterObservation, NodeObservation } from './mesh-input.ts';

/** Why nothing can be said of a cluster's settings. */
export const NO_CONFIG = 'there is no ConfigMap cilium-config';

/** What a check of cilium-config is about. */
export function configOf({ ciliumConfig }: ClusterSnapshot): Subject {
  return { things: ciliumConfig ? ['cilium-config'] : [], otherwise: NO_CONFIG };
}

/** The clusters beside this one: those of the question, and those that it is connected to. */
export function othersKnown(cluster: ClusterSnapshot, input: CheckInput): Subject {
  const { clusters, peerIds } = input;
  if (!cluster.ciliumConfig) return configOf(cluster);
  const others = clusters.filter((other) => other !== cluster && other.ciliumConfig).map(({ context }) => context);
  const peers = peerIds?.get(cluster.context)?.keys() ?? [];
  return { things: [...others, ...peers], otherwise: whyAlone(input, 'no other cluster is known') };
}

/**
 * What agents did not tell that were asked for it, as what is unseen of a cluster. That an agent told nothing at all nobody is to take for
 * well; of one that told something else, as one that knows no such command, this may be all that there is.
 * @param answered nodes whose agents did
 * @param beside what else is unseen
 */
export function untoldByAgents(
  seen: ClusterObservation | undefined,
  answered: readonly string[],
  beside: readonly string[] = [],
): Required<Pick<Subject, 'unseen' | 'isBlind'>> {
  const silent = (seen?.nodes ?? []).filter(({ node }) => !answered.includes(node));
  if (silent.length === 0) return { unseen: beside, isBlind: false };
  const says = `the agents of ${firstOf(silent.map(({ node }) => node))} did not answer`;
  return { unseen: [...beside, says], isBlind: silent.some(toldNothing) };
}

function toldNothing({ node: _node, pod: _pod, startedAt: _startedAt, ...told }: NodeObservation): boolean {
  return Object.values(told).every((answer) => answer === undefined);
}

/** How many agents a verdict rests on; undefined where it rests on all of them. */
export function sampleOf(seen: ClusterObservation | undefined): string | undefined {
  return seen?.asked && `${seen.asked.agents} of ${seen.asked.of} agents asked`;
}

/** The clusters of which it is not known to which addresses packets for their pods go, as what is unseen beside them. */
export function unknownPodRanges(others: readonly ClusterSnapshot[]): string[] {
  const unknown = others.filter((other) => podCidrsOf(other).length === 0).map(({ context }) => context);
  return unknown.length === 0 ? [] : [`no pod ranges of ${unknown.join(', ')} are known`];
}

/** Of a peer whose cluster was not read, or is left to a check that has found another fault of it. */
export const NOT_COMPARED = 'not among the clusters that were compared';

/** Such peers as what is unseen of a cluster that has them. */
export function peersNotCompared(peers: readonly string[]): string[] {
  return peers.length === 0 ? [] : [`${firstOf(peers)}: ${NOT_COMPARED}`];
}
