import { MeshctlError } from '../mesh/errors.ts';

/** What to take for a list that cannot be had. */
export interface Instead<A, F> {
  /** The kind is not served here. */
  absent: A;
  /** It may not be listed. */
  forbidden: F;
}

/** A list, or what stands for it where the kind is not served or may not be listed. @throws MeshctlError whatever else fails */
export async function listOr<T, A, F>(list: Promise<T>, { absent, forbidden }: Instead<A, F>): Promise<T | A | F> {
  try {
    return await list;
  } catch (error) {
    if (error instanceof MeshctlError && error.code === 'NotFound') return absent;
    if (error instanceof MeshctlError && error.code === 'Forbidden') return forbidden;
    throw error;
  }
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
