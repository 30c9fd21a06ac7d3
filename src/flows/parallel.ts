import { MeshctlError, warningOf } from '../mesh/errors.ts';

/**
 * Says of clusters what went wrong there too, beside what a run ends with: nobody is to learn of one after the other, run by run.
 * Of Ctrl-C, which ends the work in all of them, nothing.
 */
export function sayOthers({ progress }: { progress: { warn(text: string): void } }, errors: readonly unknown[]): void {
  for (const error of errors) {
    if (error instanceof MeshctlError && error.code !== 'Interrupted') progress.warn(warningOf(error));
  }
}

/**
 * Waits for all, whatever becomes of them, so that none is cut off by another's failure. Then throws the first error; the
 * others are said as warnings first.
 */
export async function allOrFirstError<T>(
  work: readonly Promise<T>[],
  progress: { warn(text: string): void },
): Promise<T[]> {
  const settled = await Promise.allSettled(work);
  const errors = settled.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []));
  if (errors.length > 0) {
    sayOthers({ progress }, errors.slice(1));
    throw errors[0];
  }
  return settled.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
}
