import type { KubeObject } from '../../mesh/objects/kube-object.ts';
import { ref, timestamp, typeOf } from '../objects.ts';
import { type ControllerWorld, nameSuffix } from './controller.ts';

export interface EventText {
  type: 'Normal' | 'Warning';
  reason: string;
  message: string;
  component: string;
  /** The container that it is about: `spec.containers{etcd}`. */
  fieldPath?: string;
}

/** Records an Event about an object; one that says the same counts up. In a namespace that goes there are no new ones. */
export function recordEvent({ store, now }: ControllerWorld, about: KubeObject, text: EventText): void {
  const { namespace = 'default', uid, resourceVersion = '' } = about.metadata;
  const home = store.get(ref('Namespace', undefined, namespace));
  if (!home || home.metadata.deletionTimestamp) return;
  const name = `${about.metadata.name}.${nameSuffix(`${uid} ${text.reason} ${text.fieldPath ?? ''} ${text.message}`, 16)}`;
  const time = timestamp(now());
  if (store.get(ref('Event', namespace, name))) {
    store.update(ref('Event', namespace, name), (event) => {
      event.count = Number(event.count) + 1;
      event.lastTimestamp = time;
    });
    return;
  }
  store.create({
    ...typeOf('Event'),
    metadata: { name, namespace },
    involvedObject: {
      apiVersion: about.apiVersion,
      kind: about.kind,
      name: about.metadata.name,
      namespace: about.metadata.namespace,
      uid,
      resourceVersion,
      ...(text.fieldPath ? { fieldPath: text.fieldPath } : {}),
    },
    type: text.type,
    reason: text.reason,
    message: text.message,
    source: { component: text.component },
    reportingComponent: text.component,
    reportingInstance: '',
    eventTime: null,
    firstTimestamp: time,
    lastTimestamp: time,
    count: 1,
  });
}

/** Records what a kubelet did with a container of a pod. */
export function recordContainerEvent(
  world: ControllerWorld,
  pod: KubeObject,
  container: string,
  reason: string,
  message: string,
  type: 'Normal' | 'Warning' = 'Normal',
): void {
  const fieldPath = `spec.containers{${container}}`;
  recordEvent(world, pod, { type, reason, message, component: 'kubelet', fieldPath });
}

/** Says of a pod that it has been bound to a node; also of a DaemonSet's, which here no scheduler binds. */
export function recordScheduled(world: ControllerWorld, pod: KubeObject, nodeName: string): void {
  const message = `Successfully assigned ${pod.metadata.namespace}/${pod.metadata.name} to ${nodeName}`;
  recordEvent(world, pod, { type: 'Normal', reason: 'Scheduled', message, component: 'default-scheduler' });
}
