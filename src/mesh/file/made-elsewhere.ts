import { replicasOf, scaleUpCommand } from '../apiserver/deployment.ts';
import { apiserverDeployment } from '../apiserver/live.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { enumerated } from '../counted.ts';
import { MeshctlError } from '../errors.ts';
import type { NamedDial } from './topology.ts';

/**
 * A cluster to which nobody can be connected as it is, and which meshctl leaves so: its clustermesh-apiserver is made by something
 * else (connectOnly), or is scaled to 0.
 */
export interface UnservedCluster {
  name: string;
  context: string;
  /** Why, as a clause. */
  says: string;
  /** The command that mends it, where one does. */
  mend?: string | undefined;
}

/**
 * Clusters that somebody is to dial by the files, and whose clustermesh-apiserver is at 0 replicas and stays there: who else has
 * the Deployment, or chose that, is to scale it up.
 * @param clusters as the plan leaves them, by their names in the files
 */
export function scaledDown(
  clusters: readonly { name: string; snapshot: ClusterSnapshot }[],
  dials: readonly NamedDial[],
): UnservedCluster[] {
  return clusters.flatMap(({ name, snapshot }) => {
    const deployment = apiserverDeployment(snapshot);
    if (replicasOf(deployment) !== 0 || !dials.some(({ to }) => to === name)) return [];
    const { context } = snapshot;
    const says = `the clustermesh-apiserver of ${name} has 0 replicas, so that it serves no peer, and apply leaves it so`;
    return [{ name, context, says, mend: scaleUpCommand(snapshot, deployment) }];
  });
}

/** What is to be done about clusters that a file leaves to something else, which has not made them, or has scaled them down. */
export function unservedHint(clusters: readonly UnservedCluster[]): string {
  const mends = clusters.flatMap(({ mend }) => mend ?? []);
  const absent = clusters.filter(({ mend }) => mend === undefined);
  const scaling =
    mends.length > 0 ? [`${absent.length > 0 ? 'Then scale' : 'Scale'} it up: ${mends.join(' && ')}`] : [];
  return [...(absent.length > 0 ? [absentHint(absent)] : []), ...scaling].join(' ');
}

function absentHint(clusters: readonly UnservedCluster[]): string {
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
