import { MeshctlError } from '../mesh/errors.ts';
import { describeRef, type KubeObject, type ObjectRef } from '../mesh/objects/kube-object.ts';
import { lastWriter } from '../mesh/objects/last-change.ts';
import { dataOf } from '../mesh/objects/secret-data.ts';
import { type EditBasis, FIELD_MANAGER } from '../mesh/plan/plan.ts';
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

/** Whether what a write was copied from is there as it was. */
export function isStillSo({ data }: EditBasis, live: KubeObject | undefined): boolean {
  const present = dataOf(live);
  return Object.entries(data).every(([key, value]) => present[key] === value);
}

/** Of an object that a plan was made from, and that another run has written since: what becomes of that, no plan says. */
export function isChanged(context: string, ref: ObjectRef, seen?: KubeObject, live?: KubeObject): MeshctlError {
  const { words, details } = writerOf(seen, live);
  return new MeshctlError(
    'Conflict',
    `context "${context}": ${describeRef(ref)} was changed by someone else meanwhile${words}`,
    {
      hint: 'Run the same command again.',
      details: { context, object: describeRef(ref), ...details },
    },
  );
}

/** Of an object that a plan was made from. */
export function isGone(context: string, ref: ObjectRef): MeshctlError {
  const message = `context "${context}": ${describeRef(ref)} is gone: someone else has removed it since it was read`;
  return new MeshctlError('NotFound', message, {
    hint: 'Run the same command again.',
    details: { context, object: describeRef(ref) },
  });
}

/** The conflict that an API server has answered with, and who was faster, where the object tells. */
export function withWriter(error: MeshctlError, seen?: KubeObject, live?: KubeObject): MeshctlError {
  const { words, details } = writerOf(seen, live);
  if (words === '') return error;
  const { code, message, hint, cause } = error;
  return new MeshctlError(code, `${message}${words}`, { hint, cause, details: { ...error.details, ...details } });
}

/** Which program has written an object since it was read, and when. */
function writerOf(seen?: KubeObject, live?: KubeObject): { words: string; details: { lastWriter?: unknown } } {
  const writer = lastWriter(seen, live);
  if (!writer) return { words: '', details: {} };
  const who = writer.manager === FIELD_MANAGER ? 'another run of meshctl' : writer.manager;
  return { words: ` (last written by ${who} at ${writer.time})`, details: { lastWriter: writer } };
}
