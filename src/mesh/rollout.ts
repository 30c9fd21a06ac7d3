import type { KubeObject } from './kube-object.ts';

interface DeploymentStatus {
  observedGeneration?: number;
  replicas?: number;
  updatedReplicas?: number;
  availableReplicas?: number;
}

/** How far a Deployment's rollout is: done when all replicas are of the newest template and available, and no others. */
export function rolloutState(deployment: KubeObject): { done: boolean; available: number; wanted: number } {
  const wanted = (deployment.spec as { replicas?: number }).replicas ?? 1;
  const status = (deployment.status ?? {}) as DeploymentStatus;
  const { observedGeneration = 0, replicas = 0, updatedReplicas = 0, availableReplicas = 0 } = status;
  const seen = observedGeneration >= (deployment.metadata.generation ?? 0);
  const done = seen && updatedReplicas >= wanted && availableReplicas >= wanted && replicas <= wanted;
  return { done, available: availableReplicas, wanted };
}
