import { counted, enumerated } from '../counted.ts';

/** A cluster whose Services were read, by what could be seen of its connections. */
export interface SightOfCluster {
  cluster: string;
  /** The clusters whose Services its agents read; absent where that could not be seen. */
  peers?: readonly string[] | undefined;
  /** Absent where its agents could not be asked. */
  brokenLinks?: readonly unknown[] | undefined;
  /** What of it may not be read, in words. */
  unseen?: readonly string[] | undefined;
  /** Its nodes may not be listed, and one of its Services keeps to nodes. */
  nodesUnseen?: true | undefined;
}

/** Whether it is only taken to be connected: no agent could be asked, and it may well dial others. */
export function isAssumed({ peers, brokenLinks }: SightOfCluster): boolean {
  return brokenLinks === undefined && peers?.length !== 0;
}

/**
 * What had to be taken for granted for want of a look, and more may be wrong if it is not so: clauses that go on with "if". None where
 * all was seen.
 */
export function doubtsOf(clusters: readonly SightOfCluster[]): string[] {
  const assumed = clusters.filter(isAssumed);
  const byFiles = namesOf(assumed.filter(({ peers }) => peers !== undefined));
  const byNothing = namesOf(assumed.filter(({ peers }) => peers === undefined));
  return [
    ...(byFiles.length > 0
      ? [`${byFiles.join(', ')} ${be(byFiles)} connected as the peering files say, which no agent could be asked`]
      : []),
    ...(byNothing.length > 0
      ? [
          `${byNothing.join(', ')} ${be(byNothing)} connected to ${othersRead(clusters)}: no agent could be asked, and the peering files may not be read`,
        ]
      : []),
    ...clusters.flatMap(({ cluster, unseen = [] }) =>
      unseen.length > 0 ? [`nothing is wrong in ${cluster} with what may not be read: ${unseen.join(', ')}`] : [],
    ),
  ];
}

/** What was taken to be the worst that it may be, as a sentence without its end: less may be wrong if it is not so. */
export function worstCasesOf(clusters: readonly SightOfCluster[]): string[] {
  const names = namesOf(clusters.filter(({ nodesUnseen }) => nodesUnseen));
  if (names.length === 0) return [];
  return [`${enumerated(names)} may have pods on nodes without a backend: nodes may not be listed there`];
}

function othersRead(clusters: readonly SightOfCluster[]): string {
  const others = clusters.length - 1;
  if (others === 0) return 'no other cluster';
  return `the other ${others === 1 ? 'cluster' : counted(others, 'cluster')} here, and to no more`;
}

function namesOf(clusters: readonly SightOfCluster[]): string[] {
  return clusters.map(({ cluster }) => cluster);
}

function be(names: readonly string[]): string {
  return names.length === 1 ? 'is' : 'are';
}
