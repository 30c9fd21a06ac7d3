import type { KubeObject } from '../objects/kube-object.ts';
import { APISERVER } from '../objects/names.ts';
import { workloadSpec } from '../objects/workload.ts';

/** Whether a Deployment may end all its pods before a new one is ready. */
export function endsAllFirst(deployment: KubeObject): boolean {
  const { replicas = 1, strategy = {} } = workloadSpec(deployment);
  if (strategy.type === 'Recreate') return true;
  const most = strategy.rollingUpdate?.maxUnavailable ?? 0;
  const unavailable = typeof most === 'number' ? most : Math.floor((Number.parseFloat(most) / 100) * replicas);
  return replicas > 0 && unavailable >= replicas;
}

/**
 * What a peer notices of the pods of a clustermesh-apiserver being replaced, as a clause: every connection ends with its pod,
 * and etcd's client makes a new one to the Service.
 */
export function replacementClause(deployment: KubeObject | undefined): string {
  const pods = `the pods of Deployment ${APISERVER}`;
  if (deployment && endsAllFirst(deployment)) return `${pods} all end before new ones are ready: a gap until then`;
  if ((workloadSpec(deployment).replicas ?? 1) > 1) return `${pods} are replaced one by one`;
  return `the only pod of Deployment ${APISERVER} is replaced: changes in the clusters arrive a few seconds late`;
}
