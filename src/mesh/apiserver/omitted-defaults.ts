import { type KubeObject, keyOf, objectIn, refOf } from '../objects/kube-object.ts';
import { apiserverDeploymentRef, apiserverServiceRef } from '../objects/names.ts';
import { managersOfField } from '../objects/ownership.ts';
import { serviceSpec } from '../objects/service.ts';
import { FIELD_MANAGER } from '../plan/plan.ts';
import { misfitsOf } from './misfits.ts';

/**
 * The objects with a value that render leaves to the API server (Cilium's charts before 1.21 have no `targetPort`), where
 * the live Service has another one that leads to nobody: it is put back only by who names it. Once meshctl has named it,
 * it goes on: a field that is given up and one that is set would take turns.
 */
export function withOmittedDefaults(
  objects: readonly KubeObject[],
  liveOf: (object: KubeObject) => KubeObject | undefined,
): KubeObject[] {
  return objects.map((object) => {
    const { namespace = '' } = object.metadata;
    const live = liveOf(object);
    if (!live || keyOf(refOf(object)) !== keyOf(apiserverServiceRef(namespace))) return object;
    const deployment = objectIn(objects, apiserverDeploymentRef(namespace));
    const misled = misfitsOf(live, deployment).filter(({ id }) => id === 'service-target-port');
    const spec = serviceSpec(object);
    const ports = spec.ports?.map((entry) => {
      const path = `spec.ports[${entry.port}/${entry.protocol ?? 'TCP'}].targetPort`;
      const isNamed = managersOfField(live, path).includes(FIELD_MANAGER);
      const isMisled = misled.some((misfit) => misfit.path === path);
      return entry.targetPort === undefined && (isNamed || isMisled) ? { ...entry, targetPort: entry.port } : entry;
    });
    return { ...object, spec: { ...spec, ...(ports ? { ports } : {}) } };
  });
}

/**
 * Objects whose `fieldRef` says its version, which charts leave to the API server. Server-side apply takes this field as a whole
 * (`structType=atomic`), so that a second manager with the same manifest would want another value than the one that is there.
 */
export function withFieldRefVersions(objects: readonly KubeObject[]): KubeObject[] {
  return objects.map((object) => completed(object) as KubeObject);
}

function completed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(completed);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      key,
      key === 'fieldRef' ? { apiVersion: 'v1', ...(inner as object) } : completed(inner),
    ]),
  );
}
