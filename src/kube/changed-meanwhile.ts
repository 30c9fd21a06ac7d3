import type { KubeObject } from '../mesh/objects/kube-object.ts';
import { FIELD_MANAGER } from '../mesh/plan/plan.ts';
import { isRecord } from '../mesh/record.ts';
import { equal } from './merge-patch.ts';

/**
 * Whether what is to be applied was planned from something else than is there now: a value that it sets has another value, or
 * meshctl, in another run, has taken fields or let go of some. It would take back what that run has done, and no plan says so.
 * What controllers and other tools write beside it changes the object's version only.
 * @param seen the object that was planned from
 */
export function changedMeanwhile(seen: KubeObject, live: KubeObject, wanted: KubeObject): boolean {
  return !equal(partOf(seen, wanted), partOf(live, wanted)) || !isAppliedAlike(seen, live);
}

/** Whether meshctl has applied the same fields to an object at two times: another run may have applied more, or fewer. */
export function isAppliedAlike(one: KubeObject, other: KubeObject): boolean {
  return equal(ownedFields(one), ownedFields(other));
}

/** What an object has in the fields that another one has; lists as a whole. */
function partOf(object: unknown, wanted: unknown): unknown {
  if (!isRecord(object) || !isRecord(wanted)) return object;
  return Object.fromEntries(Object.entries(wanted).map(([key, value]) => [key, partOf(object[key], value)]));
}

/** The fields that meshctl has applied, as the API server keeps account of them (`metadata.managedFields`). */
function ownedFields({ metadata: { managedFields = [] } }: KubeObject): unknown {
  return managedFields
    .filter(({ manager, operation, subresource }) => manager === FIELD_MANAGER && operation === 'Apply' && !subresource)
    .map(({ fieldsV1 }) => fieldsV1);
}
