import { MeshctlError, warningOf } from '../mesh/errors.ts';

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
    for (const error of errors.slice(1)) {
      if (error instanceof MeshctlError) progress.warn(warningOf(error));
    }
    throw errors[0];
  }
  return settled.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
}
