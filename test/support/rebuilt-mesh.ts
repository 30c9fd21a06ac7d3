import { type ConnectClusters, startBareClusters } from './connect-clusters.ts';
import { kubeconfigWithout } from './e2e-kubeconfig.ts';

/** The contexts of a mesh of three whose mesh-2 is being rebuilt. */
const FORMER_MESH = ['mesh-1', 'former', 'mesh-3'] as const;

export interface RebuiltMesh {
  clusters: ConnectClusters;
  /** Flags by which no context leads to the mesh-2 that is connected. */
  withoutFormer: string[];
}

/**
 * A mesh of three of which mesh-2 is being rebuilt: context `mesh-2` leads to a new cluster of its name, in which nothing is enabled,
 * and only `former` to the one that is connected.
 * @param id of the new one
 */
export async function startRebuiltMesh({ id = 2, withoutCa = true } = {}): Promise<RebuiltMesh> {
  const clusters = await startBareClusters(0, {
    clusters: [
      { name: 'mesh-1', id: 1 },
      { name: 'mesh-2', context: 'former', id: 2 },
      { name: 'mesh-3', id: 3 },
      { name: 'mesh-2', context: 'mesh-2', id },
    ],
    withoutCa,
  });
  const [first, ...others] = FORMER_MESH;
  for (const argv of [
    ['enable', '--context', FORMER_MESH.join()],
    ['connect', '--context', first, '--destination-context', others.join(), '--connection-mode', 'mesh'],
    ['status', '--context', FORMER_MESH.join(), '--wait'],
  ]) {
    const { exitCode, stderr } = await clusters.meshctl(['clustermesh', ...argv]);
    if (exitCode !== 0) throw new Error(`${argv.join(' ')}: ${stderr}`);
  }
  return { clusters, withoutFormer: ['--kubeconfig', await kubeconfigWithout(clusters.kubeconfigPath, 'former')] };
}

/** What was printed, on one line, as if the kubeconfig were the usual one. */
export function plainWords(text: string): string {
  return text.replaceAll(/\s+/g, ' ').replaceAll(/ --kubeconfig \S+/g, '');
}
