import type { ContainerFacts } from '../../mesh/checks/shared/mesh-input.ts';
import { APISERVER_SELECTOR, OPERATOR_SELECTOR } from '../../mesh/objects/names.ts';
import { isPodRunning, livingPods, startedAt } from '../../mesh/objects/pods.ts';
import { podStatus } from '../../mesh/objects/workload.ts';
import { workloadTroubles } from '../../mesh/objects/workload-trouble.ts';
import type { Target } from '../flow.ts';

/** How the containers of a clustermesh-apiserver are. */
export async function apiserverContainers({ client, namespace }: Target): Promise<ContainerFacts[]> {
  const pods = await client.listAll(livingPods(namespace, APISERVER_SELECTOR));
  return pods
    .filter(({ metadata }) => !metadata.deletionTimestamp)
    .flatMap((pod) => {
      const [trouble] = workloadTroubles(undefined, [pod]);
      return (podStatus(pod).containerStatuses ?? []).map(({ name, ready = false, restartCount = 0, state }) => ({
        pod: pod.metadata.name,
        container: name,
        ready,
        restarts: restartCount,
        ...(state?.waiting && restartCount === 0 ? { waitsFor: trouble?.says ?? '' } : {}),
      }));
    });
}

/** When the operators of Cilium that run were started. */
export async function operatorStarts({ client, namespace }: Target): Promise<Date[]> {
  const pods = await client.listAll(livingPods(namespace, OPERATOR_SELECTOR));
  return pods.filter(isPodRunning).flatMap((pod) => startedAt(pod) ?? []);
}
