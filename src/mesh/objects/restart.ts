import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { kubectlCommand } from '../command-line.ts';
import { keyOf } from './kube-object.ts';
import { workloadSpec } from './workload.ts';

/** Where workloads are; `objects` with them, as far as they were read. */
export type WorkloadsPlace = Pick<ClusterSnapshot, 'context' | 'namespace'> & {
  objects?: ClusterSnapshot['objects'] | undefined;
};

/**
 * The command line that gives workloads new pods, the one place of it. kubectl does not restart a Deployment that is paused ("can't
 * restart paused deployment", kubectl's pkg/polymorphichelpers/objectrestarter.go), nor resume one that is not: what was read as paused is
 * resumed first.
 * @param workloads as kubectl names them, e.g. `deployment/clustermesh-apiserver`
 */
export function restartWorkloads(place: WorkloadsPlace, workloads: readonly string[]): string {
  const { context, namespace } = place;
  const paused = workloads.filter((workload) => isPaused(place, workload));
  return [
    ...(paused.length > 0 ? [kubectlCommand({ context, namespace }, ['rollout', 'resume', ...paused])] : []),
    kubectlCommand({ context, namespace }, ['rollout', 'restart', ...workloads]),
  ].join(' && ');
}

function isPaused({ objects, namespace }: WorkloadsPlace, workload: string): boolean {
  const [kind, name = ''] = workload.split('/');
  if (kind !== 'deployment') return false;
  const deployment = objects?.get(keyOf({ apiVersion: 'apps/v1', kind: 'Deployment', namespace, name }));
  return workloadSpec(deployment).paused === true;
}
