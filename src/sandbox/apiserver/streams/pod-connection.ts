import type { KubeObject } from '../../../mesh/objects/kube-object.ts';
import { badRequest } from '../errors.ts';
import { objectAt, objectsAt } from '../fields/json.ts';

/** The names of a pod's containers, also the init containers. */
function containerNames(pod: KubeObject): string[] {
  const spec = objectAt(pod, 'spec');
  return [...objectsAt(spec, 'containers'), ...objectsAt(spec, 'initContainers')].map((container) =>
    String(container.name),
  );
}

/** The container that a request means: the named one, or the only one. Throws 400 in the API server's words. */
export function chooseContainer(pod: KubeObject, wanted: string | null): string {
  const { name } = pod.metadata;
  const all = containerNames(pod);
  if (wanted) {
    if (all.includes(wanted)) return wanted;
    throw badRequest(`container ${wanted} is not valid for pod ${name}`);
  }
  const main = objectsAt(objectAt(pod, 'spec'), 'containers').map((container) => String(container.name));
  if (main.length === 1 && main[0] !== undefined) return main[0];
  throw badRequest(`a container name must be specified for pod ${name}, choose one of: [${main.join(' ')}]`);
}
