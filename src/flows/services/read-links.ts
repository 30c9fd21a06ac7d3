import { counted } from '../../mesh/counted.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { type Links, linksByContext } from '../../mesh/status/links.ts';
import { evaluateMesh } from '../../mesh/status/mesh-status.ts';
import type { Flow, Target } from '../flow.ts';
import { lookAtClusters } from '../status/status.ts';

/** What a node has wrong for itself, `status` tells; who is connected at all, some of them do. */
const OPTIONS = { parallel: 50, nodeTimeoutMs: 10_000, mostNodes: 100 };

/**
 * Whom the agents of each cluster dial, and which connections are broken, judged as `status` does; by context. A cluster whose
 * agents may not or cannot be asked is left out, with a warning.
 */
export async function readLinks(flow: Flow, targets: readonly Target[]): Promise<Map<string, Links>> {
  const links = await lookAt(flow, targets);
  const unknown = targets.filter(({ client }) => !links.has(client.context));
  if (unknown.length > 0) {
    const contexts = unknown.map(({ client }) => `"${client.context}"`).join(', ');
    flow.progress.warn(
      `context${unknown.length === 1 ? '' : 's'} ${contexts}: no agent could be asked whether it is connected; taking ${counted(unknown.length, 'cluster')} to be connected to those that the peering files name`,
    );
  }
  return links;
}

async function lookAt(flow: Flow, targets: readonly Target[]): Promise<Map<string, Links>> {
  try {
    const { reports, unreachable } = await lookAtClusters(flow, targets, OPTIONS);
    return linksByContext(evaluateMesh(reports, unreachable));
  } catch (error) {
    flow.signal.throwIfAborted();
    if (!(error instanceof MeshctlError) || error.code === 'Bug') throw error;
    return new Map();
  }
}
