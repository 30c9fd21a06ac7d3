import { counted } from '../counted.ts';
import { type MatrixCell, type MeshStatusReport, rowsOf } from './mesh-status.ts';
import { labelsOf, mayBePeersOf, peerNameOf, type StatusReport } from './status.ts';

/** How an edge is: `partial` where only some of the nodes have what it stands for, `unknown` where not all could be asked. */
export type EdgeState = 'ok' | 'partial' | 'broken' | 'unknown';

/** A picture of a mesh, before it is drawn. */
export interface MeshGraph {
  title: string;
  /** `unread`: what of the cluster may not be read, so that a connection may look sound which would not come back. */
  nodes: { id: string; label: string; detail: string; known: boolean; unread?: readonly string[] }[];
  edges: { from: string; to: string; state: EdgeState; label: string }[];
}

/** Who is connected to whom. Peers that were not asked are there too. */
export function graphOfStatus(mesh: MeshStatusReport): MeshGraph {
  const { clusters } = mesh;
  const names = clusters.map(peerNameOf);
  const namesakes = clusters.flatMap(({ ofOtherMeshes = [] }) => ofOtherMeshes);
  const labelOf = labelsOf(clusters);
  const idOf = (report: StatusReport) =>
    namesakes.includes(report.context) ? `${report.cluster.name} (${report.context})` : labelOf(report);
  const asked = clusters.map((report) => ({
    id: idOf(report),
    label: report.cluster.name,
    detail: `${report.context} · ${counted(report.nodes.total, 'node')}${report.unread ? ' · not all may be read' : ''}`,
    known: true,
    ...(report.unread ? { unread: report.unread } : {}),
  }));
  const ways = rowsOf(mesh).flatMap(({ report, cells }) => {
    const peers = new Map(mayBePeersOf(report, clusters).map((peer) => [peerNameOf(peer), idOf(peer)]));
    return cells
      .filter(({ state }) => state !== 'self')
      .map((cell) => ({ ...cell, from: idOf(report), to: peers.get(cell.to) ?? cell.to }));
  });
  const isDrawn = ({ state }: MatrixCell) => state !== 'one-way' && state !== 'not-configured';
  const edges = ways.filter(isDrawn).map(({ from, to, state, connected = 0, total = 0 }) => ({
    from,
    to,
    state: edgeStateOf(state, connected),
    label: state === 'unknown' && connected === 0 ? `?/${total}` : `${connected}/${total}`,
  }));
  // The columns are for all meshes: one that is asked in another is no cluster of this.
  const told = ways.filter((way) => isDrawn(way) || !names.includes(way.to)).map(({ to }) => to);
  const others = told.filter((to) => !asked.some(({ id }) => id === to));
  const unknown = [...new Set(others)].map((id) => ({ id, label: id, detail: 'not asked', known: false }));
  return { title: 'Cluster Mesh', nodes: [...asked, ...unknown], edges };
}

function edgeStateOf(state: MatrixCell['state'], connected: number): EdgeState {
  if (state === 'connected') return 'ok';
  if (state === 'unknown') return 'unknown';
  return connected > 0 ? 'partial' : 'broken';
}
