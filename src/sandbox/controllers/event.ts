import type { KubeObject } from '../../mesh/objects/kube-object.ts';
import { ref, timestamp, typeOf } from '../objects.ts';
import { type ControllerWorld, nameSuffix } from './controller.ts';

export interface EventText {
  type: 'Normal' | 'Warning';
  reason: string;
  message: string;
  component: string;
}

/** Records an Event about an object; one that says the same counts up. */
export function recordEvent({ store, now }: ControllerWorld, about: KubeObject, text: EventText): void {
  const { namespace = 'default', uid } = about.metadata;
  const name = `${about.metadata.name}.${nameSuffix(`${uid} ${text.reason} ${text.message}`, 16)}`;
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
    involvedObject: { apiVersion: about.apiVersion, kind: about.kind, name: about.metadata.name, namespace, uid },
    type: text.type,
    reason: text.reason,
    message: text.message,
    source: { component: text.component },
    reportingComponent: text.component,
    firstTimestamp: time,
    lastTimestamp: time,
    count: 1,
  });
}
