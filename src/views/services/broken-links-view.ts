import { connectCommand, meshctlCommand } from '../../mesh/command-line.ts';
import { counted, enumerated } from '../../mesh/counted.ts';
import { foldAlike, MANY_ALIKE, mostOften, pairsOf } from '../../mesh/pairs.ts';
import type { BrokenLink } from '../../mesh/status/broken-link.ts';
import { hintLines } from '../hint-lines.ts';
import type { Theme } from '../theme.ts';
import type { ReadCluster, ReadClusters } from './read-clusters.ts';

/** The connections that are not there or broken, each with why; then, once, where that is told in full, and what has both dial. */
export function brokenLinkLines({ clusters }: Pick<ReadClusters, 'clusters'>, theme: Theme): string[] {
  const { lines: apart, isAll: isNoMesh } = apartLines(clusters, theme);
  const oneWay = oneWayLines(clusters, theme);
  const notes = brokenLinkNotes(clusters).map((note) => `⚠️  ${note}`);
  const status = statusCommand(clusters);
  const next = notes.length > 0 || isNoMesh ? [status] : oneWay.length > 0 ? [`Whether that is meant: ${status}`] : [];
  return [
    ...apart,
    ...oneWay,
    ...notes,
    ...[...next, ...haveBothDial(clusters)].flatMap((hint) => hintLines(hint, theme)),
  ];
}

/** Clusters that have nothing to do with each other: where nobody is connected, that is no mesh. */
function apartLines(clusters: readonly ReadCluster[], theme: Theme): { lines: string[]; isAll: boolean } {
  const pairs = pairsOf(clusters);
  const apart = pairs.filter(([one, other]) => isApart(one, other) && isApart(other, one));
  if (apart.length === 0) return { lines: [], isAll: false };
  if (apart.length === pairs.length) {
    const words = `${clusters.length === 2 ? 'These clusters are not' : 'None of these clusters is'} connected with ${clusters.length === 2 ? 'each other' : 'another'}: each uses its own backends only`;
    return { lines: [`⚠️  ${theme.warn(words)}`], isAll: true };
  }
  const words = pairWords(apart.map(([one, other]) => [one.cluster, other.cluster])).join('; ');
  return { lines: [theme.dim(`not connected, so neither uses the other's backends: ${words}`)], isAll: false };
}

/** `a and b; a and c`; whoever is in many of the pairs is named once: `a and each of b, c and d`. */
function pairWords(pairs: readonly (readonly [string, string])[]): string[] {
  const { name, count } = mostOften(pairs.flat());
  if (count < MANY_ALIKE) return pairs.map(([one, other]) => `${one} and ${other}`);
  const others = pairs.filter((pair) => pair.includes(name)).map(([one, other]) => (one === name ? other : one));
  return [`${name} and each of ${enumerated(others)}`, ...pairWords(pairs.filter((pair) => !pair.includes(name)))];
}

/** Of clusters that are dialled and do not dial back, by choice or not: that is why backends there do not count for them. */
function oneWayLines(clusters: readonly ReadCluster[], theme: Theme): string[] {
  const oneWay = clusters.flatMap((one) => {
    const peers = clusters.filter((other) => other !== one && isApart(one, other) && !isApart(other, one));
    return peers.length === 0 ? [] : [{ cluster: one.cluster, peers: enumerated(peers.map(({ cluster }) => cluster)) }];
  });
  return foldAlike(oneWay, ({ peers }) => peers).map((same) => {
    const [dial, it] = same.length === 1 ? ['does not dial', 'it'] : ['do not dial', 'them'];
    const names = enumerated(same.map(({ cluster }) => cluster));
    return theme.dim(`${names} ${dial} ${same[0]?.peers}, so backends there do not count for ${it}`);
  });
}

/** The next step where it is by who dials alone that requests get no answer; where more is wrong, `status` has it. */
function haveBothDial(clusters: readonly ReadCluster[]): string[] {
  const bothWays = clusters.flatMap((one) =>
    clusters
      .filter(
        (other) =>
          isApart(other, one) && one.brokenLinks?.some(({ peer, unanswered }) => peer === other.cluster && unanswered),
      )
      .map((other) => connectCommand(one.context, other.context, ['--connection-mode', 'bidirectional'])),
  );
  return bothWays.length > 0 ? [`To have both dial: ${bothWays.join(' && ')}`] : [];
}

function isApart({ peers }: ReadCluster, { cluster }: ReadCluster): boolean {
  return peers !== undefined && !peers.includes(cluster);
}

/** The same, a clause each: those to one cluster, or from one, of which the same is to be said, as one. */
export function brokenLinkNotes(clusters: readonly ReadCluster[]): string[] {
  const links = clusters.flatMap(({ cluster, keptFor, brokenLinks = [] }) =>
    brokenLinks.map(({ peer, ...link }) => ({ cluster, peer, keptFor, link })),
  );
  const saysOf = ({ keptFor, link }: (typeof links)[number]) => JSON.stringify([keptFor, link]);
  const toOne = foldAlike(links, (one) => `${one.peer} ${saysOf(one)}`);
  const single = toOne.filter(({ length }) => length === 1).flat();
  const fromOne = foldAlike(single, (one) => `${one.cluster} ${saysOf(one)}`);
  return [...toOne.filter(({ length }) => length > 1), ...fromOne].flatMap((same) =>
    same.slice(0, 1).map(({ keptFor, link }) => {
      const from = [...new Set(same.map(({ cluster }) => cluster))];
      const to = enumerated([...new Set(same.map(({ peer }) => peer))]);
      return `${brokenLinkWords(from, to, link, keptFor)}: ${link.reason}`;
    }),
  );
}

/** @param from several where it is the same of all of them */
function brokenLinkWords(
  from: readonly string[],
  peer: string,
  { state, using, unheard }: Omit<BrokenLink, 'peer'>,
  keptFor: string | undefined,
): string {
  const names = enumerated(from);
  const [is, it, its, goes, cannot] =
    from.length === 1
      ? ['is', 'it', 'its', 'goes on sending', 'it cannot count']
      : ['are', 'them', 'their', 'go on sending', 'they cannot count'];
  const heard = from.length === 1 ? 'it last heard' : 'they last heard';
  if (state === 'unknown')
    return `whether ${names} ${is} connected to ${peer} is not known, so ${cannot} on the backends there`;
  if (state === 'at-risk' && unheard) {
    return `${names} may hear nothing of ${peer} any more, and ${goes} requests to the backends there that ${heard} of${keptFor === undefined ? '' : `, for ${keptFor}`}`;
  }
  if (state === 'at-risk') return `${names} ${is} connected to ${peer}, but cannot count on the backends there`;
  if (state === 'lost') {
    return `${names} ${is} not connected to ${peer}, and ${goes} requests to the backends there that ${heard} of, ${keptFor === undefined ? '' : `for ${keptFor}, or `}until ${its} agents restart`;
  }
  if (using === undefined) return `${names} ${is} not connected to ${peer}, so backends there do not count for ${it}`;
  const nodes = `${counted(using, 'node')}${from.length === 1 ? '' : ' of each'}`;
  return `${names} ${is} not connected to ${peer} on all nodes, so backends there do not count for ${it}, although requests from ${nodes} go there`;
}

/** Where they are told in full. */
export function statusCommand(clusters: readonly ReadCluster[]): string {
  return meshctlCommand('clustermesh status', { context: clusters.map(({ context }) => context) });
}
