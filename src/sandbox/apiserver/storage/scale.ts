import type { KubeObject } from '../../../mesh/objects/kube-object.ts';
import { clone, isObject, type JsonObject, objectAt, valueAt } from '../fields/json.ts';

function selectorText(object: KubeObject): string {
  const labels = objectAt(object, 'spec', 'selector', 'matchLabels') ?? {};
  return Object.entries(labels)
    .map(([key, value]) => `${key}=${String(value)}`)
    .join(',');
}

/** The `Scale` of a workload. */
export function scaleOf(object: KubeObject): KubeObject {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp } as KubeObject['metadata'],
    spec: { replicas: valueAt(object, 'spec', 'replicas') ?? 0 },
    status: { replicas: valueAt(object, 'status', 'replicas') ?? 0, selector: selectorText(object) },
  };
}

/** The workload with the replicas of a `Scale`. */
export function withScale(object: KubeObject, scale: JsonObject): KubeObject {
  const next = clone(object);
  const replicas = Number(valueAt(scale, 'spec', 'replicas') ?? 0);
  next.spec = { ...(isObject(next.spec) ? next.spec : {}), replicas };
  return next;
}
