import { clusterNameOf } from '../cilium/identity.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { meshctlCommand } from '../command-line.ts';
import { MeshctlError } from '../errors.ts';
import { groupBy } from '../pairs.ts';
import { meshesAmong } from '../peers/meshes.ts';
import { dialsAnother } from '../peers/namesakes.ts';

/**
 * A file knows clusters by their names, and those are given in each mesh anew: two of one name cannot be in it, nor a cluster whose peer
 * of a name is another one than that which is.
 * @throws MeshctlError `Usage`, with the command for each mesh where they can be told apart
 */
export function requireOneOfEachName(clusters: readonly ClusterSnapshot[]): void {
  const says = mixedUp(clusters);
  if (says === undefined) return;
  const meshes = meshesAmong(clusters);
  const isTold = meshes.length > 1 && meshes.every((mesh) => mixedUp(mesh) === undefined);
  const lines = meshes.map((mesh) => meshctlCommand('export', { context: mesh.map(({ context }) => context) }));
  throw new MeshctlError('Usage', `${says}: a file has each name once`, {
    hint: isTold
      ? `Export each mesh by itself: ${lines.join(' && ')}`
      : 'Which of them is whose peer cannot be told here: name the clusters of one mesh with --context.',
    details: { contexts: clusters.map(({ context }) => context) },
  });
}

/** Why clusters cannot be told apart by their names, as a clause; undefined where they can. */
function mixedUp(clusters: readonly ClusterSnapshot[]): string | undefined {
  return twoOfOneName(clusters) ?? namesakeOfPeer(clusters);
}

function twoOfOneName(clusters: readonly ClusterSnapshot[]): string | undefined {
  const alike = [...groupBy(clusters, clusterNameOf)].find(([, { length }]) => length > 1);
  if (!alike) return undefined;
  const [name, of] = alike;
  const contexts = of.map(({ context }) => `"${context}"`).join(' and ');
  return `contexts ${contexts} lead to different clusters of the name "${name}"`;
}

function namesakeOfPeer(clusters: readonly ClusterSnapshot[]): string | undefined {
  const [found] = clusters.flatMap((client) =>
    clusters
      .filter((other) => other !== client && dialsAnother(client, clusterNameOf(other), other))
      .map((other) => ({ client, other })),
  );
  if (!found) return undefined;
  const { client, other } = found;
  return `the ${clusterNameOf(other)} that context "${client.context}" dials is another cluster than that of context "${other.context}"`;
}
