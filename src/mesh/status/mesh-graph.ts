import type { MeshStatusReport } from './mesh-status.ts';

/** How an edge is: `partial` where only some of the nodes have what it stands for. */
export type EdgeState = 'ok' | 'partial' | 'broken';

/** A picture of a mesh, before it is drawn. */
export interface MeshGraph {
  title: string;
  nodes: { id: string; label: string; detail: string; known: boolean }[];
  edges: { from: string; to: string; state: EdgeState; label: string }[];
}

/** Who is connected to whom. Peers that were not asked are there too. */
export function graphOfStatus({ clusters, matrix }: MeshStatusReport): MeshGraph {
  const asked = clusters.map(({ cluster, nodes, context }) => ({
    id: cluster.name,
    label: cluster.name,
    detail: `${context} · ${nodes.total} nodes`,
    known: true,
  }));
  const others = matrix.filter(({ to }) => !asked.some(({ id }) => id === to)).map(({ to }) => to);
  const edges = matrix
    .filter(({ state }) => !['self', 'one-way', 'not-configured'].includes(state))
    .map(({ from, to, state, connected = 0, total = 0 }) => ({
      from,
      to,
      state: state === 'connected' ? ('ok' as const) : connected > 0 ? ('partial' as const) : ('broken' as const),
      label: `${connected}/${total}`,
    }));
  const unknown = [...new Set(others)].map((id) => ({ id, label: id, detail: 'not asked', known: false }));
  return { title: 'Cluster Mesh', nodes: [...asked, ...unknown], edges };
}
