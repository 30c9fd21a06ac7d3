import { MeshctlError } from '../mesh/errors.ts';

/** What to take for something that cannot be had. */
export interface Instead<A, F> {
  /** It is not there, e.g. its kind is not served here. */
  absent: A;
  /** It may not be read. */
  forbidden: F;
}

/** What was read, or what stands for it where it is not there or may not be read. @throws MeshctlError whatever else fails */
export async function readOr<T, A, F>(reading: Promise<T>, { absent, forbidden }: Instead<A, F>): Promise<T | A | F> {
  try {
    return await reading;
  } catch (error) {
    if (error instanceof MeshctlError && error.code === 'NotFound') return absent;
    if (error instanceof MeshctlError && error.code === 'Forbidden') return forbidden;
    throw error;
  }
}

/** What was read, or the refusal where it may not be. @throws MeshctlError whatever else fails */
export async function orRefusal<T>(reading: Promise<T>): Promise<T | MeshctlError> {
  try {
    return await reading;
  } catch (error) {
    if (error instanceof MeshctlError && error.code === 'Forbidden') return error;
    throw error;
  }
}

/** What {@link orRefusal} gave, or undefined where that is the refusal. */
export function unlessRefused<T>(read: T | MeshctlError): T | undefined {
  return read instanceof MeshctlError ? undefined : read;
}

/** What was read, or undefined where it may not be. @throws MeshctlError whatever else fails */
export async function unlessForbidden<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (error instanceof MeshctlError && error.code === 'Forbidden') return undefined;
    throw error;
  }
}
