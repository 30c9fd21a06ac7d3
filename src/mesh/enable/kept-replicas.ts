import { apiserverDeployment } from '../apiserver/live.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import type { KubeObject } from '../objects/kube-object.ts';

/** At the Deployment, how many replicas were chosen: whoever scales it by hand takes that along otherwise. */
const REPLICAS_ANNOTATION = 'meshctl.io/replicas';

/** How many replicas were chosen by enable, or a file, and not by who scaled the Deployment; undefined where none is noted. */
export function notedReplicas(snapshot: ClusterSnapshot): number | undefined {
  const text = apiserverDeployment(snapshot)?.metadata.annotations?.[REPLICAS_ANNOTATION] ?? '';
  // Anyone may edit an annotation.
  return /^[1-9]\d{0,3}$/.test(text) ? Number(text) : undefined;
}

/** The rendered objects, with the replicas that were chosen noted at the Deployment; of the default there is no note. */
export function withReplicasNoted(objects: readonly KubeObject[], chosen: number | undefined): KubeObject[] {
  return objects.map((object) => {
    if (object.kind !== 'Deployment' || (chosen ?? 1) <= 1) return object;
    const annotations = { ...object.metadata.annotations, [REPLICAS_ANNOTATION]: String(chosen) };
    return { ...object, metadata: { ...object.metadata, annotations } };
  });
}
