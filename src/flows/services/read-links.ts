import { type Links, linksByContext } from '../../mesh/status/links.ts';
import { evaluateMesh } from '../../mesh/status/mesh-status.ts';
import type { Flow, Target } from '../flow.ts';
import { lookAtClusters } from '../status/look-at-clusters.ts';
import { orWithout } from '../where-it-succeeds.ts';

const OPTIONS = { parallel: 50, nodeTimeoutMs: 10_000 };
/** What a node has wrong for itself, `status` tells; who is connected at all, some of them do. */
const MOST_NODES = 100;

/**
 * Whom the agents of each cluster dial, and which connections are broken, judged as `status` does; by context. A cluster whose
 * agents may not or cannot be asked is left out.
 * @param everyNode asks those of all nodes, not only of some in a large cluster
 */
export async function readLinks(
  flow: Flow,
  targets: readonly Target[],
  everyNode: boolean,
): Promise<Map<string, Links>> {
  const mostNodes = everyNode ? Number.POSITIVE_INFINITY : MOST_NODES;
  const read = async () => {
    const { reports, unreachable } = await lookAtClusters(flow, targets, { ...OPTIONS, mostNodes });
    return linksByContext(evaluateMesh(reports, unreachable));
  };
  return orWithout(flow, read(), new Map<string, Links>());
}
