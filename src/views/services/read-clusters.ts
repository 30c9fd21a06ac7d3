import type { BrokenLink } from '../../mesh/status/broken-link.ts';
import type { UnreachableCluster } from '../../mesh/status/mesh-status.ts';

/** The clusters that were read, and what their agents read beyond them. */
export interface ReadCluster {
  cluster: string;
  context: string;
  /** Peers whose Services were not read: what they add is not counted. */
  unread: readonly string[];
  /** The clusters whose Services its agents read; absent where that could not be seen. */
  peers?: readonly string[] | undefined;
  /** Its connections that `status` calls broken; absent where its agents could not be asked. */
  brokenLinks?: readonly BrokenLink[] | undefined;
  /** What of it may not be read: whether its connections would come back hangs on it too; absent where all was read. */
  unseen?: readonly string[] | undefined;
  /** By how many of its nodes its connections were seen; absent where that is all of them. */
  asked?: { nodes: number; of: number } | undefined;
  /** For how long it uses what a lost peer has published, a Go duration; absent: until its agents restart. */
  keptFor?: string | undefined;
  /** The name with which it was started, and by which others know it, where its cilium-config has another by now. */
  runsAs?: string | undefined;
  /** Its nodes may not be listed, and one of its Services keeps to nodes. */
  nodesUnseen?: true | undefined;
}

/** What was read, and what could not be. */
export interface ReadClusters {
  clusters: readonly ReadCluster[];
  unreachable: readonly UnreachableCluster[];
}
