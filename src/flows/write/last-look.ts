import { MeshctlError, mayAnswerLater } from '../../mesh/errors.ts';
import type { KubeObject, ObjectRef } from '../../mesh/objects/kube-object.ts';
import type { Target } from '../flow.ts';

/** In place of an object that could not be read. */
export const UNSEEN = 'unseen';

/** Reads an object for a look at whether it is so. */
export type Read = (target: Target, ref: ObjectRef) => Promise<KubeObject | undefined | typeof UNSEEN>;

/** Where what could not be read ends the run. */
export const readOrFail: Read = ({ client }, ref) => client.get(ref);

/** A look once all is written: what cannot be looked at once more is no reason to take it back, and is said. */
export function lastLook(): { read: Read; warnings(): string[] } {
  const failures = new Map<string, MeshctlError>();
  return {
    async read({ client }, ref) {
      try {
        return await client.get(ref);
      } catch (error) {
        if (!(error instanceof MeshctlError) || !mayAnswerLater(error)) throw error;
        if (!failures.has(client.context)) failures.set(client.context, error);
        return UNSEEN;
      }
    },
    warnings: () =>
      [...failures.values()].map(
        ({ message }) =>
          `${message}: whether others have undone meanwhile what this run has done there could not be seen`,
      ),
  };
}
