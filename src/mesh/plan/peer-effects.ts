/**
 * What a plan does to the connections with the clusters that stand on this one, or that this one stands on. Every command
 * that writes says it in its plan, and asks before one is cut.
 */

import { ownedElsewhere } from '../command-line.ts';

/**
 * - kept: nothing that the connection needs is changed.
 * - restored: it is not there, and what keeps it out is put right.
 * - moved: it ends with what is changed, or replaced, and is made anew by itself, in such an order that it can be.
 * - lost: it is not there, and nothing in the plan brings it back.
 * - cut: it ends, until the clusters are connected again.
 * - unknown: it hangs on what this run could not read, or on a change of which nobody knows what it does.
 */
export type PeerOutcome = 'kept' | 'restored' | 'moved' | 'lost' | 'cut' | 'unknown';

/** What becomes of the connection with one peer, both directions taken together. */
export interface PeerEffect {
  /** The context of the cluster that the plan changes. */
  cluster: string;
  /** The peer's cluster name. */
  peer: string;
  becomes: PeerOutcome;
  /** One clause for people; empty for `kept` without anything to say. */
  why: string;
  /** The command line that brings it back, for `cut` and `lost`, or that makes it sure, for `unknown`. */
  mend?: string | undefined;
  /** Of one that is lost unless the Service, once it is there, has one of these addresses: `host:port` that the peer dials. */
  unlessAt?: readonly string[] | undefined;
  /**
   * Of one that may be cut off by pods that come up on other nodes: `host:port` that the peer dials, why as a clause, and what connects
   * it again.
   */
  movedPods?: { dials: readonly string[]; why: string; mend: string } | undefined;
  /** Of one that is cut, or may be, because another cluster of its name takes its place: the context of that one. */
  replacedBy?: string | undefined;
  /** Of such a one the context that leads to it, where that is known. */
  peerContext?: string | undefined;
}

/** Whose place another cluster takes, in words: by its context, or as that of a message, of which no context is known here. */
export function takerInWords(replacedBy: string): string {
  return ownedElsewhere(replacedBy) === undefined ? `that of context "${replacedBy}"` : 'that of the message';
}

/** The worst one counts. */
const SEVERITY: readonly PeerOutcome[] = ['kept', 'restored', 'moved', 'lost', 'unknown', 'cut'];

/**
 * One effect for each cluster and peer, the worst, with all clauses that are as bad; in the order in which they came.
 */
export function mergeEffects(effects: readonly PeerEffect[]): PeerEffect[] {
  const byPeer = new Map<string, PeerEffect>();
  for (const effect of effects) {
    const key = JSON.stringify([effect.cluster, effect.peer]);
    const other = byPeer.get(key);
    byPeer.set(key, other ? worse(other, effect) : effect);
  }
  return [...byPeer.values()];
}

function worse(a: PeerEffect, b: PeerEffect): PeerEffect {
  const difference = SEVERITY.indexOf(a.becomes) - SEVERITY.indexOf(b.becomes);
  if (difference !== 0) return difference > 0 ? a : b;
  const why = [...new Set([a.why, b.why].filter((clause) => clause !== ''))].join('; ');
  const movedPods = a.movedPods ?? b.movedPods;
  return {
    ...a,
    why,
    mend: a.mend ?? b.mend,
    unlessAt: undefined,
    movedPods,
    replacedBy: a.replacedBy ?? b.replacedBy,
  };
}

/**
 * Effects of a plan that has been carried out, now that the addresses are known at which the Service can be dialled.
 * @param addresses `host:port`; none where that is not known
 */
export function effectsAt(addresses: readonly string[], effects: readonly PeerEffect[]): PeerEffect[] {
  return effects.map(({ unlessAt = [], movedPods, ...effect }): PeerEffect => {
    const again = unlessAt.filter((address) => addresses.includes(address));
    const { cluster, peer } = effect;
    if (movedPods) return afterMove(addresses, effect, movedPods);
    if (again.length === 0) return effect;
    return { cluster, peer, becomes: 'restored', why: `it dials ${again.join(', ')}, which the Service has again` };
  });
}

function afterMove(
  addresses: readonly string[],
  effect: PeerEffect,
  { dials, why, mend }: NonNullable<PeerEffect['movedPods']>,
): PeerEffect {
  if (addresses.length === 0) return effect;
  const isAllOfIt = effect.why === why;
  const answering = dials.filter((address) => addresses.includes(address));
  if (answering.length === 0) {
    const now = `it dials ${dials.join(', ')}, where no pod answers now`;
    return { ...effect, becomes: 'cut', why: now, mend: isAllOfIt ? effect.mend : mend };
  }
  if (!isAllOfIt) return effect;
  const { cluster, peer } = effect;
  return { cluster, peer, becomes: 'moved', why: `it dials ${answering.join(', ')}, where a pod answers` };
}

/** The connections that a plan ends, or may end: whoever runs it must agree. */
export function endangeredEffects(effects: readonly PeerEffect[]): PeerEffect[] {
  return effects.filter(({ becomes }) => becomes === 'cut' || becomes === 'unknown');
}

/** The connections that a plan ends. */
export function cutEffects(effects: readonly PeerEffect[]): PeerEffect[] {
  return effects.filter(({ becomes }) => becomes === 'cut');
}
