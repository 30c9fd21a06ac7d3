import { enumerated, firstOf } from '../counted.ts';
import { MeshctlError } from '../errors.ts';
import { foldAlike, groupBy } from '../pairs.ts';
import { cutEffects, endangeredEffects, type PeerEffect, takerInWords } from './peer-effects.ts';

/**
 * What a plan does, beside ending connections, that its operator must agree to: it opens a cluster to more clients, takes
 * from other clusters what they use, sends requests where they get no answer, or issues certificates that a cluster refuses by its clock.
 */
export interface Hazard {
  /** The context of the cluster that the plan changes. */
  cluster: string;
  /** One clause, without the cluster. */
  says: string;
  /** Of one that several clusters may have alike: the name of whom it befalls, and the clause of several, with % for their names. */
  befalls?: { name: string; several: string } | undefined;
  /**
   * Of a clause that is about several things at once: what it does, without naming them, and each of them, whatever their order and
   * however few of them the clause has room for. Such a clause may come to be about fewer, which takes no other agreement.
   */
  enumerates?: { what: string; members: readonly string[] } | undefined;
}

/** What is one and the same of several clusters, told once. */
export interface AlikeHazards {
  /** The contexts of the clusters that the plan changes. */
  clusters: readonly string[];
  says: string;
}

/** Hazards that are the same but for which cluster they befall, each told once, in the order of their first appearance. */
export function alikeHazards(hazards: readonly Hazard[]): AlikeHazards[] {
  return foldAlike(hazards, ({ says, befalls }) => befalls?.several ?? says).flatMap((alike) => {
    const clusters = [...new Set(alike.map(({ cluster }) => cluster))];
    const names = [...new Set(alike.flatMap(({ befalls }) => befalls?.name ?? []))];
    return alike.slice(0, 1).map(({ says, befalls }) => {
      const several = names.length > 1 ? befalls?.several.replace('%', () => enumerated(names)) : undefined;
      return { clusters, says: several ?? says };
    });
  });
}

/** Hazards as sentences that stand for themselves. */
export function hazardWords(hazards: readonly Hazard[]): string[] {
  return alikeHazards(hazards).map(({ clusters, says }) => {
    const named = clusters.map((cluster) => `"${cluster}"`).join(', ');
    return `context${clusters.length === 1 ? '' : 's'} ${named}: ${says}`;
  });
}

/** What hazards come to, each thing by itself: a new clause may say nothing but what was said before, of fewer things. */
function keysOf({ cluster, says, enumerates }: Hazard): { key: string; member?: string }[] {
  if (!enumerates || enumerates.members.length === 0) return [{ key: JSON.stringify([cluster, says]) }];
  const { what, members } = enumerates;
  return members.map((member) => ({ key: JSON.stringify([cluster, what, member]), member }));
}

/** Those hazards of a plan that are not, or not wholly, among what was agreed to. */
export function unforeseenHazards(agreed: readonly Hazard[], now: readonly Hazard[]): Hazard[] {
  const known = knownKeys(agreed);
  return now.filter((one) => keysOf(one).some(({ key }) => !known.has(key)));
}

function knownKeys(agreed: readonly Hazard[]): Set<string> {
  return new Set(agreed.flatMap(keysOf).map(({ key }) => key));
}

/** With what is new of a hazard, where some of it was agreed to. */
function withNews(one: Hazard, known: ReadonlySet<string>): Hazard {
  const keys = keysOf(one);
  const added = keys.filter(({ key }) => !known.has(key)).flatMap(({ member }) => member ?? []);
  if (added.length === 0 || added.length === keys.length) return one;
  const news = ` (new: ${firstOf(added)})`;
  const befalls = one.befalls && { ...one.befalls, several: `${one.befalls.several}${news}` };
  return { ...one, says: `${one.says}${news}`, befalls };
}

/**
 * Refuses what nobody has agreed to: since a plan was shown it has come to do more, as by pods that have gone meanwhile. That it
 * does less, as where a Service has been deleted, is no reason.
 * @param begun something was written before, which is left to the rollback
 * @throws MeshctlError `Conflict`, with all that has come
 */
export function requireForeseen(agreed: readonly Hazard[], now: readonly Hazard[], begun = false): void {
  const unforeseen = unforeseenHazards(agreed, now);
  if (unforeseen.length === 0) return;
  const known = knownKeys(agreed);
  const what = hazardWords(unforeseen.map((one) => withNews(one, known))).join('; ');
  throw new MeshctlError('Conflict', `${what}: that was not so when the plan was shown and agreed to`, {
    hint: `Run the same command again, which shows the plan as it is now${begun ? '.' : '; nothing was changed.'}`,
    details: { hazards: unforeseen.map(({ cluster, says }) => ({ cluster, says })), stop: true },
  });
}

/** What of a plan its operator may have to agree to. */
export interface Concerns {
  effects?: readonly PeerEffect[];
  hazards?: readonly Hazard[];
  /** Others may be cut off too, of whom nobody knows. */
  doubtful?: boolean;
}

/** What the operator has to agree to before a plan is carried out, each a clause; none where nobody need be asked. */
export function agreementClauses({ effects = [], hazards = [], doubtful = false }: Concerns): string[] {
  const namesOf = (of: readonly PeerEffect[]) => [...new Set(of.map(({ peer }) => peer))];
  const ended = cutEffects(effects);
  const endangered = endangeredEffects(effects).filter(({ peer }) => !namesOf(ended).includes(peer));
  const perhaps = namesOf(endangered.filter(({ replacedBy }) => replacedBy === undefined));
  const cut = namesOf(ended.filter(({ replacedBy }) => replacedBy === undefined));
  // The name of who is cut off is that of who is connected: only contexts tell the two apart.
  const replaced = ended.flatMap(({ cluster, peer, replacedBy, peerContext }) => {
    if (replacedBy === undefined) return [];
    const which = peerContext === undefined ? '' : `, the cluster of context "${peerContext}",`;
    return `the ${peer} that context "${cluster}" dials${which} is cut off, another cluster than ${takerInWords(replacedBy)}`;
  });
  const perhapsReplaced = endangered.flatMap(({ cluster, peer, replacedBy }) =>
    replacedBy === undefined || perhaps.includes(peer)
      ? []
      : `the ${peer} that context "${cluster}" dials is cut off if it is another cluster than ${takerInWords(replacedBy)}`,
  );
  const bySays = groupBy(alikeHazards(hazards), ({ says }) => says);
  return [
    ...(cut.length > 0 ? [`${cut.join(', ')} ${cut.length === 1 ? 'is' : 'are'} cut off`] : []),
    ...replaced,
    ...(perhaps.length > 0 ? [`${perhaps.join(', ')} may be cut off`] : []),
    ...perhapsReplaced,
    ...[...bySays].map(([says, of]) => `${says} (${[...new Set(of.flatMap(({ clusters }) => clusters))].join(', ')})`),
    ...(doubtful ? ['clusters that are not known here may be cut off'] : []),
  ];
}
