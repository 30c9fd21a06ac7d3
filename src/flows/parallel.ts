import { type ErrorCode, MeshctlError, warningOf } from '../mesh/errors.ts';

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
 * The error that a run ends with, where more have happened: those are said as warnings, and are among its facts, since a document has no
 * warnings.
 * @param contexts whose they are, where an error does not say it itself
 */
export function firstOfErrors<E>(
  flow: { progress: { warn(text: string): void } },
  first: E,
  further: readonly unknown[],
  contexts: ReadonlyMap<unknown, string> = new Map(),
): E {
  // One failure may end the work in several clusters.
  const others = [...new Set(further)].filter((error) => error !== first);
  sayOthers(flow, others);
  const told = others.flatMap((error) =>
    error instanceof MeshctlError && error.code !== 'Interrupted' ? [otherData(error, contexts.get(error))] : [],
  );
  if (first instanceof MeshctlError && told.length > 0) first.details.others = told;
  return first;
}

function otherData({ code, message, hint, details }: MeshctlError, context: unknown = details.context): OtherFailure {
  return {
    ...(typeof context === 'string' ? { context } : {}),
    ...{ code, message },
    ...(hint === undefined ? {} : { hint }),
  };
}

/** What went wrong in one more cluster, as `details.others` of an error has it. */
interface OtherFailure {
  context?: string;
  code: ErrorCode;
  message: string;
  hint?: string;
}

/**
 * Waits for all, whatever becomes of them, so that none is cut off by another's failure. Then throws the first error; the
 * others are said as warnings first, and are among its facts.
 */
export async function allOrFirstError<T>(
  work: readonly Promise<T>[],
  progress: { warn(text: string): void },
): Promise<T[]> {
  const settled = await Promise.allSettled(work);
  const errors = settled.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []));
  if (errors.length > 0) {
    throw firstOfErrors({ progress }, errors[0], errors.slice(1));
  }
  return settled.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
}
