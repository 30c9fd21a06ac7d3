import { connectCommand, meshctlCommand } from '../../mesh/command-line.ts';
import { counted, enumerated } from '../../mesh/counted.ts';
import { pairsOf } from '../../mesh/pairs.ts';
import type { BrokenLink } from '../../mesh/status/broken-link.ts';
import { hintLines } from '../hint-lines.ts';
import type { Theme } from '../theme.ts';
import type { ReadCluster, ReadClusters } from './read-clusters.ts';

/** Clusters that have nothing to do with each other: where nobody is connected, that is no mesh. */
function apartLines(clusters: readonly ReadCluster[], theme: Theme): string[] {
  const pairs = pairsOf(clusters);
  const apart = pairs.filter(([one, other]) => isApart(one, other) && isApart(other, one));
  const oneWay = oneWayLines(clusters, theme);
  if (apart.length === 0) return oneWay;
  if (apart.length === pairs.length) {
    const words = `${clusters.length === 2 ? 'These clusters are not' : 'None of these clusters is'} connected with ${clusters.length === 2 ? 'each other' : 'another'}: each uses its own backends only`;
    return [`⚠️  ${theme.warn(words)}`, ...hintLines(statusCommand(clusters), theme)];
  }
  const words = apart.map(([one, other]) => `${one.cluster} and ${other.cluster}`).join('; ');
  return [theme.dim(`not connected, so neither uses the other's backends: ${words}`), ...oneWay];
}

/** Of clusters that are dialled and do not dial back, by choice or not: that is why backends there do not count for them. */
function oneWayLines(clusters: readonly ReadCluster[], theme: Theme): string[] {
  const lines = clusters.flatMap((one) => {
    const peers = clusters.filter((other) => other !== one && isApart(one, other) && !isApart(other, one));
    if (peers.length === 0) return [];
    const names = enumerated(peers.map(({ cluster }) => cluster));
    return [theme.dim(`${one.cluster} does not dial ${names}, so backends there do not count for it`)];
  });
  if (lines.length === 0) return [];
  const bothWays = clusters.flatMap((one) =>
    clusters
      .filter(
        (other) =>
          isApart(other, one) &&
          one.brokenLinks?.some(({ peer, state }) => peer === other.cluster && state === 'at-risk'),
      )
      .map((other) => connectCommand(one.context, other.context, ['--connection-mode', 'bidirectional'])),
  );
  return [
    ...lines,
    ...hintLines(`Whether that is meant: ${statusCommand(clusters)}`, theme),
    ...(bothWays.length > 0 ? hintLines(`Both ways: ${bothWays.join(' && ')}`, theme) : []),
  ];
}

function isApart({ peers }: ReadCluster, { cluster }: ReadCluster): boolean {
  return peers !== undefined && !peers.includes(cluster);
}

/** The connections that are not there or broken, each with why, and where that is told in full. */
export function brokenLinkLines({ clusters }: Pick<ReadClusters, 'clusters'>, theme: Theme): string[] {
  const notes = brokenLinkNotes(clusters);
  if (notes.length === 0) return apartLines(clusters, theme);
  return [
    ...apartLines(clusters, theme),
    ...notes.map((note) => `⚠️  ${note}`),
    ...hintLines(statusCommand(clusters), theme),
  ];
}

/** The same, a clause each. */
export function brokenLinkNotes(clusters: readonly ReadCluster[]): string[] {
  return clusters.flatMap(({ cluster, keptFor, brokenLinks = [] }) =>
    brokenLinks.map((link) => `${brokenLinkWords(cluster, link, keptFor)}: ${link.reason}`),
  );
}

function brokenLinkWords(cluster: string, { peer, state, using }: BrokenLink, keptFor: string | undefined): string {
  if (state === 'unknown')
    return `whether ${cluster} is connected to ${peer} is not known, so it cannot count on the backends there`;
  if (state === 'at-risk') return `${cluster} is connected to ${peer}, but cannot count on the backends there`;
  if (state === 'lost') {
    return `${cluster} is not connected to ${peer}, and goes on sending requests to the backends there that it last heard of, ${keptFor === undefined ? '' : `for ${keptFor}, or `}until its agents restart`;
  }
  if (using === undefined) return `${cluster} is not connected to ${peer}, so backends there do not count for it`;
  return `${cluster} is not connected to ${peer} on all nodes, so backends there do not count for it, although requests from ${counted(using, 'node')} go there`;
}

/** Where they are told in full. */
export function statusCommand(clusters: readonly ReadCluster[]): string {
  return meshctlCommand('clustermesh status', { context: clusters.map(({ context }) => context) });
}
