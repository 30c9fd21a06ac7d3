import type { ClusterSnapshot } from '../../cluster-snapshot.ts';
import { dialFaults } from '../../faults/dial-faults.ts';
import { endsByRefresh } from '../../faults/fault.ts';
import { knownAs } from '../../peers/concerned-peers.ts';
import { undialledClients } from '../../peers/lost-halves.ts';
import type { MeshCheckInput } from '../shared/mesh-input.ts';
import { findersOf } from '../shared/unconnected.ts';

/** Why answers of a cluster's pods do not come back, as another check says it. */
export interface NoWayBack {
  /** Ids of checks, and the contexts and clusters in which they find it. */
  foundBy: readonly string[];
  foundIn: readonly string[];
  foundOf: readonly string[];
}

/**
 * The same of a cluster that was not read: where it lets the one that probes in no more, as its owner has parted with it, its nodes are
 * connected to it no more than that.
 * @param to its name
 */
export function noWayBackUnread(
  to: string,
  from: ClusterSnapshot,
  { observed }: Pick<MeshCheckInput, 'observed'>,
): NoWayBack | undefined {
  const problems = observed.get(from.context)?.status?.problems ?? [];
  if (!problems.some(({ peer, class: kind }) => peer === to && kind === 'permission-denied')) return undefined;
  return { foundBy: ['peers-connected'], foundIn: [from.context], foundOf: [to] };
}

/**
 * Why the pods of a cluster that is probed cannot answer the one that probes, whatever the network does: a node wraps packets only for
 * pods of clusters that its agent is connected to (Cilium's ipcache has no other), so that a probe of its health endpoint, which is a
 * pod, gets there and its answer goes nowhere.
 * @param node the node of that pod
 * @returns undefined where its agents are connected, or nothing tells that they are not
 */
export function noWayBack(
  { to, node }: { to: ClusterSnapshot; node: string },
  from: ClusterSnapshot,
  { observed, now }: Pick<MeshCheckInput, 'observed' | 'now'>,
): NoWayBack | undefined {
  const [probing, probed] = [knownAs(from), knownAs(to)];
  const half: NoWayBack = {
    foundBy: ['peers-mutual', 'peers-connected'],
    foundIn: [from.context, to.context],
    foundOf: [probing, probed],
  };
  if (undialledClients(to, [from]).length > 0) return half;
  const report = observed.get(to.context)?.status;
  // What a replica of KVStoreMesh lacks, no agent has; what is held over is still known.
  const lacking = (report?.problems ?? []).filter(
    ({ peer, component, nodes, heldOver }) =>
      peer === probing && !heldOver && (component === 'kvstoremesh' || nodes.includes(node)),
  );
  if (lacking.length > 0) {
    const causes = lacking.flatMap(({ cause }) => cause ?? []);
    return {
      foundBy: [...new Set([...causes.flatMap(({ id }) => findersOf(id)), 'peers-connected'])],
      foundIn: [...new Set([to.context, ...causes.map(({ context }) => context)])],
      foundOf: [probing, probed, ...causes.map(({ object }) => object.replace(/^Secret /, ''))],
    };
  }
  // Those who were asked, and lack nothing, may be connected by what they no longer have.
  const faults = dialFaults(to, { now, others: [from] }, [probing]).filter((fault) =>
    report ? endsByRefresh(fault) : fault.outage,
  );
  if (faults.length === 0) return undefined;
  const foundBy = [...new Set(faults.flatMap(({ id }) => findersOf(id)))];
  return { foundBy, foundIn: [to.context], foundOf: [probing] };
}
