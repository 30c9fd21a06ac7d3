import { enumerated } from '../counted.ts';
import { MeshctlError } from '../errors.ts';

/** A cluster whose clustermesh-apiserver is made by something else (connectOnly), and to which nobody can be connected as it is. */
export interface UnservedCluster {
  name: string;
  context: string;
  /** Why, as a clause. */
  says: string;
}

/** What is to be done about clusters that a file leaves to something else, which has not made them. */
export function unservedHint(clusters: readonly UnservedCluster[]): string {
  const whose = enumerated(clusters.map(({ name }) => name));
  return `By the file something else makes the clustermesh-apiserver of ${whose} (connectOnly): make it with that, as before. To have meshctl make it, take connectOnly out of the file.`;
}

/** @throws MeshctlError `ClusterMeshNotEnabled` where there are such clusters: no run can connect them */
export function requireServed(clusters: readonly UnservedCluster[]): void {
  if (clusters.length === 0) return;
  throw new MeshctlError('ClusterMeshNotEnabled', clusters.map(({ says }) => says).join('; '), {
    hint: unservedHint(clusters),
    details: { clusters: clusters.map(({ context, name }) => ({ context, name })) },
  });
}
